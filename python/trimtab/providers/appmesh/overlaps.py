"""Which entries of a first-match list can meet in one request, found by their paths."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trimtab.providers.appmesh.hops import PathKind
from trimtab.providers.appmesh.sample import path_samples

if TYPE_CHECKING:
    from trimtab.providers.appmesh.order import Entry

K = TypeVar("K")
# Of the entries that share a path, or are regular expressions, so many are held against others.
_MOST_ALIKE = 100


class Overlaps(Generic[K]):
    """The entries of one host. A regular expression counts with one path that it matches."""

    def __init__(self) -> None:
        self._prefixes = _Shelf[K]()
        self._exacts = _Shelf[K]()
        self._regexes = _Shelf[K]()

    def add(self, entry: Entry[K]) -> None:
        self._shelf(entry).add(_path(entry), entry)

    def remove(self, entry: Entry[K]) -> None:
        self._shelf(entry).remove(_path(entry), entry)

    def earlier(self, entry: Entry[K]) -> Iterator[Entry[K]]:
        """Those before ``entry`` in the list that may cover it or be mixed up with it, each in its
        place: a prefix that only goes on where this one ends does neither."""
        path, most = _path(entry), _MOST_ALIKE
        found = [*self._prefixes.above(path, most), *self._whole(entry, most)]
        if entry.match.path.kind is PathKind.PREFIX:
            found += self._exacts.below(path, most)
            found += self._regexes.below(path, most)
        yield from sorted(
            (e for e in found if e.key < entry.key and _meet(e, entry)), key=lambda e: e.key
        )

    def later(self, entry: Entry[K]) -> Iterator[Entry[K]]:
        """Those for which it matters whether ``entry`` is there."""
        found = [*self._whole(entry, None)]
        if entry.match.path.kind is PathKind.PREFIX:
            for shelf in (self._prefixes, self._exacts, self._regexes):
                found += shelf.below(_path(entry), None)
        else:
            found += self._prefixes.above(_path(entry), None)
        yield from (e for e in found if e.key > entry.key)

    def _whole(self, entry: Entry[K], most: int | None) -> Iterable[Entry[K]]:
        """Of the entries for whole paths, those that an entry for whole paths may meet."""
        kind = entry.match.path.kind
        if kind is PathKind.EXACT:
            yield from self._exacts.at(_path(entry), most)
        if kind is not PathKind.PREFIX:
            yield from self._regexes.below("", most)
        if kind is PathKind.REGEX:
            yield from self._exacts.below("", most)

    def _shelf(self, entry: Entry[K]) -> _Shelf[K]:
        kind = entry.match.path.kind
        shelves = {PathKind.PREFIX: self._prefixes, PathKind.EXACT: self._exacts}
        return shelves.get(kind, self._regexes)


class _Shelf(Generic[K]):
    """Entries of one kind by their paths. At one path they stand in match order."""

    def __init__(self) -> None:
        self._by_path: dict[str, list[Entry[K]]] = {}
        self._paths: list[str] = []  # sorted
        self._lengths: dict[int, int] = {}  # of the paths, and how many have it

    def add(self, path: str, entry: Entry[K]) -> None:
        if path not in self._by_path:
            self._by_path[path] = []
            insort(self._paths, path)
            self._lengths[len(path)] = self._lengths.get(len(path), 0) + 1
        insort(self._by_path[path], entry, key=lambda e: e.key)

    def remove(self, path: str, entry: Entry[K]) -> None:
        self._by_path[path].remove(entry)
        if not self._by_path[path]:
            del self._by_path[path]
            del self._paths[bisect_left(self._paths, path)]
            self._lengths[len(path)] -= 1
            if not self._lengths[len(path)]:
                del self._lengths[len(path)]

    def at(self, path: str, most: int | None) -> Iterable[Entry[K]]:
        """Those with this very path: the first ``most`` of them."""
        return self._by_path.get(path, [])[:most]

    def above(self, path: str, most: int | None) -> Iterator[Entry[K]]:
        """Those whose path is the beginning of ``path``, or the same; of each path ``most``."""
        for length in self._lengths:
            if length <= len(path):
                yield from self.at(path[:length], most)

    def below(self, path: str, most: int | None) -> Iterator[Entry[K]]:
        """Those whose path begins with ``path``; of each path ``most``."""
        for place in range(bisect_left(self._paths, path), len(self._paths)):
            if not self._paths[place].startswith(path):
                return
            yield from self.at(self._paths[place], most)


def _path(entry: Entry[Any]) -> str:
    kind, text = entry.match.path
    return next(path_samples(text), "/") if kind is PathKind.REGEX else text


def _meet(one: Entry[Any], other: Entry[Any]) -> bool:
    """Whether they stand in one list, as rules of their own."""
    together = one.port is None or other.port is None or one.port == other.port
    return together and one.rule != other.rule

"""First-match lists as people get them wrong: rules that never win, and order left to chance.

Every finding is proved: what is called shadowed is covered predicate by predicate, what is
called ambiguous comes with a request that both rules match, asked of the real matcher.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from trimtab.providers.appmesh import codes, hops
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.hops import Match, PathKind
from trimtab.providers.appmesh.overlaps import Overlaps
from trimtab.providers.appmesh.requests import example

# So many rivals of a rule are named, and so many are asked for a request that both match.
_MOST_NAMED, _MOST_ASKED = 3, 50


K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Entry(Generic[K]):
    """One entry of a first-match list. Entries of one ``rule`` are not held against each other,
    nor are those of different hosts or ports; one without a port stands in the list of every port.
    """

    rule: K
    name: str  # what its place depends on, after all else
    title: str  # as a message names it
    field: str  # where its match stands
    priority: int | None
    match: Match
    host: str = "*"
    port: int | None = None

    @cached_property
    def key(self) -> tuple[int, int, int, int, str, str]:
        """Its place in the list."""
        return hops.order_key(self.priority, self.match, self.name)

    @property
    def rank(self) -> int:
        return self.key[0]


class Ordering(Generic[K]):
    """A first-match list whose rules come and go, and what is wrong with it now.

    Only rules that stand later than a change and overlap with it are looked at again.
    """

    def __init__(self) -> None:
        self._rules: dict[K, tuple[Entry[K], ...]] = {}
        self._hosts: dict[str, Overlaps[K]] = {}
        self._stale: set[K] = set()
        self._found: dict[K, tuple[Problem, ...]] = {}  # of the few rules that have any

    def put(self, rule: K, entries: Iterable[Entry[K]]) -> None:
        """A rule that is new, or has changed; without entries it is gone."""
        mine = tuple(sorted(entries, key=lambda entry: entry.key))
        if self._rules.get(rule, ()) == mine:
            return
        self._drop(rule)
        if not mine:
            return
        self._rules[rule] = mine
        for entry in mine:
            overlaps = self._hosts.setdefault(entry.host, Overlaps[K]())
            overlaps.add(entry)
            self._stale.update(later.rule for later in overlaps.later(entry))
        self._stale.add(rule)

    def _drop(self, rule: K) -> None:
        for entry in self._rules.pop(rule, ()):
            overlaps = self._hosts[entry.host]
            self._stale.update(later.rule for later in overlaps.later(entry))
            overlaps.remove(entry)
        self._found.pop(rule, None)
        self._stale.discard(rule)

    def findings(self) -> Mapping[K, tuple[Problem, ...]]:
        """What is wrong, by the rules that it is wrong with."""
        for rule in self._stale & self._rules.keys():
            found = tuple(self._examine(self._rules[rule]))
            self._found.pop(rule, None)
            if found:
                self._found[rule] = found
        self._stale.clear()
        return self._found

    def _examine(self, mine: Sequence[Entry[K]]) -> Iterator[Problem]:
        """A rule is shadowed when an earlier one covers each of its entries, and ambiguous when it
        shares a request with one that only chance puts before it."""
        winners = [self._winner(entry) for entry in mine]
        if mine and all(winners):
            loser, winner = mine[-1], winners[-1]
            if winner is not None:
                yield _shadow_problem(loser, winner)
            return
        yield from self._ambiguity(mine)

    def _winner(self, entry: Entry[K]) -> Entry[K] | None:
        """The first that is known to come before the entry and to match all that it does."""
        for earlier in self._hosts[entry.host].earlier(entry):
            certain = earlier.rank < entry.rank or _is_ordered(earlier.match, entry.match)
            everywhere = earlier.port in (None, entry.port)
            if certain and everywhere and covers(earlier.match, entry.match):
                return earlier
        return None

    def _ambiguity(self, mine: Sequence[Entry[K]]) -> Iterator[Problem]:
        rivals: dict[K, tuple[Entry[K], Entry[K], str]] = {}
        asked = 0
        for entry in mine:
            for earlier in self._hosts[entry.host].earlier(entry):
                if earlier.rank != entry.rank or _is_ordered(earlier.match, entry.match):
                    continue
                asked += 1
                if earlier.rule in rivals or asked > _MOST_ASKED or len(rivals) >= _MOST_NAMED:
                    continue
                shown = example(earlier.match, entry.match, _host_shown(entry.host))
                if shown is not None:
                    rivals[earlier.rule] = earlier, entry, shown
        if rivals:
            (first, entry, shown), *others = rivals.values()
            yield _ambiguity_problem(first, entry, shown, [o.title for o, _, _ in others])


def findings(entries: Iterable[Entry[str]]) -> Iterator[Problem]:
    """What is wrong with a list, in the order of its rules."""
    by_rule: dict[str, list[Entry[str]]] = {}
    for entry in entries:
        by_rule.setdefault(entry.rule, []).append(entry)
    ordering = Ordering[str]()
    for rule, own in by_rule.items():
        ordering.put(rule, own)
    found = ordering.findings()
    for rule in by_rule:
        yield from found.get(rule, ())


def _is_ordered(first: Match, second: Match) -> bool:
    """Whether App Mesh documents which comes first at equal priority: the longer prefix."""
    both = first.path.kind is second.path.kind is PathKind.PREFIX
    return both and len(first.path.text) != len(second.path.text)


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every request that ``narrow`` matches is matched by ``wide``: sound, not complete."""
    kind, text = wide.path
    if kind is PathKind.PREFIX:
        paths = narrow.path.kind is not PathKind.REGEX and narrow.path.text.startswith(text)
        paths = paths or text in ("", "/")
    else:
        paths = wide.path == narrow.path
    return (
        paths
        and wide.method in (None, narrow.method)
        and wide.scheme in (None, narrow.scheme)
        and (narrow.grpc or not wide.grpc)
        and set(wide.headers) <= set(narrow.headers)
        and set(wide.query) <= set(narrow.query)
    )


# --- what is said ---------------------------------------------------------------------------------


def _host_shown(host: str) -> str | None:
    return None if host == "*" else host.replace("*", "any", 1)


def _shadow_problem(loser: Entry[K], winner: Entry[K]) -> Problem:
    shown = example(winner.match, loser.match, _host_shown(loser.host)) or ""
    if winner.rank < loser.rank and winner.match != loser.match and loser.priority is not None:
        message = (
            f"never gets a request: {winner.title} takes all of them, as its priority "
            f"{winner.priority} goes before {loser.priority}{shown}."
        )
        remedy = "The lowest number wins: give the more specific route the lower one."
        return Problem(codes.UPSIDE_DOWN, loser.field, message, remedy)
    message = f"never gets a request: {winner.title} takes all of them{shown}."
    remedy = "Remove it, narrow the other, or give it a lower priority number than the other has."
    return Problem(codes.SHADOWED, loser.field, message, remedy)


def _ambiguity_problem(
    first: Entry[K], entry: Entry[K], shown: str, others: Sequence[str]
) -> Problem:
    also = f" It shares requests with {', '.join(others)} too." if others else ""
    message = (
        f"and {first.title} both match{shown}; App Mesh does not say which wins. "
        f"Here it is {first.title}.{also}"
    )
    remedy = "Give the one that should win a lower priority number."
    return Problem(codes.AMBIGUOUS, entry.field, message, remedy)

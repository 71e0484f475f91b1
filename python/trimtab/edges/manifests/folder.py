"""The files of a store and what was last read out of them: only what has changed is read again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain
from operator import attrgetter
from typing import NamedTuple

from trimtab.core.differences import differing
from trimtab.core.model import Diagnostic, Object, ObjectRef, Origin, Severity
from trimtab.edges.manifests.documents import HIDING, Document, DocumentReader, report
from trimtab.edges.manifests.files import Stamp, is_as, stamp, walk
from trimtab.edges.manifests.index import merged, renewed
from trimtab.edges.manifests.pieces import Piece, Pieces, pieces_of
from trimtab.errors import InvalidDocument

# File systems keep times as coarsely as this. A file that was written so shortly before it was
# read may be written again without a trace in its stamp.
_COARSE_S = 2.0
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Content(NamedTuple):
    """A file's text, and how it was encoded."""

    text: str
    bom: bool

    def encode(self, text: str) -> bytes:
        return ((_BOM if self.bom else "") + text).encode()


def decode(content: bytes) -> Content:
    """Raises UnicodeDecodeError: YAML in other encodings is not read by Kubernetes either."""
    text = content.decode()
    return Content(text.removeprefix(_BOM), text.startswith(_BOM))


@dataclass(frozen=True, eq=False)
class File:
    """What one file held when it was last read. ``settled`` is False while its stamp may lie.

    ``kept`` are objects that a broken document may stand for, ``problems`` those of the file as
    a whole and of its documents."""

    stamp: Stamp | None
    settled: bool
    content: Content | None = None
    pieces: Pieces = ()
    kept: tuple[Object, ...] = ()
    problems: tuple[Diagnostic, ...] = ()

    @cached_property
    def inode(self) -> tuple[int, int] | None:
        """What is the same in all links to a file; None while it cannot be read."""
        return (self.stamp.device, self.stamp.inode) if self.stamp else None

    @cached_property
    def objects(self) -> tuple[Object, ...]:
        return (*_objects(self.pieces), *self.kept)

    def since(self, old: File) -> tuple[Sequence[Object], Sequence[Object]]:
        """What stood in an earlier state of the file, and what stands here in its place."""
        if old.kept or self.kept:
            return old.objects, self.objects
        gone, come = differing(old.pieces, self.pieces)
        return tuple(_objects(old.pieces[gone])), tuple(_objects(self.pieces[come]))

    @cached_property
    def by_text(self) -> dict[str, Document]:
        """What each of its documents yields, by the document's text."""
        return {self.text_of(index): piece.document for index, piece in enumerate(self.pieces)}

    @cached_property
    def starts(self) -> list[tuple[int, int]]:
        """The first character and the first line of each document."""
        characters = accumulate((piece.size for piece in self.pieces), initial=0)
        return list(
            zip(characters, accumulate((p.lines for p in self.pieces), initial=0), strict=True)
        )

    def text_of(self, index: int) -> str:
        """The text of a document."""
        begin, (end, _) = self.starts[index][0], self.starts[index + 1]
        return self.content.text[begin:end] if self.content else ""

    @cached_property
    def places(self) -> dict[ObjectRef, list[int]]:
        """The documents in which each object stands."""
        places: dict[ObjectRef, list[int]] = {}
        for index, piece in enumerate(self.pieces):
            for found in piece.objects:
                places.setdefault(found.ref, []).append(index)
        return places


class Folder:
    """Files and folders given by their paths, mirrored by ``scan``. Not safe for several threads."""

    def __init__(
        self, paths: Sequence[str], reader: DocumentReader, now: Callable[[], float]
    ) -> None:
        self._roots = list(paths)
        self._reader = reader
        self._now = now
        self._seen: dict[str, File] = {}  # by every path, also where several lead to one file
        self._files: dict[str, File] = {}
        self._lost: list[Diagnostic] = []
        self._scanned = False
        self._spare: dict[str, Document] = {}  # parsed while a file is being rewritten
        self.parsed = 0  # documents that were parsed so far
        self.objects: dict[ObjectRef, Object] = {}  # another one after each change
        self.twins: Mapping[ObjectRef, Sequence[Origin]] = {}  # of objects given more than once
        self.problems: Sequence[Diagnostic] = ()

    def scan(self) -> None:
        """Look at every file, and read those that have changed.

        Raises InvalidDocument when a path was never there: it is a mistake of whoever gave it. One
        that goes away later keeps what it held, and is a problem."""
        found: dict[str, File] = {}
        lost: list[Diagnostic] = []
        for root in self._roots:
            try:
                for path in walk(root):
                    if path not in found:
                        found[path] = self._look(path)
            except OSError as error:
                if not self._scanned:
                    raise InvalidDocument(
                        f"{root}: {error.strerror}. Remedy: name a manifest, or a folder of them"
                    ) from error
                inside = os.path.join(root, "")  # noqa: PTH118
                kept = {p: f for p, f in self._seen.items() if p == root or p.startswith(inside)}
                found = {**kept, **found}
                lost.append(_file_problem("PathMissing", root, error.strerror or str(error)))
        self._scanned = True
        if found != self._seen or lost != self._lost:
            self._seen, self._lost = found, lost
            self._index(_without_links(found))

    def covers(self, path: str) -> bool:
        """Whether a new file beside this one would be found."""
        folders = (os.path.join(root, "") for root in self._roots if os.path.isdir(root))  # noqa: PTH112, PTH118
        return any(path.startswith(folder) for folder in folders)

    def remember(self, path: str, content: bytes) -> None:
        """Take in what has just been written to a file."""
        file = self._load(path, self._files[path], stamp(path), content)
        self._spare.clear()
        self._seen = {**self._seen, path: file}
        self._index({**self._files, path: file})

    def document(self, path: str, text: str) -> Document:
        """What a document of a file yields, from what is known where possible."""
        known = self._files[path].by_text.get(text) or self._spare.get(text)
        if known is None:
            known = self._spare[text] = self._parse(text, is_json=path.endswith(".json"))
        return known

    def where(self, ref: ObjectRef, field: str = "") -> Origin | None:
        """Where an object, or a field of it, stands now; None for an object that is not here."""
        found = self.objects.get(ref)
        return self._origins(found, field)[0] if found is not None else None

    def _origins(self, found: Object, field: str = "") -> list[Origin]:
        """The places of an object in its file, in which it may stand several times."""
        path = found.file or ""
        file = self._files[path]
        is_json = path.endswith(".json")
        origins = []
        for index in file.places.get(found.ref, ()):
            (first, *_) = (f for f in file.pieces[index].document.objects if f.ref == found.ref)
            line = self._reader.line_of(file.text_of(index), first, field, is_json=is_json)
            origins.append(Origin(path, index, file.starts[index][1] + line + 1))
        return origins or [Origin(path, 0, 1)]  # the document that held it is broken

    def _look(self, path: str) -> File:
        old = self._seen.get(path)
        try:
            if old is not None and old.settled and is_as(path, old.stamp):
                return old
            now = stamp(path)
            with open(path, "rb") as file:  # noqa: PTH123
                content = file.read()
        except OSError as error:
            return _unread(path, old, f"cannot be read: {error.strerror}")
        return self._load(path, old, now, content)

    def _load(self, path: str, old: File | None, seen: Stamp, raw: bytes) -> File:
        settled = seen.mtime_ns / 1e9 < self._now() - _COARSE_S
        try:
            content = decode(raw)
        except UnicodeDecodeError as error:
            return _unread(path, old, f"not UTF-8 text: byte {error.start}")
        if old is not None and old.content == content:
            if (old.stamp, old.settled) == (seen, settled):
                return old
            return replace(old, stamp=seen, settled=settled)
        empty = not content.text or content.text.isspace()
        if old is not None and empty and old.objects:
            return _unread(path, old, "is empty")
        return self._read(path, content, old, seen, settled=settled)

    def _read(
        self, path: str, content: Content, old: File | None, seen: Stamp, *, settled: bool
    ) -> File:
        is_json = path.endswith(".json")
        known = (old.content.text, old.pieces) if old and old.content else ("", ())
        made: list[Piece] = []

        def piece(text: str) -> Piece:
            document = self._spare.get(text) or self._parse(text, is_json=is_json)
            made.append(Piece.of(text, document, path, self.objects))
            return made[-1]

        pieces = pieces_of(content.text, *known, piece, is_json=is_json)
        fine = not (old and old.problems) and not any(one.document.problems for one in made)
        problems = () if fine else tuple(_problems(path, pieces))
        kept: tuple[Object, ...] = ()
        if old is not None and any(p.code in HIDING for p in problems):
            # Which objects a broken document stood for is not known: none of the file's is dropped.
            here = {o.ref for one in pieces for o in one.objects}
            kept = tuple(o for o in old.objects if o.ref not in here)
        return File(seen, settled, content, pieces, kept, problems)

    def _parse(self, text: str, *, is_json: bool) -> Document:
        self.parsed += 1
        return self._reader.read(text, is_json=is_json)

    def _index(self, files: dict[str, File]) -> None:
        before, self._files = self._files, files
        objects = None
        if not self.twins and list(before) == list(files):
            changed = [path for path, file in files.items() if before[path] is not file]
            objects = renewed(self.objects, (files[path].since(before[path]) for path in changed))
        if objects is None:
            objects, twins = merged([*_objects(files.values())])
            self.twins = {ref: self._places(several) for ref, several in twins.items()}
        problems = chain.from_iterable(map(attrgetter("problems"), files.values()))
        doubled = (_twin_problem(ref, origins) for ref, origins in self.twins.items())
        self.objects, self.problems = objects, (*self._lost, *problems, *doubled)

    def _places(self, twins: Sequence[Object]) -> list[Origin]:
        """Where all objects of one name stand, of which a file may hold several."""
        one_of_file = {found.file: found for found in twins}
        return [origin for found in one_of_file.values() for origin in self._origins(found)]


def _objects(parts: Iterable[Piece | File]) -> Iterator[Object]:
    return chain.from_iterable(map(attrgetter("objects"), parts))


def _without_links(files: dict[str, File]) -> dict[str, File]:
    """Each file once, however many links lead to it."""
    if len({file.inode for file in files.values()}) == len(files):
        return files
    seen: set[tuple[int, int]] = set()
    once: dict[str, File] = {}
    for path, file in files.items():
        if file.inode not in seen:
            once[path] = file
        if file.inode:
            seen.add(file.inode)
    return once


def _problems(path: str, pieces: Pieces) -> Iterator[Diagnostic]:
    """The problems of the documents of a file, each with its place."""
    line = 0
    for index, piece in enumerate(pieces):
        for wrong in piece.document.problems:
            yield report(wrong, path, index, line)
        line += piece.lines


def _unread(path: str, old: File | None, message: str) -> File:
    """A file that cannot be read now keeps what it held; it is looked at again at every scan."""
    problem = _file_problem("FileUnreadable", path, message)
    if old is None:
        return File(None, settled=False, problems=(problem,))
    if old.problems == (problem,):
        return old
    return replace(old, stamp=None, settled=False, content=None, problems=(problem,))


def _file_problem(code: str, path: str, message: str) -> Diagnostic:
    return Diagnostic(
        code,
        Severity.ERROR,
        message,
        "make it readable again, or take it away; what it held before stays in force until then",
        origin=Origin(path, 0, 1),
    )


def _twin_problem(ref: ObjectRef, origins: Sequence[Origin]) -> Diagnostic:
    return Diagnostic(
        "DuplicateObject",
        Severity.ERROR,
        f"given more than once: {' and '.join(map(str, origins))}. The first is read, none is written",
        "keep one of them",
        ref,
        origins[0],
    )

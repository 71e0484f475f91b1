"""The files of a store and what was last read out of them: only what has changed is read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trimtab.core.model import Diagnostic, Object, ObjectRef, Origin, Severity
from trimtab.edges.manifests.documents import (
    HIDING,
    Document,
    DocumentReader,
    locate,
    report,
    spans,
    stands,
)
from trimtab.edges.manifests.files import Stamp, stamp, walk
from trimtab.errors import InvalidDocument

# File systems keep times as coarsely as this. A file that was written so shortly before it was
# read may be written again without a trace in its stamp.
_COARSE_S = 2.0
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"

Key = bytes  # the hash of a document's text


class Content(NamedTuple):
    """A file's text, and how it was encoded."""

    text: str
    bom: bool

    def encode(self, text: str) -> bytes:
        return ((_BOM if self.bom else "") + text).encode()


@dataclass(frozen=True, slots=True)
class File:
    """What one file held when it was last read. ``settled`` is False while its stamp may lie."""

    stamp: Stamp | None
    settled: bool
    digest: bytes
    documents: Mapping[Key, Document] = field(default_factory=dict)
    objects: tuple[Object, ...] = ()
    problems: tuple[Diagnostic, ...] = ()


def decode(content: bytes) -> Content:
    """Raises UnicodeDecodeError: YAML in other encodings is not read by Kubernetes either."""
    text = content.decode()
    return Content(text.removeprefix(_BOM), text.startswith(_BOM))


def key_of(text: str) -> Key:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Folder:
    """Files and folders given by their paths, mirrored by ``scan``. Not safe for several threads."""

    def __init__(
        self, paths: Sequence[str], reader: DocumentReader, now: Callable[[], float]
    ) -> None:
        self._roots = list(paths)
        self._reader = reader
        self._now = now
        self._files: dict[str, File] = {}
        self._lost: tuple[Diagnostic, ...] = ()
        self._scanned = False
        self._spare: dict[Key, Document] = {}  # parsed while a file is being rewritten
        self.parsed = 0  # documents that were parsed so far
        self.objects: Mapping[ObjectRef, Object] = {}
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
                kept = {p: f for p, f in self._files.items() if p == root or p.startswith(inside)}
                found = {**kept, **found}
                lost.append(_file_problem("PathMissing", root, error.strerror or str(error)))
        self._scanned = True
        found = _without_links(found)
        same = found.keys() == self._files.keys() and tuple(lost) == self._lost
        if not same or any(self._files[path] is not file for path, file in found.items()):
            self._files, self._lost = found, tuple(lost)
            self._index()

    def covers(self, path: str) -> bool:
        """Whether a new file beside this one would be found."""
        folders = (os.path.join(root, "") for root in self._roots if os.path.isdir(root))  # noqa: PTH112, PTH118
        return any(path.startswith(folder) for folder in folders)

    def remember(self, path: str, content: bytes) -> None:
        """Take in what has just been written to a file."""
        self._files[path] = self._load(path, self._files[path], stamp(path), content)
        self._spare.clear()
        self._index()

    def document(self, path: str, text: str) -> Document:
        """What a document of a file yields, from what is known where possible."""
        key = key_of(text)
        known = self._files[path].documents.get(key) or self._spare.get(key)
        if known is None:
            known = self._spare[key] = self._parse(text, is_json=path.endswith(".json"))
        return known

    def _look(self, path: str) -> File:
        old = self._files.get(path)
        try:
            now = stamp(path)
            if old is not None and old.settled and old.stamp == now:
                return old
            with open(path, "rb") as file:  # noqa: PTH123
                content = file.read()
        except OSError as error:
            return _unread(path, old, f"cannot be read: {error.strerror}")
        return self._load(path, old, now, content)

    def _load(self, path: str, old: File | None, seen: Stamp, content: bytes) -> File:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        settled = seen.mtime_ns / 1e9 < self._now() - _COARSE_S
        if old is not None and old.digest == digest:
            if (old.stamp, old.settled) == (seen, settled):
                return old
            return File(seen, settled, digest, old.documents, old.objects, old.problems)
        try:
            text = decode(content).text
        except UnicodeDecodeError as error:
            return _unread(path, old, f"not UTF-8 text: byte {error.start}")
        if old is not None and old.objects and not text.strip():
            return _unread(path, old, "is empty")
        documents, objects, problems = self._read(path, text, old)
        return File(seen, settled, digest, documents, objects, problems)

    def _read(
        self, path: str, text: str, old: File | None
    ) -> tuple[dict[Key, Document], tuple[Object, ...], tuple[Diagnostic, ...]]:
        known = old.documents if old else {}
        before = {o.ref: o for o in old.objects} if old else {}
        documents: dict[Key, Document] = {}
        objects: list[Object] = []
        problems: list[Diagnostic] = []
        line = 0
        is_json = path.endswith(".json")
        for index, (start, end) in enumerate(spans(text, is_json=is_json)):
            part = text[start:end]
            key = key_of(part)
            document = known.get(key) or self._spare.get(key)
            if document is None:
                document = self._parse(part, is_json=is_json)
            documents[key] = document
            for found in document.objects:
                same = before.get(found.ref)
                if same is None or not stands(same, found, index, line):
                    same = locate(found, path, index, line)
                objects.append(same)
            problems += [report(wrong, path, index, line) for wrong in document.problems]
            line += part.count("\n")
        if old is not None and any(p.code in HIDING for p in problems):
            # Which objects a broken document stood for is not known: none of the file's is dropped.
            here = {o.ref for o in objects}
            objects += [o for o in old.objects if o.ref not in here]
        return documents, tuple(objects), tuple(problems)

    def _parse(self, text: str, *, is_json: bool) -> Document:
        self.parsed += 1
        return self._reader.read(text, is_json=is_json)

    def _index(self) -> None:
        objects: dict[ObjectRef, Object] = {}
        twins: dict[ObjectRef, list[Origin]] = {}
        problems = list(self._lost)
        for file in self._files.values():
            problems += file.problems
            for found in file.objects:
                first = objects.setdefault(found.ref, found)
                if first is not found:
                    twins.setdefault(found.ref, list(_origins(first))).extend(_origins(found))
        problems += [_twin_problem(ref, origins) for ref, origins in twins.items()]
        self.objects, self.twins, self.problems = objects, twins, tuple(problems)


def _without_links(files: dict[str, File]) -> dict[str, File]:
    """Each file once, however many links lead to it."""
    seen: set[tuple[int, int]] = set()
    once: dict[str, File] = {}
    for path, file in files.items():
        inode = file.stamp[:2] if file.stamp else None
        if inode not in seen:
            once[path] = file
        if inode:
            seen.add(inode)
    return once


def _origins(found: Object) -> Iterator[Origin]:
    if found.origin is not None:
        yield found.origin


def _unread(path: str, old: File | None, message: str) -> File:
    """A file that cannot be read now keeps what it held; it is looked at again at every scan."""
    problem = _file_problem("FileUnreadable", path, message)
    if old is None:
        return File(None, settled=False, digest=b"", problems=(problem,))
    if old.problems == (problem,):
        return old
    return File(
        None,
        settled=False,
        digest=b"",
        documents=old.documents,
        objects=old.objects,
        problems=(problem,),
    )


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

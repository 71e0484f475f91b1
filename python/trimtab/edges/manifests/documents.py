"""A file's text as objects: what stands where, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trimtab.core.model import Diagnostic, ObjectRef, Origin, Severity
from trimtab.edges.manifests.lines import line_of_field
from trimtab.edges.manifests.placeholders import (
    Filled,
    Values,
    fill,
    line_of,
    name_of,
    placeholders,
    restore,
)
from trimtab.edges.manifests.shape import Flat, flattened, words
from trimtab.edges.manifests.text import Malformed, Parsed, parse_json, parse_yaml, split
from trimtab.ports import Kind

# Problems of a document of which it is not known what objects it stands for.
HIDING = frozenset(("BrokenDocument", "IndentationLost"))
About = Callable[[str, str, frozenset[str]], str]  # of an apiVersion, a kind, and the words there


class Place(NamedTuple):
    """Where an object stands: the document's index in its file, and the path to it in there."""

    document: int
    path: tuple[str, ...]  # () or ("items", "3")


@dataclass(frozen=True, slots=True)
class Found:
    """An object in a document; lines count from 0 within the document."""

    ref: ObjectRef
    version: str
    body: Mapping[str, Any]
    path: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """A problem in a document, before it is known where the document stands."""

    code: str
    severity: Severity
    message: str
    remedy: str
    line: int
    ref: ObjectRef | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What one document yields. It depends on its text alone, so it is kept by its text."""

    objects: tuple[Found, ...] = ()
    problems: tuple[Wrong, ...] = ()


def version_of(data: Any) -> str:
    """The content hash of an object: as data, so that comments and style do not change it."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def spans(text: str, start: int = 0, *, is_json: bool) -> Iterable[tuple[int, int]]:
    """The spans of the documents in a file's text from ``start`` on: a JSON file is one."""
    return [(start, len(text))] if is_json else split(text, start)


class DocumentReader:
    """Reads the objects of some kinds out of documents; other kinds are passed over.

    With ``values`` placeholders are filled in, and those without a value stay as text. Without,
    a document is read as it stands: what a store needs that writes into it. Either way what has
    no value is said. ``about`` tells what is known of a document that can only be read as words.
    """

    def __init__(
        self,
        kinds: Iterable[Kind],
        default_namespace: str,
        *,
        values: Values | None = None,
        about: About | None = None,
    ) -> None:
        self._kinds: dict[tuple[str, str], list[Kind]] = {}
        for kind in kinds:
            self._kinds.setdefault((kind.group, kind.kind), []).append(kind)
        self._default_namespace = default_namespace
        self._values = values
        self._about = about
        # A document that names none of our kinds is not worth parsing.
        names = "|".join(sorted({re.escape(name) for _, name in self._kinds}))
        self._relevant = re.compile(rf"\b(?:{names})\b|List\b")

    def read(self, text: str, *, is_json: bool) -> Document:
        """The objects and the problems of one document."""
        if not self._relevant.search(text):
            return Document()
        flat = None if is_json else flattened(text)
        if flat is not None and self._served(flat.api_version, flat.kind) is not None:
            return Document(problems=(self._flat(flat, text),))
        try:
            parsed = self._parse(text, is_json=is_json)
        except Malformed as error:
            return Document(problems=(_broken(error, text),))
        objects: list[Found] = []
        problems: list[Wrong] = []
        for path, line, data in _each(parsed):
            try:
                found = self._object(path, line, data)
            except _Unfit as error:
                problems.append(
                    Wrong(error.code, error.severity, error.message, error.remedy, line)
                )
                continue
            if found is not None:
                objects.append(found)
                problems += self._unfilled(found, text)
        return Document(tuple(objects), tuple(problems))

    def line_of(self, text: str, found: Found, field: str, *, is_json: bool) -> int:
        """The line of a field of an object, or of the innermost of its parents that is there."""
        if not field:
            return found.line
        try:
            filled = Filled(text, ()) if self._values is None else fill(text, self._values)
        except Malformed:
            return found.line
        return line_of_field(filled.text, found.path, field, found.line, is_json=is_json)

    def _parse(self, text: str, *, is_json: bool) -> Parsed:
        filled = Filled(text, ()) if self._values is None else fill(text, self._values)
        parsed = parse_json(filled.text) if is_json else parse_yaml(filled.text)
        try:
            data = restore(parsed.data, filled.kept)
        except RecursionError as error:
            raise Malformed("nested too deeply", 0) from error
        return Parsed(data, parsed.line, parsed.item_lines)

    def _served(self, api_version: str, kind: str) -> list[Kind] | None:
        return self._kinds.get((api_version.rpartition("/")[0], kind))

    def _flat(self, flat: Flat, text: str) -> Wrong:
        known = self._about(flat.api_version, flat.kind, words(text)) if self._about else ""
        return Wrong(
            "IndentationLost",
            Severity.ERROR,
            f"a {flat.kind} of {flat.api_version}, but {flat.message}. {known}".rstrip(),
            "give it back its lines and indentation, from where it was copied; what belongs below "
            "what cannot be known from the words alone",
            flat.line,
        )

    def _unfilled(self, found: Found, text: str) -> Iterator[Wrong]:
        """A warning for each placeholder of an object that has no value."""
        if "$" not in text and "{{" not in text:
            return
        told: set[str] = set()
        for placeholder, field in placeholders(found.body):
            if placeholder not in told:
                told.add(placeholder)
                line = line_of(text, placeholder)
                yield Wrong(
                    "PlaceholderUnfilled",
                    Severity.WARNING,
                    f"{placeholder} has no value, and is taken as the text that it is",
                    self._how_to_fill(placeholder),
                    max(line, found.line),
                    found.ref,
                    field,
                )

    def _how_to_fill(self, placeholder: str) -> str:
        if self._values is None:
            return "write the value in its place; nothing is filled in here"
        return f"give it one: --values {name_of(placeholder)}=..."

    def _object(self, path: tuple[str, ...], line: int, data: Any) -> Found | None:
        if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
            raise _Unfit(
                "NotAnObject",
                "is not an object of Kubernetes: a mapping with apiVersion and kind",
                "check its indentation, or keep it elsewhere",
                Severity.WARNING,
            )
        group, _, version = str(data.get("apiVersion", "")).rpartition("/")
        served = self._served(str(data.get("apiVersion", "")), data["kind"])
        if served is None:
            return None
        kind = next((k for k in served if k.version == version), None)
        if kind is None:
            raise _Unfit(
                "UnsupportedVersion",
                f"{data['kind']} of version {version} is not read",
                f"write it as {' or '.join(k.version for k in served)}",
            )
        meta = data.get("metadata")
        if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not meta["name"]:
            raise _Unfit(
                "NameMissing", f"{kind.kind} without a name", "give it a metadata.name, as text"
            )
        namespace = meta.get("namespace") or self._default_namespace
        ref = ObjectRef(group, kind.kind, str(namespace) if kind.namespaced else "", meta["name"])
        return Found(ref, *_as_body(data), path, line)


class _Unfit(Exception):  # noqa: N818 - becomes a Wrong
    def __init__(
        self, code: str, message: str, remedy: str, severity: Severity = Severity.ERROR
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.severity = severity


def _broken(error: Malformed, text: str) -> Wrong:
    lines = text.split("\n")
    there = lines[error.line] if error.line < len(lines) else ""
    hint = "".join(f"; {p} has no value" for p, _ in placeholders(there))
    remedy = "correct it; what it said before stays in force until then"
    return Wrong("BrokenDocument", Severity.ERROR, f"{error.message}{hint}", remedy, error.line)


def _as_body(data: dict[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The version of an object, and its body with that version in it."""
    version = version_of(data)
    return version, {**data, "metadata": {**data["metadata"], "resourceVersion": version}}


def _each(parsed: Parsed) -> Iterator[tuple[tuple[str, ...], int, Any]]:
    """The objects of a document with their paths and lines: itself, or the items of a list."""
    data = parsed.data
    if data is None:
        return
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in data:
        yield (), parsed.line, data
        return
    # A typed list (VirtualRouterList) says once for all what its items are.
    item_of = {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix("List")}
    items = data["items"] if isinstance(data["items"], list) else []
    for index, item in enumerate(items):
        line = parsed.item_lines[index] if index < len(parsed.item_lines) else parsed.line
        full = {**item_of, **item} if kind != "List" and isinstance(item, dict) else item
        yield ("items", str(index)), line, full


def report(wrong: Wrong, file: str, document: int, first_line: int) -> Diagnostic:
    origin = Origin(file, document, first_line + wrong.line + 1)
    return Diagnostic(
        wrong.code, wrong.severity, wrong.message, wrong.remedy, wrong.ref, origin, wrong.field
    )

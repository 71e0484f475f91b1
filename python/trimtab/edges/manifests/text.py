"""Text to data, as Kubernetes reads it: where documents begin, and what a document says.

PyYAML parses; the events are read here and not by its constructors, because Kubernetes takes no
timestamps and no sexagesimal numbers out of a plain scalar, refuses a key given twice, and
because a line is wanted for every object.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_MARK = re.compile(r"^(---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_PREAMBLE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n|%[^\n]*\n)*")
_TAG = "tag:yaml.org,2002:"

# A document may not grow beyond this many values by its aliases.
_MOST_VALUES = 1_000_000

_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    form: value
    for value, words in {
        None: ("null", "~"),
        True: ("true", "yes", "on", "y"),
        False: ("false", "no", "off", "n"),
    }.items()
    for word in words
    for form in (word, word.capitalize(), word.upper())
} | {"": None}
# Most plain scalars are words: what starts with none of these is text.
_MAYBE_MORE = frozenset("0123456789+-.~nNtTfFyYoO")


class Malformed(Exception):  # noqa: N818 - it is reported as a Diagnostic, never seen as an error
    """A document that cannot be read. ``line`` counts from 0 within the text that was given."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document. Lines count from 0 within its text; ``item_lines`` are those of ``items``."""

    data: Any
    line: int
    item_lines: tuple[int, ...] = ()


def split(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """The spans of the documents of a YAML file, together the whole text from ``start`` on, where
    a document begins. What comes before ``start`` makes no difference.

    ``---`` at the start of a line is a document's start wherever it stands, also in a block
    scalar, so that a broken document cannot hide the next one. Comments and directives belong to
    the document after them.
    """
    for mark in _MARK.finditer(text, start):
        cut = mark.start()
        if mark[1] == "...":
            newline = text.find("\n", cut)
            cut = newline + 1 if newline >= 0 else len(text)
        elif _only_preamble(text, start, cut):
            continue
        yield start, cut
        start = cut
    if start < len(text):
        yield start, len(text)


def _only_preamble(text: str, start: int, end: int) -> bool:
    found = _PREAMBLE.match(text, start, end)
    return found is not None and found.end() == end


def parse_yaml(text: str) -> Parsed:
    """The one document of a YAML text; data None where there is none. Raises Malformed."""
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = text.split("\n")
        line = min(mark.line if mark else 0, len(lines) - 1)  # YAML breaks lines elsewhere too
        tabs = re.match(r" *\t", lines[line])
        hint = "; indent with spaces, not with tabs" if tabs else ""
        raise Malformed(f"{_in_words(error)}{hint}", line) from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise Malformed(str(error).splitlines()[0], 0) from error
    except RecursionError as error:
        raise Malformed("nested too deeply", 0) from error


# What libyaml says of the usual slips, and what that means to whoever wrote the document.
_SLIPS = {
    "mapping values are not allowed in this context": (
        "bad indentation: a field stands within the value before it, or a value that holds ': ' "
        "has no quotes"
    ),
    "did not find expected key": (
        "bad indentation: the line stands neither beside the fields above it nor below one of them"
    ),
    "did not find expected '-' indicator": (
        "bad indentation: the line stands neither beside the entries of the list above it nor "
        "within one of them"
    ),
    "could not find expected ':'": "a line that is no field: there is no ': ' in it",
}


def _in_words(error: yaml.MarkedYAMLError) -> str:
    context = f"{error.context}, " if error.context else ""
    told = f"{context}{error.problem}"
    slip = _SLIPS.get(str(error.problem))
    return f"{slip} ({told})" if slip else told


def parse_json(text: str) -> Parsed:
    """The one document of a JSON text. Raises Malformed."""
    try:
        data = json.loads(text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Malformed(error.msg, error.lineno - 1) from error
    except ValueError as error:  # thousands of digits
        raise Malformed("a number that is too long", 0) from error
    except RecursionError as error:
        raise Malformed("nested too deeply", 0) from error
    if isinstance(data, dict) and "items" in data:
        return Parsed(data, 0, parse_yaml(json_as_yaml(text)).item_lines)
    return Parsed(data, 0)


def json_as_yaml(text: str) -> str:
    """JSON as text that the YAML parser takes, every character where it was. Strings lose what
    YAML would read otherwise, so it is good for positions and not for values."""
    plain = re.sub(r"\\(?:u[0-9a-fA-F]{4}|.)", lambda m: "_" * len(m[0]), text)
    return re.sub(r"[^\x20-\x7e\n\r]", "_", plain.replace("\t", " "))


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = {sys.intern(key): value for key, value in pairs}
    if len(data) < len(pairs):
        twin = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise Malformed(f"the field {twin!r} is given twice", 0)
    return data


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not a JSON value", 0)


def plain(value: str) -> Any:
    """What a plain YAML scalar means to Kubernetes: null, a boolean, a number or text."""
    if value and value[0] not in _MAYBE_MORE:
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _INT.fullmatch(value):
        digits = value.replace("_", "")
        bare = digits.lstrip("+-")
        octal = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
        try:
            return int(digits, 8 if octal else 0)
        except ValueError:  # 0b_ has no digits, and thousands of digits are no number
            return value
    if _FLOAT.fullmatch(value):
        number = float(value)
        return value if math.isinf(number) else number
    return value


class _Reader:
    """Reads the events of one document into data."""

    def __init__(self, text: str) -> None:
        self._next: Callable[[], Any] = Loader(text).get_event
        self._anchors: dict[str, tuple[Any, int]] = {}  # the value, and how many values it holds
        self._count = 0
        self._item_lines: list[int] = []

    def document(self) -> Parsed:
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            return Parsed(None, 0)
        first = self._next()
        data = self._value(first, 0)
        self._next()  # the end of the document
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            raise Malformed("a second document without '---' before it", end.start_mark.line)
        return Parsed(data, first.start_mark.line, tuple(self._item_lines))

    def _value(self, event: Any, depth: int, lines: list[int] | None = None) -> Any:
        self._count += 1
        before = self._count
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value = self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping(depth)
        elif kind is yaml.SequenceStartEvent:
            value = self._sequence(depth, lines)
        else:
            return self._alias(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before + 1)
        return value

    def _scalar(self, event: Any) -> Any:
        if event.implicit[0]:
            return plain(event.value)
        if event.implicit[1] or event.tag in ("!", _TAG + "str"):
            return event.value
        value = plain(event.value)
        name = {int: "int", float: "float", bool: "bool", type(None): "null"}.get(type(value))
        if event.tag != f"{_TAG}{name}":
            raise Malformed(f"the tag {event.tag} is not understood", event.start_mark.line)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise Malformed(f"*{event.anchor} names no anchor above it", event.start_mark.line)
        value, size = self._anchors[event.anchor]
        self._count += size
        if self._count > _MOST_VALUES:
            raise Malformed("too large once its aliases are filled in", event.start_mark.line)
        return value

    def _sequence(self, depth: int, lines: list[int] | None) -> list[Any]:
        values = []
        event = self._next()
        while type(event) is not yaml.SequenceEndEvent:
            if lines is not None:
                lines.append(event.start_mark.line)
            values.append(self._value(event, depth + 1))
            event = self._next()
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[Any] = []
        event = self._next()
        while type(event) is not yaml.MappingEndEvent:
            key = self._key(event)
            value_event = self._next()
            if key == "<<" and event.implicit[0]:
                merged.append((self._value(value_event, depth + 1), event))
            elif key in values:
                raise Malformed(f"the field {key!r} is given twice", event.start_mark.line)
            else:
                lines = self._item_lines if depth == 0 and key == "items" else None
                values[key] = self._value(value_event, depth + 1, lines)
            event = self._next()
        for source, at in merged:
            values = _merge(source, at.start_mark.line) | values
        return values

    def _key(self, event: Any) -> str:
        if type(event) is not yaml.ScalarEvent or event.value == "":
            raise Malformed("a key that is not a word", event.start_mark.line)
        key = plain(event.value) if event.implicit[0] else event.value
        if isinstance(key, bool):  # as Kubernetes does with on, off, yes, no
            return "true" if key else "false"
        return sys.intern(event.value)


def _merge(source: Any, line: int) -> dict[str, Any]:
    """What a merge key brings: a mapping, or several of which the first wins."""
    sources = source if isinstance(source, list) else [source]
    if not all(isinstance(part, dict) for part in sources):
        raise Malformed("<< takes a mapping, or a list of mappings", line)
    return {key: value for part in reversed(sources) for key, value in part.items()}

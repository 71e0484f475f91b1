"""Setting single values in a text without touching a character beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml

from trimtab.edges.manifests.text import Loader, json_as_yaml, plain
from trimtab.errors import Refused


def set_value(text: str, path: Sequence[str], old: Any, new: Any, *, is_json: bool) -> str:
    """The text with the scalar at ``path`` set to ``new``, in the style in which it stood.

    ``old`` is its value now; the type is kept. Raises Refused, with the remedy, where the value
    stands in a form that cannot be changed by itself. The caller checks the outcome as a whole.
    """
    if type(old) is not type(new):
        raise Refused(
            f"is {old!r}, and {new!r} is not a value of the same type. "
            f"Remedy: write {json.dumps(new)} there once by hand"
        )
    event, anchors = _Finder(json_as_yaml(text) if is_json else text).find(path)
    if anchors:
        _refuse_shared(text, anchors)
    begin, end = event.start_mark.index, event.end_mark.index
    return (
        text[:begin]
        + _render(text[begin:end], event.style or "", new, is_json=is_json)
        + text[end:]
    )


class _Finder:
    """Walks the events of one document along a path."""

    def __init__(self, text: str) -> None:
        self._next: Callable[[], Any] = Loader(text).get_event

    def find(self, path: Sequence[str]) -> tuple[Any, set[str]]:
        """The scalar at the end of the path, and the anchors of the collections on the way."""
        anchors = set()
        self._next()  # the start of the stream, and that of the document
        self._next()
        event = self._next()
        for token in path:
            self._no_alias(event)
            if event.anchor:
                anchors.add(event.anchor)
            if isinstance(event, yaml.MappingStartEvent):
                event = self._field(token)
            elif isinstance(event, yaml.SequenceStartEvent):
                event = self._element(int(token))
            else:
                raise Refused(f"there is no {token!r} in it")
        self._no_alias(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise Refused("it is not a single value")
        if event.anchor:
            raise Refused(
                f"carries the anchor &{event.anchor}, so that changing it changes other places. "
                "Remedy: write the value out wherever it is used"
            )
        return event, anchors

    def _field(self, name: str) -> Any:
        merges = False
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            value = self._next()
            if key.value == name:
                return value
            merges = merges or (key.value == "<<" and key.implicit[0])
            self._skip(value)
        if merges:
            raise Refused(f"{name!r} comes from a merge key (<<). Remedy: write the field out here")
        raise Refused(f"there is no field {name!r}")

    def _element(self, index: int) -> Any:
        for _ in range(index):
            self._skip(self._next())
        event = self._next()
        if isinstance(event, yaml.SequenceEndEvent):
            raise Refused(f"there is no element {index}")
        return event

    def _skip(self, event: Any) -> None:
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            event = self._next()

    @staticmethod
    def _no_alias(event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise Refused(
                f"is an alias (*{event.anchor}) of a value that stands elsewhere. "
                "Remedy: write the value out here"
            )


def _refuse_shared(text: str, anchors: set[str]) -> None:
    """An anchor on the way harms only if somebody refers to it."""
    events: Iterable[Any] = yaml.parse(text, Loader=Loader)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and event.anchor in anchors:
            raise Refused(
                f"stands under the anchor &{event.anchor}, which line {line} of the document refers "
                "to. Remedy: write the value out in both places"
            )


def _render(span: str, style: str, new: Any, *, is_json: bool) -> str:
    if span[:1] in "!&":
        raise Refused("carries a tag. Remedy: write the bare value")
    if not isinstance(new, str):
        return json.dumps(new)
    if is_json or style == '"':
        return json.dumps(new, ensure_ascii=False)
    if not new.isprintable():
        raise Refused(f"the text {new!r} needs double quotes. Remedy: put the value into quotes")
    if style == "'":
        return "'" + new.replace("'", "''") + "'"
    if not style and re.fullmatch(r"\w[\w./-]*", new) and plain(new) == new:
        return new
    raise Refused(f"the text {new!r} needs double quotes. Remedy: put the value into quotes")

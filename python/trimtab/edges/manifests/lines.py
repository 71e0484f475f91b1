"""Where a field stands in a document's text, found by its path as diagnostics have it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import yaml

from trimtab.edges.manifests.text import Loader, json_as_yaml


def line_of_field(
    text: str, inside: Sequence[str], field: str, otherwise: int, *, is_json: bool
) -> int:
    """The line, from 0, of a field (``spec.routes[0].name``) of the object at the path ``inside``
    of a document. Where there is no such field, that of the innermost of its parents;
    ``otherwise`` where not even one of them is found."""
    node = _root(json_as_yaml(text) if is_json else text)
    for name in inside:
        node, _, _ = _step(node, name)
    line = otherwise
    while node is not None and field:
        node, found, field = _step(node, field)
        line = line if found is None else found
    return line


@lru_cache(maxsize=16)
def _root(text: str) -> Any:
    """The document as nodes; kept for a moment, as a document often has several diagnostics."""
    try:
        return yaml.compose(text, Loader=Loader)
    except (yaml.YAMLError, RecursionError):
        return None


def _step(node: Any, path: str) -> tuple[Any, int | None, str]:
    """One step along a path: the value there and its line, and what is left of the path."""
    if isinstance(node, yaml.SequenceNode):
        number, _, rest = path.removeprefix("[").partition("]")
        if number.isdigit() and int(number) < len(node.value):
            item = node.value[int(number)]
            return item, item.start_mark.line, rest.removeprefix(".")
    if isinstance(node, yaml.MappingNode):
        fields = [(k, v, _rest(path, str(k.value))) for k, v in node.value]
        there = [(rest, key, value) for key, value, rest in fields if rest is not None]
        if there:  # names may hold dots: the longest that fits is meant
            rest, key, value = min(there, key=lambda one: len(one[0]))
            return value, key.start_mark.line, rest
    return None, None, ""


def _rest(path: str, name: str) -> str | None:
    """What follows ``name`` in a path that begins with it, None for one that does not."""
    for shown in (name, f"[{name}]"):
        if path == shown:
            return ""
        if name and path.startswith(shown) and path[len(shown)] in ".[":
            return path[len(shown) :].removeprefix(".")
    return None

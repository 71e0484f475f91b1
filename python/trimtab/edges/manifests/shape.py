"""Documents that lost their indentation or their line breaks, as happens on the way through pages.

Such a text may well be YAML, of another meaning; what stood below what can only be guessed. It
is recognised by an envelope that is empty where its fields stand beside it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"^(?P<indent>[ \t]*)(?P<rest>[^\s#].*?)[ \t\r]*$", re.MULTILINE)
_KEY = re.compile(r"(?P<key>[A-Za-z][\w.]*):(?P<value>[ \t]+[^#\s].*)?(?:[ \t]+#.*)?")
_ONE_LINE = re.compile(r"apiVersion:[ \t]*(?P<version>\S+)[ \t]+kind:[ \t]*(?P<kind>\w+)[ \t]")
# Most documents are as they should be, and one search tells.
_SUSPECT = re.compile(
    r"^([ \t]*)(?:metadata|spec):[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*"
    r"\1(?=[A-Za-z])(?!(?:apiVersion|kind|metadata|spec|status):)"
    r"|apiVersion:[ \t]*\S+[ \t]+kind:",
    re.MULTILINE,
)
_WORDS = re.compile(r"(?:^|[\s{,-])([A-Za-z]\w*):(?=\s|$)", re.MULTILINE)
_ENVELOPE = frozenset(("apiVersion", "kind", "metadata", "spec", "status"))


class Flat(NamedTuple):
    """What the words of a flattened document say. ``line`` (from 0) is the first that lost its
    place."""

    api_version: str
    kind: str
    line: int
    message: str


def flattened(text: str) -> Flat | None:
    """None for a document whose envelope holds its fields, or that is no object at all."""
    if not _SUSPECT.search(text):
        return None
    fields: dict[str, str] = {}
    base: str | None = None
    empty: str | None = None  # metadata or spec, while nothing has been seen in it
    lost: tuple[int, str, str] | None = None
    for found in _LINE.finditer(text):
        if found["rest"].startswith("---"):
            continue
        if base is None:
            base = found["indent"]
            if one := _ONE_LINE.match(found["rest"]):
                line = text.count("\n", 0, found.start())
                return Flat(one["version"], one["kind"], line, "its line breaks are lost")
        key = _KEY.fullmatch(found["rest"])
        if found["indent"] != base or key is None:
            empty = None
            continue
        if empty and lost is None and key["key"] not in _ENVELOPE:
            lost = text.count("\n", 0, found.start()), key["key"], empty
        fields.setdefault(key["key"], (key["value"] or "").strip().strip("\"'"))
        empty = key["key"] if key["key"] in ("metadata", "spec") and not key["value"] else None
    if lost is None or "kind" not in fields:
        return None
    line, inner, outer = lost
    message = f"its indentation is lost: {inner} stands beside {outer} and not below it"
    return Flat(fields.get("apiVersion", ""), fields["kind"], line, message)


def words(text: str) -> frozenset[str]:
    """Every name of a field that appears anywhere in a text."""
    return frozenset(_WORDS.findall(text))

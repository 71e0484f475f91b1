"""Placeholders of templates in manifests: ``${VAR}``, ``$VAR``, ``{{VAR}}``, ``{{ .Values.x }}``.

They are filled in the text, as the tools do that they were written for: what a value then is,
a number or a list, YAML decides. Lines stay where they are. A placeholder without a value is kept
as the text that it is, also where YAML alone could not read it (``{name: ${VAR}}``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trimtab.edges.manifests.text import Malformed, parse_yaml
from trimtab.errors import InvalidDocument

_PLACEHOLDER = re.compile(
    r"(?<![$\\])(?:\$\{(?P<braced>[A-Za-z_]\w*)(?::?[-=](?P<default>[^}\n]*))?\}"
    r"|\$(?P<bare>[A-Za-z_]\w*)"
    r"|\{\{-?[ \t]*(?P<action>[^{}\n]*?)[ \t]*-?\}\})"
)
_NAMED = re.compile(r"\$?\.?(?P<name>[A-Za-z_][\w.-]*)(?P<quote>[ \t]*\|[ \t]*quote)?")
_CONTROL = frozenset(("end", "else", "break", "continue"))
_COMMENT = re.compile(r"(?:^|\s)#")
# A placeholder that stays is one of these while YAML reads it: private characters, legal anywhere.
_MARK = re.compile("\ue000([0-9]+)\ue001")
_PAIR = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)=(?P<value>.*)", re.DOTALL)

Values = Mapping[str, str]  # by name, dotted where it is inside of another; as text to be filled in


class Filled(NamedTuple):
    """A text with values in the place of placeholders; those that stay are marks in it."""

    text: str
    kept: tuple[str, ...]


def fill(text: str, values: Values) -> Filled:
    """Raises Malformed for a template that is more than placeholders."""
    if "$" not in text and "{{" not in text:
        return Filled(text, ())
    kept: list[str] = []

    def one(found: re.Match[str]) -> str:
        value = _value(found, values)
        if value is None and _in_comment(found):
            return found[0]
        if value is None:
            _refuse_logic(found)
            kept.append(found[0])
            return f"\ue000{len(kept) - 1}\ue001"
        return value

    return Filled(_PLACEHOLDER.sub(one, text), tuple(kept))


def restore(data: Any, kept: Sequence[str]) -> Any:
    """The data with the placeholders that stay, as they were written."""
    if not kept:
        return data
    if isinstance(data, str):
        return _MARK.sub(lambda mark: kept[int(mark[1])], data) if "\ue000" in data else data
    if isinstance(data, dict):
        return {restore(key, kept): restore(value, kept) for key, value in data.items()}
    if isinstance(data, list):
        return [restore(value, kept) for value in data]
    return data


def placeholders(data: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """The placeholders in texts of ``data``, each with the path of its field."""
    if isinstance(data, str):
        if "$" in data or "{{" in data:
            yield from ((found[0], field) for found in _PLACEHOLDER.finditer(data))
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from placeholders(key, f"{field}.{key}".lstrip("."))
            yield from placeholders(value, f"{field}.{key}".lstrip("."))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from placeholders(value, f"{field}[{index}]")


def line_of(text: str, placeholder: str) -> int:
    """The line on which a placeholder first stands outside of comments, from 0."""
    for found in _PLACEHOLDER.finditer(text):
        if found[0] == placeholder and not _in_comment(found):
            return text.count("\n", 0, found.start())
    return 0


def name_of(placeholder: str) -> str:
    """The name by which a value is given to a placeholder."""
    found = _PLACEHOLDER.fullmatch(placeholder)
    return (_name(found) if found else None) or placeholder


def _name(found: re.Match[str]) -> str | None:
    if (plain := found["braced"] or found["bare"]) is not None:
        return str(plain)
    named = _NAMED.fullmatch(found["action"])
    if named is None or named["name"] in _CONTROL:
        return None
    return named["name"].removeprefix("Values.")


def _value(found: re.Match[str], values: Values) -> str | None:
    name = _name(found)
    value = values.get(name) if name is not None else None
    if value is None:
        default = found["default"]
        return None if default is None else str(default)
    if found["action"] is not None and found["action"].endswith("quote"):
        return json.dumps(value, ensure_ascii=False)
    return value


def _refuse_logic(found: re.Match[str]) -> None:
    if found["action"] is not None and _name(found) is None:
        raise Malformed(
            f"{found[0]} is an instruction of a template, and this is not a manifest before it has "
            "been carried out; render it first (helm template)",
            found.string.count("\n", 0, found.start()),
        )


def _in_comment(found: re.Match[str]) -> bool:
    start = found.string.rfind("\n", 0, found.start()) + 1
    return _COMMENT.search(found.string, start, found.start()) is not None


# --- values as a person gives them ----------------------------------------------------------------


def read_values(given: Sequence[str]) -> Values:
    """Values out of YAML files and ``KEY=VALUE`` pairs; the later wins.

    Raises InvalidDocument for what is neither, or holds what cannot be filled in."""
    values: dict[str, str] = {}
    for one in given:
        pair = _PAIR.fullmatch(one)
        if pair is not None and not Path(one).exists():
            values[pair["name"]] = _one_line(pair["value"], one)
        else:
            values |= _of_file(Path(one))
    return values


def _of_file(path: Path) -> dict[str, str]:
    try:
        data = parse_yaml(path.read_text(encoding="utf-8")).data
    except OSError as error:
        raise InvalidDocument(
            f"--values {path}: {error.strerror}. Remedy: name a YAML file, or write KEY=VALUE"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"--values {path}: not UTF-8 text: byte {error.start}") from error
    except Malformed as error:
        raise InvalidDocument(f"--values {path}:{error.line + 1}: {error.message}") from error
    if not isinstance(data, dict):
        raise InvalidDocument(f"--values {path}: not a mapping of names to values")
    return dict(_flat(data, "", str(path)))


def _flat(data: Mapping[str, Any], above: str, where: str) -> Iterator[tuple[str, str]]:
    """Every value by its dotted name; a mapping or list is also a value, as YAML on one line."""
    for key, value in data.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.", where)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name, _one_line(text, f"{where}: {name}")


def _one_line(text: str, where: str) -> str:
    if "\n" in text or "\r" in text:
        raise InvalidDocument(
            f"--values {where}: has several lines. Remedy: a value of a placeholder is one line"
        )
    return text

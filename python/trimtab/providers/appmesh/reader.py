"""A reader of documents made from dataclasses: types, limits and one-of rules in, problems out.

``read(cls, raw, field, problems)`` gives an instance of ``cls`` or None. It never raises for
a bad document and never stops at the first mistake. Readers are built once for each type.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    NamedTuple,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Le, Len

from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.values import Among, Choice

T = TypeVar("T")
# The place of a value: the place of its owner and the key there; made into text when needed.
Place: TypeAlias = tuple[Any, str | int]
Reader: TypeAlias = Callable[[Any, Place, list[Problem]], Any]
BAD: Final = object()  # what a reader gives for a value that it could not read

_WORDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number"}
_WORDS |= {float: "a number with decimals"}


def read(cls: type[T], raw: object, field: str, problems: list[Problem]) -> T | None:
    """An instance of the dataclass ``cls`` from ``raw``, None when a part it needs is unreadable."""
    value = _reader_of(cast("Any", cls))(raw, (None, field), problems)
    return None if value is BAD else cast("T", value)


@cache
def document_name(name: str) -> str:
    """The name of a field in documents: ``virtual_node_arn`` is ``virtualNodeARN``."""
    head, *rest = name.split("_")
    words = {"arn": "ARN", "arns": "ARNs"}
    return head + "".join(words.get(part, part.capitalize()) for part in rest)


def keys_of(cls: type[Any]) -> tuple[str, ...]:
    """The names of the fields of a dataclass as they appear in documents."""
    return tuple(document_name(f.name) for f in fields(cls))


def field_paths(cls: type[Any], at: str = "") -> Iterator[str]:
    """Every field below a dataclass as documents have it, lists without indices."""
    hints = get_type_hints(cls)
    for f in fields(cls):
        path = f"{at}.{document_name(f.name)}".lstrip(".")
        yield path
        for part in _dataclasses_in(hints[f.name]):
            yield from field_paths(part, path)


def _dataclasses_in(hint: Any) -> Iterator[type[Any]]:
    if is_dataclass(hint):
        yield cast("type[Any]", hint)
    for part in get_args(hint):
        yield from _dataclasses_in(part)


def text_of(place: Place | None) -> str:
    """A place as people write it: ``spec.routes[0].httpRoute``."""
    parts: list[str] = []
    while place is not None:
        place, key = place
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(parts)).lstrip(".")


def nearest(name: str, known: Iterable[str]) -> str:
    """A remedy for a name that is not one of ``known``."""
    names = list(known)
    folded = {n.lower(): n for n in names}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {folded[close[0]]}?"
    return f"Known here: {', '.join(names)}." if names else "Nothing is known here; remove it."


def word_for(raw: object) -> str:
    return next((word for kind, word in _WORDS.items() if isinstance(raw, kind)), "not plain data")


def wrong_type(raw: object, place: Place, wanted: str) -> Problem:
    found = word_for(raw)
    if isinstance(raw, str) and wanted == "text":
        found = f"{raw!r}, which is half a character"
    remedy = f"Write {wanted}."
    if isinstance(raw, str) and re.search(r"\$\w|\$\{|\{\{", raw):
        remedy = f"The placeholder {raw!r} has not been replaced; give it a value."
    elif wanted == "text" and isinstance(raw, bool | int | float):
        remedy = f'Put it in quotes: "{str(raw).lower()}".'
    return Problem(codes.WRONG_TYPE, text_of(place), f"is {found}, not {wanted}.", remedy)


# --- one reader for each form of type ---------------------------------------------------


@cache
def _reader_of(hint: Any) -> Reader:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *limits = get_args(hint)
        return _limited(_reader_of(base), limits)
    if origin in (Union, UnionType):
        (inner,) = (a for a in get_args(hint) if a is not NoneType)
        return _reader_of(inner)
    if origin is tuple:
        return _list_reader(_reader_of(get_args(hint)[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _read_labels
    if is_dataclass(hint):
        return _record_reader(cast("type[Any]", hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum_reader(hint)
    return {str: _read_text, int: _read_number, bool: _read_flag}[hint]


def _read_text(raw: Any, place: Place, problems: list[Problem]) -> Any:
    if isinstance(raw, str) and is_unicode(raw):
        return raw
    problems.append(wrong_type(raw, place, "text"))
    return BAD


def read_text(raw: object, place: Place, problems: list[Problem]) -> str | None:
    """A text, None with a problem when it is none."""
    value = _read_text(raw, place, problems)
    return None if value is BAD else cast("str", value)


def is_unicode(text: str) -> bool:
    """Whether a text can be written down: YAML and JSON let half of a surrogate pair through."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _read_number(raw: Any, place: Place, problems: list[Problem]) -> Any:
    if type(raw) is int:
        return raw
    problems.append(wrong_type(raw, place, "a number"))
    return BAD


def _read_flag(raw: Any, place: Place, problems: list[Problem]) -> Any:
    if isinstance(raw, bool):
        return raw
    problems.append(wrong_type(raw, place, "true or false"))
    return BAD


def _read_labels(raw: Any, place: Place, problems: list[Problem]) -> Any:
    if not isinstance(raw, Mapping):
        problems.append(wrong_type(raw, place, "an object"))
        return BAD
    labels = {str(k): _read_text(v, (place, str(k)), problems) for k, v in raw.items()}
    return BAD if BAD in labels.values() else labels


def _enum_reader(enum: type[StrEnum]) -> Reader:
    members: dict[str, StrEnum] = {m.value: m for m in enum}

    def read_enum(raw: Any, place: Place, problems: list[Problem]) -> Any:
        if not isinstance(raw, str):
            problems.append(wrong_type(raw, place, "text"))
            return BAD
        if (member := members.get(raw)) is not None:
            return member
        problems.append(_not_a_choice(raw, place, list(members)))
        return BAD

    return read_enum


def _not_a_choice(raw: str, place: Place, legal: Sequence[str]) -> Problem:
    message = f"{raw!r} is not one of {', '.join(legal)}."
    return Problem(codes.NOT_A_CHOICE, text_of(place), message, nearest(raw, legal))


def _list_reader(read_item: Reader) -> Reader:
    def read_list(raw: Any, place: Place, problems: list[Problem]) -> Any:
        if not isinstance(raw, list):
            problems.append(wrong_type(raw, place, "a list"))
            return BAD
        items = [read_item(item, (place, i), problems) for i, item in enumerate(raw)]
        return BAD if BAD in items else tuple(items)

    return read_list


def _limited(read_base: Reader, limits: Sequence[Any]) -> Reader:
    """A value out of its limits is reported and kept, so that the rest is still looked at."""

    def read_limited(raw: Any, place: Place, problems: list[Problem]) -> Any:
        value = read_base(raw, place, problems)
        if value is not BAD:
            found = (_broken(limit, value, place) for limit in limits)
            problems.extend(problem for problem in found if problem is not None)
        return value

    return read_limited


def _broken(limit: Any, value: Any, place: Place) -> Problem | None:
    match limit:
        case Ge(ge=least) if value < least:
            return Problem(
                codes.OUT_OF_RANGE,
                text_of(place),
                f"{value} is below {least}.",
                f"Write {least} or more.",
            )
        case Le(le=most) if value > most:
            return Problem(
                codes.OUT_OF_RANGE,
                text_of(place),
                f"{value} is above {most}.",
                f"Write {most} or less.",
            )
        case Len(min_length=least, max_length=most):
            size = len(value)
            if size >= least and (most is None or size <= most):
                return None
            unit = "characters" if isinstance(value, str) else "entries"
            wanted = f"at least {least}" if most is None else f"{least} to {most}"
            message, remedy = f"has {size} {unit}.", f"Give it {wanted} {unit}."
            return Problem(codes.BAD_LENGTH, text_of(place), message, remedy)
        case Among(values=legal) if value not in legal:
            return _not_a_choice(str(value), place, legal)
    return None


# --- records -----------------------------------------------------------------------------


class _Field(NamedTuple):
    name: str
    key: str
    read: Reader
    required: bool
    below: frozenset[str]  # the fields of its value, where that is an object


def _record_reader(cls: type[Any]) -> Reader:
    plan = _plan(cls)
    rules: tuple[Choice, ...] = getattr(cls, "RULES", ())

    def read_record(raw: Any, place: Place, problems: list[Problem]) -> Any:
        if not isinstance(raw, dict):
            problems.append(wrong_type(raw, place, "an object"))
            return BAD
        values: dict[str, Any] = {}
        missing = False
        for name, key, read_field, required, _ in plan:
            item = raw.get(key)
            if item is not None:
                values[name] = read_field(item, (place, key), problems)
            elif required:
                missing = True
                problems.append(_missing(key, place, raw, plan))
        if len(values) != len(raw):
            problems.extend(_unknown(raw, place, plan))
        if rules:
            problems.extend(_broken_rules(rules, values, place))
        return BAD if missing or BAD in values.values() else cls(**values)

    return read_record


def _plan(cls: type[Any]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _Field(
            f.name,
            document_name(f.name),
            _reader_of(hints[f.name]),
            _is_required(f),
            frozenset(key for part in _objects_in(hints[f.name]) for key in keys_of(part)),
        )
        for f in fields(cls)
    )


def _is_required(field: Any) -> bool:
    return all(d is NO_DEFAULT for d in (field.default, field.default_factory))


def _objects_in(hint: Any) -> Iterator[type[Any]]:
    """The object that a field holds; what stands in a list has no name to be indented below."""
    if get_origin(hint) is not tuple:
        if is_dataclass(hint):
            yield cast("type[Any]", hint)
        for part in get_args(hint):
            yield from _objects_in(part)


def _missing(key: str, place: Place, raw: Mapping[Any, Any], plan: Sequence[_Field]) -> Problem:
    known = {f.key: f for f in plan}
    unknown = [k for k in raw if isinstance(k, str) and k not in known]
    like = difflib.get_close_matches(key, unknown, n=1, cutoff=0.6)
    lost = [k for k in unknown if key in raw and k in known[key].below]
    remedy = f"Rename {like[0]} to {key}." if like else f"Add {key}."
    if lost:
        stand = "stands" if len(lost) == 1 else "stand"
        message = f"is empty, and {' and '.join(lost)} {stand} beside it: bad indentation."
        return Problem(codes.MISSING, text_of((place, key)), message, f"Indent {lost[0]} below it.")
    return Problem(codes.MISSING, text_of((place, key)), "is missing.", remedy)


def _unknown(raw: Mapping[Any, Any], place: Place, plan: Sequence[_Field]) -> Iterator[Problem]:
    keys = [f.key for f in plan]
    for key in raw:
        if key not in keys:
            free = [k for k in keys if k not in raw]
            above = [f.key for f in plan if key in f.below and f.key in raw]
            message = "is not a field of App Mesh here; the API server drops it without a word."
            remedy = nearest(str(key), free)
            if above:
                remedy = f"It is a field of {above[0]}: indent it below that."
            yield Problem(codes.UNKNOWN_FIELD, text_of((place, str(key))), message, remedy)


def _broken_rules(
    rules: Sequence[Choice], values: Mapping[str, Any], place: Place
) -> Iterator[Problem]:
    for least, most, names in rules:
        given = [document_name(n) for n in names if n in values]
        if least <= len(given) <= most:
            continue
        shown = ", ".join(document_name(n) for n in names)
        if not given:
            message, remedy = f"needs one of {shown}.", f"Add one of {shown}."
        else:
            message = f"{' and '.join(given)} exclude each other."
            remedy = f"Keep one of {', '.join(given)}."
        yield Problem(codes.ONE_OF, text_of(place), message, remedy)

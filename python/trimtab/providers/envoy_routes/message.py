"""A RouteConfiguration as Envoy's own schema has it: what the schema does not know is refused.

The schema is that of the ``xds-protos`` package, read by protobuf: names in snake_case and in
lowerCamelCase, numbers as texts, null for what is not set, as everywhere in JSON of protobuf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trimtab.providers.envoy_routes.place import Place

_NOT_HONOURED: Mapping[str, str] = {
    "cookies": "cookies are not read here; compare the header cookie with a safe_regex",
}
_NOTHING = {"@type": "type.googleapis.com/google.protobuf.Empty"}


def to_message(document: Mapping[str, Any], place: Place) -> Any:
    """The message that ``document`` is. Raises InvalidDocument, which names the field."""
    from envoy.config.route.v3.route_pb2 import RouteConfiguration
    from google.protobuf.json_format import ParseDict, ParseError

    plain = _without_extensions(document)
    try:
        return ParseDict(plain, RouteConfiguration())
    except ParseError as error:
        where, why = next(_faults(plain, RouteConfiguration, place), (place, _reason(error)))
        raise where.refusal(why) from error


def _without_extensions(value: Any) -> Any:
    """The same, with nothing in the place of each extension.

    What an extension holds is known to the filter that it is for, and its schema is the filter's;
    those that would choose a route are refused by the field that they stand in.
    """
    if isinstance(value, Mapping):
        if "@type" in value:
            return _NOTHING
        return {key: _without_extensions(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_extensions(inner) for inner in value]
    return value


def _faults(raw: Any, kind: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """The innermost fields that cannot be read, found by reading each part by itself."""
    from google.protobuf.json_format import ParseDict, ParseError

    if not isinstance(raw, Mapping):
        yield place, f"must be an object, is {raw!r}"
        return
    fields = {name: f for f in kind.DESCRIPTOR.fields for name in (f.name, f.json_name)}
    for key, value in raw.items():
        field = fields.get(key)
        if field is None and key in _NOT_HONOURED:
            yield place.at(key), f"not honoured: {_NOT_HONOURED[key]}"
            continue
        if field is None:
            known = ", ".join(f.name for f in kind.DESCRIPTOR.fields)
            yield place.at(str(key)), f"unknown field; {kind.DESCRIPTOR.name} has {known}"
            continue
        try:
            ParseDict({key: value}, kind())
        except ParseError as error:
            inner = list(_inside(value, field, place, key))
            yield inner[0] if inner else (place.at(key), _reason(error))


def _inside(value: Any, field: Any, place: Place, key: str) -> Iterator[tuple[Place, str]]:
    from google.protobuf.message_factory import GetMessageClass

    kind = field.message_type
    # Maps and the types with a JSON form of their own are read as a whole.
    if kind is None or kind.GetOptions().map_entry or kind.file.package == "google.protobuf":
        return
    if not field.is_repeated:
        yield from _faults(value, GetMessageClass(kind), place.at(key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            name = one.get("name", "") if isinstance(one, Mapping) else ""
            item = place.item(key, index, name if isinstance(name, str) else "")
            yield from _faults(one, GetMessageClass(kind), item)


def _reason(error: Exception) -> str:
    """What protobuf says, without the path that it has put around it."""
    text = str(error).splitlines()[0]
    while text.startswith("Failed to parse ") and " field: " in text:
        text = text.partition(" field: ")[2]
    return text.partition(" at RouteConfiguration")[0].rstrip(".")

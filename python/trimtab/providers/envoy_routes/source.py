"""Finds the one RouteConfiguration that is meant: in a document, a text, or a configuration dump."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from trimtab.errors import InvalidDocument

Source: TypeAlias = Mapping[str, Any] | str | PathLike[str]

_TYPE = "envoy.config.route.v3.RouteConfiguration"
_LISTED = (
    "static_route_configs",
    "staticRouteConfigs",
    "dynamic_route_configs",
    "dynamicRouteConfigs",
)
_HINT = (
    "give a RouteConfiguration, or what Envoy's /config_dump answers, as a document, as YAML or "
    "JSON text, or as a file"
)


class Found(NamedTuple):
    """A RouteConfiguration as it was written, and how errors call it."""

    where: str
    document: Mapping[str, Any]


def find_configuration(source: Source, name: str | None = None) -> Found:
    """The RouteConfiguration in ``source``; ``name`` says which where there are several.

    A str that holds no document is the name of a file. Raises InvalidDocument, which lists the
    names there are, when it is not clear which one is meant.
    """
    where, document = _load(source)
    found = list(_configurations(document))
    if not found:
        raise InvalidDocument(f"{where}: holds no RouteConfiguration; {_HINT}")
    names = [str(one.get("name", "")) for one in found]
    wanted = [one for one, its in zip(found, names, strict=True) if name in (None, its)]
    if len(wanted) == 1:
        return Found(f"{where}: {name}" if len(found) > 1 else where, wanted[0])
    known = ", ".join(json.dumps(its) for its in names)
    if name is None:
        raise InvalidDocument(
            f"{where}: holds {len(found)} RouteConfigurations: name one of {known}"
        )
    reason = "several are called" if wanted else "none is called"
    raise InvalidDocument(f'{where}: {reason} "{name}"; there are {known}')


def _load(source: Source) -> tuple[str, Mapping[str, Any]]:
    if isinstance(source, Mapping):
        return "RouteConfiguration", source
    if isinstance(source, str):
        document = _parse(source, "RouteConfiguration")
        if not isinstance(document, str):
            return "RouteConfiguration", _mapping(document, "RouteConfiguration")
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidDocument(f"{path}: {error.strerror}; {_HINT}") from error
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"{path}: not UTF-8 text: {error.reason}") from error
    return str(path), _mapping(_parse(text, str(path)), str(path))


def _mapping(document: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise InvalidDocument(f"{where}: is {_kind(document)}, not an object; {_HINT}")
    return document


def _kind(document: Any) -> str:
    return "empty" if document is None else f"a {type(document).__name__}"


def _parse(text: str, where: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_unique)
        except ValueError:
            pass  # a flow mapping of YAML begins like JSON
    import yaml

    try:
        return yaml.load(text, _loader())  # noqa: S506 - a safe loader that knows keys are unique
    except yaml.YAMLError as error:
        raise InvalidDocument(f"{where}: not YAML: {' '.join(str(error).split())}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key stands twice")
    return document


def _loader() -> Any:
    """A loader of plain YAML that refuses a key which stands twice: one of them would be lost."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Loader


def _configurations(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The RouteConfigurations in a configuration dump or an xDS response; else the document."""
    wrapped = [document.get(key) for key in ("configs", "resources")]
    if not any(wrapped):
        yield from _unwrapped(document, whole=True)
    for entries in wrapped:
        for entry in entries or ():
            if isinstance(entry, Mapping):
                yield from _unwrapped(entry, whole=False)


def _unwrapped(entry: Mapping[str, Any], *, whole: bool) -> Iterator[Mapping[str, Any]]:
    """Those in one entry of a dump: static and dynamic ones, or itself."""
    kind = str(entry.get("@type", ""))
    if any(key in entry for key in _LISTED):
        for key in _LISTED:
            for one in entry.get(key) or ():
                yield from _inner(one)
    elif "route_config" in entry or "routeConfig" in entry:
        yield from _inner(entry)
    elif kind.endswith("/" + _TYPE) or (whole and not kind):
        yield {key: value for key, value in entry.items() if key != "@type"}


def _inner(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    inner = entry.get("route_config", entry.get("routeConfig"))
    if isinstance(inner, Mapping):
        yield {key: value for key, value in inner.items() if key != "@type"}

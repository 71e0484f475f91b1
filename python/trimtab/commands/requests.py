"""Requests of the command line: JSON lines, or the options of ``trimtab explain``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from trimtab.core.matching import MatchQuery
from trimtab.errors import InvalidDocument

_FIELDS: Mapping[str, type] = {
    "path": str,
    "host": str,
    "method": str,
    "scheme": str,
    "port": int,
    "headers": dict,
    "random": int,
}


def read_requests(path: Path) -> Iterator[dict[str, Any]]:
    """The requests of a JSON lines file, ``-`` for standard input.

    Raises InvalidDocument with file, line and field for what is no request.
    """
    with ExitStack() as stack:
        if str(path) == "-":
            lines = iter(sys.stdin)
        else:
            try:
                lines = iter(stack.enter_context(path.open(encoding="utf-8")))
            except OSError as error:
                raise InvalidDocument(f"{path}: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _request(line, f"{path}:{number}")


def _request(line: str, where: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidDocument(f"{where}: not JSON: {error.msg}") from error
    if not isinstance(request, dict) or not isinstance(request.get("path"), str):
        raise InvalidDocument(f'{where}: a request is an object with at least "path"')
    for name, value in request.items():
        if name not in _FIELDS:
            raise InvalidDocument(f"{where}: {name}: unknown field; known are {', '.join(_FIELDS)}")
        if value is not None and (not isinstance(value, _FIELDS[name]) or isinstance(value, bool)):
            raise InvalidDocument(f"{where}: {name}: {value!r} is no {_FIELDS[name].__name__}")
    for name, value in (request.get("headers") or {}).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool) or not isinstance(one, str | int | float):
                raise InvalidDocument(f"{where}: headers: {name}: {one!r} is no text")
    try:
        json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidDocument(f"{where}: half a surrogate pair is no text") from error
    return request


def asked(request: Mapping[str, Any], requests: Path | None) -> Iterator[Mapping[str, Any]]:
    """The requests that ``trimtab explain`` is asked about: those of a file, or the one that its
    options describe, with headers as NAME=VALUE."""
    if requests is not None:
        yield from read_requests(requests)
        return
    headers: dict[str, list[str]] = {}
    for text in request["headers"]:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidDocument("--header: write NAME=VALUE")
        headers.setdefault(name, []).append(value)
    yield {**request, "headers": headers}


def to_query(
    request: Mapping[str, Any], gateway: str | None = None, service: str | None = None
) -> MatchQuery:
    """A request of the command line in the core's words; a header may have a list of values."""
    headers: list[tuple[str, str]] = []
    for name, value in (request.get("headers") or {}).items():
        values = value if isinstance(value, list) else [value]
        headers += [(name, str(v)) for v in values]
    return MatchQuery(
        path=request["path"],
        host=request.get("host") or "",
        method=request.get("method") or "GET",
        scheme=request.get("scheme") or "http",
        port=request.get("port"),
        headers=tuple(headers),
        random=request.get("random"),
        gateway=gateway,
        service=service,
    )

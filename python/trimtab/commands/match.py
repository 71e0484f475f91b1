"""``trimtab match`` and ``trimtab explain``: which way a request goes, and why not another."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.table import Table

from trimtab.commands.output import console, print_json, print_line, tell_problems
from trimtab.core.matching import MatchAnswer, MatchQuery
from trimtab.errors import InvalidDocument
from trimtab.loading import load_manifests
from trimtab.providers.appmesh import AppMesh, MeshTable

_FIELDS: Mapping[str, type] = {
    "path": str,
    "host": str,
    "method": str,
    "scheme": str,
    "port": int,
    "headers": dict,
    "random": int,
}


def match_command(
    manifests: Sequence[Path],
    requests: Path,
    gateway: str | None,
    service: str | None,
    *,
    values: Sequence[str],
    as_json: bool,
) -> int:
    """Answer every request in order; an unreadable one ends the command and names its line."""
    table = _table(manifests, gateway, service, values)
    shown = Table("request", "route", "service", "router", "rule", "targets", "target")
    for request in read_requests(requests):
        query = to_query(request, gateway, service)
        answer = _known(table.answer(query), query)
        if as_json:
            print_line(as_dict(answer))
        else:
            weights = ", ".join(f"{t.name} {t.weight}" for t in answer.targets)
            found = (
                answer.route,
                answer.service,
                answer.router,
                answer.rule,
                weights,
                answer.target,
            )
            shown.add_row(f"{query.method} {query.host}{query.path}", *(f or "-" for f in found))
    if not as_json:
        console.print(shown)
    return 0


def explain_command(
    manifests: Sequence[Path],
    request: dict[str, Any],
    gateway: str | None,
    service: str | None,
    *,
    values: Sequence[str],
    as_json: bool,
) -> int:
    """Show each hop: its rules in order, and the predicate that a rule failed on."""
    table = _table(manifests, gateway, service, values)
    headers = [pair.split("=", 1) for pair in request["headers"]]
    if any(len(pair) != 2 for pair in headers):
        raise InvalidDocument("--header: write NAME=VALUE")
    query = to_query({**request, "headers": dict(headers)}, gateway, service)
    answer = _known(table.answer(query), query)
    hops = table.explain(query)
    if as_json:
        print_json({"answer": as_dict(answer), "hops": [hop.as_json() for hop in hops]})
        return 0
    for hop in hops:
        shown = Table("rule", "matches", "because", title=hop.title, title_justify="left")
        for rule in hop.rules:
            shown.add_row(rule.name, "yes" if rule.matched else "no", rule.reason)
        console.print(shown)
    print_line(as_dict(answer))
    return 0


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
        if value is not None and (not isinstance(value, _FIELDS[name]) or value is True):
            raise InvalidDocument(f"{where}: {name}: {value!r} is no {_FIELDS[name].__name__}")
    return request


def to_query(request: Mapping[str, Any], gateway: str | None, service: str | None) -> MatchQuery:
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


def as_dict(answer: MatchAnswer) -> dict[str, Any]:
    """The answer as ``trimtab match --json`` prints it."""
    return {
        "route": answer.route,
        "virtualService": answer.service,
        "virtualRouter": answer.router,
        "rule": answer.rule,
        "targets": [{"name": t.name, "weight": t.weight} for t in answer.targets],
        "target": answer.target,
    }


def _table(
    manifests: Sequence[Path], gateway: str | None, service: str | None, values: Sequence[str]
) -> MeshTable:
    """Older shapes count as what they mean, which is said on standard error."""
    if gateway and service:
        raise InvalidDocument("give --gateway or --service, not both")
    loaded = load_manifests(manifests, values)
    tell_problems(loaded.problems)
    return MeshTable(AppMesh().load(loaded.objects))


def _known(answer: MatchAnswer | None, query: MatchQuery) -> MatchAnswer:
    if answer is None:
        named = query.gateway or query.service
        raise InvalidDocument(f"there is no {named} to enter at")
    return answer

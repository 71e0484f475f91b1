"""``trimtab match`` and ``trimtab explain`` over manifests: which way a request goes, and why not
another. Over a configuration of Envoy it is ``trimtab.commands.match_envoy``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from trimtab.commands.output import add_row, console, print_json, print_line, tell_problems
from trimtab.commands.requests import asked, read_requests, to_query
from trimtab.core.matching import MatchAnswer, MatchQuery
from trimtab.errors import InvalidDocument
from trimtab.loading import load_manifests
from trimtab.providers.appmesh import AppMesh, MeshTable


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
            add_row(shown, f"{query.method} {query.host}{query.path}", *found)
    if not as_json:
        console.print(shown)
    return 0


def explain_command(
    manifests: Sequence[Path],
    request: Mapping[str, Any],
    requests: Path | None,
    gateway: str | None,
    service: str | None,
    *,
    values: Sequence[str],
    as_json: bool,
) -> int:
    """Show each hop: its rules in order, and the predicate that a rule failed on. For every request
    of the file ``requests``, one JSON object a line; without it for ``request``."""
    table = _table(manifests, gateway, service, values)
    for one in asked(request, requests):
        query = to_query(one, gateway, service)
        answer = _known(table.answer(query), query)
        hops = table.explain(query)
        if as_json:
            document = {"answer": as_dict(answer), "hops": [hop.as_json() for hop in hops]}
            (print_json if requests is None else print_line)(document)
            continue
        for hop in hops:
            shown = Table("rule", "matches", "because", title=hop.title, title_justify="left")
            for rule in hop.rules:
                add_row(shown, rule.name, "yes" if rule.matched else "no", rule.reason)
            console.print(shown)
        print_line(as_dict(answer))
    return 0


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

"""``trimtab match`` and ``trimtab explain`` over an Envoy RouteConfiguration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from trimtab.commands.output import add_row, console, print_json, print_line
from trimtab.commands.requests import asked, read_requests, to_query
from trimtab.providers.envoy_routes import EnvoyAnswer, answer, explain, table_of


def match_envoy_command(envoy: Path, name: str | None, requests: Path, *, as_json: bool) -> int:
    """Answer every request in order; an unreadable one ends the command and names its line."""
    table = table_of(envoy, name)
    shown = Table("request", "virtual host", "route", "cluster", "targets")
    for request in read_requests(requests):
        query = to_query(request)
        found = answer(table, query)
        if as_json:
            print_line(as_dict(found))
        else:
            weights = ", ".join(f"{t.name} {t.weight}" for t in found.targets)
            asked_for = f"{query.method} {query.host}{query.path}"
            add_row(shown, asked_for, found.virtual_host, found.route, found.cluster, weights)
    if not as_json:
        console.print(shown)
    return 0


def explain_envoy_command(
    envoy: Path,
    name: str | None,
    request: Mapping[str, Any],
    requests: Path | None,
    *,
    as_json: bool,
) -> int:
    """Show every route in order, and the predicate that it failed on. For every request of the file
    ``requests``, one JSON object a line; without it for ``request``."""
    table = table_of(envoy, name)
    for one in asked(request, requests):
        query = to_query(one)
        found = answer(table, query)
        routes = explain(table, query)
        if as_json:
            document = {"answer": as_dict(found), "routes": [r._asdict() for r in routes]}
            (print_json if requests is None else print_line)(document)
            continue
        title = Text(f"{query.method} {query.host}{query.path}")
        shown = Table("virtual host", "route", "matches", "because", title=title)
        for route in routes:
            matches = "yes" if route.matched else "no"
            add_row(
                shown, route.virtual_host, route.route, matches, route.reason or "gets the request"
            )
        console.print(shown)
        print_line(as_dict(found))
    return 0


def as_dict(found: EnvoyAnswer) -> dict[str, Any]:
    """The answer as ``trimtab match --envoy --json`` prints it."""
    return {
        "virtual_host": found.virtual_host,
        "route": found.route,
        "cluster": found.cluster,
        "targets": [{"name": t.name, "weight": t.weight} for t in found.targets],
    }

"""``trimtab status``: what a running Trimtab decided last, asked over HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from rich.table import Table

from trimtab.commands.output import console, print_json
from trimtab.commands.plan import show
from trimtab.edges.records import from_json
from trimtab.errors import InvalidDocument, Unavailable

_TIMEOUT_S = 5.0


def status_command(http: str, *, as_json: bool) -> int:
    if not http.startswith(("http://", "https://")):
        raise InvalidDocument(f"--http: {http!r} is no URL; write http://HOST:PORT")
    decisions, status = _get(f"{http}/decisions"), _get(f"{http}/status")
    if as_json:
        print_json({"decisions": decisions, **status})
        return 0
    show([from_json(d, where=f"{http}/decisions") for d in decisions])
    _show_envoys(status.get("xds", []))
    for problem in [*status.get("problems", []), *status.get("invalidPolicies", [])]:
        console.print(problem, style="red", markup=False)
    return 0


def _get(url: str) -> Any:
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked
            return json.load(answer)
    except (URLError, TimeoutError, ValueError) as error:
        raise Unavailable(f"{url}: {error}; is trimtab run with --http there?") from error


def _show_envoys(nodes: list[dict[str, Any]]) -> None:
    if not nodes:
        return
    table = Table("node", "Envoys", "pushed", "acknowledged", "refused", "last refusal")
    for node in nodes:
        refusals = node["refusals"]
        table.add_row(
            node["node"],
            str(len(node["connections"])),
            str(node["pushed"]),
            str(node["acknowledged"]),
            str(node["refused"]),
            refusals[-1]["message"] if refusals else "",
        )
    console.print(table)

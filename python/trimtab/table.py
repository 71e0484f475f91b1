"""Tables from what is not rules: called by the constructors of ``RouteTable``, which document them.

Each imports what it needs when it is called: the matcher alone stays light.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from trimtab._core import RouteTable


def from_manifests(
    paths: Iterable[str | Path], gateway: str | None, values: Iterable[str]
) -> RouteTable:
    from trimtab.loading import load_routes

    rules, empty_hosts, ignore_port = load_routes(paths, gateway, values)
    return RouteTable(rules, empty_hosts=empty_hosts, ignore_port=ignore_port)


def from_envoy(source: Mapping[str, Any] | str | PathLike[str], name: str | None) -> RouteTable:
    from trimtab.providers.envoy_routes import table_of

    return table_of(source, name)

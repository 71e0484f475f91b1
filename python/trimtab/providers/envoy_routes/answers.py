"""What becomes of one request, in the names of the RouteConfiguration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

from trimtab._core import Match, RouteTable
from trimtab.core.matching import MatchQuery, TargetWeight
from trimtab.providers.envoy_routes.routes import EnvoyRoute

_SPACE = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class EnvoyAnswer:
    """The way of a request; empty where no route matches.

    ``cluster`` is the one that the request goes to: None where that is a matter of chance and the
    request has no number, and where the route leads to no cluster.
    """

    virtual_host: str | None = None
    route: str | None = None
    cluster: str | None = None
    targets: tuple[TargetWeight, ...] = ()


class RouteReason(NamedTuple):
    """One route, whether it matches, and what it failed on or who was before it."""

    virtual_host: str
    route: str
    matched: bool
    reason: str


def answer(table: RouteTable, query: MatchQuery) -> EnvoyAnswer:
    """What Envoy does with a request, as far as its routes say. The door of a mesh by which the
    query enters is of no matter here."""
    found = table.match(
        query.path, query.host or None, query.method, query.headers, scheme=query.scheme
    )
    if found is None:
        return EnvoyAnswer()
    data = cast("EnvoyRoute", found.data)
    return EnvoyAnswer(
        virtual_host=data.virtual_host,
        route=data.route,
        cluster=_cluster(found, data, query),
        targets=tuple(TargetWeight(name, weight) for name, weight in found.targets),
    )


def explain(table: RouteTable, query: MatchQuery) -> tuple[RouteReason, ...]:
    """Every route in order, and the predicate that beat it; no reason for the one that wins."""
    told = table.explain(
        query.path, query.host or None, query.method, query.headers, scheme=query.scheme
    )
    routes = (cast("EnvoyRoute", rule.data) for rule in table.rules)
    return tuple(
        RouteReason(data.virtual_host, data.route, matched, reason or "")
        for data, (_, matched, reason) in zip(routes, told, strict=True)
    )


def _cluster(found: Match, data: EnvoyRoute, query: MatchQuery) -> str | None:
    if data.cluster_header is not None:
        return next(iter(_values(query, data.cluster_header)), None)
    if len(found.targets) == 1:
        return found.targets[0][0]
    number = _number(query, data)
    return None if number is None or not found.targets else found.pick(number % 2**64)


def _number(query: MatchQuery, data: EnvoyRoute) -> int | None:
    """What Envoy picks by: a header that holds one number of 64 bits, else what it draws."""
    if data.random_header is not None:
        values = _values(query, data.random_header)
        text = values[0].strip(_SPACE).removeprefix("+") if len(values) == 1 else ""
        if text.isascii() and text.isdigit() and int(text) < 2**64:
            return int(text)
    return query.random


def _values(query: MatchQuery, name: str) -> list[str]:
    pseudo = {":authority": query.host, "host": query.host, ":path": query.path}
    pseudo |= {":method": query.method, ":scheme": query.scheme}
    if name in pseudo:
        return [pseudo[name]] if pseudo[name] else []
    return [value for header, value in query.headers if header.lower() == name]

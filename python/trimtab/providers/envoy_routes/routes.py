"""A RouteConfiguration as rules: virtual hosts, routes in order, and where each of them leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from trimtab._core import Rule, RuleError
from trimtab.providers.envoy_routes.matches import match_arguments, reason
from trimtab.providers.envoy_routes.place import Place, refuse_fields

Targets = tuple[tuple[str, int], ...]


class Action(StrEnum):
    """What becomes of a request that a route gets: only the first leads to a cluster."""

    ROUTE = "route"
    REDIRECT = "redirect"
    DIRECT_RESPONSE = "direct_response"
    NON_FORWARDING = "non_forwarding_action"
    FILTER = "filter_action"


@dataclass(frozen=True, slots=True)
class EnvoyRoute:
    """What a route says beside its match and its targets; ``Rule.data`` of its rule.

    ``route`` is its name, or ``routes[3]`` where it has none. ``cluster_header`` names the header
    that holds the cluster, ``random_header`` the one that holds the number to pick by.
    """

    virtual_host: str
    route: str
    index: int
    action: Action
    cluster_header: str | None = None
    random_header: str | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """What a ``RouteTable`` is made of."""

    rules: list[Rule]
    empty_hosts: list[str]
    ignore_port: bool


_CONFIGURATION: Mapping[str, str] = {
    "vhds": "virtual hosts that are discovered are not in this document; give what /config_dump shows",
    "vhost_header": "the virtual host is looked up by the host of a request; leave it out",
    "internal_only_headers": "which requests are internal is not known here; leave them out",
    "ignore_path_parameters_in_path_matching": "path parameters are part of the path here; leave it out",
}
_VIRTUAL_HOST: Mapping[str, str] = {
    "matcher": "only lists of routes are; write the tree as routes, in order",
    "require_tls": "whether a request came by TLS is not known here; leave it out",
}
_ROUTE_ACTION: Mapping[str, str] = {
    "cluster_specifier_plugin": "extensions are not run here; name a cluster",
    "inline_cluster_specifier_plugin": "extensions are not run here; name a cluster",
}


def read_routes(configuration: Any, place: Place) -> Routes:
    """The rules of a RouteConfiguration message, in order. Raises InvalidDocument."""
    refuse_fields(configuration, _CONFIGURATION, place)
    domains: dict[bytes, Place] = {}
    routes = Routes([], [], configuration.ignore_port_in_host_matching)
    for index, host in enumerate(configuration.virtual_hosts):
        here = place.item("virtual_hosts", index, host.name)
        _check_host(host, here, domains)
        routes.rules.extend(_rules(host, here))
        if not host.routes:
            routes.empty_hosts.extend(host.domains)
    return routes


def _check_host(host: Any, place: Place, known: dict[bytes, Place]) -> None:
    """Names and domains, as Envoy asks for them: a domain stands in one virtual host, once."""
    refuse_fields(host, _VIRTUAL_HOST, place)
    if not host.name:
        raise place.at("name").refusal("is empty")
    if not host.domains:
        raise place.at("domains").refusal("needs at least one, such as *")
    for index, domain in enumerate(host.domains):
        here = place.item("domains", index)
        try:
            Rule("host", hosts=(domain,))
        except RuleError as error:
            raise here.refusal(reason(error)) from error
        other = known.setdefault(domain.encode().lower(), here)  # as bytes: a to z alone
        if other is not here:
            raise here.refusal(f"{domain!r} stands in {other} already; remove one of them")


def _rules(host: Any, place: Place) -> Iterator[Rule]:
    domains = list(host.domains)
    for index, route in enumerate(host.routes):
        here = place.item("routes", index, route.name)
        name = route.name or f"routes[{index}]"
        if not route.HasField("match"):
            raise here.refusal("needs a match")
        asked = match_arguments(route.match, here.at("match"))
        targets, data = _leads(route, EnvoyRoute(host.name, name, index, Action.ROUTE), here)
        try:
            yield Rule(name, hosts=domains, targets=targets, data=data, **asked)
        except RuleError as error:
            raise _field(error, here).refusal(reason(error)) from error


def _field(error: RuleError, place: Place) -> Place:
    """Where in the route the matcher's field came from."""
    if error.field == "regex":
        return place.at("match").at("safe_regex").at("regex")
    if error.field == "targets":
        return place.at("route").at("weighted_clusters")
    return place.at("match").at(error.field)


def _leads(route: Any, plain: EnvoyRoute, place: Place) -> tuple[Targets, EnvoyRoute]:
    """Where a route leads: its targets, and what else is to be known of it."""
    kind = route.WhichOneof("action")
    if kind == "route":
        return _clusters(route.route, plain, place.at(kind))
    if kind == "direct_response" and not 200 <= route.direct_response.status < 600:
        raise (
            place.at(kind)
            .at("status")
            .refusal(f"{route.direct_response.status} is not in 200..599")
        )
    if kind is None:
        known = ", ".join(Action)
        raise place.refusal(f"leads nowhere: give one of {known}")
    return (), replace(plain, action=Action(kind))


def _clusters(action: Any, plain: EnvoyRoute, place: Place) -> tuple[Targets, EnvoyRoute]:
    refuse_fields(action, _ROUTE_ACTION, place)
    kind = action.WhichOneof("cluster_specifier")
    if kind is None:
        raise place.refusal("needs a cluster, weighted_clusters or cluster_header")
    if kind == "weighted_clusters":
        return _weighted(action.weighted_clusters, plain, place.at(kind))
    name = getattr(action, kind)
    if not name:
        raise place.at(kind).refusal("is empty")
    if kind == "cluster":
        return ((name, 1),), plain
    return (), replace(plain, cluster_header=name.lower())


def _weighted(weighted: Any, plain: EnvoyRoute, place: Place) -> tuple[Targets, EnvoyRoute]:
    if not weighted.clusters:
        raise place.at("clusters").refusal("needs at least one")
    if weighted.use_hash_policy.value:
        raise place.at("use_hash_policy").refusal(
            "not honoured: hashes of a policy are Envoy's own; leave it out, or name a header_name"
        )
    for index, cluster in enumerate(weighted.clusters):
        here = place.item("clusters", index, cluster.name)
        if not cluster.HasField("weight"):
            raise here.at("weight").refusal("is missing; 0 is for a cluster that gets nothing")
        if cluster.cluster_header:
            raise here.at("cluster_header").refusal(
                "not honoured: the targets of a rule have names; give a name"
            )
        if not cluster.name:
            raise here.at("name").refusal("is empty")
    targets = tuple((cluster.name, cluster.weight.value) for cluster in weighted.clusters)
    return targets, replace(plain, random_header=weighted.header_name.lower() or None)

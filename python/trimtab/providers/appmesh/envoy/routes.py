"""Virtual hosts and route configurations: the two first-match lists as Envoy has them.

Virtual hosts are serialised one by one, and a route configuration is the join of their bytes
(a message that is a concatenation of messages is their merge), so that one change among
thousands of VirtualServices costs one virtual host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2

from trimtab.providers.appmesh.hops import (
    GatewayEntry,
    Match,
    PathKind,
    RewriteKind,
    ServiceEntry,
    VirtualHost,
)
from trimtab.providers.appmesh.targets import NodeTarget
from trimtab.providers.appmesh.values import HeaderMatch, QueryMatch

SERVICE_HEADER = "x-app-mesh-virtual-service"
"""Says between the two hops of a gateway which VirtualService was chosen; the client's is lost."""

_HOSTS_FIELD = route_pb2.RouteConfiguration.DESCRIPTOR.fields_by_name["virtual_hosts"].number
_REQUEST_TIMEOUT_S = 15  # App Mesh's default, and Envoy's


class Host(NamedTuple):
    """One virtual host, serialised. ``domains`` in lower case, as Envoy compares them."""

    name: str
    domains: tuple[str, ...]
    body: bytes


# --- the first hop: a gateway's list -------------------------------------------------------------


class Lead(NamedTuple):
    """A service that an entry leads to: the cluster of the step there, None where there is no such
    service; its awsName; its weight among the services of the entry."""

    step: str | None
    service: str
    weight: int


def gateway_host(host: VirtualHost, leads: Sequence[Sequence[Lead]]) -> Host:
    """``leads``: of each entry, in their order."""
    message = route_components_pb2.VirtualHost(name=host.name, domains=host.domains)
    for entry, ways in zip(host.entries, leads, strict=True):
        route = message.routes.add(name=entry.route.title)
        _match(route.match, entry.match)
        if all(way.step is None for way in ways):
            _refuse(route, f"GatewayRoute {entry.route.title} leads to no VirtualService.")
        else:
            _lead(route, entry, ways)
    return _host(message)


def _lead(route: Any, entry: GatewayEntry, leads: Sequence[Lead]) -> None:
    route.route.timeout.FromSeconds(0)  # the second hop has the timeout of the service's route
    if len(leads) == 1:
        route.route.cluster = leads[0].step
        _choose(route, route.route, entry, leads[0])
    else:
        for lead in leads:
            step = lead.step or f"unreachable/{lead.service}"
            cluster = route.route.weighted_clusters.clusters.add(name=step)
            cluster.weight.value = lead.weight
            _choose(cluster, cluster, entry, lead)
    if entry.rewrite.kind is not RewriteKind.KEEP:
        # On an exact or regex match this replaces the whole path; the query stays.
        route.route.prefix_rewrite = entry.rewrite.text


def _choose(headers: Any, host: Any, entry: GatewayEntry, lead: Lead) -> None:
    """Tell the second hop which service it is."""
    headers.request_headers_to_add.add(
        header=base_pb2.HeaderValue(key=SERVICE_HEADER, value=lead.service),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    if entry.rewrite_host:
        host.host_rewrite_literal = lead.service


# --- the second hop: a service's list ------------------------------------------------------------


def service_host(name: str, entries: Iterable[ServiceEntry]) -> Host:
    """The virtual host of a VirtualService; without entries every request gets a 404."""
    message = route_components_pb2.VirtualHost(name=name, domains=[name])
    for entry in entries:
        route = message.routes.add()
        if entry.router is not None and entry.rule is not None:
            route.name = f"{entry.router.title}/{entry.rule.name}"
        _match(route.match, entry.match)
        if any(target.weight for target in entry.targets):
            _split(route, entry.targets)
        else:
            # Envoy refuses the whole route configuration for one rule that weighs nothing.
            _refuse(route, f"All weights of route {route.name} are zero.")
    return _host(message)


def local_host(cluster: str) -> Host:
    """Everything to the application beside the proxy; its callers have the timeouts."""
    message = route_components_pb2.VirtualHost(name=cluster, domains=["*"])
    route = message.routes.add()
    route.match.prefix = "/"
    route.route.cluster = cluster
    route.route.timeout.FromSeconds(0)
    return _host(message)


def cluster_of(target: NodeTarget) -> str:
    """The cluster of a target. One that nobody here can reach keeps its share, and answers 503,
    as Envoy does for a cluster that there is not."""
    return target.cluster or f"unreachable/{target.name}"


def _split(route: Any, targets: Sequence[NodeTarget]) -> None:
    """In the order of the document, zero weights too: they are the next ones to be raised."""
    for target in targets:
        cluster = route.route.weighted_clusters.clusters.add(name=cluster_of(target))
        cluster.weight.value = target.weight
    route.route.timeout.FromSeconds(_REQUEST_TIMEOUT_S)


def _refuse(route: Any, text: str) -> None:
    route.direct_response.status = 503
    route.direct_response.body.inline_string = f"{text}\n"


# --- matches -----------------------------------------------------------------------------------


def _match(message: Any, match: Match) -> None:
    kind, text = match.path
    if kind is PathKind.EXACT:
        message.path = text
    elif kind is PathKind.REGEX:
        message.safe_regex.regex = text
    else:
        message.prefix = text
    if match.grpc:
        message.grpc.SetInParent()
    if match.method is not None:
        message.headers.add(name=":method").string_match.exact = match.method
    if match.scheme is not None:
        message.headers.add(name=":scheme").string_match.exact = match.scheme
    for header in match.headers:
        _header(message.headers.add(name=header.name, invert_match=header.invert), header)
    for query in match.query:
        _query(message.query_parameters.add(name=query.name), query)


def _header(message: Any, header: HeaderMatch) -> None:
    wanted = header.match
    if wanted is None:
        message.present_match = True
    elif wanted.range is not None:
        message.range_match.start = wanted.range.start
        message.range_match.end = wanted.range.end
    elif wanted.regex is not None:
        message.string_match.safe_regex.regex = wanted.regex
    elif wanted.prefix is not None:
        message.string_match.prefix = wanted.prefix
    elif wanted.suffix is not None:
        message.string_match.suffix = wanted.suffix
    else:
        message.string_match.exact = wanted.exact or ""


def _query(message: Any, query: QueryMatch) -> None:
    if query.match is None or query.match.exact is None:
        message.present_match = True
    else:
        message.string_match.exact = query.match.exact


# --- route configurations ------------------------------------------------------------------------


def gateway_routes(name: str, hosts: Iterable[Host]) -> bytes:
    """The first hop: by the Host of the client."""
    return _joined(route_pb2.RouteConfiguration(name=name), hosts)


def service_routes(name: str, hosts: Iterable[Host], *, gateway: bool) -> bytes:
    """The second hop: in a gateway by what the first hop chose; else by Host, whatever its port."""
    head = route_pb2.RouteConfiguration(name=name)
    if gateway:
        head.vhost_header = SERVICE_HEADER
        head.request_headers_to_remove.append(SERVICE_HEADER)
    else:
        head.ignore_port_in_host_matching = True
    return _joined(head, hosts)


def _joined(head: Any, hosts: Iterable[Host]) -> bytes:
    """Of hosts that claim the same domain the first has it: Envoy would refuse them all."""
    parts: list[bytes] = [head.SerializeToString(deterministic=True)]
    taken: set[str] = set()
    for host in hosts:
        if taken.isdisjoint(host.domains):
            taken.update(host.domains)
            parts.append(host.body)
    return b"".join(parts)


def _host(message: Any) -> Host:
    body = message.SerializeToString(deterministic=True)
    tag = _varint(_HOSTS_FIELD << 3 | 2) + _varint(len(body))
    return Host(message.name, tuple(d.lower() for d in message.domains), tag + body)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

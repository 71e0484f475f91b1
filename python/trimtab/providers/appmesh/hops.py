"""The two first-match lists that App Mesh makes of its documents.

A gateway is two hops: its GatewayRoutes choose a VirtualService and rewrite the request,
then the routes of that service's VirtualRouter see the rewritten request. Matching
(``rules``) and serving (``envoy``) both translate these lists, so they cannot disagree.

Order: priority (unset comes last), then the longest path text. App Mesh leaves the rest
unspecified; here exact comes before regex before prefix, then more further predicates, then
the path bytewise (as its Envoys had it), then the name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from trimtab.providers.appmesh import shares
from trimtab.providers.appmesh.model import (
    GatewayRoute,
    VirtualGateway,
    VirtualNode,
    VirtualRouter,
    VirtualService,
)
from trimtab.providers.appmesh.routing import (
    GrpcGatewayMatch,
    GrpcRewrite,
    GrpcRoute,
    HttpGatewayRoute,
    HttpRewrite,
    HttpRoute,
    RouterRoute,
    VirtualRouterSpec,
)
from trimtab.providers.appmesh.targets import Nodes, NodeTarget, node_targets, whole_node
from trimtab.providers.appmesh.values import (
    UNSET_PRIORITY,
    HeaderMatch,
    HostnameMatch,
    PathMatch,
    PortMapping,
    QueryMatch,
    Reference,
    Switch,
)
from trimtab.providers.appmesh.values import Protocol as Wire


class PathKind(StrEnum):
    EXACT = "exact"
    REGEX = "regex"
    PREFIX = "prefix"


_KIND_ORDER = {PathKind.EXACT: 0, PathKind.REGEX: 1, PathKind.PREFIX: 2}


class Path(NamedTuple):
    """A test of the path without its query. Prefixes have no boundary: /x matches /xy."""

    kind: PathKind
    text: str


EVERY_PATH = Path(PathKind.PREFIX, "/")
ANYTHING = Path(PathKind.PREFIX, "")  # tcp, which has no path


@dataclass(frozen=True, slots=True)
class Match:
    """What one entry asks of a request; all of it must hold."""

    path: Path
    method: str | None = None
    scheme: str | None = None
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    grpc: bool = False

    @property
    def extra(self) -> int:
        """How many predicates there are beside the path."""
        single = (self.method is not None) + (self.scheme is not None)
        return len(self.headers) + len(self.query) + single


class RewriteKind(StrEnum):
    KEEP = "keep"
    PREFIX = "prefix"  # the matched prefix becomes ``text``
    PATH = "path"  # the whole path becomes ``text``; the query stays


class Rewrite(NamedTuple):
    kind: RewriteKind
    text: str = ""


KEEP = Rewrite(RewriteKind.KEEP)


class ServiceShare(NamedTuple):
    """What a service gets of the requests of an entry. ``service`` is None when it is not here."""

    name: str
    weight: int
    service: VirtualService | None


@dataclass(frozen=True, slots=True)
class GatewayEntry:
    """One entry of a gateway's list. ``service`` is None when it is not among the documents:
    the entry still wins its requests, and they have nowhere to go. ``shares`` divide them among
    several services; without any, all go to ``service``."""

    route: GatewayRoute
    match: Match
    service: VirtualService | None
    service_port: int | None
    rewrite_host: bool
    rewrite: Rewrite
    shares: tuple[ServiceShare, ...] = ()

    @property
    def services(self) -> tuple[ServiceShare, ...]:
        """Every service that the entry leads to, with its share."""
        return self.shares or (ServiceShare("", 1, self.service),)


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """The entries for some hosts, in match order. No request falls through to another host."""

    name: str
    domains: tuple[str, ...]
    entries: tuple[GatewayEntry, ...]


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One entry of a service's list; without router and rule its provider is a VirtualNode."""

    router: VirtualRouter | None
    rule: RouterRoute | None
    protocol: Wire
    match: Match
    targets: tuple[NodeTarget, ...]


class Services(Protocol):
    """Where the services of GatewayRoutes are found."""

    def service(self, reference: Reference, referrer: GatewayRoute) -> VirtualService | None: ...


class Mesh(Services, Nodes, Protocol):
    """What this module asks of a reading."""

    def routes_of(self, gateway: VirtualGateway) -> tuple[GatewayRoute, ...]: ...
    def router(self, reference: Reference, referrer: VirtualService) -> VirtualRouter | None: ...


def order_key(priority: int | None, match: Match, name: str) -> tuple[int, int, int, int, str, str]:
    """The place of an entry in its list: of two the lesser comes first."""
    kind, text = match.path
    return (
        UNSET_PRIORITY if priority is None else priority,
        -len(text),
        _KIND_ORDER[kind],
        -match.extra,
        text,
        name,
    )


# --- the gateway's list -------------------------------------------------------------------------


def gateway_hosts(
    mesh: Mesh, gateway: VirtualGateway, port: int | None = None
) -> tuple[VirtualHost, ...]:
    """The virtual hosts of one listener of a gateway; without a port, of its first."""
    ports = [listener.port_mapping.port for listener in gateway.spec.listeners]
    if port is None and ports:
        port = ports[0]
    by_host: dict[str, list[GatewayEntry]] = {}
    for route in mesh.routes_of(gateway):
        hostname, wanted_port, entries = _gateway_entries(mesh, route)
        if wanted_port in (None, port):
            by_host.setdefault(hostname, []).extend(entries)
    return tuple(
        VirtualHost(
            name=host,
            domains=(host,) if host == "*" or port is None else (host, f"{host}:{port}"),
            entries=tuple(sorted(entries, key=gateway_order)),
        )
        for host, entries in sorted(by_host.items())
    )


def gateway_entries(mesh: Services, route: GatewayRoute) -> tuple[GatewayEntry, ...]:
    """The one or two entries of a GatewayRoute, the one with its path as written last."""
    return tuple(_gateway_entries(mesh, route)[2])


def gateway_matches(route: GatewayRoute) -> tuple[str, int | None, tuple[Match, ...]]:
    """The host and the port that a GatewayRoute is for, and the matches of its entries."""
    grpc, http = route.spec.grpc_route, route.spec.http_route or route.spec.http2_route
    if grpc:
        return domain_of(grpc.match.hostname), grpc.match.port, (_grpc_match(grpc.match),)
    if http is None:
        raise AssertionError("the reader lets no GatewayRoute without a form pass")
    matches = tuple(match for match, _ in _http_gateway_pairs(http))
    return domain_of(http.match.hostname), http.match.port, matches


def gateway_order(entry: GatewayEntry) -> tuple[int, int, int, int, str, str]:
    """The place of an entry among those of its host."""
    return order_key(entry.route.spec.priority, entry.match, entry.route.title)


def _gateway_entries(
    mesh: Services, route: GatewayRoute
) -> tuple[str, int | None, list[GatewayEntry]]:
    """The host and the port that a GatewayRoute is for, and its one or two entries."""
    spec, target = route.spec, route.spec.target
    reference = target.virtual_service.virtual_service_ref
    service = mesh.service(reference, route) if reference else None
    split = tuple(_service_shares(mesh, route))

    def entry(match: Match, rewrite: Rewrite, *, rewrite_host: bool) -> GatewayEntry:
        return GatewayEntry(route, match, service, target.port, rewrite_host, rewrite, split)

    if spec.grpc_route:
        asked, action = spec.grpc_route.match, spec.grpc_route.action
        found = [entry(_grpc_match(asked), KEEP, rewrite_host=_rewritesdomain_of(action.rewrite))]
        return domain_of(asked.hostname), asked.port, found
    http = spec.http_route or spec.http2_route
    if http is None:
        raise AssertionError("the reader lets no GatewayRoute without a form pass")
    on = _rewritesdomain_of(http.action.rewrite)
    found = [entry(m, r, rewrite_host=on) for m, r in _http_gateway_pairs(http)]
    return domain_of(http.match.hostname), http.match.port, found


def _grpc_match(asked: GrpcGatewayMatch) -> Match:
    return Match(_grpc_path(asked.service_name, None), headers=asked.metadata or (), grpc=True)


def _rewritesdomain_of(rewrite: HttpRewrite | GrpcRewrite | None) -> bool:
    hostname = rewrite.hostname if rewrite else None
    return hostname is None or hostname.default_target_hostname is not Switch.DISABLED


def _service_shares(mesh: Services, route: GatewayRoute) -> Iterator[ServiceShare]:
    for reference, weight in shares.shares_of(route):
        space = reference.namespace or route.namespace
        name = reference.name if space == route.namespace else f"{space}/{reference.name}"
        yield ServiceShare(name, weight, mesh.service(reference, route))


def domain_of(hostname: HostnameMatch | None) -> str:
    """The virtual host domain of a hostname match; hosts are compared in lower case."""
    if hostname is None:
        return "*"
    if hostname.exact is not None:
        return hostname.exact.lower()
    return "*" + (hostname.suffix or "").removeprefix("*").lower()


def _http_gateway_pairs(route: HttpGatewayRoute) -> Iterator[tuple[Match, Rewrite]]:
    """A prefix without a final slash that is rewritten gives two entries, so that /x and /x/y
    become / and /y, without a double slash."""
    asked = route.match
    for path, rewrite in _paths_and_rewrites(route):
        yield (
            Match(
                path,
                method=asked.method,
                headers=asked.headers or (),
                query=asked.query_parameters or (),
            ),
            rewrite,
        )


def _paths_and_rewrites(route: HttpGatewayRoute) -> Iterator[tuple[Path, Rewrite]]:
    asked, rewrite = route.match, route.action.rewrite
    if asked.path is not None:
        whole = rewrite.path if rewrite else None
        yield _path(asked.path), Rewrite(RewriteKind.PATH, whole.exact) if whole else KEEP
        return
    if asked.prefix is None:
        yield EVERY_PATH, KEEP
        return
    path = Path(PathKind.PREFIX, asked.prefix)
    wish = rewrite.prefix if rewrite else None
    if asked.prefix == "/" and (wish is None or wish.value is None):
        yield path, KEEP
        return
    if wish is not None and wish.default_prefix is Switch.DISABLED:
        yield path, KEEP
        return
    put = Rewrite(RewriteKind.PREFIX, wish.value if wish and wish.value else "/")
    if not asked.prefix.endswith("/"):
        yield Path(PathKind.PREFIX, f"{asked.prefix}/"), put
    yield path, put


# --- the service's list -------------------------------------------------------------------------


def service_entries(
    mesh: Mesh, service: VirtualService, port: int | None = None
) -> tuple[ServiceEntry, ...]:
    """The entries of a service on one listener of its router, in match order; without a port, on
    its first. Empty: the service has no provider here, and its requests get a 404."""
    node_ref, router_ref = service.spec.node_ref, service.spec.router_ref
    if node_ref is not None:
        node = mesh.node(node_ref, service)
        return (_node_entry(mesh, service, node, port),) if node else ()
    router = mesh.router(router_ref, service) if router_ref else None
    return router_entries(mesh, router, port) if router else ()


def _node_entry(
    mesh: Mesh, service: VirtualService, node: VirtualNode, port: int | None
) -> ServiceEntry:
    target = whole_node(mesh, service, node, port)
    protocol = target.listener.port_mapping.protocol if target.listener else Wire.HTTP
    path = ANYTHING if protocol is Wire.TCP else EVERY_PATH
    return ServiceEntry(None, None, protocol, Match(path), (target,))


def offered_ports(mesh: Mesh, service: VirtualService) -> tuple[PortMapping, ...]:
    """The ports on which a service is offered: those of its router, or of its node."""
    node_ref, router_ref = service.spec.node_ref, service.spec.router_ref
    if router_ref is not None:
        router = mesh.router(router_ref, service)
        return tuple(x.port_mapping for x in (router.spec.listeners if router else None) or ())
    node = mesh.node(node_ref, service) if node_ref else None
    return tuple(x.port_mapping for x in node.spec.listeners) if node else ()


def router_entries(
    mesh: Mesh, router: VirtualRouter, port: int | None = None
) -> tuple[ServiceEntry, ...]:
    return tuple(
        ServiceEntry(router, rule, rule.protocol, match, node_targets(mesh, router, rule))
        for rule, match in router_rules(router.spec, port)
    )


def router_rules(
    spec: VirtualRouterSpec, port: int | None = None
) -> list[tuple[RouterRoute, Match]]:
    """The rules of a router on one of its listeners, the first without a port, in match order."""
    ports = [listener.port_mapping.port for listener in spec.listeners or ()]
    if port is None and ports:
        port = ports[0]
    found = [(rule, rule_match(rule)) for rule in spec.routes if rule_port(rule) in (None, port)]
    return sorted(found, key=lambda pair: order_key(pair[0].priority, pair[1], pair[0].name))


def rule_port(rule: RouterRoute) -> int | None:
    match = rule.route.match
    return match.port if match else None


def rule_match(rule: RouterRoute) -> Match:
    route = rule.route
    if isinstance(route, HttpRoute):
        asked = route.match
        path = _path(asked.path) if asked.path else Path(PathKind.PREFIX, asked.prefix or "/")
        headers, query = asked.headers or (), asked.query_parameters or ()
        return Match(path, asked.method, asked.scheme, headers, query)
    if isinstance(route, GrpcRoute):
        path = _grpc_path(route.match.service_name, route.match.method_name)
        return Match(path, headers=route.match.metadata or (), grpc=True)
    return Match(ANYTHING)


def _path(path: PathMatch) -> Path:
    if path.exact is not None:
        return Path(PathKind.EXACT, path.exact)
    return Path(PathKind.REGEX, path.regex or "")


def _grpc_path(service: str | None, method: str | None) -> Path:
    if service is None:
        return EVERY_PATH
    if method is None:
        return Path(PathKind.PREFIX, f"/{service}/")
    return Path(PathKind.EXACT, f"/{service}/{method}")

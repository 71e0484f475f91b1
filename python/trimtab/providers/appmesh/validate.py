"""Rules of one document that its types cannot say.

They are those of the old controller's webhooks, without the holes that the webhooks had
(they stopped at the first range, and skipped query parameters beside headers), and those of
the App Mesh API behind them, which was the second line of defence and is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import TypeAlias

from trimtab.providers.appmesh import codes, hops, matching, order
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.model import (
    DnsResponseType,
    GatewayListener,
    NodeListener,
    VirtualGatewaySpec,
    VirtualNodeSpec,
    VirtualServiceSpec,
)
from trimtab.providers.appmesh.order import Entry
from trimtab.providers.appmesh.paths import is_normal, may_begin, normal
from trimtab.providers.appmesh.routing import (
    GatewayRouteSpec,
    GrpcRoute,
    HttpGatewayRoute,
    HttpRoute,
    RouterListener,
    RouterRoute,
    VirtualRouterSpec,
    WeightedTarget,
)
from trimtab.providers.appmesh.values import (
    HeaderMatch,
    HostnameMatch,
    MeshRef,
    OwnerRef,
    PathMatch,
    QueryMatch,
)

RESERVED_PREFIXES = ("/aws-appmesh", "/aws-app-mesh")
RESERVED_SERVICE = "aws.app-mesh"


def problems_of(spec: object, *, by_hand: bool) -> Iterator[Problem]:
    """``by_hand``: the document was written by a person, not read from a cluster."""
    yield from _problems(spec)
    if by_hand:
        yield from _owners(spec)


def _owners(spec: object) -> Iterator[Problem]:
    for field in ("mesh_ref", "virtual_gateway_ref"):
        ref: MeshRef | OwnerRef | None = getattr(spec, field, None)
        if ref is not None:
            name = "meshRef" if field == "mesh_ref" else "virtualGatewayRef"
            message = f"{name} is filled in by the controller, whose webhook refuses it from users."
            remedy = (
                "Fine for Trimtab; remove it for the App Mesh controller and use its selectors."
            )
            yield Problem(codes.OWNER_BY_HAND, f"spec.{name}", message, remedy)


@singledispatch
def _problems(_spec: object) -> Iterator[Problem]:
    """Types say it all for the other kinds."""
    yield from ()


# --- GatewayRoute ---------------------------------------------------------------------------


@_problems.register
def _gateway_route(spec: GatewayRouteSpec) -> Iterator[Problem]:
    field = f"spec.{spec.protocol}Route"
    if spec.grpc_route:
        match = spec.grpc_route.match
        yield from _service_name(match.service_name, f"{field}.match.serviceName")
        yield from _headers(match.metadata or (), f"{field}.match.metadata")
        yield from _hostname(match.hostname, f"{field}.match.hostname")
    route = spec.http_route or spec.http2_route
    if route:
        at = f"{field}.match"
        yield from _paths(route.match.prefix, route.match.path, at)
        yield from _headers(route.match.headers or (), f"{at}.headers")
        yield from _queries(route.match.query_parameters or (), f"{at}.queryParameters")
        yield from _hostname(route.match.hostname, f"{at}.hostname")
        yield from _rewrites(route, field)


def _rewrites(route: HttpGatewayRoute, field: str) -> Iterator[Problem]:
    rewrite, match = route.action.rewrite, route.match
    if rewrite is None:
        return
    at = f"{field}.action.rewrite"
    if rewrite.prefix and match.prefix is None:
        message = "rewrites a prefix, but the match has none."
        yield Problem(
            codes.BAD_REWRITE, f"{at}.prefix", message, "Match a prefix, or rewrite the path."
        )
    if rewrite.path and match.path is None:
        message = "rewrites a whole path, but the match has no path."
        yield Problem(codes.BAD_REWRITE, f"{at}.path", message, "Match path.exact or path.regex.")
    if rewrite.path and not rewrite.path.exact.startswith("/"):
        yield _no_slash(rewrite.path.exact, f"{at}.path.exact")
    value = rewrite.prefix.value if rewrite.prefix else None
    if value is not None and not (value.startswith("/") and value.endswith("/")):
        message = f"{value!r} must start and end with a slash."
        remedy = f"Write /{value.strip('/')}/." if value.strip("/") else "Write /."
        yield Problem(codes.BAD_REWRITE, f"{at}.prefix.value", message, remedy)


# --- matches ----------------------------------------------------------------------------------


def _paths(prefix: str | None, path: PathMatch | None, field: str) -> Iterator[Problem]:
    if prefix is not None:
        if not prefix.startswith("/"):
            yield _no_slash(prefix, f"{field}.prefix")
        elif not may_begin(prefix):
            yield _never_seen(prefix, f"{field}.prefix")
        if prefix.startswith(RESERVED_PREFIXES):
            yield _reserved(prefix, f"{field}.prefix")
    if path and path.exact is not None:
        if not path.exact.startswith("/"):
            yield _no_slash(path.exact, f"{field}.path.exact")
        elif not is_normal(path.exact):
            yield _never_seen(path.exact, f"{field}.path.exact")
    if path and path.regex is not None:
        fault = matching.regex_fault(path.regex)
        if fault is not None:
            yield _refused(f"{field}.path.regex", fault)


def _hostname(hostname: HostnameMatch | None, field: str) -> Iterator[Problem]:
    fault = matching.host_fault(hops.domain_of(hostname))
    if fault is not None:
        yield _refused(field, fault)


def _no_slash(text: str, field: str) -> Problem:
    message = f"{text!r} does not start with a slash; no request has such a path."
    return Problem(codes.BAD_PATH, field, message, f"Write /{text}.")


def _never_seen(text: str, field: str) -> Problem:
    message = (
        f"{text!r} never matches: paths arrive without their query, with slashes merged, dots "
        "resolved and unsafe characters escaped."
    )
    remedy = "Match queryParameters." if "?" in text else f"Write {normal(text)}."
    return Problem(codes.NEVER_SEEN, field, message, remedy)


def _reserved(text: str, field: str) -> Problem:
    message = f"{text!r} is reserved; App Mesh refuses it."
    return Problem(codes.RESERVED_NAME, field, message, "Choose another name.")


def _service_name(name: str | None, field: str) -> Iterator[Problem]:
    if name is not None and name.startswith(RESERVED_SERVICE):
        yield _reserved(name, field)


def _headers(headers: Sequence[HeaderMatch], field: str) -> Iterator[Problem]:
    for i, header in enumerate(headers):
        fault = matching.header_fault(header)
        value_range = header.match.range if header.match else None
        if value_range and value_range.start >= value_range.end:
            at = f"{field}[{i}].match.range"
            message = (
                f"holds no number: start {value_range.start} is not below end {value_range.end}."
            )
            yield Problem(codes.EMPTY_RANGE, at, message, "The end is not part of the range.")
        elif fault is not None:
            yield _refused(f"{field}[{i}]", fault)
    yield from _contradictions(headers, field)


def _contradictions(headers: Sequence[HeaderMatch], field: str) -> Iterator[Problem]:
    """One header asked to have two values at once: a list of headers means "and"."""
    exact: dict[str, str] = {}
    for i, header in enumerate(headers):
        if header.match is None or header.match.exact is None or header.invert:
            continue
        value = header.match.exact
        first = exact.setdefault(header.name.lower(), value)
        if first != value:
            message = (
                f"asks that {header.name} is {value!r}, and above that it is {first!r}; all must "
                "hold, so no request matches."
            )
            remedy = "For either value write two routes, or one match.regex with alternatives."
            yield Problem(codes.AND_FOR_OR, f"{field}[{i}]", message, remedy)


def _refused(field: str, fault: str) -> Problem:
    message = f"cannot be honoured: {fault}."
    remedy = "Envoy uses RE2: no lookaround, no backreferences." if "RE2" in fault else "Mend it."
    return Problem(codes.BAD_MATCH, field, message, remedy)


def _queries(queries: Sequence[QueryMatch], field: str) -> Iterator[Problem]:
    for i, query in enumerate(queries):
        if query.match is not None and query.match.exact is None:
            message = "has no exact."
            remedy = "Add exact, or leave match away to ask only that the parameter is there."
            yield Problem(codes.EMPTY_QUERY_MATCH, f"{field}[{i}].match", message, remedy)


# --- VirtualRouter ----------------------------------------------------------------------------


@_problems.register
def _router(spec: VirtualRouterSpec) -> Iterator[Problem]:
    names = Counter(r.name for r in spec.routes)
    ports = [listener.port_mapping.port for listener in spec.listeners or ()]
    for i, route in enumerate(spec.routes):
        field = f"spec.routes[{i}]"
        if names[route.name] > 1:
            message = f"{route.name!r} names {names[route.name]} routes."
            yield Problem(
                codes.DUPLICATE_ROUTE, f"{field}.name", message, "Names of routes are unique."
            )
        form = f"{field}.{route.form}"
        yield from _router_match(route, f"{form}.match")
        yield from _weights(route.targets, f"{form}.action.weightedTargets")
        if len(ports) > 1 and (route.route.match is None or route.route.match.port is None):
            message = f"the router listens on {len(ports)} ports; the route does not say on which."
            remedy = f"Add match.port, one of {', '.join(map(str, ports))}."
            yield Problem(codes.PORT_NEEDED, f"{form}.match.port", message, remedy)
    yield from _listeners(spec.listeners or ())
    yield from _router_order(spec)


def _router_order(spec: VirtualRouterSpec) -> Iterator[Problem]:
    """Shadowed and ambiguous routes, of each listener by itself."""
    ports = {listener.port_mapping.port for listener in spec.listeners or ()}
    yield from order.findings(
        Entry(
            rule.name,
            rule.name,
            f"route {rule.name!r}",
            f"spec.routes[{i}].{rule.form}.match",
            rule.priority,
            hops.rule_match(rule),
            port=hops.rule_port(rule) if len(ports) > 1 else None,
        )
        for i, rule in enumerate(spec.routes)
        if not ports or hops.rule_port(rule) in (None, *ports)
    )


def _router_match(route: RouterRoute, field: str) -> Iterator[Problem]:
    body = route.route
    if isinstance(body, HttpRoute):
        match = body.match
        yield from _paths(match.prefix, match.path, field)
        yield from _headers(match.headers or (), f"{field}.headers")
        yield from _queries(match.query_parameters or (), f"{field}.queryParameters")
        if match.scheme is not None and route.http_route is not None:
            message = "the API of App Mesh takes a scheme in http2 routes only."
            remedy = "Remove it, or use http2Route."
            yield Problem(codes.SCHEME, f"{field}.scheme", message, remedy)
        if match.prefix is None and match.path is None:
            message = "has neither prefix nor path; every path is meant."
            yield Problem(codes.NO_PATH, field, message, 'Write prefix: "/".')
    elif isinstance(body, GrpcRoute):
        yield from _service_name(body.match.service_name, f"{field}.serviceName")
        yield from _headers(body.match.metadata or (), f"{field}.metadata")
        if body.match.method_name is not None and body.match.service_name is None:
            message = "a method is looked up in a service; there is no serviceName."
            yield Problem(
                codes.METHOD_WITHOUT_SERVICE, f"{field}.methodName", message, "Add serviceName."
            )


def _weights(targets: Sequence[WeightedTarget], field: str) -> Iterator[Problem]:
    total = sum(t.weight for t in targets)
    if total == 0:
        message = "all weights are zero; Envoy refuses that and keeps what it had."
        yield Problem(codes.ALL_ZERO, field, message, "Give one target a weight above zero.")
    if total > 100:
        message = f"the weights add up to {total}; App Mesh allows 100 in all."
        yield Problem(codes.OVER_100, field, message, "Scale the weights to a sum of 100 or less.")
    seen: dict[WeightedTarget, int] = {}
    for i, target in enumerate(targets):
        key = WeightedTarget(
            virtual_node_ref=target.virtual_node_ref,
            virtual_node_arn=target.virtual_node_arn,
            port=target.port,
            weight=0,
        )
        first = seen.setdefault(key, i)
        if first != i:
            message = f"is the same target as [{first}]; their traffic cannot be told apart."
            yield Problem(codes.DUPLICATE_TARGET, f"{field}[{i}]", message, "Join the two.")


# --- VirtualService ---------------------------------------------------------------------------


@_problems.register
def _service(spec: VirtualServiceSpec) -> Iterator[Problem]:
    provider = spec.provider
    if provider is None or not (provider.virtual_node or provider.virtual_router):
        message = "is missing; every request to the service gets a 404."
        remedy = "Give it a virtualRouter, or a virtualNode."
        yield Problem(codes.NO_PROVIDER, "spec.provider", message, remedy)


# --- VirtualNode ------------------------------------------------------------------------------


@_problems.register
def _node(spec: VirtualNodeSpec) -> Iterator[Problem]:
    if spec.listeners and spec.service_discovery is None:
        message = "is missing, though the node has listeners; nobody could find them."
        yield Problem(
            codes.NO_DISCOVERY, "spec.serviceDiscovery", message, "Add serviceDiscovery.dns."
        )
    seen: dict[object, int] = {}
    for i, backend in enumerate(spec.backends):
        service = backend.virtual_service
        first = seen.setdefault((service.virtual_service_ref, service.virtual_service_arn), i)
        if first != i:
            message = f"is the same backend as [{first}]."
            yield Problem(
                codes.DUPLICATE_BACKEND, f"spec.backends[{i}]", message, "Remove one of them."
            )
    yield from _listeners(spec.listeners)
    dns = spec.service_discovery.dns if spec.service_discovery else None
    for i, listener in enumerate(spec.listeners):
        one = dns is not None and dns.response_type is not DnsResponseType.ENDPOINTS
        if listener.outlier_detection and one:
            message = "callers see one address of the node, and never throw out the only one."
            remedy = "Set serviceDiscovery.dns.responseType: ENDPOINTS, with a headless Service."
            field = f"spec.listeners[{i}].outlierDetection"
            yield Problem(codes.ONE_ADDRESS, field, message, remedy)


# --- listeners ----------------------------------------------------------------------------------


@_problems.register
def _gateway(spec: VirtualGatewaySpec) -> Iterator[Problem]:
    yield from _listeners(spec.listeners)


Listener: TypeAlias = GatewayListener | NodeListener | RouterListener


def _listeners(listeners: Sequence[Listener]) -> Iterator[Problem]:
    seen: dict[int, int] = {}
    for i, listener in enumerate(listeners):
        field, port = f"spec.listeners[{i}]", listener.port_mapping.port
        first = seen.setdefault(port, i)
        if first != i:
            message = f"{port} is the port of listeners[{first}] too."
            remedy = "Give each listener a port of its own."
            yield Problem(codes.SAME_PORT, f"{field}.portMapping.port", message, remedy)
        yield from _settings(listener, field)


def _settings(listener: Listener, field: str) -> Iterator[Problem]:
    """Settings are stated by protocol, and only those of the listener's count."""
    protocol = listener.port_mapping.protocol.value
    for name, part in (
        ("connectionPool", getattr(listener, "connection_pool", None)),
        ("timeout", getattr(listener, "timeout", None)),
    ):
        if part is not None and getattr(part, protocol, None) is None:
            message = f"has nothing for {protocol}, the protocol of the listener; it has no effect."
            yield Problem(codes.PROTOCOL_MISMATCH, f"{field}.{name}", message, f"Use {protocol}.")

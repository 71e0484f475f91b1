"""Routes as types: the bodies of GatewayRoute (one target, no weights) and VirtualRouter (weights)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Len

from trimtab.providers.appmesh.traffic import (
    GrpcRetryPolicy,
    HttpRetryPolicy,
    HttpTimeout,
    TcpTimeout,
)
from trimtab.providers.appmesh.values import (
    Arn,
    AwsName,
    Headers,
    HostnameMatch,
    MeshRef,
    Method,
    OwnerRef,
    PathMatch,
    Port,
    PortMapping,
    Priority,
    Protocol,
    Queries,
    Reference,
    Rules,
    Scheme,
    Switch,
    Text,
    Weight,
    at_least_one,
    at_most_one,
    exactly_one,
)

# --- GatewayRoute -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTarget:
    virtual_service_ref: Reference | None = None
    virtual_service_arn: Arn | None = None
    RULES: ClassVar[Rules] = (exactly_one("virtual_service_ref", "virtual_service_arn"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTarget:
    virtual_service: ServiceTarget
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixRewrite:
    default_prefix: Switch | None = None
    value: Text | None = None
    RULES: ClassVar[Rules] = (exactly_one("default_prefix", "value"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRewrite:
    exact: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class HostnameRewrite:
    default_target_hostname: Switch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRewrite:
    prefix: PrefixRewrite | None = None
    path: PathRewrite | None = None
    hostname: HostnameRewrite | None = None
    RULES: ClassVar[Rules] = (
        at_least_one("prefix", "path", "hostname"),
        at_most_one("prefix", "path"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcRewrite:
    hostname: HostnameRewrite | None = None
    RULES: ClassVar[Rules] = (at_least_one("hostname"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGatewayAction:
    target: GatewayTarget
    rewrite: HttpRewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcGatewayAction:
    target: GatewayTarget
    rewrite: GrpcRewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGatewayMatch:
    prefix: Text | None = None
    path: PathMatch | None = None
    hostname: HostnameMatch | None = None
    method: Method | None = None
    headers: Headers | None = None
    query_parameters: Queries | None = None
    port: Port | None = None
    RULES: ClassVar[Rules] = (
        at_least_one("prefix", "path", "hostname"),
        at_most_one("prefix", "path"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcGatewayMatch:
    service_name: Text | None = None
    hostname: HostnameMatch | None = None
    metadata: Headers | None = None
    port: Port | None = None
    RULES: ClassVar[Rules] = (at_least_one("service_name", "hostname"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGatewayRoute:
    match: HttpGatewayMatch
    action: HttpGatewayAction


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcGatewayRoute:
    match: GrpcGatewayMatch
    action: GrpcGatewayAction


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRouteSpec:
    aws_name: AwsName | None = None
    priority: Priority | None = None
    http_route: HttpGatewayRoute | None = None
    http2_route: HttpGatewayRoute | None = None
    grpc_route: GrpcGatewayRoute | None = None
    mesh_ref: MeshRef | None = None
    virtual_gateway_ref: OwnerRef | None = None
    RULES: ClassVar[Rules] = (exactly_one("http_route", "http2_route", "grpc_route"),)

    @property
    def protocol(self) -> Protocol:
        if self.grpc_route:
            return Protocol.GRPC
        return Protocol.HTTP if self.http_route else Protocol.HTTP2

    @property
    def target(self) -> GatewayTarget:
        """Where the route leads; every readable route has exactly one of the three forms."""
        route = self.http_route or self.http2_route or self.grpc_route
        if route is None:  # the reader refuses such a document
            raise AssertionError("a GatewayRoute without a route")
        return route.action.target


# --- VirtualRouter ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedTarget:
    virtual_node_ref: Reference | None = None
    virtual_node_arn: Annotated[str, Len(1)] | None = None
    weight: Weight
    port: Port | None = None
    RULES: ClassVar[Rules] = (exactly_one("virtual_node_ref", "virtual_node_arn"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAction:
    weighted_targets: Annotated[tuple[WeightedTarget, ...], Len(1, 10)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRouteMatch:
    prefix: Text | None = None
    path: PathMatch | None = None
    method: Method | None = None
    scheme: Scheme | None = None
    headers: Headers | None = None
    query_parameters: Queries | None = None
    port: Port | None = None
    RULES: ClassVar[Rules] = (at_most_one("prefix", "path"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcRouteMatch:
    service_name: Text | None = None
    method_name: Annotated[str, Len(1, 50)] | None = None
    metadata: Headers | None = None
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRouteMatch:
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute:
    match: HttpRouteMatch
    action: RouteAction
    retry_policy: HttpRetryPolicy | None = None
    timeout: HttpTimeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcRoute:
    match: GrpcRouteMatch
    action: RouteAction
    retry_policy: GrpcRetryPolicy | None = None
    timeout: HttpTimeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRoute:
    match: TcpRouteMatch | None = None
    action: RouteAction
    timeout: TcpTimeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterRoute:
    """One weighted rule of a VirtualRouter, in exactly one of four forms."""

    name: AwsName
    priority: Priority | None = None
    http_route: HttpRoute | None = None
    http2_route: HttpRoute | None = None
    grpc_route: GrpcRoute | None = None
    tcp_route: TcpRoute | None = None
    RULES: ClassVar[Rules] = (exactly_one("http_route", "http2_route", "grpc_route", "tcp_route"),)

    @property
    def form(self) -> str:
        """The name of the form in the document, e.g. ``httpRoute``."""
        return f"{self.protocol}Route"

    @property
    def protocol(self) -> Protocol:
        if self.http_route:
            return Protocol.HTTP
        if self.http2_route:
            return Protocol.HTTP2
        return Protocol.GRPC if self.grpc_route else Protocol.TCP

    @property
    def route(self) -> HttpRoute | GrpcRoute | TcpRoute:
        found = self.http_route or self.http2_route or self.grpc_route or self.tcp_route
        if found is None:  # the reader refuses such a document
            raise AssertionError("a route of a VirtualRouter without a form")
        return found

    @property
    def targets(self) -> tuple[WeightedTarget, ...]:
        return self.route.action.weighted_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterListener:
    port_mapping: PortMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRouterSpec:
    aws_name: AwsName | None = None
    listeners: Annotated[tuple[RouterListener, ...], Len(1)] | None = None
    routes: tuple[RouterRoute, ...] = ()
    mesh_ref: MeshRef | None = None

"""The seven kinds of App Mesh (v1beta2) and core Namespaces, as types.

The dataclasses are the schema: ``reader`` builds a reader from their field types, and the
annotations are the limits (see ``values``). ``values`` holds what several kinds share and
the matches, ``traffic`` how traffic is carried, ``routing`` the two kinds of routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Generic, TypeAlias, TypeVar

from annotated_types import Len

from trimtab.core.model import Object, ObjectRef
from trimtab.providers.appmesh.routing import GatewayRouteSpec, VirtualRouterSpec
from trimtab.providers.appmesh.traffic import (
    BackendDefaults,
    ClientPolicy,
    ConnectionPool,
    GatewayConnectionPool,
    GatewayHealthCheck,
    GatewayListenerTls,
    HealthCheck,
    ListenerTimeout,
    ListenerTls,
    Logging,
    OutlierDetection,
)
from trimtab.providers.appmesh.values import (
    Arn,
    AwsName,
    GatewayPortMapping,
    MeshRef,
    PortMapping,
    Reference,
    Rules,
    Selector,
    Text,
    at_most_one,
    exactly_one,
)

S_co = TypeVar("S_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Resource(Generic[S_co]):
    """One document that could be read: what it says (``spec``) and where it stands."""

    object: Object
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: S_co

    @property
    def ref(self) -> ObjectRef:
        return self.object.ref

    @property
    def namespace(self) -> str:
        return self.object.ref.namespace

    @property
    def name(self) -> str:
        return self.object.ref.name

    @property
    def title(self) -> str:
        """``namespace/name``, as people and the command line write it."""
        ref = self.object.ref
        return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


# --- Mesh -----------------------------------------------------------------------------------


class EgressFilterType(StrEnum):
    ALLOW_ALL = "ALLOW_ALL"
    DROP_ALL = "DROP_ALL"


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressFilter:
    type: EgressFilterType


class IpPreference(StrEnum):
    IPV6_ONLY = "IPv6_ONLY"
    IPV4_ONLY = "IPv4_ONLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServiceDiscovery:
    ip_preference: IpPreference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSpec:
    aws_name: AwsName | None = None
    namespace_selector: Selector | None = None
    egress_filter: EgressFilter | None = None
    mesh_owner: str | None = None
    mesh_service_discovery: MeshServiceDiscovery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSpec:
    """Of a core Namespace only its labels matter."""


# --- VirtualGateway ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayListener:
    port_mapping: GatewayPortMapping
    health_check: GatewayHealthCheck | None = None
    connection_pool: GatewayConnectionPool | None = None
    tls: GatewayListenerTls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualGatewaySpec:
    aws_name: AwsName | None = None
    namespace_selector: Selector | None = None
    pod_selector: Selector | None = None
    gateway_route_selector: Selector | None = None
    listeners: tuple[GatewayListener, ...] = ()
    logging: Logging | None = None
    backend_defaults: BackendDefaults | None = None
    mesh_ref: MeshRef | None = None


# --- VirtualService ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProvider:
    virtual_node_ref: Reference | None = None
    virtual_node_arn: Arn | None = None
    RULES: ClassVar[Rules] = (exactly_one("virtual_node_ref", "virtual_node_arn"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterProvider:
    virtual_router_ref: Reference | None = None
    virtual_router_arn: Arn | None = None
    RULES: ClassVar[Rules] = (exactly_one("virtual_router_ref", "virtual_router_arn"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    virtual_node: NodeProvider | None = None
    virtual_router: RouterProvider | None = None
    RULES: ClassVar[Rules] = (at_most_one("virtual_node", "virtual_router"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualServiceSpec:
    aws_name: AwsName | None = None
    provider: ServiceProvider | None = None
    mesh_ref: MeshRef | None = None

    @property
    def router_ref(self) -> Reference | None:
        """The VirtualRouter behind it, where it has one that is not named by ARN."""
        router = self.provider.virtual_router if self.provider else None
        return router.virtual_router_ref if router else None

    @property
    def node_ref(self) -> Reference | None:
        """The VirtualNode behind it, where it has one that is not named by ARN."""
        node = self.provider.virtual_node if self.provider else None
        return node.virtual_node_ref if node else None


# --- VirtualNode ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeListener:
    port_mapping: PortMapping
    health_check: HealthCheck | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    timeout: ListenerTimeout | None = None
    tls: ListenerTls | None = None


class DnsResponseType(StrEnum):
    LOADBALANCER = "LOADBALANCER"
    ENDPOINTS = "ENDPOINTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsDiscovery:
    hostname: Annotated[str, Len(1)]
    response_type: DnsResponseType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMapAttribute:
    key: Text
    value: Annotated[str, Len(1, 1024)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMapDiscovery:
    namespace_name: Annotated[str, Len(1, 1024)]
    service_name: Annotated[str, Len(1, 1024)]
    attributes: tuple[CloudMapAttribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscovery:
    dns: DnsDiscovery | None = None
    aws_cloud_map: CloudMapDiscovery | None = None
    RULES: ClassVar[Rules] = (exactly_one("dns", "aws_cloud_map"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendService:
    virtual_service_ref: Reference | None = None
    virtual_service_arn: Annotated[str, Len(1)] | None = None
    client_policy: ClientPolicy | None = None
    RULES: ClassVar[Rules] = (exactly_one("virtual_service_ref", "virtual_service_arn"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    virtual_service: BackendService


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNodeSpec:
    aws_name: AwsName | None = None
    pod_selector: Selector | None = None
    listeners: tuple[NodeListener, ...] = ()
    service_discovery: ServiceDiscovery | None = None
    backends: tuple[Backend, ...] = ()
    backend_groups: tuple[Reference, ...] = ()
    backend_defaults: BackendDefaults | None = None
    logging: Logging | None = None
    mesh_ref: MeshRef | None = None


# --- BackendGroup -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendGroupSpec:
    virtualservices: tuple[Reference, ...] = ()
    mesh_ref: MeshRef | None = None


Mesh: TypeAlias = Resource[MeshSpec]
Namespace: TypeAlias = Resource[NamespaceSpec]
VirtualGateway: TypeAlias = Resource[VirtualGatewaySpec]
GatewayRoute: TypeAlias = Resource[GatewayRouteSpec]
VirtualService: TypeAlias = Resource[VirtualServiceSpec]
VirtualRouter: TypeAlias = Resource[VirtualRouterSpec]
VirtualNode: TypeAlias = Resource[VirtualNodeSpec]
BackendGroup: TypeAlias = Resource[BackendGroupSpec]

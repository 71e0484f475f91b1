"""Clusters: a VirtualNode as its callers reach it, an application, the step inside a gateway."""

from __future__ import annotations

import ipaddress
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import any_pb2

from trimtab.providers.appmesh.model import (
    DnsResponseType,
    IpPreference,
    Mesh,
    NodeListener,
    VirtualNode,
)
from trimtab.providers.appmesh.values import Protocol

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_NO_LIMIT = 2**31 - 1
_FAMILIES = {
    None: cluster_pb2.Cluster.V4_PREFERRED,
    IpPreference.IPV4_ONLY: cluster_pb2.Cluster.V4_ONLY,
    IpPreference.IPV6_ONLY: cluster_pb2.Cluster.V6_ONLY,
}


def egress_cluster(
    name: str, node: VirtualNode, listener: NodeListener, mesh: Mesh | None
) -> bytes:
    """A VirtualNode on one of its ports. Without DNS discovery it has no endpoint: a 503."""
    mapping = listener.port_mapping
    cluster = _cluster(name, mapping.protocol)
    discovery = node.spec.service_discovery
    dns = discovery.dns if discovery else None
    if dns is None:
        return _serialise(cluster)
    _add_endpoint(cluster, _socket_address(dns.hostname, mapping.port))
    if _is_ip(dns.hostname):
        return _serialise(cluster)
    endpoints = dns.response_type is DnsResponseType.ENDPOINTS
    cluster.type = cluster_pb2.Cluster.STRICT_DNS if endpoints else cluster_pb2.Cluster.LOGICAL_DNS
    preferred = mesh.spec.mesh_service_discovery if mesh else None
    cluster.dns_lookup_family = _FAMILIES[preferred.ip_preference if preferred else None]
    return _serialise(cluster)


def local_cluster(name: str, protocol: Protocol, port: int) -> bytes:
    """The application beside the proxy of a VirtualNode."""
    cluster = _cluster(name, protocol)
    _add_endpoint(cluster, _socket_address("127.0.0.1", port))
    return _serialise(cluster)


def internal_cluster(name: str, listener: str) -> bytes:
    """The step from the ingress of a gateway to its egress, in whatever HTTP the client speaks."""
    cluster = _cluster(name, None)
    internal = address_pb2.EnvoyInternalAddress(server_listener_name=listener)
    _add_endpoint(cluster, address_pb2.Address(envoy_internal_address=internal))
    return _serialise(cluster)


def _cluster(name: str, protocol: Protocol | None) -> Any:
    cluster = cluster_pb2.Cluster(name=name, type=cluster_pb2.Cluster.STATIC)
    cluster.connect_timeout.FromSeconds(1)
    cluster.load_assignment.cluster_name = name
    # As App Mesh had it: limits are the business of connection pools, at the destination.
    limits = cluster.circuit_breakers.thresholds.add()
    for limit in ("max_connections", "max_pending_requests", "max_requests", "max_retries"):
        getattr(limits, limit).value = _NO_LIMIT
    if protocol is not Protocol.TCP:
        cluster.typed_extension_protocol_options[_OPTIONS].CopyFrom(_http_options(protocol))
    return cluster


def _http_options(protocol: Protocol | None) -> any_pb2.Any:
    """HTTP/2 for http2 and grpc, HTTP/1.1 for http; None: as the client speaks to us."""
    options = http_protocol_options_pb2.HttpProtocolOptions()
    if protocol is None:
        options.use_downstream_protocol_config.http_protocol_options.SetInParent()
        options.use_downstream_protocol_config.http2_protocol_options.allow_connect = True
    elif protocol is Protocol.HTTP:
        options.explicit_http_config.http_protocol_options.SetInParent()
    else:
        options.explicit_http_config.http2_protocol_options.SetInParent()
    packed = any_pb2.Any()
    packed.Pack(options, deterministic=True)
    return packed


def _add_endpoint(cluster: Any, address: Any) -> None:
    locality = cluster.load_assignment.endpoints.add()
    locality.lb_endpoints.add(endpoint=endpoint_components_pb2.Endpoint(address=address))


def _socket_address(host: str, port: int) -> Any:
    socket = address_pb2.SocketAddress(address=host, port_value=port)
    return address_pb2.Address(socket_address=socket)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _serialise(message: Any) -> bytes:
    body: bytes = message.SerializeToString(deterministic=True)
    return body

"""Listeners: where requests enter a gateway, where they leave it, and those of a node's proxy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.network.direct_response.v3 import config_pb2 as direct_response_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from google.protobuf import any_pb2

from trimtab.providers.appmesh.envoy.routes import cluster_of
from trimtab.providers.appmesh.targets import NodeTarget

INGRESS, EGRESS = "ingress", "egress"  # also the names under which the listeners' metrics appear


class Chain(NamedTuple):
    """What becomes of connections to ``port``, as they were before they were redirected to us;
    None: of all that no other chain wants. ``filter`` is a network filter."""

    port: int | None
    filter: Any


def bound_listener(name: str, port: int, chain: Chain) -> bytes:
    """A listener of a gateway."""
    listener = _bound(name, port, (chain,))
    listener.traffic_direction = base_pb2.INBOUND
    return _serialise(listener)


def internal_listener(name: str, chain: Chain) -> bytes:
    """A listener that only this Envoy can reach: no port, no clash, nobody else can enter."""
    listener = listener_pb2.Listener(name=name, traffic_direction=base_pb2.OUTBOUND)
    listener.internal_listener.SetInParent()
    listener.filter_chains.append(_filter_chain(chain))
    return _serialise(listener)


def redirected_listener(name: str, port: int, chains: Sequence[Chain], *, inbound: bool) -> bytes:
    """A listener of a node's proxy, to which the machine redirects connections (iptables)."""
    listener = _bound(name, port, chains)
    listener.traffic_direction = base_pb2.INBOUND if inbound else base_pb2.OUTBOUND
    listener.listener_filters.add(
        name="envoy.filters.listener.original_dst",
        typed_config=_pack(original_dst_pb2.OriginalDst()),
    )
    return _serialise(listener)


# --- network filters -----------------------------------------------------------------------------


def http(direction: str, routes: str) -> Any:
    """HTTP of any version by the route configuration ``routes``."""
    manager = hcm_pb2.HttpConnectionManager(stat_prefix=direction)
    manager.rds.route_config_name = routes
    source = manager.rds.config_source
    source.ads.SetInParent()
    source.resource_api_version = config_source_pb2.V3
    source.initial_fetch_timeout.FromSeconds(0)  # not ready, rather than without routes
    # As App Mesh had it.
    manager.normalize_path.value = True
    manager.merge_slashes = True
    manager.path_with_escaped_slashes_action = hcm_pb2.HttpConnectionManager.KEEP_UNCHANGED
    manager.upgrade_configs.add(upgrade_type="websocket")
    manager.http2_protocol_options.allow_connect = True  # websockets between the two hops
    manager.http_filters.add(
        name="envoy.filters.http.router", typed_config=_pack(router_pb2.Router())
    )
    return _filter("envoy.filters.network.http_connection_manager", manager)


def tcp(direction: str, targets: Iterable[NodeTarget]) -> Any:
    """Connections by weight. Envoy refuses a weight of zero here; all zero: they are closed."""
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix=direction)
    for target in targets:
        if target.weight:
            proxy.weighted_clusters.clusters.add(name=cluster_of(target), weight=target.weight)
    if not proxy.weighted_clusters.clusters:
        return _filter("envoy.filters.network.direct_response", direct_response_pb2.Config())
    return _filter("envoy.filters.network.tcp_proxy", proxy)


def tcp_to(direction: str, cluster: str) -> Any:
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix=direction, cluster=cluster)
    return _filter("envoy.filters.network.tcp_proxy", proxy)


def _filter(name: str, config: Any) -> Any:
    return listener_components_pb2.Filter(name=name, typed_config=_pack(config))


# --- parts ---------------------------------------------------------------------------------------


def _bound(name: str, port: int, chains: Sequence[Chain]) -> Any:
    socket = address_pb2.SocketAddress(address="0.0.0.0", port_value=port)  # noqa: S104 - a proxy
    listener = listener_pb2.Listener(name=name, address=address_pb2.Address(socket_address=socket))
    for chain in chains:
        if chain.port is None and len(chains) > 1:
            listener.default_filter_chain.CopyFrom(_filter_chain(chain))
        else:
            listener.filter_chains.append(_filter_chain(chain))
    return listener


def _filter_chain(chain: Chain) -> Any:
    message = listener_components_pb2.FilterChain(filters=[chain.filter])
    if chain.port is not None:
        message.name = str(chain.port)
        message.filter_chain_match.destination_port.value = chain.port
    return message


def _pack(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def _serialise(message: Any) -> bytes:
    body: bytes = message.SerializeToString(deterministic=True)
    return body

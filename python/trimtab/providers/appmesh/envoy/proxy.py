"""The Envoy beside a VirtualNode: out to its backends, in to its application."""

from __future__ import annotations

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh.envoy import routes
from trimtab.providers.appmesh.envoy.clusters import local_cluster
from trimtab.providers.appmesh.envoy.listeners import (
    INGRESS,
    Chain,
    http,
    redirected_listener,
    tcp_to,
)
from trimtab.providers.appmesh.envoy.plan import Plan, Ports, listener_name, opened, routes_name
from trimtab.providers.appmesh.envoy.services import ServicePort
from trimtab.providers.appmesh.hops import offered_ports
from trimtab.providers.appmesh.model import VirtualNode
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.users import called
from trimtab.providers.appmesh.values import PortMapping, Protocol


def node_plan(reading: AppMeshReading, node: VirtualNode, ports: Ports) -> Plan:
    """The egress listener is not in it: TCP has its weights there."""
    offers = {ref: offered_ports(reading, reading.services[ref]) for ref in called(reading, node)}
    connections = tcp_ports(offers)
    first, clusters, chains = _application(reading, node)
    listeners: dict[str, bytes] = {}
    if chains:
        lds = listener_name(INGRESS, ports.ingress)
        listeners[lds] = redirected_listener(lds, ports.ingress, chains, inbound=True)
    return Plan(False, clusters, listeners, first, _http_ports(offers, connections), connections)


def tcp_ports(offers: dict[ObjectRef, tuple[PortMapping, ...]]) -> dict[int, ServicePort]:
    """TCP has no names: of several services on one port the first has it."""
    found: dict[int, ServicePort] = {}
    for ref, mappings in offers.items():
        for mapping in mappings:
            if mapping.protocol is Protocol.TCP:
                found.setdefault(mapping.port, (ref, mapping.port))
    return found


def _http_ports(
    offers: dict[ObjectRef, tuple[PortMapping, ...]], connections: dict[int, ServicePort]
) -> dict[int | None, tuple[ServicePort, ...]]:
    """All services, as they are on their first port; and again for each further port of one of
    them, since a connection that was redirected to us says to which port it went."""
    further = {m.port for mappings in offers.values() for m in mappings[1:]} - connections.keys()
    found: dict[int | None, tuple[ServicePort, ...]] = {}
    for port in (None, *sorted(further)):
        found[port] = tuple(
            (ref, port if any(m.port == port for m in mappings[1:]) else None)
            for ref, mappings in offers.items()
        )
    return found


def _application(
    reading: AppMeshReading, node: VirtualNode
) -> tuple[dict[str, bytes], dict[str, bytes], list[Chain]]:
    """The way in: route configurations, clusters, and what becomes of connections."""
    first: dict[str, bytes] = {}
    clusters: dict[str, bytes] = {}
    chains: list[Chain] = []
    named = f"{reading.mesh_name(node)}_{reading.aws_name(node)}"
    for port, protocol in opened(node.spec.listeners).items():
        cluster = f"cds_ingress_{named}_{protocol}_{port}"
        clusters[cluster] = local_cluster(cluster, protocol, port)
        if protocol is Protocol.TCP:
            chains.append(Chain(port, tcp_to(INGRESS, cluster)))
        else:
            rds = routes_name(INGRESS, port)
            first[rds] = routes.gateway_routes(rds, [routes.local_host(cluster)])
            chains.append(Chain(port, http(INGRESS, rds)))
    if len(chains) == 1:  # then also for connections that nobody redirected
        chains = [chains[0]._replace(port=None)]
    return first, clusters, chains

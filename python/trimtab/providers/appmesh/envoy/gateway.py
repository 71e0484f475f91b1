"""The Envoy of a VirtualGateway: two hops, the second behind a listener inside the process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from trimtab.providers.appmesh.envoy import routes
from trimtab.providers.appmesh.envoy.clusters import internal_cluster
from trimtab.providers.appmesh.envoy.listeners import (
    EGRESS,
    INGRESS,
    Chain,
    bound_listener,
    http,
    internal_listener,
)
from trimtab.providers.appmesh.envoy.plan import (
    Plan,
    listener_name,
    opened,
    routes_name,
    suffix,
)
from trimtab.providers.appmesh.envoy.services import ServicePort
from trimtab.providers.appmesh.hops import GatewayEntry, VirtualHost, gateway_hosts, offered_ports
from trimtab.providers.appmesh.model import VirtualGateway, VirtualService
from trimtab.providers.appmesh.reading import AppMeshReading


def gateway_plan(
    reading: AppMeshReading, gateway: VirtualGateway, egress: int, lasting: Collection[ServicePort]
) -> Plan:
    """``lasting``: services that the second hop had before. They stay, so that a GatewayRoute may
    turn away from one: the first hop still leads there while the second is being changed."""
    step = f"cds_ingress_{reading.mesh_name(gateway)}_{reading.aws_name(gateway)}_self_redirect"
    wanted = set(lasting)
    listeners: dict[str, bytes] = {}
    first: dict[str, bytes] = {}
    for port in opened(gateway.spec.listeners):
        hosts = gateway_hosts(reading, gateway, port)
        entries = [entry for host in hosts for entry in host.entries]
        keys = [_key(reading, e.service_port, s.service) for e in entries for s in e.services]
        wanted.update(key for key in keys if key is not None)
        rds, lds = routes_name(INGRESS, port), listener_name(INGRESS, port)
        first[rds] = routes.gateway_routes(rds, _hosts(reading, hosts, step, egress))
        listeners[lds] = bound_listener(lds, port, Chain(None, http(INGRESS, rds)))
    clusters: dict[str, bytes] = {}
    second: dict[int | None, tuple[ServicePort, ...]] = {}
    for service_port in (None, *sorted({p for _, p in wanted if p is not None})):
        cluster = _step(step, egress, service_port)
        lds = listener_name(EGRESS, egress, service_port)
        rds = routes_name(EGRESS, egress, service_port)
        clusters[cluster] = internal_cluster(cluster, lds)
        listeners[lds] = internal_listener(lds, Chain(None, http(EGRESS, rds)))
        in_it = (key for key in wanted if key[1] == service_port)
        second[service_port] = tuple(sorted(in_it, key=lambda key: key[0]))
    return Plan(True, clusters, listeners, first, second)


def _hosts(
    reading: AppMeshReading, hosts: Sequence[VirtualHost], step: str, egress: int
) -> Iterator[routes.Host]:
    for host in hosts:
        yield routes.gateway_host(host, [_leads(reading, e, step, egress) for e in host.entries])


def _leads(
    reading: AppMeshReading, entry: GatewayEntry, step: str, egress: int
) -> list[routes.Lead]:
    leads = []
    for name, weight, service in entry.services:
        key = _key(reading, entry.service_port, service)
        if service is None or key is None:
            leads.append(routes.Lead(None, name, weight))
        else:
            through = _step(step, egress, key[1])
            leads.append(routes.Lead(through, reading.aws_name(service), weight))
    return leads


def _step(step: str, egress: int, service_port: int | None) -> str:
    return f"{step}{suffix(service_port)}_http_{egress}"


def _key(
    reading: AppMeshReading, said: int | None, service: VirtualService | None
) -> ServicePort | None:
    """Where an entry leads; None: nowhere. The first port of a service goes without saying."""
    if service is None:
        return None
    ports = [mapping.port for mapping in offered_ports(reading, service)]
    return service.ref, None if not ports or said in (None, ports[0]) else said

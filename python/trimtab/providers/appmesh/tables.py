"""The lists of ``hops`` as rules of the matcher: one list a gateway, one a service, all a client has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trimtab._core import Rule
from trimtab.errors import InvalidDocument
from trimtab.providers.appmesh import hops
from trimtab.providers.appmesh.matching import rule_of
from trimtab.providers.appmesh.model import VirtualGateway, VirtualService
from trimtab.providers.appmesh.named import ByName
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.values import Protocol


class Routes(NamedTuple):
    """Rules in match order; the hosts that have none, whose requests get a 404; and whether the
    port of a request's host counts for nothing."""

    rules: tuple[Rule, ...]
    empty_hosts: tuple[str, ...] = ()
    ignore_port: bool = False


def gateway_rules(
    mesh: hops.Mesh, gateway: VirtualGateway, port: int | None = None
) -> Iterator[Rule]:
    """The rules of one listener of a gateway; without a port, of its first. ``data``: the
    ``GatewayEntry``."""
    for host in hops.gateway_hosts(mesh, gateway, port):
        for entry in host.entries:
            name = f"{entry.route.title} ({entry.match.path.kind} {entry.match.path.text})"
            targets = entry.shares or _only_service(entry)
            yield rule_of(name, entry.match, hosts=host.domains, targets=targets, data=entry)


def service_rules(
    mesh: hops.Mesh, service: VirtualService, port: int | None = None
) -> Iterator[Rule]:
    """The rules of a service on one port of its router; without one, on its first. ``data``: the
    ``ServiceEntry``."""
    for entry in hops.service_entries(mesh, service, port):
        name = entry.rule.name if entry.rule else entry.targets[0].name
        yield rule_of(name, entry.match, targets=entry.targets, data=entry)


def gateway_routes(reading: AppMeshReading, name: str) -> Routes:
    """What the gateway ``name`` (or ``namespace/name``) has on its first listener.

    Raises InvalidDocument when there is no such gateway, or several."""
    gateways = ByName(reading.gateways.values())
    gateway = gateways.get(name, "VirtualGateway")
    if gateway is None:
        known = f"there are {', '.join(gateways.titles)}" if gateways.titles else "there is none"
        raise InvalidDocument(f"there is no VirtualGateway {name}: {known}")
    return Routes(tuple(gateway_rules(reading, gateway)))


def client_routes(reading: AppMeshReading) -> Routes:
    """What the Envoy of a client has: every VirtualService under its name, on the first port that
    it is offered on. Of services with one name the first has it."""
    rules: list[Rule] = []
    hosts: dict[str, bool] = {}  # and whether a rule names it
    for ref in sorted(reading.services):
        service = reading.services[ref]
        name = reading.aws_name(service).lower()
        if name in hosts:
            continue
        found = tuple(_client_rules(reading, service, name))
        hosts[name] = bool(found)
        rules += found
    empty = tuple(name for name, named in hosts.items() if not named)
    return Routes(tuple(rules), empty, ignore_port=True)


def _client_rules(reading: AppMeshReading, service: VirtualService, host: str) -> Iterator[Rule]:
    for entry in hops.service_entries(reading, service):
        if entry.protocol is Protocol.TCP:
            continue  # connections have no host, and no route
        name = service.title
        if entry.router and entry.rule:
            name = f"{entry.router.title}/{entry.rule.name}"
        yield rule_of(name, entry.match, hosts=(host,), targets=entry.targets, data=entry)


def _only_service(entry: hops.GatewayEntry) -> tuple[hops.ServiceShare, ...]:
    service = entry.service
    if service is None:
        return ()
    near = service.namespace == entry.route.namespace
    return (hops.ServiceShare(service.name if near else service.title, 1, service),)

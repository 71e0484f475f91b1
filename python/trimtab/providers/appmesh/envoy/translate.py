"""From the node id of an Envoy to everything that it is to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from trimtab.core.model import Diagnostic
from trimtab.providers.appmesh.envoy import routes
from trimtab.providers.appmesh.envoy.gateway import gateway_plan
from trimtab.providers.appmesh.envoy.identity import NodeId
from trimtab.providers.appmesh.envoy.listeners import EGRESS, Chain, http, redirected_listener, tcp
from trimtab.providers.appmesh.envoy.plan import Plan, Ports, listener_name, routes_name
from trimtab.providers.appmesh.envoy.proxy import node_plan
from trimtab.providers.appmesh.envoy.refusals import refusals
from trimtab.providers.appmesh.envoy.services import Served, ServicePort, Services
from trimtab.providers.appmesh.model import VirtualGateway, VirtualNode
from trimtab.providers.appmesh.reading import AppMeshReading

__all__ = ["CLUSTER", "LISTENER", "ROUTE", "Ports", "Translator"]

_PREFIX = "type.googleapis.com/envoy.config."
CLUSTER = f"{_PREFIX}cluster.v3.Cluster"
LISTENER = f"{_PREFIX}listener.v3.Listener"
ROUTE = f"{_PREFIX}route.v3.RouteConfiguration"


class _Last(NamedTuple):
    """What the last answer for a node was made of."""

    plan: Plan
    addresses: int
    served: Mapping[ServicePort, Served]
    clusters: dict[str, bytes]


class Translator:
    """Turns readings into xDS resources; remembers what it made, so that a change costs little.

    One for all Envoys of a control plane, asked for the newest reading.
    """

    def __init__(self, ports: Ports = Ports()) -> None:  # noqa: B008 - immutable
        self._ports = ports
        self._services = Services()
        self._plans: dict[str, tuple[int, Plan]] = {}
        self._last: dict[str, _Last] = {}

    def resources(
        self, reading: AppMeshReading, node: str
    ) -> Mapping[str, Mapping[str, bytes]] | None:
        """Type URL -> name -> serialised message, for a node id; None when no document is for it.

        Route configurations stand in the order in which they have to be in place.
        """
        identity = NodeId.parse(node)
        if identity is None:
            return None
        self._services.update(reading)
        plan = self._plan(reading, node, identity)
        return None if plan is None else self._fill(reading, node, plan)

    def diagnostics(self, reading: AppMeshReading) -> tuple[Diagnostic, ...]:
        """What in the documents cannot be served as it is written, and what is done instead."""
        return tuple(refusals(reading))

    def _plan(self, reading: AppMeshReading, node: str, identity: NodeId) -> Plan | None:
        shape, plan = self._plans.get(node, (-1, None))
        if shape == self._services.shape:
            return plan
        plan = self._made(reading, identity, plan)
        if plan is None:
            self._plans.pop(node, None)
            self._last.pop(node, None)
        else:
            self._plans[node] = self._services.shape, plan
        return plan

    def _made(self, reading: AppMeshReading, identity: NodeId, before: Plan | None) -> Plan | None:
        if identity.kind == "virtualNode":
            owner = _find(reading, identity, reading.nodes.values())
            return node_plan(reading, owner, self._ports) if owner else None
        gateway = _find(reading, identity, reading.gateways.values())
        if gateway is None:
            return None
        lasting = (key for keys in before.second.values() for key in keys) if before else ()
        there = {key for key in lasting if key[0] in reading.services}
        return gateway_plan(reading, gateway, self._ports.egress, there)

    def _fill(
        self, reading: AppMeshReading, node: str, plan: Plan
    ) -> Mapping[str, dict[str, bytes]]:
        """What is the same object as in the last answer did not change: nobody compares it."""
        keys = [*(k for keys in plan.second.values() for k in keys), *plan.connections.values()]
        found = {k: self._services.get(reading.services[k[0]], k[1]) for k in keys}
        last = self._last.get(node)
        if last is None or last.plan is not plan or not self._same_clusters(last, found):
            clusters = self._clusters(plan, found.values())
        else:
            clusters = last.clusters
        self._last[node] = _Last(plan, self._services.addresses, found, clusters)
        configurations: dict[str, bytes] = {}
        for port, members in plan.second.items():
            name = routes_name(EGRESS, self._ports.egress, port)
            hosts = (found[key].host for key in members)
            configurations[name] = routes.service_routes(name, hosts, gateway=plan.gateway)
        listeners = plan.listeners if plan.gateway else self._listeners(plan, found)
        return {CLUSTER: clusters, LISTENER: listeners, ROUTE: {**configurations, **plan.first}}

    def _same_clusters(self, last: _Last, found: Mapping[ServicePort, Served]) -> bool:
        return last.addresses == self._services.addresses and all(
            (before := last.served[key]) is served or before.destinations == served.destinations
            for key, served in found.items()
        )

    def _clusters(self, plan: Plan, found: Iterable[Served]) -> dict[str, bytes]:
        clusters = dict(plan.clusters)
        for served in found:
            for destination in served.destinations:
                if destination.name not in clusters:
                    clusters[destination.name] = self._services.cluster(destination)
        return clusters

    def _listeners(self, plan: Plan, found: Mapping[ServicePort, Served]) -> dict[str, bytes]:
        """With the egress of a node's proxy, where the weights of TCP are."""
        egress = self._ports.egress
        chains = [Chain(port, tcp(EGRESS, found[k].tcp)) for port, k in plan.connections.items()]
        chains += [Chain(p, http(EGRESS, routes_name(EGRESS, egress, p))) for p in plan.second]
        name = listener_name(EGRESS, egress)
        body = redirected_listener(name, egress, chains, inbound=False)
        return {**plan.listeners, name: body}


R = TypeVar("R", VirtualGateway, VirtualNode)


def _find(reading: AppMeshReading, identity: NodeId, among: Iterable[R]) -> R | None:
    """By awsName and mesh; the owner of the mesh counts where both sides state it."""
    for resource in among:
        if reading.aws_name(resource) != identity.name:
            continue
        if reading.mesh_name(resource) != identity.mesh:
            continue
        mesh = reading.mesh_of(resource)
        owner = mesh.spec.mesh_owner if mesh else None
        if not owner or not identity.owner or owner == identity.owner:
            return resource
    return None

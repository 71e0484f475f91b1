"""The VirtualServices of one reading as virtual hosts, and the clusters that these lead to.

What did not change since the reading before is taken over: a changed weight rebuilds the
virtual hosts of one router, whatever the size of the mesh.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh.documents import Document
from trimtab.providers.appmesh.envoy.clusters import egress_cluster
from trimtab.providers.appmesh.envoy.routes import Host, service_host
from trimtab.providers.appmesh.hops import ServiceEntry, service_entries
from trimtab.providers.appmesh.model import Mesh, NodeListener, VirtualNode, VirtualService
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.targets import NodeTarget
from trimtab.providers.appmesh.values import Protocol

ServicePort: TypeAlias = tuple[ObjectRef, int | None]
"""A VirtualService on one port of its router or node; None for the first."""


class Destination(NamedTuple):
    """A cluster and what it is made of."""

    name: str
    node: VirtualNode
    listener: NodeListener


class Served(NamedTuple):
    """A VirtualService on one port, ready to be sent. ``tcp``: the targets of its connections."""

    host: Host
    destinations: tuple[Destination, ...]
    tcp: tuple[NodeTarget, ...]


class Services:
    """Remembers what the last reading was made into. Use one for all nodes of a reading."""

    def __init__(self) -> None:
        self.shape = 0
        """Rises whenever more may have changed than the routes of a router, or an address."""
        self.addresses = 0
        """Rises whenever a VirtualNode may have changed."""
        self._reading: AppMeshReading | None = None
        self._documents: Mapping[ObjectRef, Document] = {}
        self._served: dict[ServicePort, Served] = {}
        self._users: dict[ObjectRef, set[ServicePort]] = {}
        self._clusters: dict[str, tuple[VirtualNode, Mesh | None, bytes]] = {}

    def update(self, reading: AppMeshReading) -> None:
        """From now on answer for ``reading``."""
        if reading is self._reading:
            return
        old, new = self._documents, reading.documents
        changed = [ref for ref, document in new.items() if old.get(ref) is not document]
        changed += [ref for ref in old if ref not in new]
        self.addresses += any(ref.kind in ("VirtualNode", "Mesh", "Namespace") for ref in changed)
        if any(_reshapes(old.get(ref), new.get(ref)) for ref in changed):
            self.shape += 1
            self._served.clear()
            self._users.clear()
            self._clusters = {n: c for n, c in self._clusters.items() if c[0].ref in new}
        for ref in changed:
            for key in self._users.pop(ref, ()):
                self._served.pop(key, None)
        self._reading, self._documents = reading, new

    def get(self, service: VirtualService, port: int | None) -> Served:
        key = (service.ref, port)
        if (known := self._served.get(key)) is None:
            known = self._served[key] = self._serve(service, port)
        return known

    def cluster(self, destination: Destination) -> bytes:
        name, node, listener = destination
        mesh = self._current.mesh_of(node)
        known = self._clusters.get(name)
        if known is None or known[0] is not node or known[1] is not mesh:
            known = (node, mesh, egress_cluster(name, node, listener, mesh))
            self._clusters[name] = known
        return known[2]

    @property
    def _current(self) -> AppMeshReading:
        if self._reading is None:
            raise AssertionError("nothing was read yet")
        return self._reading

    def _serve(self, service: VirtualService, port: int | None) -> Served:
        reading = self._current
        entries = service_entries(reading, service, port)
        for ref in _sources(reading, service):
            self._users.setdefault(ref, set()).add((service.ref, port))
        http = [entry for entry in entries if entry.protocol is not Protocol.TCP]
        tcp = next((entry.targets for entry in entries if entry.protocol is Protocol.TCP), ())
        host = service_host(reading.aws_name(service), http)
        destinations = {destination.name: destination for destination in _destinations(entries)}
        return Served(host, tuple(destinations.values()), tcp)


def _destinations(entries: tuple[ServiceEntry, ...]) -> Iterator[Destination]:
    for entry in entries:
        for target in entry.targets:
            if target.node and target.listener and target.cluster:
                yield Destination(target.cluster, target.node, target.listener)


def _sources(reading: AppMeshReading, service: VirtualService) -> Iterator[ObjectRef]:
    """The documents, there or not, that a service is made of."""
    yield service.ref
    provider = service.spec.provider
    if provider and provider.virtual_node and provider.virtual_node.virtual_node_ref:
        yield reading.target("VirtualNode", provider.virtual_node.virtual_node_ref, service)
    if provider and provider.virtual_router and provider.virtual_router.virtual_router_ref:
        reference = provider.virtual_router.virtual_router_ref
        yield reading.target("VirtualRouter", reference, service)
        router = reading.router(reference, service)
        for rule in router.spec.routes if router else ():
            for target in rule.targets:
                if router and target.virtual_node_ref:
                    yield reading.target("VirtualNode", target.virtual_node_ref, router)


def _reshapes(old: Document | None, new: Document | None) -> bool:
    """Whether a change of a document may concern more than the services which it is a part of."""
    before = old.resource if old else None
    after = new.resource if new else None
    if before is None or after is None or before.ref.kind not in ("VirtualRouter", "VirtualNode"):
        return before is not after
    fields = ("listeners", "mesh_ref", "aws_name", "backends", "backend_groups")
    return any(getattr(before.spec, f, None) != getattr(after.spec, f, None) for f in fields)

"""A reading as a check sees it: what the check asks for is noted, so that it need not run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh.documents import Document
from trimtab.providers.appmesh.model import (
    GatewayRoute,
    NodeListener,
    Resource,
    VirtualGateway,
    VirtualNode,
    VirtualRouter,
    VirtualService,
)
from trimtab.providers.appmesh.values import Reference

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading


class View:
    """The lookups of a reading. ``asked`` holds the objects that were looked for, found or not."""

    def __init__(self, reading: AppMeshReading) -> None:
        self._reading = reading
        self.asked: set[ObjectRef] = set()

    @property
    def documents(self) -> Mapping[ObjectRef, Document]:
        return self._reading.documents

    def target(self, kind: str, reference: Reference, referrer: Resource[Any]) -> ObjectRef:
        ref = self._reading.target(kind, reference, referrer)
        self.asked.add(ref)
        return ref

    def service(self, reference: Reference, referrer: Resource[Any]) -> VirtualService | None:
        return self._reading.services.get(self.target("VirtualService", reference, referrer))

    def router(self, reference: Reference, referrer: Resource[Any]) -> VirtualRouter | None:
        return self._reading.routers.get(self.target("VirtualRouter", reference, referrer))

    def node(self, reference: Reference, referrer: Resource[Any]) -> VirtualNode | None:
        return self._reading.nodes.get(self.target("VirtualNode", reference, referrer))

    def cluster_name(self, node: VirtualNode, listener: NodeListener) -> str | None:
        return self._reading.cluster_name(node, listener)

    def gateway_of(self, route: GatewayRoute) -> VirtualGateway | None:
        return self._reading.gateway_of(route)

    def routes_of(self, gateway: VirtualGateway) -> tuple[GatewayRoute, ...]:
        routes = self._reading.routes_of(gateway)
        self.asked.update(route.ref for route in routes)
        return routes

    def namesakes(self, target: ObjectRef) -> Sequence[ObjectRef]:
        """Objects of the same kind and name in other namespaces."""
        return self._reading.by_name.get((target.kind, target.name), ())

    def neighbours(self, target: ObjectRef) -> Sequence[ObjectRef]:
        """Objects of the same kind in the same namespace."""
        return self._reading.by_namespace.get((target.kind, target.namespace), ())

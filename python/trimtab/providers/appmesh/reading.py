"""Everything that one set of objects says, typed and connected.

A reading is made anew for every change, so it does little when it is made: documents that
did not change come from the reading before, and names are looked up when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from trimtab.core.model import Diagnostic, ObjectRef, Objects, Route
from trimtab.core.steering import Steering, Way
from trimtab.ports import Resolution
from trimtab.providers.appmesh import names, routes, users, ways
from trimtab.providers.appmesh.checks import Checks
from trimtab.providers.appmesh.documents import Document, read_document
from trimtab.providers.appmesh.model import (
    BackendGroup,
    GatewayRoute,
    Mesh,
    Namespace,
    NodeListener,
    Resource,
    VirtualGateway,
    VirtualNode,
    VirtualRouter,
    VirtualService,
)
from trimtab.providers.appmesh.names import Owner
from trimtab.providers.appmesh.values import GROUP, Reference


class AppMeshReading:
    """Implements ``ports.Reading``."""

    def __init__(
        self,
        objects: Objects,
        before: Mapping[ObjectRef, Document],
        checks: Checks,
        *,
        serves_xds: bool = False,
    ) -> None:
        self._checks = checks
        self.serves_xds = serves_xds
        self.documents = _read_all(objects, before)
        self.meshes: dict[ObjectRef, Mesh] = {}
        self.namespaces: dict[ObjectRef, Namespace] = {}
        self.gateways: dict[ObjectRef, VirtualGateway] = {}
        self.gateway_routes: dict[ObjectRef, GatewayRoute] = {}
        self.services: dict[ObjectRef, VirtualService] = {}
        self.routers: dict[ObjectRef, VirtualRouter] = {}
        self.nodes: dict[ObjectRef, VirtualNode] = {}
        self.backend_groups: dict[ObjectRef, BackendGroup] = {}
        by_kind: dict[str, dict[ObjectRef, Any]] = {
            "Mesh": self.meshes,
            "Namespace": self.namespaces,
            "VirtualGateway": self.gateways,
            "GatewayRoute": self.gateway_routes,
            "VirtualService": self.services,
            "VirtualRouter": self.routers,
            "VirtualNode": self.nodes,
            "BackendGroup": self.backend_groups,
        }
        for ref, document in self.documents.items():
            if document.resource is not None:
                by_kind[ref.kind][ref] = document.resource
        self._mesh_by_namespace: dict[str, Owner] = {}
        self._gateway_by_route: dict[ObjectRef, Owner] = {}

    # --- names ------------------------------------------------------------------------------

    def aws_name(self, resource: Resource[Any]) -> str:
        return names.aws_name(resource)

    def mesh_of(self, resource: Resource[Any]) -> Mesh | None:
        """The Mesh of its ``meshRef``, else the one whose selector selects its namespace."""
        stated = getattr(resource.spec, "mesh_ref", None)
        if stated is not None:
            return self.meshes.get(ObjectRef(GROUP, "Mesh", "", stated.name))
        return self.mesh_owner(resource.namespace).found

    def mesh_name(self, resource: Resource[Any]) -> str | None:
        """The awsName of its Mesh. A ``meshRef`` to a Mesh that is not at hand counts by name."""
        mesh = self.mesh_of(resource)
        if mesh is not None:
            return names.aws_name(mesh)
        stated = getattr(resource.spec, "mesh_ref", None)
        return stated.name if stated is not None else None

    def gateway_of(self, route: GatewayRoute) -> VirtualGateway | None:
        return self.gateway_owner(route).found

    def routes_of(self, gateway: VirtualGateway) -> tuple[GatewayRoute, ...]:
        """The GatewayRoutes of a gateway, by name."""
        return self._routes_by_gateway.get(gateway.ref, ())

    def cluster_name(self, node: VirtualNode, listener: NodeListener) -> str | None:
        mesh = self.mesh_name(node)
        return None if mesh is None else names.cluster_name(mesh, node, listener)

    # --- references -----------------------------------------------------------------------------

    def service(self, reference: Reference, referrer: Resource[Any]) -> VirtualService | None:
        return self.services.get(self.target("VirtualService", reference, referrer))

    def router(self, reference: Reference, referrer: Resource[Any]) -> VirtualRouter | None:
        return self.routers.get(self.target("VirtualRouter", reference, referrer))

    def node(self, reference: Reference, referrer: Resource[Any]) -> VirtualNode | None:
        return self.nodes.get(self.target("VirtualNode", reference, referrer))

    @staticmethod
    def target(kind: str, reference: Reference, referrer: Resource[Any]) -> ObjectRef:
        """The object that a reference means, whether it exists or not."""
        return ObjectRef(GROUP, kind, reference.namespace or referrer.namespace, reference.name)

    # --- ports.Reading ----------------------------------------------------------------------------

    def resolve(
        self, target: ObjectRef, rules: Sequence[str], steering: Steering | None = None
    ) -> Resolution:
        if steering is None or steering.way is Way.RESOLVE:
            return routes.resolve(self, target, rules)
        return ways.resolve(self, target, rules, steering)

    def shared(self, routes: Sequence[Route]) -> Sequence[str]:
        return tuple(users.shared(self, routes))

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Of every document, then what only shows when they are put together."""
        own = [d for document in self.documents.values() for d in document.diagnostics]
        return (*own, *self._checks.look(self))

    @cached_property
    def broken(self) -> dict[ObjectRef, tuple[Diagnostic, ...]]:
        """The documents of our kinds that are used for nothing, with what is wrong with them."""
        return {
            ref: document.diagnostics
            for ref, document in self.documents.items()
            if document.resource is None and document.diagnostics
        }

    @cached_property
    def by_name(self) -> dict[tuple[str, str], list[ObjectRef]]:
        """The objects of a kind and name, in whichever namespace."""
        found: dict[tuple[str, str], list[ObjectRef]] = {}
        for ref in sorted(r for r in self.documents if r.group == GROUP):
            found.setdefault((ref.kind, ref.name), []).append(ref)
        return found

    @cached_property
    def by_namespace(self) -> dict[tuple[str, str], list[ObjectRef]]:
        """The objects of a kind in a namespace, by name."""
        found: dict[tuple[str, str], list[ObjectRef]] = {}
        for ref in sorted(r for r in self.documents if r.group == GROUP):
            found.setdefault((ref.kind, ref.namespace), []).append(ref)
        return found

    @cached_property
    def crowded(self) -> Mapping[ObjectRef, Sequence[users.User]]:
        """The VirtualNodes to which more than one leads, and all who do."""
        return users.crowded(self)

    # --- owners, looked up once -----------------------------------------------------------------

    def mesh_owner(self, namespace: str) -> Owner:
        """The Mesh of a namespace, and what is to be said about it."""
        if (known := self._mesh_by_namespace.get(namespace)) is None:
            labels = self._labels_of(namespace)
            known = names.mesh_of_namespace(namespace, labels, self._sorted_meshes)
            self._mesh_by_namespace[namespace] = known
        return known

    def gateway_owner(self, route: GatewayRoute) -> Owner:
        """The VirtualGateway of a route, and what is to be said about it."""
        if (known := self._gateway_by_route.get(route.ref)) is None:
            known = self._gateway_by_route[route.ref] = self._find_gateway(route)
        return known

    def _find_gateway(self, route: GatewayRoute) -> Owner:
        stated = route.spec.virtual_gateway_ref
        if stated is not None:
            namespace = stated.namespace or route.namespace
            ref = ObjectRef(GROUP, "VirtualGateway", namespace, stated.name)
            return Owner(self.gateways.get(ref))
        mesh = self.mesh_name(route)
        labels = self._labels_of(route.namespace)
        return names.gateway_of_route(route, labels, self._gateways_by_mesh.get(mesh, ()))

    @cached_property
    def _sorted_meshes(self) -> list[Mesh]:
        return [self.meshes[ref] for ref in sorted(self.meshes)]

    @cached_property
    def _gateways_by_mesh(self) -> dict[str | None, list[VirtualGateway]]:
        by_mesh: dict[str | None, list[VirtualGateway]] = {}
        for ref in sorted(self.gateways):
            gateway = self.gateways[ref]
            by_mesh.setdefault(self.mesh_name(gateway), []).append(gateway)
        return by_mesh

    @cached_property
    def _routes_by_gateway(self) -> dict[ObjectRef, tuple[GatewayRoute, ...]]:
        by_gateway: dict[ObjectRef, list[GatewayRoute]] = {}
        for ref in sorted(self.gateway_routes):
            route = self.gateway_routes[ref]
            gateway = self.gateway_of(route)
            if gateway is not None:
                by_gateway.setdefault(gateway.ref, []).append(route)
        return {ref: tuple(found) for ref, found in by_gateway.items()}

    def _labels_of(self, namespace: str) -> Mapping[str, str] | None:
        found = self.namespaces.get(ObjectRef("", "Namespace", "", namespace))
        return found.labels if found else None


def _read_all(objects: Objects, before: Mapping[ObjectRef, Document]) -> dict[ObjectRef, Document]:
    """Each object read, those that did not change taken from ``before``."""
    documents: dict[ObjectRef, Document] = {}
    for ref, obj in objects.items():
        known = before.get(ref)
        if known is not None and (
            known.object is obj
            or (known.object.version == obj.version and known.object.origin == obj.origin)
        ):
            documents[ref] = known
        else:
            documents[ref] = read_document(obj)
    return documents

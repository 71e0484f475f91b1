"""Everything that one set of objects says, typed and connected.

A reading is made anew for every change, so it does little when it is made: documents that
did not change come from the reading before, and names are looked up when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from trimtab.core.differences import differing
from trimtab.core.model import Diagnostic, Object, ObjectRef, Objects, Route
from trimtab.core.steering import Steering, Way
from trimtab.ports import Resolution
from trimtab.providers.appmesh import names, routes, users, ways
from trimtab.providers.appmesh.checks import Checks
from trimtab.providers.appmesh.documents import KINDS, Document, read_document
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
from trimtab.providers.appmesh.owners import Owners, claim
from trimtab.providers.appmesh.values import GROUP, Reference


class AppMeshReading:
    """Implements ``ports.Reading``."""

    def __init__(
        self,
        objects: Objects,
        before: AppMeshReading | None,
        checks: Checks,
        *,
        serves_xds: bool = False,
    ) -> None:
        """``before``: an earlier reading, of which everything is taken that still holds."""
        self._checks = checks
        self.serves_xds = serves_xds
        self.objects = _snapshot(objects)
        self.before: Mapping[ObjectRef, Document] = before.documents if before else {}
        self.changed = _changed(self.objects, before.objects if before else {})
        self.documents: dict[ObjectRef, Document] = _read_all(objects, self.before, self.changed)
        shelves = _shelves(self.documents, before.shelves if before else {}, self.changed)
        self.shelves: dict[str, dict[ObjectRef, Any]] = shelves
        self.meshes: dict[ObjectRef, Mesh] = shelves["Mesh"]
        self.namespaces: dict[ObjectRef, Namespace] = shelves["Namespace"]
        self.gateways: dict[ObjectRef, VirtualGateway] = shelves["VirtualGateway"]
        self.gateway_routes: dict[ObjectRef, GatewayRoute] = shelves["GatewayRoute"]
        self.services: dict[ObjectRef, VirtualService] = shelves["VirtualService"]
        self.routers: dict[ObjectRef, VirtualRouter] = shelves["VirtualRouter"]
        self.nodes: dict[ObjectRef, VirtualNode] = shelves["VirtualNode"]
        self.backend_groups: dict[ObjectRef, BackendGroup] = shelves["BackendGroup"]
        self.owners = self._owners_after(before)

    def _owners_after(self, before: AppMeshReading | None) -> Owners:
        """Those of the reading before, unless who belongs to whom has changed."""
        if before is None or any(self._claims_otherwise(ref) for ref in self.changed):
            return Owners(self.meshes, self.namespaces, self.gateways)
        for ref in self.changed:
            before.owners.forget(ref)
        return before.owners

    def _claims_otherwise(self, ref: ObjectRef) -> bool:
        old, new = self.before.get(ref), self.documents.get(ref)
        return claim(old.resource if old else None) != claim(new.resource if new else None)

    # --- names ------------------------------------------------------------------------------

    def aws_name(self, resource: Resource[Any]) -> str:
        return names.aws_name(resource)

    def mesh_of(self, resource: Resource[Any]) -> Mesh | None:
        """The Mesh of its ``meshRef``, else the one whose selector selects its namespace."""
        stated = getattr(resource.spec, "mesh_ref", None)
        if stated is not None:
            return self.meshes.get(ObjectRef(GROUP, "Mesh", "", stated.name))
        ref = self.owners.mesh_of_namespace(resource.namespace).found
        return self.meshes.get(ref) if ref else None

    def mesh_name(self, resource: Resource[Any]) -> str | None:
        """The awsName of its Mesh. A ``meshRef`` to a Mesh that is not at hand counts by name."""
        return self.owners.mesh_name(resource)

    def gateway_of(self, route: GatewayRoute) -> VirtualGateway | None:
        ref = self.owners.gateway_of_route(route).found
        return self.gateways.get(ref) if ref else None

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
        """Of every document, then what only shows when they are put together; each by name."""
        return self._checks.look(self)

    @cached_property
    def broken(self) -> dict[ObjectRef, tuple[Diagnostic, ...]]:
        """The documents of our kinds that are used for nothing, with what is wrong with them."""
        return {
            ref: document.diagnostics
            for ref, document in self.documents.items()
            if document.resource is None and document.diagnostics
        }

    @cached_property
    def crowded(self) -> Mapping[ObjectRef, Sequence[users.User]]:
        """The VirtualNodes to which more than one leads, and all who do."""
        return users.crowded(self)

    @cached_property
    def _routes_by_gateway(self) -> dict[ObjectRef, tuple[GatewayRoute, ...]]:
        by_gateway: dict[ObjectRef, list[GatewayRoute]] = {}
        for ref in sorted(self.gateway_routes):
            route = self.gateway_routes[ref]
            gateway = self.owners.gateway_of_route(route).found
            if gateway is not None:
                by_gateway.setdefault(gateway, []).append(route)
        return {ref: tuple(found) for ref, found in by_gateway.items()}


def _snapshot(objects: Objects) -> dict[ObjectRef, Object]:
    """A copy that nobody changes; that of a read-only view is made by the mapping behind it, which
    is ten times as fast."""
    copy = getattr(objects, "copy", None)
    return dict(objects) if copy is None else copy()


def _changed(
    objects: dict[ObjectRef, Object], before: dict[ObjectRef, Object]
) -> tuple[ObjectRef, ...]:
    """The objects that are new, other than they were, or gone; in the order of ``objects``."""
    gone, come = differing(before.values(), objects.values())
    changed = [ref for ref in _keys(objects, come) if before.get(ref) is not objects[ref]]
    return (*changed, *(ref for ref in _keys(before, gone) if ref not in objects))


def _keys(objects: Objects, part: slice) -> Iterator[ObjectRef]:
    return islice(objects, part.start, part.stop)


def _read_all(
    objects: Objects, before: Mapping[ObjectRef, Document], changed: Iterable[ObjectRef]
) -> dict[ObjectRef, Document]:
    """Each object read, those that did not change taken from ``before``."""
    documents = dict(before)
    for ref in changed:
        obj, known = objects.get(ref), before.get(ref)
        if obj is None:
            del documents[ref]
        elif known is None or not _is_as_read(obj, known.object):
            documents[ref] = read_document(obj)
    return documents


def _is_as_read(obj: Object, known: Object) -> bool:
    return obj.version == known.version and obj.file == known.file


def _shelves(
    documents: Mapping[ObjectRef, Document],
    before: Mapping[str, dict[ObjectRef, Any]],
    changed: Iterable[ObjectRef],
) -> dict[str, dict[ObjectRef, Any]]:
    """What could be read, by kind. A shelf on which nothing has changed is that of ``before``."""
    shelves = {kind.kind: before.get(kind.kind, {}) for kind in KINDS}
    copied: set[str] = set()
    for ref in changed:
        if ref.kind in shelves:
            if ref.kind not in copied:
                copied.add(ref.kind)
                shelves[ref.kind] = dict(shelves[ref.kind])
            document = documents.get(ref)
            if document is not None and document.resource is not None:
                shelves[ref.kind][ref] = document.resource
            else:
                shelves[ref.kind].pop(ref, None)
    return shelves

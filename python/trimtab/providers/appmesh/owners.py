"""Who belongs to whom: the Mesh of a namespace, the VirtualGateway of a GatewayRoute.

Each answer is worked out once, and kept for later readings until a selector or label changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh import names
from trimtab.providers.appmesh.model import (
    GatewayRoute,
    Mesh,
    Namespace,
    Resource,
    VirtualGateway,
)
from trimtab.providers.appmesh.names import Judged, Labels, Owner
from trimtab.providers.appmesh.values import GROUP, MeshRef


class Owners:
    """The owners of one state of Meshes, Namespaces and VirtualGateways. Whatever else the objects
    say may change under it: owners are given by name."""

    def __init__(
        self,
        meshes: Mapping[ObjectRef, Mesh],
        namespaces: Mapping[ObjectRef, Namespace],
        gateways: Mapping[ObjectRef, VirtualGateway],
    ) -> None:
        self._meshes = meshes
        self._namespaces = namespaces
        self._gateways = gateways
        self._by_namespace: dict[str, Owner] = {}
        self._near: dict[tuple[MeshRef | None, str], _Near] = {}
        self._by_route: dict[ObjectRef, tuple[GatewayRoute, Owner]] = {}

    def mesh_of_namespace(self, namespace: str) -> Owner:
        if (known := self._by_namespace.get(namespace)) is None:
            labels = self._labels_of(namespace)
            known = names.mesh_of_namespace(namespace, labels, self._sorted_meshes)
            self._by_namespace[namespace] = known
        return known

    def mesh_name(self, resource: Resource[Any]) -> str | None:
        """The awsName of its Mesh. A ``meshRef`` to a Mesh that is not at hand counts by name."""
        stated = getattr(resource.spec, "mesh_ref", None)
        if stated is None:
            ref = self.mesh_of_namespace(resource.namespace).found
        else:
            ref = ObjectRef(GROUP, "Mesh", "", stated.name)
        mesh = self._meshes.get(ref) if ref else None
        if mesh is not None:
            return names.aws_name(mesh)
        return stated.name if stated is not None else None

    def gateway_of_route(self, route: GatewayRoute) -> Owner:
        known = self._by_route.get(route.ref)
        if known is None or known[0] is not route:
            known = self._by_route[route.ref] = route, self._find_gateway(route)
        return known[1]

    def forget(self, route: ObjectRef) -> None:
        self._by_route.pop(route, None)

    def _find_gateway(self, route: GatewayRoute) -> Owner:
        stated = route.spec.virtual_gateway_ref
        if stated is not None:
            namespace = stated.namespace or route.namespace
            ref = ObjectRef(GROUP, "VirtualGateway", namespace, stated.name)
            return Owner(ref if ref in self._gateways else None)
        key = route.spec.mesh_ref, route.namespace
        if (near := self._near.get(key)) is None:
            labels = self._labels_of(route.namespace)
            ours = self._gateways_by_mesh.get(self.mesh_name(route), ())
            judged = names.gateways_of_namespace(route.namespace, labels, ours)
            near = self._near[key] = _Near(judged)
        return near.choose(route.labels)

    @cached_property
    def _sorted_meshes(self) -> list[Mesh]:
        return [self._meshes[ref] for ref in sorted(self._meshes)]

    @cached_property
    def _gateways_by_mesh(self) -> dict[str | None, list[VirtualGateway]]:
        by_mesh: dict[str | None, list[VirtualGateway]] = {}
        for ref in sorted(self._gateways):
            gateway = self._gateways[ref]
            by_mesh.setdefault(self.mesh_name(gateway), []).append(gateway)
        return by_mesh

    def _labels_of(self, namespace: str) -> Labels:
        found = self._namespaces.get(ObjectRef("", "Namespace", "", namespace))
        return found.labels if found else None


class _Near:
    """The gateways that select a namespace. Routes have the same owner that are the same in the
    labels of which a selector speaks."""

    def __init__(self, judged: Judged[VirtualGateway]) -> None:
        self._judged = judged
        selectors = [gateway.spec.gateway_route_selector for gateway, _ in judged]
        self._keys = tuple({key for selector in selectors if selector for key in selector.keys})
        self._by_labels: dict[tuple[str | None, ...], Owner] = {}

    def choose(self, labels: Mapping[str, str]) -> Owner:
        key = tuple(map(labels.get, self._keys))
        if (known := self._by_labels.get(key)) is None:
            known = self._by_labels[key] = names.gateway_of_route(labels, self._judged)
        return known


def seeks(route: GatewayRoute) -> Hashable:
    """What a GatewayRoute says of its owner: those that say the same have the same one."""
    spec, labels = route.spec, frozenset(route.labels.items())
    return route.namespace, spec.mesh_ref, spec.virtual_gateway_ref, labels


def claim(resource: Resource[Any] | None) -> object:
    """What an object says of owners: while that is the same, the owners are."""
    if resource is None:
        return None
    spec = resource.spec
    if resource.ref.kind == "Mesh":
        return spec.aws_name, spec.namespace_selector
    if resource.ref.kind == "Namespace":
        return resource.labels
    if resource.ref.kind == "VirtualGateway":
        return spec.namespace_selector, spec.gateway_route_selector, spec.mesh_ref
    return None

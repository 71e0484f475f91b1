"""What objects of a mesh have in common and should not: no Mesh, one name, one node."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes, names
from trimtab.providers.appmesh.checks.groups import Groups
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.documents import Document
from trimtab.providers.appmesh.model import Resource
from trimtab.providers.appmesh.values import GROUP

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

_NOT_MEMBERS = ("Mesh", "Namespace")


class MemberChecks:
    def __init__(self) -> None:
        self._orphans = Groups(_namespace_to_find_a_mesh_for)
        self._namesakes = Groups(_name_in_its_mesh)
        self._users = Groups(_nodes_of_router)
        self._by_mesh = Groups(_mesh_by_name)

    def replace(self, old: Document | None, new: Document | None) -> None:
        """A document has changed."""
        before, after = old.resource if old else None, new.resource if new else None
        for groups in (self._orphans, self._by_mesh, self._namesakes, self._users):
            groups.replace(before, after)

    def findings(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        yield from self._without_mesh(reading)
        yield from self._meshes_not_there(reading)
        for (kind, name), refs in sorted(self._namesakes.several.items()):
            yield from _same_name(reading, kind, name, refs)
        for node, routers in sorted(self._users.several.items()):
            if node in reading.nodes:
                yield _shared_node(reading, node, routers)

    def _without_mesh(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        """Namespaces of which it is not clear that exactly one Mesh selects them."""
        for namespace in sorted(self._orphans.keys):
            problem = reading.owners.mesh_of_namespace(namespace).problem
            if problem is not None:
                ref = ObjectRef("", "Namespace", "", namespace)
                known = reading.documents.get(ref)
                yield diagnostic(problem, known.object if known else None, ref)

    def _meshes_not_there(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        """Said once for each Mesh that objects name, of the first of them."""
        for mesh in sorted(self._by_mesh.keys - reading.meshes.keys()):
            first, *others = sorted(self._by_mesh.members(mesh))
            also = f"; {len(others)} other objects name it too" if others else ""
            message = f"there is no {mesh}{also}."
            problem = Problem(codes.UNRESOLVED, "spec.meshRef", message, "Create it.")
            yield diagnostic(problem, reading.documents[first].object)


def _mesh_by_name(resource: Resource[Any]) -> Iterable[ObjectRef]:
    stated = None if resource.ref.kind in _NOT_MEMBERS else resource.spec.mesh_ref
    return () if stated is None else (ObjectRef(GROUP, "Mesh", "", stated.name),)


def _namespace_to_find_a_mesh_for(resource: Resource[Any]) -> Iterable[str]:
    found = resource.ref.kind in _NOT_MEMBERS or resource.spec.mesh_ref is not None
    return () if found else (resource.namespace,)


def _name_in_its_mesh(resource: Resource[Any]) -> Iterable[tuple[str, str]]:
    nameless = (*_NOT_MEMBERS, "BackendGroup")
    kind = resource.ref.kind
    return () if kind in nameless else ((kind, names.aws_name(resource)),)


def _nodes_of_router(resource: Resource[Any]) -> Iterable[ObjectRef]:
    if resource.ref.kind != "VirtualRouter":
        return
    for rule in resource.spec.routes:
        for target in rule.targets:
            ref = target.virtual_node_ref
            if ref is not None:
                space = ref.namespace or resource.namespace
                yield ObjectRef(GROUP, "VirtualNode", space, ref.name)


def _same_name(
    reading: AppMeshReading, kind: str, name: str, refs: Collection[ObjectRef]
) -> Iterator[Diagnostic]:
    """Objects of one kind in one mesh under one awsName: the data plane cannot tell them apart."""
    first: dict[str | None, ObjectRef] = {}
    for ref in sorted(refs):
        resource = reading.documents[ref].resource
        if resource is None:
            raise AssertionError(f"{ref} has a name, so it can be read")
        other = first.setdefault(reading.mesh_name(resource), ref)
        if other is not ref:
            message = f"{name!r} is also the name of {other} in this mesh."
            remedy = f"State another awsName in one of them; each {kind} needs its own."
            problem = Problem(codes.SAME_NAME, "spec.awsName", message, remedy)
            yield diagnostic(problem, resource.object)


def _shared_node(
    reading: AppMeshReading, node: ObjectRef, routers: Collection[ObjectRef]
) -> Diagnostic:
    """A node that several routers lead to: its telemetry does not say by which a request came."""
    shown = ", ".join(map(str, sorted(routers)))
    message = (
        f"is a target of {shown}; its telemetry is that of all of them together, and so is "
        "what is decided from it."
    )
    remedy = "Steer only one of these routers, or give each a VirtualNode of its own."
    problem = Problem(codes.SHARED_NODE, "", message, remedy)
    return diagnostic(problem, reading.nodes[node].object)

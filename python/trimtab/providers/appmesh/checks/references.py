"""References that lead nowhere, and objects that nobody owns or two claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.checks.view import View
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.model import Resource
from trimtab.providers.appmesh.values import Reference

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

S = TypeVar("S")


def owners(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """Namespaces without exactly one Mesh, GatewayRoutes without exactly one VirtualGateway."""
    orphans = {m.namespace for m in members(reading) if m.spec.mesh_ref is None}
    for namespace in sorted(orphans):
        problem = reading.mesh_owner(namespace).problem
        if problem is not None:
            ref = ObjectRef("", "Namespace", "", namespace)
            known = reading.documents.get(ref)
            yield diagnostic(problem, known.object if known else None, ref)
    for route in _sorted(reading.gateway_routes):
        problem = reading.gateway_owner(route).problem
        if problem is not None:
            yield diagnostic(problem, route.object)


def idle_gateways(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """Gateways that select no GatewayRoute, though there are some and none is claimed twice."""
    problems = [reading.gateway_owner(r).problem for r in reading.gateway_routes.values()]
    if not problems or any(p is not None and p.code is codes.SEVERAL_GATEWAYS for p in problems):
        return
    for gateway in _sorted(reading.gateways):
        if not reading.routes_of(gateway):
            field, why = "spec.gatewayRouteSelector", "its selectors select no GatewayRoute"
            if gateway.spec.namespace_selector is None:
                field, why = "spec.namespaceSelector", "is missing, which selects nothing"
            remedy = "Change the selectors, or the labels of the routes or their namespace."
            problem = Problem(codes.IDLE_GATEWAY, field, f"{why}; it serves nothing.", remedy)
            yield diagnostic(problem, gateway.object)


def same_names(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """Objects of one kind in one mesh under one awsName: the data plane cannot tell them apart."""
    seen: dict[tuple[str, str | None, str], Resource[Any]] = {}
    for resource in sorted(members(reading), key=lambda member: member.ref):
        if resource.ref.kind == "BackendGroup":
            continue  # has no awsName
        key = (resource.ref.kind, reading.mesh_name(resource), reading.aws_name(resource))
        first = seen.setdefault(key, resource)
        if first is not resource:
            message = f"{key[2]!r} is also the name of {first.ref} in this mesh."
            remedy = "State another awsName in one of them."
            problem = Problem(codes.SAME_NAME, "spec.awsName", message, remedy)
            yield diagnostic(problem, resource.object)


def _sorted(resources: Mapping[ObjectRef, Resource[S]]) -> Iterator[Resource[S]]:
    """In the order of their names, so that a message does not depend on who came first."""
    return (resources[ref] for ref in sorted(resources))


def members(reading: AppMeshReading) -> Iterator[Resource[Any]]:
    for resources in (
        reading.gateways,
        reading.gateway_routes,
        reading.services,
        reading.routers,
        reading.nodes,
        reading.backend_groups,
    ):
        of_kind: Mapping[ObjectRef, Resource[Any]] = resources
        yield from of_kind.values()


# --- references -----------------------------------------------------------------------------


def unresolved(view: View, resource: Resource[Any]) -> Iterator[Problem]:
    """The references in one document that lead nowhere."""
    for kind, field, reference in named(resource):
        target = view.target(kind, reference, resource)
        # One that exists but cannot be used has errors of its own; saying it twice helps nobody.
        if target not in view.documents:
            remedy = f"Create it, or name another{_near(view, target)}."
            yield Problem(codes.UNRESOLVED, field, f"there is no {target}.", remedy)


def _near(view: View, target: ObjectRef) -> str:
    same_name = view.namesakes(target)
    if same_name:
        return f"; there is {same_name[0]}"
    near = view.neighbours(target)
    return f"; there are {', '.join(r.name for r in near[:5])}" if near else ""


def named(resource: Resource[Any]) -> Iterator[tuple[str, str, Reference]]:
    """Every reference in a document: the kind that it means, the field it stands in."""
    spec, kind = resource.spec, resource.ref.kind
    if kind == "GatewayRoute":
        service = spec.target.virtual_service.virtual_service_ref
        field = f"spec.{spec.protocol}Route.action.target.virtualService.virtualServiceRef"
        yield from _stated("VirtualService", field, service)
    elif kind == "VirtualService":
        field = "spec.provider.virtualNode.virtualNodeRef"
        yield from _stated("VirtualNode", field, spec.node_ref)
        field = "spec.provider.virtualRouter.virtualRouterRef"
        yield from _stated("VirtualRouter", field, spec.router_ref)
    elif kind == "VirtualRouter":
        for i, rule in enumerate(spec.routes):
            targets = f"spec.routes[{i}].{rule.form}.action.weightedTargets"
            for j, target in enumerate(rule.targets):
                field = f"{targets}[{j}].virtualNodeRef"
                yield from _stated("VirtualNode", field, target.virtual_node_ref)
    elif kind == "VirtualNode":
        for i, backend in enumerate(spec.backends):
            field = f"spec.backends[{i}].virtualService.virtualServiceRef"
            yield from _stated("VirtualService", field, backend.virtual_service.virtual_service_ref)
        for i, group in enumerate(spec.backend_groups):
            if group.name != "*":  # every VirtualService of the namespace
                yield "BackendGroup", f"spec.backendGroups[{i}]", group
    elif kind == "BackendGroup":
        for i, service in enumerate(spec.virtualservices):
            yield "VirtualService", f"spec.virtualservices[{i}]", service


def _stated(
    kind: str, field: str, reference: Reference | None
) -> Iterable[tuple[str, str, Reference]]:
    return ((kind, field, reference),) if reference else ()

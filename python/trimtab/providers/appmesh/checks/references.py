"""References that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.checks.view import View
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.model import Resource
from trimtab.providers.appmesh.values import Reference


def unresolved(view: View, resource: Resource[Any]) -> Iterator[Problem]:
    """The references in one document that lead nowhere."""
    for kind, field, reference in named(resource):
        target = view.target(kind, reference, resource)
        # One that exists but cannot be used has errors of its own; saying it twice helps nobody.
        if not view.exists(target):
            remedy = f"Create it, or name another{_near(view, target)}."
            yield Problem(codes.UNRESOLVED, field, f"there is no {target}.", remedy)


def _near(view: View, target: ObjectRef) -> str:
    elsewhere = view.namesakes(target)
    if elsewhere:
        return f"; there is {target._replace(namespace=elsewhere[0])}"
    near = view.neighbours(target, 5)
    return f"; there are {', '.join(near)}" if near else ""


def named(resource: Resource[Any]) -> Iterator[tuple[str, str, Reference]]:
    """Every reference in a document: the kind that it means, the field it stands in."""
    spec, kind = resource.spec, resource.ref.kind
    if kind == "GatewayRoute":
        gateway = spec.virtual_gateway_ref
        if gateway is not None:
            owner = Reference(name=gateway.name, namespace=gateway.namespace)
            yield "VirtualGateway", "spec.virtualGatewayRef", owner
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

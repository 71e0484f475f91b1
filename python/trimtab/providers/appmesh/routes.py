"""From what a policy names to the weighted routes behind it.

A GatewayRoute has one target and no weights: it is followed to its VirtualService, and on
to the VirtualRouter whose routes carry the weights. Whoever else calls that VirtualService
is steered with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from trimtab.core.model import ObjectRef, Route, RouteKey, Target
from trimtab.ports import Resolution
from trimtab.providers.appmesh.model import VirtualRouter
from trimtab.providers.appmesh.names import arn_name
from trimtab.providers.appmesh.routing import RouterRoute
from trimtab.providers.appmesh.targets import node_targets
from trimtab.providers.appmesh.values import GROUP

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

PROVIDER = "appmesh"
MAXIMUM = 100
STEERABLE = ("VirtualRouter", "VirtualService", "GatewayRoute")


class Stop(Exception):  # noqa: N818 - not an error
    """Why nothing can be steered, as a sentence for people."""


def resolve(reading: AppMeshReading, target: ObjectRef, rules: Sequence[str]) -> Resolution:
    """The weighted rules behind ``target``; ``rules`` names some of them, empty means all."""
    try:
        router = _router_behind(reading, target)
    except Stop as stop:
        return Resolution((), (str(stop),))
    there = {rule.name: rule for rule in router.spec.routes}
    if not there:
        return Resolution((), (f"{router.ref} has no routes: add one with weightedTargets.",))
    listed = ", ".join(there)
    problems = [
        f"{router.ref} has no route {name!r}: name one of {listed}."
        for name in rules
        if name not in there
    ]
    wanted = [there[name] for name in dict.fromkeys(rules) if name in there] or (
        [] if rules else list(there.values())
    )
    problems += [problem for rule in wanted for problem in _weight_problems(router, rule)]
    if reading.mesh_name(router) is None:
        problems.append(
            f"{router.ref} belongs to no Mesh, so its targets have no telemetry: write a Mesh "
            f"whose namespaceSelector selects the namespace {router.namespace}."
        )
    return Resolution(tuple(route_of(reading, router, rule) for rule in wanted), tuple(problems))


def route_of(reading: AppMeshReading, router: VirtualRouter, rule: RouterRoute) -> Route:
    """One rule of a router as a Route; targets that nobody here can watch have no telemetry."""
    targets = node_targets(reading, router, rule)
    return Route(
        key=RouteKey(PROVIDER, router.ref, rule.name),
        targets=tuple(Target(t.name, t.weight, t.cluster) for t in targets),
        maximum=MAXIMUM,
    )


def _weight_problems(router: VirtualRouter, rule: RouterRoute) -> Iterable[str]:
    total = sum(t.weight for t in rule.targets)
    where = f"route {rule.name!r} of {router.ref}"
    if total == 0:
        yield (
            f"All weights of {where} are zero: give one target a weight; nothing says which "
            "of them should get the traffic."
        )
    if total > MAXIMUM:
        yield (
            f"The weights of {where} add up to {total}, App Mesh allows {MAXIMUM}: scale them "
            f"to {MAXIMUM} or less."
        )


# --- following references -----------------------------------------------------------------------


def _router_behind(reading: AppMeshReading, target: ObjectRef) -> VirtualRouter:
    if target.group != GROUP or target.kind not in STEERABLE:
        raise Stop(
            f"{target} of group {target.group or 'core'} has no weights: name a "
            f"{', '.join(STEERABLE[:-1])} or {STEERABLE[-1]} of group {GROUP}."
        )
    if target.kind == "GatewayRoute":
        target = _service_behind(reading, target)
    if target.kind == "VirtualService":
        target = _provider_of(reading, target)
    router = reading.routers.get(target)
    if router is None:
        raise Stop(absent(reading, target))
    return router


def _service_behind(reading: AppMeshReading, target: ObjectRef) -> ObjectRef:
    route = reading.gateway_routes.get(target)
    if route is None:
        raise Stop(absent(reading, target))
    service = route.spec.target.virtual_service
    if service.virtual_service_ref is None:
        arn = service.virtual_service_arn or ""
        raise Stop(
            f"{target} leads to the VirtualService {arn_name(arn)} by ARN, which is not among "
            f"these objects: its field target.virtualService has to be a virtualServiceRef."
        )
    return reading.target("VirtualService", service.virtual_service_ref, route)


def _provider_of(reading: AppMeshReading, target: ObjectRef) -> ObjectRef:
    service = reading.services.get(target)
    if service is None:
        raise Stop(absent(reading, target))
    provider = service.spec.provider
    if provider is None or not (provider.virtual_node or provider.virtual_router):
        raise Stop(
            f"{target} has no spec.provider, so it answers 404 and has nothing to weigh: "
            "give it a virtualRouter."
        )
    if provider.virtual_node:
        ref, arn = provider.virtual_node.virtual_node_ref, provider.virtual_node.virtual_node_arn
        node = ref.name if ref else arn_name(arn or "")
        raise Stop(
            f"{target} has the VirtualNode {node} as its spec.provider: there is one target and "
            "nothing to weigh; put a VirtualRouter between the two "
            f"(trimtab insert-router {target.namespace}/{target.name})."
        )
    router = provider.virtual_router
    if router is None or router.virtual_router_ref is None:
        arn = (router.virtual_router_arn if router else None) or ""
        raise Stop(
            f"{target} has the VirtualRouter {arn_name(arn)} as its spec.provider by ARN, which "
            "is not among these objects: it has to be a virtualRouterRef."
        )
    return reading.target("VirtualRouter", router.virtual_router_ref, service)


def absent(reading: AppMeshReading, target: ObjectRef) -> str:
    """Why an object cannot be used that is not there, or not readable."""
    mistakes = [d for d in reading.broken.get(target, ()) if d.severity == "error"]
    if mistakes:
        first = mistakes[0]
        more = f" and {len(mistakes) - 1} more" if len(mistakes) > 1 else ""
        return (
            f"{target} cannot be used before its mistakes are mended: {first.field} "
            f"{first.message} ({first.code}{more})"
        )
    of_kind: Mapping[str, Iterable[ObjectRef]] = {
        "VirtualRouter": reading.routers,
        "VirtualService": reading.services,
        "GatewayRoute": reading.gateway_routes,
    }
    near = sorted(r.name for r in of_kind[target.kind] if r.namespace == target.namespace)
    there = f"; in that namespace there are {', '.join(near[:10])}" if near else ""
    return f"There is no {target}: create it, or name another{there}."

"""Who calls whom: what a VirtualNode may call, who calls a VirtualService, and who leads to a node,
since Envoys count by node, and so everybody's requests together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.core.model import ObjectRef, Route
from trimtab.providers.appmesh import hops, names
from trimtab.providers.appmesh.targets import NodeTarget, node_targets
from trimtab.providers.appmesh.ways.services import choices

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import GatewayRoute, VirtualNode
    from trimtab.providers.appmesh.reading import AppMeshReading

SERVICE = "VirtualService"
Who: TypeAlias = tuple[ObjectRef, str]
"""A route of a VirtualRouter by its name, or a VirtualService without a router, and no name."""


class User(NamedTuple):
    """Who leads to a node, and to which of its ports; None is the first."""

    who: Who
    port: int | None

    def __str__(self) -> str:
        ref, rule = self.who
        return f"route {rule!r} of {ref}" if rule else str(ref)


def called(reading: AppMeshReading, node: VirtualNode) -> list[ObjectRef]:
    """The VirtualServices that a node may call, as far as they are here: its backends and those of
    its groups, of which ``*`` is every service of the namespace."""
    found: dict[ObjectRef, None] = {}
    for backend in node.spec.backends:
        reference = backend.virtual_service.virtual_service_ref
        if reference is not None:
            found[reading.target(SERVICE, reference, node)] = None
    for reference in node.spec.backend_groups:
        if reference.name == "*":
            space = reference.namespace or node.namespace
            found.update((ref, None) for ref in sorted(reading.services) if ref.namespace == space)
            continue
        group = reading.backend_groups.get(reading.target("BackendGroup", reference, node))
        if group is not None:
            members = group.spec.virtualservices
            found.update((reading.target(SERVICE, member, group), None) for member in members)
    return [ref for ref in found if ref in reading.services]


def callers(reading: AppMeshReading, ref: ObjectRef) -> tuple[ObjectRef, ...]:
    """Everything that sends requests to a VirtualService: steering it steers these requests too."""
    routes = reading.gateway_routes.values()
    found = {route.ref for route in routes if _leads_to(reading, route, ref)}
    found |= {node.ref for node in reading.nodes.values() if ref in called(reading, node)}
    return tuple(sorted(found))


def _leads_to(reading: AppMeshReading, route: GatewayRoute, ref: ObjectRef) -> bool:
    lead = route.spec.target.virtual_service.virtual_service_ref
    return lead is not None and reading.target(SERVICE, lead, route) == ref


def crowded(reading: AppMeshReading) -> Mapping[ObjectRef, Sequence[User]]:
    """The nodes to which more than one leads, and all who do."""
    found: dict[ObjectRef, list[User]] = {}
    for router in reading.routers.values():
        for rule in router.spec.routes:
            who = router.ref, rule.name
            for target in rule.targets:
                if target.virtual_node_ref is not None:
                    node = reading.target("VirtualNode", target.virtual_node_ref, router)
                    found.setdefault(node, []).append(User(who, target.port))
    for service in reading.services.values():
        if service.spec.node_ref is not None:
            node = reading.target("VirtualNode", service.spec.node_ref, service)
            found.setdefault(node, []).append(User((service.ref, ""), None))
    return {node: users for node, users in found.items() if len({u.who for u in users}) > 1}


def shared(reading: AppMeshReading, routes: Sequence[Route]) -> Iterator[str]:
    """A sentence for each target of ``routes`` to whose node others lead as well."""
    if not reading.crowded:
        return
    seen = [part for route in routes for part in _targets(reading, route)]
    own = {who for who, _, _ in seen}
    for _, name, target in seen:
        others = sorted({str(u) for u in _users(reading, target) if u.who not in own})
        if others:
            shown = ", ".join(others[:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            yield f"{name} is counted together with {shown}{more}: they lead to the same node"


def _users(reading: AppMeshReading, target: NodeTarget) -> Iterator[User]:
    """All whose requests count under the key of a target of a crowded node."""
    node = target.node
    for user in reading.crowded.get(node.ref, ()) if node else ():
        if node and names.listener_of(node, user.port) is target.listener:
            yield user


def _targets(reading: AppMeshReading, route: Route) -> Iterator[tuple[Who, str, NodeTarget]]:
    """By whom each node behind a route is reached from there, and the target's name."""
    ref, rule_name, asked = route.key.object, route.key.rule, route.steering
    if asked is None:
        router = reading.routers[ref]
        rule = next(rule for rule in router.spec.routes if rule.name == rule_name)
        for node_target in node_targets(reading, router, rule):
            yield (ref, rule_name), node_target.name, node_target
        return
    document = reading.gateway_routes[ref]
    port = document.spec.target.port
    for choice in choices(reading, document, asked):
        for entry in hops.service_entries(reading, choice.service, port):
            through = entry.router and entry.rule and (entry.router.ref, entry.rule.name)
            for node_target in entry.targets:
                if node_target.weight:
                    yield through or (choice.service.ref, ""), choice.name, node_target

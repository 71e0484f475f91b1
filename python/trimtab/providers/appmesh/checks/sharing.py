"""What the parts of a mesh share: nodes among routers, services that call each other in circles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.model import VirtualNode, VirtualService

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading


def shared_nodes(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """Nodes that several routers lead to: their telemetry does not say by which a request came."""
    users: dict[ObjectRef, dict[ObjectRef, None]] = {}
    for router in (reading.routers[ref] for ref in sorted(reading.routers)):
        for rule in router.spec.routes:
            for target in rule.targets:
                ref = target.virtual_node_ref
                node = reading.node(ref, router) if ref else None
                if node is not None:
                    users.setdefault(node.ref, {})[router.ref] = None
    for node_ref, routers in sorted(users.items(), key=lambda user: user[0]):
        if len(routers) > 1:
            shown = ", ".join(str(r) for r in routers)
            message = (
                f"is a target of {shown}; its telemetry is that of all of them together, and so is "
                "what is decided from it."
            )
            remedy = "Steer only one of these routers, or give each a VirtualNode of its own."
            problem = Problem(codes.SHARED_NODE, "", message, remedy)
            yield diagnostic(problem, reading.nodes[node_ref].object)


def cycles(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """Nodes that reach themselves through their backends, each circle once."""
    calls = {ref: list(_called(reading, reading.nodes[ref])) for ref in sorted(reading.nodes)}
    for circle in _circles(calls):
        first = min(circle)
        turn = circle.index(first)
        names = [ref.name for ref in (*circle[turn:], *circle[:turn], first)]
        message = f"calls itself in a circle: {' -> '.join(names)}."
        remedy = "Make sure that the calls end; retries multiply at every step of a circle."
        problem = Problem(codes.CIRCLE, "spec.backends", message, remedy)
        yield diagnostic(problem, reading.nodes[first].object)


def _called(reading: AppMeshReading, node: VirtualNode) -> Iterable[ObjectRef]:
    """The nodes that a node's backends lead to."""
    found: dict[ObjectRef, None] = {}
    for backend in node.spec.backends:
        ref = backend.virtual_service.virtual_service_ref
        service = reading.service(ref, node) if ref else None
        if service is not None:
            found.update((n.ref, None) for n in nodes_of(reading, service))
    return found


def nodes_of(reading: AppMeshReading, service: VirtualService) -> Iterator[VirtualNode]:
    """The nodes that a service leads to, through its router or directly."""
    direct, ref = service.spec.node_ref, service.spec.router_ref
    node = reading.node(direct, service) if direct else None
    if node is not None:
        yield node
    router = reading.router(ref, service) if ref else None
    for rule in router.spec.routes if router else ():
        for target in rule.targets:
            target_ref = target.virtual_node_ref
            node = reading.node(target_ref, router) if target_ref and router else None
            if node is not None:
                yield node


def _circles(calls: dict[ObjectRef, list[ObjectRef]]) -> Iterator[list[ObjectRef]]:
    """One circle through each edge that closes one, by a depth-first walk without recursion."""
    done: set[ObjectRef] = set()
    for start, first_calls in calls.items():
        if start in done:
            continue
        path, on_path = [start], {start}
        left = [iter(first_calls)]
        while path:
            step = next(left[-1], None)
            if step is None:
                on_path.discard(path[-1])
                done.add(path.pop())
                left.pop()
            elif step in on_path:
                yield path[path.index(step) :]
            elif step not in done:
                path.append(step)
                on_path.add(step)
                left.append(iter(calls[step]))

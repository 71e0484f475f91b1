"""VirtualNodes that call themselves: through their backends, the routers and other nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.checks.cells import Cells
from trimtab.providers.appmesh.checks.view import Asked, Names, View
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.model import Resource

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

Steps = tuple[ObjectRef, ...]


class CircleChecks:
    """The steps from nodes to services and from services to nodes are kept; the circles are looked
    for where a step has changed."""

    def __init__(self) -> None:
        self._steps = Cells(_steps)
        self._circles: tuple[Steps, ...] = ()

    def update(self, reading: AppMeshReading, names: Names, changed: Iterable[Asked]) -> None:
        if self._steps.update(reading, names, changed):
            self._circles = tuple(_circles(self._steps.values))

    def findings(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        for circle in self._circles:
            yield _circle(reading, [ref for ref in circle if ref.kind == "VirtualNode"])


def _steps(view: View, resource: Resource[Any]) -> Steps:
    """Where a request goes on from a node, by its backends, or from a service."""
    if resource.ref.kind == "VirtualNode":
        return tuple(_called(view, resource))
    if resource.ref.kind == "VirtualService":
        return tuple(_behind(view, resource))
    return ()


def _called(view: View, node: Resource[Any]) -> Iterator[ObjectRef]:
    for backend in node.spec.backends:
        ref = backend.virtual_service.virtual_service_ref
        if ref is not None:
            yield view.target("VirtualService", ref, node)


def _behind(view: View, service: Resource[Any]) -> Iterator[ObjectRef]:
    direct, ref = service.spec.node_ref, service.spec.router_ref
    if direct is not None:
        yield view.target("VirtualNode", direct, service)
    router = view.router(ref, service) if ref else None
    for rule in router.spec.routes if router else ():
        for target in rule.targets:
            if router is not None and target.virtual_node_ref is not None:
                yield view.target("VirtualNode", target.virtual_node_ref, router)


def _circle(reading: AppMeshReading, nodes: list[ObjectRef]) -> Diagnostic:
    """A circle, told from its first node by name."""
    first = min(nodes)
    turn = nodes.index(first)
    shown = [ref.name for ref in (*nodes[turn:], *nodes[:turn], first)]
    message = f"calls itself in a circle: {' -> '.join(shown)}."
    remedy = "Make sure that the calls end; retries multiply at every step of a circle."
    problem = Problem(codes.CIRCLE, "spec.backends", message, remedy)
    return diagnostic(problem, reading.nodes[first].object)


def _circles(steps: Mapping[ObjectRef, Steps]) -> Iterator[Steps]:
    """One circle through each step that closes one, by a depth-first walk without recursion."""
    done: set[ObjectRef] = set()
    for start in sorted(ref for ref in steps if ref.kind == "VirtualNode"):
        if start in done:
            continue
        path, on_path = [start], {start}
        left = [iter(steps[start])]
        while path:
            step = next(left[-1], None)
            if step is None:
                on_path.discard(path[-1])
                done.add(path.pop())
                left.pop()
            elif step in on_path:
                yield tuple(path[path.index(step) :])
            elif step not in done:
                path.append(step)
                on_path.add(step)
                left.append(iter(steps.get(step, ())))

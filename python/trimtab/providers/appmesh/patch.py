"""A Decision as JSON Patches that touch nothing but weights.

Each patch tests the resourceVersion, the name of every rule that it touches and the
identity of every target there, then replaces the weights that differ. What App Mesh or
Envoy would not accept is refused before it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trimtab.core.model import Change, Decision, ObjectRef, PatchOp, Route, Shift
from trimtab.errors import Conflict, Refused
from trimtab.providers.appmesh import ways
from trimtab.providers.appmesh.model import VirtualRouter
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.routes import PROVIDER, route_of
from trimtab.providers.appmesh.routing import RouterRoute, WeightedTarget


class IllegalWeights(Refused, ValueError):  # noqa: N818 - named by what it means, as its base
    """Weights that App Mesh or Envoy would not accept, or that were not ours to move."""


def changes(reading: AppMeshReading, decision: Decision) -> tuple[Change, ...]:
    """One Change for each object whose weights differ from the decided ones.

    Raises IllegalWeights when a shift is not legal, Conflict when a router is not any more
    as it was when the decision was made.
    """
    by_router: dict[ObjectRef, list[Shift]] = {}
    found: list[Change | None] = []
    for shift in decision.shifts:
        if shift.route.key.provider != PROVIDER:
            continue
        check(shift)
        if shift.route.steering is None:
            by_router.setdefault(shift.route.key.object, []).append(shift)
        else:
            found.append(ways.change(reading, shift, decision.policy))
    found += [_change(reading, ref, shifts) for ref, shifts in by_router.items()]
    return tuple(change for change in found if change is not None)


def _change(reading: AppMeshReading, ref: ObjectRef, shifts: Sequence[Shift]) -> Change | None:
    router = reading.routers.get(ref)
    if router is None:
        raise Conflict(f"{ref} is gone, or cannot be read any more")
    ops: list[PatchOp] = []
    for shift in shifts:
        index, rule = _rule(router, shift)
        _check_unchanged(shift.route, route_of(reading, router, rule))
        if shift.moves:
            ops += _rule_ops(f"/spec/routes/{index}", rule, shift.granted)
    if not ops:
        return None
    version = PatchOp("test", "/metadata/resourceVersion", router.object.version)
    return Change(ref, (version, *ops))


def _rule(router: VirtualRouter, shift: Shift) -> tuple[int, RouterRoute]:
    name = shift.route.key.rule
    for index, rule in enumerate(router.spec.routes):
        if rule.name == name:
            return index, rule
    raise Conflict(f"{router.ref} has no route {name!r} any more")


def _check_unchanged(decided: Route, now: Route) -> None:
    then = [(t.name, t.weight) for t in decided.targets]
    if then != [(t.name, t.weight) for t in now.targets]:
        raise Conflict(f"the targets or weights of {now.key} are not any more those decided on")


def check(shift: Shift) -> None:
    """Raises IllegalWeights with the first rule that the granted weights break."""
    route, granted = shift.route, shift.granted

    def refuse(why: str) -> IllegalWeights:
        return IllegalWeights(f"{route.key}: weights {list(granted)} are not written: {why}")

    if len(granted) != len(route.targets):
        raise refuse(f"the route has {len(route.targets)} targets")
    for target, weight in zip(route.targets, granted, strict=True):
        if type(weight) is not int:
            raise refuse(f"{weight!r} for {target.name} is not an integer")
        if not 0 <= weight <= route.maximum:
            raise refuse(f"{weight} for {target.name} is not in 0..{route.maximum}")
        if target.telemetry is None and weight != target.weight:
            raise refuse(f"{target.name} cannot be watched, so it keeps its weight {target.weight}")
    if sum(granted) == 0:
        raise refuse("all are zero, which Envoy refuses")
    if sum(granted) != route.total:
        raise refuse(f"they add up to {sum(granted)} instead of {route.total}")
    if sum(granted) > route.maximum:
        raise refuse(f"they add up to more than {route.maximum}")


def _rule_ops(at: str, rule: RouterRoute, granted: Sequence[int]) -> Iterator[PatchOp]:
    yield PatchOp("test", f"{at}/name", rule.name)
    base = f"{at}/{rule.form}/action/weightedTargets"
    for j, target in enumerate(rule.targets):
        yield from _identity(f"{base}/{j}", target)
    for j, (target, weight) in enumerate(zip(rule.targets, granted, strict=True)):
        if weight != target.weight:
            yield PatchOp("replace", f"{base}/{j}/weight", weight)


def _identity(at: str, target: WeightedTarget) -> Iterator[PatchOp]:
    ref = target.virtual_node_ref
    if ref is None:
        yield PatchOp("test", f"{at}/virtualNodeARN", target.virtual_node_arn)
        return
    yield PatchOp("test", f"{at}/virtualNodeRef/name", ref.name)
    if ref.namespace is not None:
        yield PatchOp("test", f"{at}/virtualNodeRef/namespace", ref.namespace)

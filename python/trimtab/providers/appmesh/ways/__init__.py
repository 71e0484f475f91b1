"""Steering a GatewayRoute, which has one target and no weights, in the ways a policy may ask for.

Each way is a Route whose targets are VirtualServices, so that everything else (deciding,
judging, verifying) stays as it is for weights: *retarget* is a switch between two services,
*lane* is a switch of a second route beside it, *annotate* puts weights into an annotation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trimtab.core.model import Change, ObjectRef, Route, RouteKey, Shift, Target
from trimtab.core.steering import Steering, Way
from trimtab.errors import Conflict
from trimtab.ports import Resolution
from trimtab.providers.appmesh.routes import PROVIDER, Stop, absent
from trimtab.providers.appmesh.values import GROUP
from trimtab.providers.appmesh.ways import annotate, lane, retarget
from trimtab.providers.appmesh.ways.services import Choice, choices, keys

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import GatewayRoute
    from trimtab.providers.appmesh.reading import AppMeshReading

__all__ = ["RULE", "change", "resolve"]

RULE = "target"
"""The name of the one rule of a GatewayRoute, whatever the way: two policies that steer the same
one meet in it."""


class _Way(Protocol):
    """One way: what its weights are at most, as they stand, and how they are changed."""

    MAXIMUM: int

    def weights(
        self, reading: AppMeshReading, route: GatewayRoute, found: Sequence[Choice], asked: Steering
    ) -> tuple[int, ...]:
        """The weights as they stand. Raises Stop where this way cannot be gone."""

    def change(
        self, reading: AppMeshReading, route: GatewayRoute, shift: Shift, policy: ObjectRef
    ) -> Change:
        """What makes the granted weights stand."""


_WAYS: Mapping[Way, _Way] = {Way.RETARGET: retarget, Way.LANE: lane, Way.ANNOTATE: annotate}


class _Steered(NamedTuple):
    document: GatewayRoute
    route: Route


def resolve(
    reading: AppMeshReading, target: ObjectRef, rules: Sequence[str], asked: Steering
) -> Resolution:
    """The one Route of a GatewayRoute that is steered itself, or why it cannot be."""
    if any(rule != RULE for rule in rules):
        return Resolution((), (f"{target} has one rule, {RULE!r}: leave spec.routes out.",))
    try:
        return Resolution((_steered(reading, target, asked).route,), ())
    except Stop as stop:
        return Resolution((), (str(stop),))


def change(reading: AppMeshReading, shift: Shift, policy: ObjectRef) -> Change | None:
    """What the shift needs. Raises Conflict when the route is not any more as it was decided on."""
    key, asked = shift.route.key, shift.route.steering
    if asked is None:
        raise AssertionError("a route that is not steered in a way of its own")
    try:
        document, now = _steered(reading, key.object, asked)
    except Stop as stop:
        raise Conflict(str(stop)) from None
    then = [(t.name, t.weight) for t in shift.route.targets]
    if then != [(t.name, t.weight) for t in now.targets]:
        raise Conflict(f"the services or weights of {key} are not any more those decided on")
    if not shift.moves:
        return None
    return _WAYS[asked.way].change(reading, document, shift, policy)


def _steered(reading: AppMeshReading, target: ObjectRef, asked: Steering) -> _Steered:
    if (target.group, target.kind) != (GROUP, "GatewayRoute"):
        raise Stop(
            f"{target} cannot be steered by {asked.way}: name a GatewayRoute of group {GROUP}, "
            "or leave spec.steering out."
        )
    document = reading.gateway_routes.get(target)
    if document is None:
        raise Stop(absent(reading, target))
    way = _WAYS[asked.way]
    found = choices(reading, document, asked)
    weights = way.weights(reading, document, found, asked)
    parts = keys(reading, document, found)
    return _Steered(
        document,
        Route(
            key=RouteKey(PROVIDER, target, RULE),
            targets=tuple(
                Target(choice.name, weight, f"VirtualService {choice.service.title}", parts=part)
                for choice, weight, part in zip(found, weights, parts, strict=True)
            ),
            maximum=way.MAXIMUM,
            steering=asked,
        ),
    )

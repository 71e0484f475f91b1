"""Weights in an annotation of the GatewayRoute, for meshes whose Envoys we serve ourselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trimtab.core.model import Change, ObjectRef, PatchOp, Shift
from trimtab.core.steering import Steering
from trimtab.providers.appmesh import shares
from trimtab.providers.appmesh.routes import Stop
from trimtab.providers.appmesh.shares import ANNOTATION
from trimtab.providers.appmesh.ways.services import Choice

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import GatewayRoute
    from trimtab.providers.appmesh.reading import AppMeshReading

MAXIMUM = shares.MAXIMUM
_AT = "/metadata/annotations"


def weights(
    reading: AppMeshReading, route: GatewayRoute, found: Sequence[Choice], asked: Steering
) -> tuple[int, ...]:
    """As annotated; without an annotation all of it goes where the route leads to."""
    del asked
    if not reading.serves_xds:
        raise Stop(
            f"{route.ref} cannot be steered by annotate: no Envoy gets its configuration from this "
            "Trimtab, and nobody else honours the annotation. Serve xDS, or choose another way."
        )
    try:
        stated = shares.read_shares(route)
    except ValueError as error:
        raise Stop(f"{route.ref}: the annotation {ANNOTATION} cannot be used: {error}") from None
    if not stated:
        return tuple(MAXIMUM * choice.taken for choice in found)
    by_ref = {reading.target("VirtualService", s.reference, route): s.weight for s in stated}
    split = tuple(by_ref.pop(choice.service.ref, 0) for choice in found)
    if any(by_ref.values()):
        others = ", ".join(ref.name for ref, weight in by_ref.items() if weight)
        raise Stop(
            f"{route.ref}: the annotation {ANNOTATION} gives a share to {others}, which is none of "
            "spec.steering.services: name it there, or take its share away."
        )
    return split


def change(reading: AppMeshReading, route: GatewayRoute, shift: Shift, policy: ObjectRef) -> Change:
    """Sets the one annotation, and tests what stands there now."""
    del reading, policy
    named = zip((t.name for t in shift.route.targets), shift.granted, strict=True)
    text = shares.text_of(named)
    version = PatchOp("test", "/metadata/resourceVersion", route.object.version)
    before = route.annotations.get(ANNOTATION)
    at = f"{_AT}/{ANNOTATION.replace('/', '~1')}"
    if before is not None:
        return Change(
            route.ref, (version, PatchOp("test", at, before), PatchOp("replace", at, text))
        )
    if route.object.body["metadata"].get("annotations"):
        return Change(route.ref, (version, PatchOp("add", at, text)))
    return Change(route.ref, (version, PatchOp("add", _AT, {ANNOTATION: text})))

"""Blue/green: the GatewayRoute leads to one of two VirtualServices, and is switched at once.

The service that it led to before is not touched, so that switching back is always possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trimtab.core.model import Change, ObjectRef, PatchOp, Shift
from trimtab.core.steering import Steering
from trimtab.providers.appmesh.ways.services import Choice, service_ref

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import GatewayRoute
    from trimtab.providers.appmesh.reading import AppMeshReading

MAXIMUM = 1


def weights(
    reading: AppMeshReading, route: GatewayRoute, found: Sequence[Choice], asked: Steering
) -> tuple[int, ...]:
    del reading, route, asked
    return tuple(int(choice.taken) for choice in found)


def change(reading: AppMeshReading, route: GatewayRoute, shift: Shift, policy: ObjectRef) -> Change:
    """Tests what the route leads to, then writes the other name; a namespace only where needed."""
    del reading, policy
    name = shift.route.targets[shift.granted.index(1)].name
    wanted = service_ref(name, route.namespace)
    now = route.spec.target.virtual_service.virtual_service_ref
    if now is None:
        raise AssertionError("a target by ARN is not steered")
    at = f"/spec/{route.spec.protocol}Route/action/target/virtualService/virtualServiceRef"
    ops = [
        PatchOp("test", "/metadata/resourceVersion", route.object.version),
        PatchOp("test", f"{at}/name", now.name),
    ]
    if now.namespace is not None:
        ops.append(PatchOp("test", f"{at}/namespace", now.namespace))
    if now.name != wanted.name:
        ops.append(PatchOp("replace", f"{at}/name", wanted.name))
    if (now.namespace or route.namespace) != wanted.namespace:
        verb = "add" if now.namespace is None else "replace"
        ops.append(PatchOp(verb, f"{at}/namespace", wanted.namespace))
    return Change(route.ref, tuple(ops))

"""The VirtualServices between which a GatewayRoute is steered, and whether it may lead to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.model import ObjectRef
from trimtab.core.steering import Steering
from trimtab.providers.appmesh import hops
from trimtab.providers.appmesh.names import arn_name
from trimtab.providers.appmesh.routes import Stop, absent
from trimtab.providers.appmesh.values import GROUP

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import GatewayRoute, VirtualService
    from trimtab.providers.appmesh.reading import AppMeshReading


class Choice(NamedTuple):
    """One service by the name under which the policy knows it; ``taken``: the route leads there."""

    name: str
    service: VirtualService
    taken: bool


def choices(reading: AppMeshReading, route: GatewayRoute, asked: Steering) -> tuple[Choice, ...]:
    """The services of the policy in its order. Raises Stop for the first that will not do."""
    leads_to = _target(reading, route)
    refs = [service_ref(name, route.namespace) for name in asked.services]
    if leads_to not in refs:
        raise Stop(
            f"{route.ref} leads to {leads_to}, which is none of spec.steering.services "
            f"({', '.join(asked.services)}): name it there."
        )
    if len(set(refs)) < len(refs):
        raise Stop("spec.steering.services: one service is named twice; name each once.")
    return tuple(
        Choice(name, _checked(reading, route, ref), ref == leads_to)
        for name, ref in zip(asked.services, refs, strict=True)
    )


def service_ref(name: str, namespace: str) -> ObjectRef:
    """``name`` or ``namespace/name``."""
    space, _, bare = name.rpartition("/")
    return ObjectRef(GROUP, "VirtualService", space or namespace, bare)


def _target(reading: AppMeshReading, route: GatewayRoute) -> ObjectRef:
    service = route.spec.target.virtual_service
    if service.virtual_service_ref is None:
        raise Stop(
            f"{route.ref} leads to the VirtualService {arn_name(service.virtual_service_arn or '')} "
            "by ARN: its field target.virtualService has to be a virtualServiceRef."
        )
    return reading.target("VirtualService", service.virtual_service_ref, route)


def _checked(reading: AppMeshReading, route: GatewayRoute, ref: ObjectRef) -> VirtualService:
    service = reading.services.get(ref)
    if service is None:
        raise Stop(absent(reading, ref))
    ours, its = reading.mesh_name(route), reading.mesh_name(service)
    if ours is None or ours != its:
        raise Stop(
            f"{ref} is of Mesh {its or '(none)'}, {route.ref} of Mesh {ours or '(none)'}: "
            "a route cannot lead into another mesh."
        )
    port = route.spec.target.port
    offered = [mapping.port for mapping in hops.offered_ports(reading, service)]
    missed = port is not None and port not in offered
    if missed or not hops.service_entries(reading, service, port):
        where = f" on port {port}" if port is not None else ""
        raise Stop(
            f"{ref} has no route{where}, so every request would get a 404: give it a "
            "provider that has one."
        )
    return service


def keys(
    reading: AppMeshReading, route: GatewayRoute, found: Sequence[Choice]
) -> tuple[tuple[str, ...], ...]:
    """The telemetry keys of the nodes behind each service. Raises Stop where they do not tell the
    services apart, or leave requests unseen."""
    port = route.spec.target.port
    every = [_keys(reading, choice.service, port) for choice in found]
    for i, first in enumerate(every):
        for j, second in enumerate(every[:i]):
            if shared := sorted(first & second):
                raise Stop(
                    f"VirtualServices {found[j].name} and {found[i].name} both lead to "
                    f"{shared[0]}: nothing tells their requests apart. Give them nodes of their own."
                )
    return tuple(tuple(sorted(part)) for part in every)


def _keys(reading: AppMeshReading, service: VirtualService, port: int | None) -> set[str]:
    entries = hops.service_entries(reading, service, port)
    weighted = [t for entry in entries for t in entry.targets if t.weight]
    seen = {t.cluster for t in weighted if t.cluster is not None}
    unseen = [t.name for t in weighted if t.cluster is None]
    if unseen or not seen:
        what = f"VirtualNode {unseen[0]} behind it is not here" if unseen else "all weigh nothing"
        raise Stop(f"{service.ref} cannot be judged: {what}.")
    return seen

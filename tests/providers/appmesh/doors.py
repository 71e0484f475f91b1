"""A GatewayRoute that can be steered in every way: what stands, what is asked, what is written."""

from __future__ import annotations

import copy

import jsonpatch
from xds_harness import documents as docs

from trimtab.core.model import Action, Change, Decision, Object, ObjectRef, Objects, Route, Shift
from trimtab.core.steering import Steering, Way
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.values import GROUP

DOOR = ObjectRef(GROUP, "GatewayRoute", "shop", "door")
POLICY = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "pay")
RETARGET = Steering(way=Way.RETARGET, services=("v1", "v2"))


def services(*names: str) -> list[docs.Document]:
    """VirtualServices with a router and two nodes of their own; the second has no weight."""
    return [
        part
        for name in names
        for part in (
            docs.service(name, router=name),
            docs.router(name, docs.rule("all", {name: 3, f"{name}-off": 0})),
            docs.node(name, 8080),
            docs.node(f"{name}-off", 8080),
        )
    ]


def shop(*more: docs.Document) -> docs.Store:
    route = docs.gateway_route("door", {"prefix": "/"}, "v1")
    return docs.Store(docs.mesh(), docs.gateway(80), route, *services("v1", "v2"), *more)


def resolve(objects: Objects, asked: Steering) -> Route:
    (route,), problems = AppMesh().load(objects).resolve(DOOR, (), asked)
    assert problems == ()
    return route


def changes(
    objects: Objects, route: Route, *granted: int, provider: AppMesh | None = None
) -> list[Change]:
    provider = provider or AppMesh()
    shift = Shift(route, tuple(map(float, granted)), granted)
    decision = Decision(POLICY, 0.0, "canary", Action.RAMP, "", (shift,), (), (), {})
    return list(provider.changes(provider.load(objects), decision))


def patched(objects: Objects, change: Change) -> dict[ObjectRef, Object]:
    """The objects after a change, as a store would have them."""
    old = objects[change.ref]
    patch = jsonpatch.JsonPatch([op.as_json() for op in change.ops])
    body = patch.apply(copy.deepcopy(dict(old.body)))
    body["metadata"]["resourceVersion"] = f"{old.version}0"
    return {**objects, change.ref: Object(change.ref, f"{old.version}0", body)}

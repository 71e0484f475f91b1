"""Ways to steer a GatewayRoute itself: what stands, what may be asked, what is written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers.appmesh.doors import DOOR, RETARGET, changes, patched, resolve, services, shop
from xds_harness import documents as docs

from trimtab.core.model import Object, ObjectRef, Objects
from trimtab.core.steering import Steering, Way
from trimtab.errors import Conflict
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.patch import IllegalWeights
from trimtab.providers.appmesh.values import GROUP


def test_a_service_is_known_by_the_sum_of_its_nodes() -> None:
    """The telemetry of a service is that of the nodes that get a share of its requests."""
    route = resolve(shop().objects, RETARGET)
    assert [(t.name, t.weight, t.parts) for t in route.targets] == [
        ("v1", 1, ("cds_egress_m_v1_shop_http_8080",)),
        ("v2", 0, ("cds_egress_m_v2_shop_http_8080",)),
    ]
    assert (route.maximum, route.total, route.key.rule) == (1, 1, "target")


def test_the_nodes_of_a_service_may_be_shared() -> None:
    """Who reaches the nodes of a service without it is named; the service itself is not."""
    store = shop(docs.router("till", docs.rule("all", {"v2": 1})), docs.service("v2", node="v2"))
    reading = AppMesh().load(store.objects)
    assert reading.shared(reading.resolve(DOOR, (), RETARGET).routes) == (
        (
            "v2 is counted together with route 'all' of VirtualRouter shop/till, "
            "route 'all' of VirtualRouter shop/v2: they lead to the same node"
        ),
    )


def of_another(body: dict[str, Any]) -> dict[str, Any]:
    """The same route, led to another service by somebody in between."""
    target = body["spec"]["httpRoute"]["action"]["target"]["virtualService"]
    target["virtualServiceRef"]["name"] = "theirs"
    return body


def of_another_version(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["resourceVersion"] = "somebody's"
    return body


@pytest.mark.parametrize(
    ("asked", "meanwhile"),
    [
        (RETARGET, of_another_version),
        (RETARGET, of_another),
        (Steering(way=Way.ANNOTATE, services=("v1", "v2")), of_another_version),
    ],
)
def test_a_patch_is_refused_where_somebody_wrote_meanwhile(
    asked: Steering, meanwhile: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """It tests the version that was read, and what it replaces, so that no write is lost."""
    objects, provider = shop().objects, AppMesh(serves_xds=True)
    (route,), _ = provider.load(objects).resolve(DOOR, (), asked)
    granted = tuple(reversed(route.weights))
    (change,) = changes(objects, route, *granted, provider=provider)
    patched(objects, change)
    body = meanwhile(copy.deepcopy(dict(objects[DOOR].body)))
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        patched({**objects, DOOR: Object(DOOR, "9", body)}, change)


# --- retarget -----------------------------------------------------------------------------------

spaces = st.none() | st.sampled_from(["shop", "till"])


@st.composite
def doors(draw: st.DrawFn) -> tuple[Objects, Steering]:
    """Two services in any namespaces and a route of any form to one of them, with things in it
    that are not ours."""
    form = draw(st.sampled_from(["httpRoute", "http2Route", "grpcRoute"]))
    match = {"serviceName": "pay"} if form == "grpcRoute" else {"prefix": "/"}
    written = draw(st.lists(spaces, min_size=2, max_size=2))
    bodies = services("v1", "v2")
    for body in bodies:
        space = written[0 if body["metadata"]["name"].startswith("v1") else 1]
        body["metadata"]["namespace"] = space or "shop"
    route = docs.gateway_route("door", match, "v1", form=form)
    reference = route["spec"][form]["action"]["target"]["virtualService"]["virtualServiceRef"]
    now = draw(st.integers(0, 1))
    reference["name"] = f"v{now + 1}"
    if written[now] is not None:
        reference["namespace"] = written[now]
    route["spec"]["unknown"] = {"kept": [1]}
    names = [f"{s}/v{i}" if s else f"v{i}" for i, s in enumerate(written, 1)]
    if draw(st.booleans()):
        names.reverse()
    store = docs.Store(docs.mesh(), docs.gateway(80), route, *bodies)
    return store.objects, Steering(way=Way.RETARGET, services=tuple(names))


@given(doors())
def test_a_switch_changes_what_the_route_leads_to_and_nothing_else(
    given: tuple[Objects, Steering],
) -> None:
    """Once applied the other service stands there, the rest is as it was, and the way back is the
    exact opposite."""
    objects, asked = given
    route = resolve(objects, asked)
    other = tuple(1 - w for w in route.weights)
    (change,) = changes(objects, route, *other)
    after = patched(objects, change)
    assert resolve(after, asked).weights == other
    (back,) = changes(after, resolve(after, asked), *route.weights)
    again = patched(after, back)
    assert resolve(again, asked).weights == route.weights
    assert without_target(again[DOOR].body) == without_target(objects[DOOR].body)
    assert without_target(after[DOOR].body) == without_target(objects[DOOR].body)


def without_target(body: Any) -> Any:
    rest = copy.deepcopy(dict(body))
    del rest["metadata"]["resourceVersion"]
    (form,) = (key for key in rest["spec"] if key.endswith("Route"))
    del rest["spec"][form]["action"]["target"]["virtualService"]
    return rest


def test_nothing_is_written_where_nothing_moves() -> None:
    """A switch that stands as it was decided needs no change."""
    objects = shop().objects
    assert changes(objects, resolve(objects, RETARGET), 1, 0) == []


@pytest.mark.parametrize("granted", [(0, 0), (1, 1), (2, -1), (1,)])
def test_a_switch_is_never_half(granted: tuple[int, ...]) -> None:
    """Weights that are not one service of the two are refused before they leave."""
    objects = shop().objects
    with pytest.raises(IllegalWeights):
        changes(objects, resolve(objects, RETARGET), *granted)


def test_a_route_that_was_turned_meanwhile_is_a_conflict() -> None:
    """What somebody else switched is decided anew, not overwritten."""
    store = shop()
    route = resolve(store.objects, RETARGET)
    store.put(docs.gateway_route("door", {"prefix": "/"}, "v2"))
    with pytest.raises(Conflict, match="not any more"):
        changes(store.objects, route, 0, 1)
    store.put(docs.gateway_route("door", {"prefix": "/"}, "v3"))
    with pytest.raises(Conflict, match="v3"):
        changes(store.objects, route, 0, 1)


@pytest.mark.parametrize(
    ("document", "asked", "told"),
    [
        (None, ("v1", "v3"), "no VirtualService shop/v3"),
        (None, ("v2", "till/v1"), "leads to VirtualService shop/v1, which is none of"),
        (None, ("v1", "shop/v1"), "named twice"),
        (docs.service("v2"), ("v1", "v2"), "every request would get a 404"),
        (docs.service("v2", node="v1"), ("v1", "v2"), "nothing tells their requests apart"),
        (docs.router("v2", docs.rule("all", {"gone": 1})), ("v1", "v2"), "gone behind it"),
        (docs.router("v2", docs.rule("all", {"v2": 9, "gone": 1})), ("v1", "v2"), "gone behind it"),
        (docs.router("v2", docs.rule("all", {"v2": 0})), ("v1", "v2"), "all weigh nothing"),
        (
            docs.gateway_route("door", {"prefix": "/"}, "v1", port=9999),
            ("v1", "v2"),
            "no route on port 9999",
        ),
    ],
)
def test_what_cannot_be_steered_is_told(
    document: docs.Document | None, asked: tuple[str, ...], told: str
) -> None:
    """Each precondition that does not hold is a problem with the names in it, and no route."""
    store = shop(*([document] if document else []))
    steering = Steering(way=Way.RETARGET, services=asked)
    routes, problems = AppMesh().load(store.objects).resolve(DOOR, (), steering)
    assert routes == ()
    assert told in problems[0]


def test_only_a_gateway_route_is_steered_itself() -> None:
    """A router has weights of its own, and a route that is not there is named."""
    reading = AppMesh().load(shop().objects)
    router = ObjectRef(GROUP, "VirtualRouter", "shop", "v1")
    assert "name a GatewayRoute" in reading.resolve(router, (), RETARGET).problems[0]
    ghost = DOOR._replace(name="ghost")
    assert "no GatewayRoute shop/ghost" in reading.resolve(ghost, (), RETARGET).problems[0]

"""A lane: a GatewayRoute of our own beside that of people, for the requests of a cohort."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers.appmesh.doors import DOOR, POLICY, RETARGET, changes, resolve, shop
from xds_harness import documents as docs

from trimtab.core.matching import MatchQuery
from trimtab.core.model import Object, ObjectRef, Objects, Verb
from trimtab.core.steering import Cohort, Pair, Steering, Way
from trimtab.ports import Asked
from trimtab.providers.appmesh import AppMesh, MeshTable

BETA = Cohort(headers=(Pair(name="x-cohort", value="beta"),))
LANE = Steering(way=Way.LANE, services=("v1", "v2"), match=BETA)


def with_lane(objects: Objects, asked: Steering = LANE) -> dict[ObjectRef, Object]:
    """The objects once the lane was made, as an API server that fills things in has them."""
    (made,) = changes(objects, resolve(objects, asked), 0, 1)
    assert made.body is not None
    body = copy.deepcopy(dict(made.body))
    body["metadata"]["resourceVersion"] = "77"
    body["spec"]["awsName"] = "filled-in-by-a-webhook"
    return {**objects, made.ref: Object(made.ref, "77", body)}


def test_a_lane_is_made_and_deleted() -> None:
    """On creates a route with a better priority and the cohort's match, in the name of the policy;
    off deletes just the version that was seen."""
    store = shop()
    (made,) = changes(store.objects, resolve(store.objects, LANE), 0, 1)
    assert (made.verb, made.beside, made.body is not None) == (Verb.CREATE, DOOR, True)
    body = dict(made.body or {})
    assert body["spec"]["priority"] == 1000
    assert body["spec"]["httpRoute"] == {
        "match": {
            "prefix": "/",
            "headers": [{"name": "x-cohort", "match": {"exact": "beta"}}],
        },
        "action": {"target": {"virtualService": {"virtualServiceRef": {"name": "v2"}}}},
    }
    assert body["metadata"]["annotations"]["trimtab.dev/policy"] == "shop/pay"
    objects = with_lane(store.objects)
    open_lane = resolve(objects, LANE)
    assert open_lane.weights == (0, 1)
    (closed,) = changes(objects, open_lane, 1, 0)
    assert (closed.verb, closed.ref, closed.ops[0].value) == (Verb.DELETE, made.ref, "77")


def test_a_lane_of_a_grpc_route_asks_for_metadata() -> None:
    """Headers and cookies of a cohort are metadata there; what the route asks for stays."""
    match = {"serviceName": "pay", "metadata": [{"name": "x-team"}]}
    store = shop(docs.gateway_route("door", match, "v1", form="grpcRoute"))
    reading = AppMesh().load(with_lane(store.objects))
    lane = reading.gateway_routes[DOOR._replace(name="door-trimtab-lane")].spec.grpc_route
    assert lane is not None
    assert lane.match.service_name == "pay"
    assert [m.name for m in lane.match.metadata or ()] == ["x-team", "x-cohort"]


def leftovers(objects: Objects, asked: dict[ObjectRef, Asked | None]) -> list[str]:
    provider = AppMesh()
    return [c.ref.name for c in provider.leftovers(provider.load(objects), asked)]


def test_a_lane_is_left_over_when_nobody_asks_for_it() -> None:
    """It goes with its policy, with its route, and when the policy asks for anything else; it stays
    while the policy cannot be read, and while the route is broken for a moment."""
    objects = with_lane(shop().objects)
    mine = ["door-trimtab-lane"]
    assert leftovers(objects, {POLICY: Asked(DOOR, LANE)}) == []
    assert leftovers(objects, {POLICY: None}) == []
    assert leftovers(objects, {}) == mine
    assert leftovers(objects, {POLICY: Asked(DOOR, RETARGET)}) == mine
    assert leftovers(objects, {POLICY: Asked(DOOR._replace(name="other"), LANE)}) == mine
    staff = replace(LANE, match=Cohort(host="staff.example.com"))
    assert leftovers(objects, {POLICY: Asked(DOOR, staff)}) == mine
    gone = {ref: obj for ref, obj in objects.items() if ref != DOOR}
    assert leftovers(gone, {POLICY: Asked(DOOR, LANE)}) == mine
    broken = Object(DOOR, "9", {**objects[DOOR].body, "spec": {"httpRoute": 1}})
    assert leftovers({**objects, DOOR: broken}, {POLICY: Asked(DOOR, LANE)}) == []


def test_a_lane_has_only_the_labels_that_the_gateway_asks_for() -> None:
    """The gateway chooses the lane as it chose the route; no other tool takes it for its own."""
    store = shop()
    door = store.get("VirtualGateway", "gw")
    door["spec"]["gatewayRouteSelector"] = {"matchLabels": {"gateway": "gw"}}
    route = store.get("GatewayRoute", "door")
    route["metadata"]["labels"] = {"gateway": "gw", "argocd.argoproj.io/instance": "shop"}
    route["spec"]["priority"] = 7
    store.put(door, route)
    objects = with_lane(store.objects)
    lane = objects[DOOR._replace(name="door-trimtab-lane")]
    assert lane.body["metadata"]["labels"] == {
        "gateway": "gw",
        "app.kubernetes.io/managed-by": "trimtab",
    }
    assert lane.body["spec"]["priority"] == 6
    reading = AppMesh().load(objects)
    names = [r.name for r in reading.routes_of(next(iter(reading.gateways.values())))]
    assert names == ["door", "door-trimtab-lane"]


@pytest.mark.parametrize(
    ("documents", "match", "told"),
    [
        ([docs.gateway_route("door", {"prefix": "/"}, "v1", priority=0)], BETA, "no better one"),
        (
            [docs.gateway_route("door", {"serviceName": "s"}, "v1", form="grpcRoute")],
            Cohort(query=(Pair(name="q"),)),
            "knows no query",
        ),
        (
            [docs.gateway_route("door-trimtab-lane", {"prefix": "/"}, "v1")],
            BETA,
            "is not Trimtab's",
        ),
        (
            [docs.gateway_route("more", {"prefix": "/x"}, "v1")],
            BETA,
            "would lose the requests of the cohort",
        ),
        ([], Cohort(headers=(Pair(name="x", value="y"),) * 9 + (Pair(name="z"),) * 2), "no legal"),
    ],
)
def test_a_lane_that_would_do_harm_is_not_made(
    documents: list[docs.Document], match: Cohort, told: str
) -> None:
    """No better priority, a taken name, a route that would be overtaken, a match that App Mesh
    would refuse: each is a problem with a remedy in it."""
    store = shop(*documents)
    asked = replace(LANE, match=match)
    routes, problems = AppMesh().load(store.objects).resolve(DOOR, (), asked)
    assert routes == ()
    assert told in problems[0]


def test_a_route_that_keeps_its_place_is_no_obstacle() -> None:
    """A route which the lane does not overtake, or never meets, may stand beside it."""
    beside = [
        docs.gateway_route("ahead", {"prefix": "/x"}, "v1", priority=3),
        docs.gateway_route("apart", {"prefix": "/x", "hostname": {"exact": "a.org"}}, "v1"),
    ]
    assert resolve(shop(*beside).objects, LANE).weights == (1, 0)


@given(st.text("ab;=", max_size=8), st.text("ab;=", max_size=8))
def test_a_cookie_is_found_among_others_and_only_whole(before: str, after: str) -> None:
    """What comes before and after does not matter, as long as it is another cookie."""
    cohort = Cohort(cookies=(Pair(name="c.x", value="v+1"),))
    objects = with_lane(shop().objects, replace(LANE, match=cohort))
    table = MeshTable(AppMesh().load(objects))

    def taken(cookie: str) -> bool:
        query = MatchQuery("/", host="x", headers=(("cookie", cookie),))
        answer = table.answer(query)
        return answer is not None and answer.route == "shop/door-trimtab-lane"

    assert taken(f"{before}; c.x=v+1; {after}")
    assert taken("c.x=v+1")
    assert not taken(f"{before}c.x=v+12")
    assert not taken("cax=v+1")
    assert not taken(f"a{after.replace(';', '')}c.x=v+1")

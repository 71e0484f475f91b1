"""Ways to steer a GatewayRoute itself: what stands, what may be asked, what is written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xds_harness import documents as docs

from trimtab.core.matching import MatchAnswer, MatchQuery, TargetWeight
from trimtab.core.model import (
    Action,
    Change,
    Decision,
    Object,
    ObjectRef,
    Objects,
    Route,
    Shift,
    Verb,
)
from trimtab.core.steering import Cohort, Pair, Steering, Way
from trimtab.errors import Conflict
from trimtab.ports import Asked, Resolution
from trimtab.providers.appmesh import AppMesh, MeshTable, hops
from trimtab.providers.appmesh.patch import IllegalWeights
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


# --- annotate -----------------------------------------------------------------------------------

ANNOTATE = Steering(way=Way.ANNOTATE, services=("v1", "v2", "v3"))


def serving(objects: Objects, asked: Steering = ANNOTATE) -> Resolution:
    return AppMesh(serves_xds=True).load(objects).resolve(DOOR, (), asked)


@st.composite
def annotated_doors(draw: st.DrawFn) -> Objects:
    """A route to one of three services, with legal weights in its annotation or none."""
    body = docs.gateway_route("door", {"prefix": "/"}, draw(st.sampled_from(["v1", "v2", "v3"])))
    weights = draw(st.lists(st.integers(0, 33), min_size=3, max_size=3).filter(any))
    annotations = draw(st.dictionaries(st.sampled_from(["a", "b/c"]), st.just("kept")))
    if draw(st.booleans()):
        pairs = zip(["v1", "shop/v2", "v3"], weights, strict=True)
        annotations["trimtab.dev/weights"] = ", ".join(f"{n}={w}" for n, w in pairs)
    if annotations or draw(st.booleans()):
        body["metadata"]["annotations"] = annotations
    return docs.Store(docs.mesh(), docs.gateway(80), body, *services("v1", "v2", "v3")).objects


@given(annotated_doors(), st.data())
def test_the_annotation_alone_is_written(objects: Objects, data: st.DataObject) -> None:
    """Any legal split ends up in the annotation as it was granted; spec, labels and every other
    annotation are as they were, and what our xDS makes of it is the split."""
    (route,), problems = serving(objects)
    assert problems == ()
    granted = data.draw(splits(route.total))
    found = changes(objects, route, *granted, provider=AppMesh(serves_xds=True))
    if granted == route.weights:
        assert found == []
        return
    after = patched(objects, found[0])
    assert serving(after).routes[0].weights == granted
    assert after[DOOR].body["spec"] == objects[DOOR].body["spec"]
    left = dict(after[DOOR].body["metadata"]["annotations"])
    del left["trimtab.dev/weights"]
    before = dict(objects[DOOR].body["metadata"].get("annotations", {}))
    before.pop("trimtab.dev/weights", None)
    assert left == before
    reading = AppMesh().load(after)
    (entry,) = hops.gateway_entries(reading, reading.gateway_routes[DOOR])
    assert tuple(s.weight for s in entry.shares) == granted


@st.composite
def splits(draw: st.DrawFn, total: int) -> tuple[int, ...]:
    first = draw(st.integers(0, total))
    second = draw(st.integers(0, total - first))
    return first, second, total - first - second


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("v1:90", "not of the form"),
        ("v1=90,", "not of the form"),
        ("v1=-1,v2=3", "not of the form"),
        ("v1=90,v2=11", "add up to 101"),
        ("v1=0,v2=0", "add up to 0"),
        ("v1=1,shop/v1=2", "twice"),
        ("v2=1,v3=2", "leaves out"),
        ("v1=1,other=2", "other, which is none of"),
    ],
)
def test_an_annotation_that_cannot_be_used_holds_the_policy(text: str, told: str) -> None:
    """What is not understood is told and never overwritten; Envoys follow the one target."""
    store = shop(*services("v3"))
    store.put(docs.annotated(store.get("GatewayRoute", "door"), text))
    routes, problems = serving(store.objects)
    assert routes == ()
    assert told in problems[0]


def test_without_our_xds_an_annotation_is_refused() -> None:
    """Nobody else honours it, so that writing it would say what is not so."""
    objects = shop(*services("v3")).objects
    routes, problems = AppMesh().load(objects).resolve(DOOR, (), ANNOTATE)
    assert (routes, "nobody else honours" in problems[0]) == ((), True)


def test_a_share_of_a_request_is_told_or_drawn() -> None:
    """Without a random number the matcher names the services and their weights; with one it draws
    the service with it and the node with the rest of it."""
    store = shop()
    store.put(docs.annotated(store.get("GatewayRoute", "door"), "v1=60,v2=40"))
    table = MeshTable(AppMesh().load(store.objects))
    open_answer = table.answer(MatchQuery("/", host="x"))
    assert open_answer == MatchAnswer(
        route="shop/door", targets=(TargetWeight("v1", 60), TargetWeight("v2", 40))
    )
    drawn = [table.answer(MatchQuery("/", host="x", random=n)) for n in (0, 59, 60, 99, 160)]
    assert [a.service for a in drawn if a] == ["shop/v1"] * 2 + ["shop/v2"] * 3
    titles = [hop.title for hop in table.explain(MatchQuery("/", host="x"))]
    assert titles == [
        "VirtualGateway shop/gw",
        "VirtualService shop/v1",
        "VirtualService shop/v2",
    ]


# --- lane ---------------------------------------------------------------------------------------

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

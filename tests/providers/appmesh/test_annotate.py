"""Weights in the annotation of a GatewayRoute: what is written, read, and refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers.appmesh.doors import DOOR, changes, patched, services, shop
from xds_harness import documents as docs

from trimtab.core.matching import MatchAnswer, MatchQuery, TargetWeight
from trimtab.core.model import Objects
from trimtab.core.steering import Steering, Way
from trimtab.ports import Resolution
from trimtab.providers.appmesh import AppMesh, MeshTable, hops

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

"""Patches: nothing but the intended weight leaves, and nothing illegal."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpointer import JsonPointer

from trimtab.core.model import (
    Action,
    Change,
    Decision,
    Object,
    ObjectRef,
    Objects,
    Route,
    Shift,
    Target,
)
from trimtab.errors import Conflict, Refused
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.patch import IllegalWeights
from trimtab.providers.appmesh.values import API_VERSION, GROUP

CART = ObjectRef(GROUP, "VirtualRouter", "shop", "cart")
POLICY = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "cart")


def decision(*shifts: Shift) -> Decision:
    return Decision(POLICY, 0.0, "optimise", Action.SHIFT, "", shifts, (), (), {})


def shift(route: Route, granted: Sequence[Any]) -> Shift:
    return Shift(route, tuple(w / 100 for w in route.weights), tuple(granted))


def changes(objects: Objects, *shifts: Shift) -> list[Change]:
    provider = AppMesh()
    return list(provider.changes(provider.load(objects), decision(*shifts)))


def apply(body: Mapping[str, Any], change: Change) -> Any:
    patch = jsonpatch.JsonPatch([op.as_json() for op in change.ops])
    return patch.apply(copy.deepcopy(dict(body)))


# --- random routers ---------------------------------------------------------------------------

names = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
FORMS = ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")


@st.composite
def weights(draw: st.DrawFn, size: int) -> list[int]:
    """Weights of a rule as App Mesh allows them: not all zero, at most 100 in all."""
    total = draw(st.integers(1, 100))
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=size - 1, max_size=size - 1)))
    return [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)]


@st.composite
def rules(draw: st.DrawFn, name: str) -> dict[str, Any]:
    size = draw(st.integers(1, 10))
    targets: list[dict[str, Any]] = []
    for weight in draw(weights(size)):
        target: dict[str, Any] = {"weight": weight}
        if draw(st.integers(0, 9)) == 0:
            target["virtualNodeARN"] = f"arn:aws:appmesh:r:1:mesh/m/virtualNode/{draw(names)}"
        else:
            target["virtualNodeRef"] = {"name": draw(names)}
            if draw(st.booleans()):
                target["virtualNodeRef"]["namespace"] = draw(st.sampled_from(["shop", "till"]))
        if draw(st.booleans()):
            target["port"] = draw(st.integers(1, 3))
        if draw(st.booleans()):
            target["x-note"] = "an unknown field"
        targets.append(target)
    form = draw(st.sampled_from(FORMS))
    match: dict[str, Any] = {} if form in ("grpcRoute", "tcpRoute") else {"prefix": "/"}
    return {"name": name, form: {"match": match, "action": {"weightedTargets": targets}}}


@st.composite
def meshes(draw: st.DrawFn) -> dict[ObjectRef, Object]:
    rule_names = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    router = {
        "apiVersion": API_VERSION,
        "kind": "VirtualRouter",
        "metadata": {"name": "cart", "namespace": "shop", "resourceVersion": "7"},
        "spec": {"routes": [draw(rules(n)) for n in rule_names], "somebody": {"elses": [1]}},
        "status": {"observedGeneration": 3},
    }
    nodes = {
        (target["virtualNodeRef"].get("namespace", "shop"), target["virtualNodeRef"]["name"])
        for rule in router["spec"]["routes"]  # type: ignore[index]
        for target in _targets(rule)
        if "virtualNodeRef" in target
    }
    bodies = [router, _mesh(), *(_node(*n) for n in sorted(nodes))]
    return {obj.ref: obj for obj in map(_object, bodies)}


def _object(body: dict[str, Any]) -> Object:
    metadata = body["metadata"]
    ref = ObjectRef(GROUP, body["kind"], metadata.get("namespace", ""), metadata["name"])
    return Object(ref, metadata["resourceVersion"], body)


def _mesh() -> dict[str, Any]:
    metadata = {"name": "m", "resourceVersion": "1"}
    spec: dict[str, Any] = {"namespaceSelector": {}}
    return {"apiVersion": API_VERSION, "kind": "Mesh", "metadata": metadata, "spec": spec}


def _node(namespace: str, name: str) -> dict[str, Any]:
    listeners = [{"portMapping": {"port": p, "protocol": "http"}} for p in (1, 2, 3)]
    return {
        "apiVersion": API_VERSION,
        "kind": "VirtualNode",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": "h"}}},
    }


def _targets(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    (form,) = (rule[f] for f in FORMS if f in rule)
    return list(form["action"]["weightedTargets"])


@st.composite
def shifted(draw: st.DrawFn) -> tuple[dict[ObjectRef, Object], list[Shift]]:
    """A mesh, and legal shifts of some of its rules: telemetry-less targets stay as they are."""
    objects = draw(meshes())
    found, problems = AppMesh().load(objects).resolve(CART, ())
    assert problems == ()
    chosen = [route for route in found if draw(st.booleans())]
    shifts = []
    for route in chosen:
        free = [i for i, t in enumerate(route.targets) if t.telemetry is not None]
        granted = list(route.weights)
        total = sum(granted[i] for i in free)
        cuts = sorted(draw(st.lists(st.integers(0, total), min_size=len(free), max_size=len(free))))
        if free:
            parts = [b - a for a, b in zip([0, *cuts[1:]], [*cuts[1:], total], strict=True)]
            for i, weight in zip(free, parts, strict=True):
                granted[i] = weight
        shifts.append(shift(route, granted))
    return objects, shifts


@given(shifted())
def test_a_patch_changes_the_intended_weights_and_nothing_else(
    case: tuple[dict[ObjectRef, Object], list[Shift]],
) -> None:
    """Applied by an independent JSON Patch library, the router differs in the weight leaves that
    were decided, and in no other byte; every total is kept."""
    objects, shifts = case
    before = copy.deepcopy(objects[CART].body)
    wanted = copy.deepcopy(dict(before))
    for moved in shifts:
        (rule,) = (r for r in wanted["spec"]["routes"] if r["name"] == moved.route.key.rule)
        for target, weight in zip(_targets(rule), moved.granted, strict=True):
            target["weight"] = weight
    found = changes(objects, *shifts)
    assert len(found) == (1 if any(s.moves for s in shifts) else 0)
    after = apply(before, found[0]) if found else before
    assert after == wanted
    assert objects[CART].body == before
    for old, new in zip(before["spec"]["routes"], after["spec"]["routes"], strict=True):
        totals = [sum(t["weight"] for t in _targets(r)) for r in (old, new)]
        assert totals[0] == totals[1]


@given(shifted())
def test_a_patch_is_guarded(case: tuple[dict[ObjectRef, Object], list[Shift]]) -> None:
    """The first operation tests the version, every touched target's identity is tested before
    any weight is replaced, and only weights that differ are replaced."""
    objects, shifts = case
    for change in changes(objects, *shifts):
        first = change.ops[0]
        assert first == ("test", "/metadata/resourceVersion", "7")
        for op in change.ops[1:]:
            assert op.op in ("test", "replace")
            assert op.path.startswith("/spec/routes/")
            if op.op == "replace":
                assert op.path.endswith("/weight")
                owner = op.path.removesuffix("/weight")
                tested = [o.path for o in change.ops if o.op == "test"]
                identities = (f"{owner}/virtualNodeRef/name", f"{owner}/virtualNodeARN")
                assert any(i in tested for i in identities)
                assert JsonPointer(op.path).resolve(objects[CART].body) != op.value
                rule = "/".join(op.path.split("/")[:4])
                assert f"{rule}/name" in tested


# --- by example ---------------------------------------------------------------------------------


@pytest.fixture
def objects(load: Any, base: Path) -> Objects:
    found: Objects = load(base)
    return found


def route_in(objects: Objects) -> Route:
    (route,) = AppMesh().load(objects).resolve(CART, ()).routes
    return route


def test_what_a_patch_looks_like(objects: Objects) -> None:
    """One patch a router: version, name, identities, then the weights."""
    (change,) = changes(objects, shift(route_in(objects), (80, 20)))
    at = "/spec/routes/0/httpRoute/action/weightedTargets"
    assert change.ref == CART
    assert [tuple(op) for op in change.ops] == [
        ("test", "/metadata/resourceVersion", "1"),
        ("test", "/spec/routes/0/name", "main"),
        ("test", f"{at}/0/virtualNodeRef/name", "cart-v1"),
        ("test", f"{at}/1/virtualNodeRef/name", "cart-v2"),
        ("replace", f"{at}/0/weight", 80),
        ("replace", f"{at}/1/weight", 20),
    ]


def test_no_patch_when_it_is_already_right(objects: Objects) -> None:
    """Weights as they are need no change."""
    assert changes(objects, shift(route_in(objects), (90, 10))) == []


def test_shifts_of_other_providers_are_not_ours(objects: Objects) -> None:
    """A shift of another provider's route gives no change here."""
    route = route_in(objects)
    foreign = Route(route.key._replace(provider="istio"), route.targets, 100)
    assert changes(objects, shift(foreign, (50, 50))) == []


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        ((90.0, 10), "is not an integer"),
        ((True, 99), "is not an integer"),
        ((110, -10), "is not in 0..100"),
        ((0, 0), "all are zero"),
        ((90, 9), "add up to 99 instead of 100"),
        ((90,), "has 2 targets"),
    ],
)
def test_illegal_weights_are_refused(objects: Objects, granted: Any, said: str) -> None:
    """What App Mesh or Envoy would refuse never leaves, and the error says why."""
    with pytest.raises(IllegalWeights, match=said) as raised:
        changes(objects, shift(route_in(objects), granted))
    assert isinstance(raised.value, Refused)
    assert isinstance(raised.value, ValueError)


def test_one_illegal_shift_stops_the_whole_decision(objects: Objects) -> None:
    """Nothing of a decision is given out when a part of it is illegal."""
    route = route_in(objects)
    with pytest.raises(IllegalWeights):
        changes(objects, shift(route, (80, 20)), shift(route, (0, 0)))


def test_a_target_that_cannot_be_watched_keeps_its_weight(load: Any, base: Path) -> None:
    """A target by ARN is nobody's to move."""
    text = base.read_text().replace("virtualNodeRef: {name: cart-v2}", "virtualNodeARN: 'a/b/c'")
    objects = load(text)
    with pytest.raises(IllegalWeights, match="c cannot be watched, so it keeps its weight 10"):
        changes(objects, shift(route_in(objects), (80, 20)))


@pytest.mark.parametrize(
    "change",
    [
        ("cart-v2}, weight: 10", "cart-v3}, weight: 10"),
        ("weight: 10", "weight: 9"),
        ("name: main", "name: other"),
        ("kind: VirtualRouter\nmetadata: {name: cart", "kind: VirtualRouter\nmetadata: {name: x"),
    ],
)
def test_a_router_that_changed_since_the_decision_is_a_conflict(
    load: Any, base: Path, change: tuple[str, str]
) -> None:
    """Weights decided on other targets, weights or rules are not written; deciding starts over."""
    decided = route_in(load(base))
    text = base.read_text().replace(*change)
    with pytest.raises(Conflict):
        changes(load(text), shift(decided, (80, 20)))


def test_targets_are_compared_without_their_role(objects: Objects) -> None:
    """Roles come from the policy; they are no change of the router."""
    route = route_in(objects)
    with_roles = Route(
        route.key,
        tuple(Target(t.name, t.weight, t.telemetry, role=t.role) for t in route.targets),
        route.maximum,
    )
    assert len(changes(objects, shift(with_roles, (80, 20)))) == 1

"""A reading made after others says what one made from nothing says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from providers.appmesh.conftest import as_object

from trimtab.core.differences import differing
from trimtab.core.model import Object, ObjectRef
from trimtab.providers.appmesh import AppMesh, codes

# Few names and few values, so that objects meet.
names, spaces = st.sampled_from(["a", "b", "c"]), st.sampled_from(["n", "n", "m"])
labels = st.sampled_from([{"k": "1"}, {"k": "1"}, {"k": "2"}, {"l": "1"}, {"k": "1", "l": "1"}, {}])
wanted = st.one_of(
    labels.map(lambda values: {"matchLabels": values}),
    st.builds(
        lambda key, operator: {"matchExpressions": [{"key": key, "operator": operator}]},
        st.sampled_from(["k", "l"]),
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
mostly_all = st.one_of(st.just({}), st.just({}), wanted, st.none())


def stated(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def thing(
    kind: str, name: str, namespace: str, labels: dict[str, str], **spec: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    api = "v1" if kind == "Namespace" else "appmesh.k8s.aws/v1beta2"
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": stated(**spec)}


def named(name: str | None) -> dict[str, str] | None:
    return None if name is None else {"name": name}


def mesh(name: str, near: Any) -> dict[str, Any]:
    return thing("Mesh", name, "", {}, namespaceSelector=near)


def gateway(
    name: str, space: str, near: Any, of: Any, listens: dict[int, str], mesh: str | None = None
) -> dict[str, Any]:
    listeners = [{"portMapping": {"port": p, "protocol": spoken}} for p, spoken in listens.items()]
    selectors = {"namespaceSelector": near, "gatewayRouteSelector": of}
    spec = {**selectors, "listeners": listeners, "meshRef": named(mesh)}
    return thing("VirtualGateway", name, space, {}, **spec)


def route(
    name: str,
    space: str,
    own: dict[str, str],
    prefix: str,
    port: int | None = None,
    form: str = "httpRoute",
    gateway: str | None = None,
    mesh: str | None = None,
) -> dict[str, Any]:
    target = {"virtualService": {"virtualServiceRef": {"name": "s"}}}
    asked = {"match": stated(prefix=prefix, port=port), "action": {"target": target}}
    spec = {form: asked, "virtualGatewayRef": named(gateway), "meshRef": named(mesh)}
    return thing("GatewayRoute", name, space, own, **spec)


UNOWNED = {c.name for c in (codes.NO_GATEWAY, codes.SEVERAL_GATEWAYS, codes.ASSUMED_GATEWAY)}
seldom = st.one_of(st.none(), st.none(), st.none(), names)
bodies = st.one_of(
    st.builds(lambda name, own: thing("Namespace", name, "", own), spaces, labels),
    st.builds(mesh, names, mostly_all),
    st.builds(
        gateway,
        names,
        spaces,
        mostly_all,
        mostly_all,
        st.dictionaries(st.sampled_from([1, 2]), st.sampled_from(["http", "http2"]), min_size=1),
        seldom,
    ),
    *[
        st.builds(
            route,
            names,
            spaces,
            labels,
            st.sampled_from(["/", "/", "/x"]),
            st.sampled_from([None, 1, 2]),
            st.sampled_from(["httpRoute", "http2Route"]),
            seldom,
            seldom,
        )
    ]
    * 2,
)
START = [
    thing("Namespace", "n", "", {}),
    mesh("a", {}),
    mesh("b", None),
    gateway("a", "n", {}, {"matchLabels": {"k": "1"}}, {1: "http"}),
    gateway("b", "n", {}, {"matchLabels": {"l": "1"}}, {1: "http", 2: "http2"}),
    route("a", "n", {"k": "1"}, "/"),
    route("b", "n", {"k": "1"}, "/"),
    route("c", "n", {"l": "1"}, "/", 1),
]
# An object comes or becomes another one, or goes; and somebody looks, or nobody does.
steps = st.tuples(bodies.map(as_object), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=300)
@given(steps=st.lists(steps, min_size=5, max_size=15))
def test_owners_and_findings_at_gateways_are_those_of_a_first_look(
    steps: list[tuple[Object, int, int]],
) -> None:
    """Namespaces, Meshes, gateways and routes that come, change and go: after each change to whom
    each route belongs and what is told are as if nothing had ever been otherwise. That a route has
    no gateway is told of those of which the owners say so, asked one by one."""
    provider, now = AppMesh(), {one.ref: one for one in map(as_object, START)}
    assert provider.load(now).diagnostics == AppMesh().load(now).diagnostics
    for version, (one, goes, looks) in enumerate(steps):
        now.pop(one.ref, None)
        if goes:
            now[one.ref] = Object(one.ref, f"v{version}", one.body)
        again, anew = provider.load(now), AppMesh().load(now)
        for its in anew.gateways.values():
            assert again.routes_of(its) == anew.routes_of(its)
        if looks:
            assert again.diagnostics == anew.diagnostics
        owners = {ref: anew.owners.gateway_of_route(r) for ref, r in anew.gateway_routes.items()}
        told = {(d.ref, d.message) for d in anew.diagnostics if d.code in UNOWNED}
        assert told == {(ref, o.problem.message) for ref, o in owners.items() if o.problem}


@pytest.mark.parametrize(
    ("other", "together"),
    [
        ({}, True),
        ({"port": 1}, True),
        ({"gateway": "b"}, False),
        ({"mesh": "b"}, False),
        ({"own": {"l": "1"}}, False),
        ({"port": 3}, False),
    ],
)
def test_routes_are_held_against_each_other_at_one_gateway(
    other: dict[str, Any], together: bool
) -> None:
    """Two routes for the same requests: that only chance decides between them is told where both
    belong to one gateway and one port of it."""
    first = route("a", "n", {"k": "1"}, "/")
    second = route("z", "n", prefix="/", **{"own": {"k": "1"}, **other})
    gateways = [one for one in START if one["kind"] != "GatewayRoute"]
    objects = {one.ref: one for one in map(as_object, [*gateways, first, second])}
    found = {d.code for d in AppMesh().load(objects).diagnostics}
    assert (codes.AMBIGUOUS.name in found or codes.SHADOWED.name in found) is together


# --- what has changed ---------------------------------------------------------------------------

places = st.lists(st.integers(0, 9).map(str), max_size=8)


@given(old=places, new=places)
def test_what_differs_is_the_least_that_stands_in_one_piece(old: list[str], new: list[str]) -> None:
    """Before the parts and after them the members are the same, and no longer parts are the same."""
    gone, come = differing(old, new)
    assert [*old[: gone.start], *new[come], *old[gone.stop :]] == new
    assert gone.start == come.start
    if old[gone] and new[come]:
        assert old[gone][0] is not new[come][0]
        assert old[gone][-1] is not new[come][-1]


versions = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2))


@given(before=versions, now=versions)
def test_every_change_of_an_object_is_seen(before: dict[str, int], now: dict[str, int]) -> None:
    """Whatever came, went, changed its place or what it says: the changed ones are those that are
    not the very same object."""
    made: dict[tuple[str, int], Object] = {}

    def of(given: dict[str, int]) -> dict[ObjectRef, Object]:
        found = {}
        for name, version in given.items():
            ref = ObjectRef("", "Namespace", "", name)
            found[ref] = made.setdefault((name, version), Object(ref, str(version), {}))
        return found

    provider = AppMesh()
    provider.load(of(before))
    changed = provider.load(of(now)).changed
    assert {ref.name for ref in changed} == {
        name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
    }

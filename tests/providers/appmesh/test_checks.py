"""Findings about order are true: what they say of requests, the matcher says as well."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.matching import MatchQuery
from trimtab.core.model import Object, ObjectRef
from trimtab.providers.appmesh import AppMesh, MeshTable
from trimtab.providers.appmesh.checks.cells import Cells
from trimtab.providers.appmesh.sample import sample
from trimtab.providers.appmesh.values import API_VERSION, GROUP

ROUTER = ObjectRef(GROUP, "VirtualRouter", "shop", "any")
SERVICE = ObjectRef(GROUP, "VirtualService", "shop", "any")

paths = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=2).map(lambda s: "/" + "/".join(s))
values = st.sampled_from(["x", "xy", "y"])
value_matches = st.one_of(
    st.none(),
    values.map(lambda v: {"exact": v}),
    values.map(lambda v: {"prefix": v}),
    values.map(lambda v: {"suffix": v}),
    st.just({"regex": "x?y"}),
)


@st.composite
def matches(draw: st.DrawFn) -> dict[str, Any]:
    """A match of a router's route over a small alphabet, so that rules meet."""
    kind = draw(st.sampled_from(["prefix", "prefix", "exact", "regex"]))
    path = draw(paths)
    match: dict[str, Any] = {"prefix": path}
    if kind == "exact":
        match = {"path": {"exact": path}}
    if kind == "regex":
        match = {"path": {"regex": path + draw(st.sampled_from(["", ".*", "/[ab]+"]))}}
    if draw(st.booleans()):
        match["method"] = draw(st.sampled_from(["GET", "POST"]))
    if draw(st.booleans()):
        header: dict[str, Any] = {"name": "h", "invert": draw(st.booleans())}
        asked = draw(value_matches)
        match["headers"] = [header | ({"match": asked} if asked else {})]
    return match


@st.composite
def routers(draw: st.DrawFn) -> list[dict[str, Any]]:
    rules = draw(
        st.lists(st.tuples(matches(), st.none() | st.integers(0, 2)), min_size=2, max_size=6)
    )
    target = {"virtualNodeRef": {"name": "n"}, "weight": 1}
    return [
        {"name": f"r{i}", "httpRoute": {"match": m, "action": {"weightedTargets": [target]}}}
        | ({} if priority is None else {"priority": priority})
        for i, (m, priority) in enumerate(rules)
    ]


requests = st.tuples(
    paths | paths.map(lambda p: p + "a"),
    st.sampled_from(["GET", "POST"]),
    st.none() | st.sampled_from(["x", "xy", "y", "z"]),
)


def mesh(rules: list[dict[str, Any]]) -> dict[ObjectRef, Object]:
    provider = {"virtualRouter": {"virtualRouterRef": {"name": "any"}}}
    specs = {ROUTER: {"routes": rules}, SERVICE: {"provider": provider}}
    return {
        ref: Object(
            ref,
            "1",
            {
                "apiVersion": API_VERSION,
                "kind": ref.kind,
                "metadata": {"name": ref.name, "namespace": ref.namespace},
                "spec": spec,
            },
        )
        for ref, spec in specs.items()
    }


@given(rules=routers(), asked=st.lists(requests, min_size=10, max_size=10))
def test_a_shadowed_route_never_wins(
    rules: list[dict[str, Any]], asked: list[tuple[str, str, str | None]]
) -> None:
    """A route that is called shadowed, or upside down, gets no request at all."""
    reading = AppMesh().load(mesh(rules))
    losers = {
        rules[int(found.group(1))]["name"]
        for d in reading.diagnostics
        if d.code in ("AM302", "AM304") and (found := re.match(r"spec\.routes\[(\d+)\]", d.field))
    }
    table = MeshTable(reading)
    for path, method, value in asked:
        headers = (("h", value),) if value is not None else ()
        answer = table.answer(MatchQuery(path, method=method, headers=headers, service="any"))
        assert answer is not None
        assert answer.rule not in losers


EXAMPLE = re.compile(
    r"^and route '(\w+)' both match \(for example (\w+) ([^ ,)]+)(?:, h: (\w+))?\)"
)


@given(rules=routers())
def test_an_example_of_ambiguity_is_matched_by_both(rules: list[dict[str, Any]]) -> None:
    """The request in the message passes both routes, and their priorities are equal."""
    reading = AppMesh().load(mesh(rules))
    table = MeshTable(reading)
    for found in reading.diagnostics:
        if found.code != "AM303":
            continue
        told = EXAMPLE.match(found.message)
        assert told, found.message
        other, method, path, value = told.groups()
        place = re.match(r"spec\.routes\[(\d+)\]", found.field)
        assert place
        both = {other, rules[int(place.group(1))]["name"]}
        headers = (("h", value),) if value else ()
        (hop,) = table.explain(MatchQuery(path, method=method, headers=headers, service="any"))
        assert both <= {rule.name for rule in hop.rules if rule.matched}
        assert len({r.get("priority") for r in rules if r["name"] in both}) == 1


@given(rules=routers())
def test_different_priorities_are_never_ambiguous(rules: list[dict[str, Any]]) -> None:
    """Whoever gives each route a priority of its own leaves nothing open."""
    distinct = [rule | {"priority": i} for i, rule in enumerate(rules)]
    assert "AM303" not in {d.code for d in AppMesh().load(mesh(distinct)).diagnostics}


@pytest.mark.parametrize(
    "pattern",
    [
        "/a/(b|c)[0-9]+.*\\d{2,}[^x]",
        ".*green.*",
        "(?:a|b)?c",
        "[^a-z]",
        "\\.json",
        "a{3}",
        "/v[12]/[^/]+/items",
        "x||y",
        "(?P<id>\\w+)-\\d+",
    ],
)
def test_samples_match_their_pattern(pattern: str) -> None:
    """A sample is a text that the pattern matches as a whole."""
    text = sample(pattern)
    assert text is not None
    assert re.fullmatch(pattern, text)


@pytest.mark.parametrize("pattern", ["(?i)x", "(()", "[[:alpha:]]", "\\pL", "a{9999}", "("])
def test_what_cannot_be_sampled_gives_nothing(pattern: str) -> None:
    """Beyond the common part of RE2 there is no sample, and no error."""
    assert sample(pattern) is None


ROUTE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: NAME, namespace: shop}
spec:
  httpRoute:
    match: {prefix: /cart}
    action: {target: {virtualService: {virtualServiceRef: {name: cart}}}}
"""


def test_twins_are_ambiguous_and_not_shadowed(load: Any, base: Any) -> None:
    """Of two routes that ask the same, App Mesh does not say which wins, so none is called dead."""
    texts = (ROUTE.replace("NAME", "one"), ROUTE.replace("NAME", "two"))
    reading = AppMesh().load(load(base, *texts))
    assert [(d.code, str(d.ref)) for d in reading.diagnostics] == [
        ("AM303", "GatewayRoute shop/two")
    ]


def test_a_route_that_comes_later_is_held_against_those_there(load: Any, base: Any) -> None:
    """A new GatewayRoute makes its gateway be looked at again."""
    provider, objects = AppMesh(), dict(load(base, ROUTE.replace("NAME", "one")))
    assert provider.load(objects).diagnostics == ()
    objects |= {r: o for r, o in load(ROUTE.replace("NAME", "two")).items() if r.name == "two"}
    assert [d.code for d in provider.load(objects).diagnostics] == ["AM303"]
    del objects[ObjectRef(GROUP, "GatewayRoute", "shop", "one")]
    assert provider.load(objects).diagnostics == ()


NODE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: cart-v1, namespace: shop}
spec:
  listeners:
    - portMapping: {port: 8080, protocol: http}
      timeout: {http: {perRequest: {unit: s, value: 30}}}
  serviceDiscovery: {dns: {hostname: cart-v1}}
"""


@pytest.mark.parametrize(
    ("seconds", "alarm"), [("30", False), ("60", False), ("0", False), ("15", False), (None, True)]
)
def test_timeouts_of_which_one_is_the_default(
    load: Any, base: Any, seconds: str | None, alarm: bool
) -> None:
    """Alarm when a long timeout at one place is cut by the default of 15 s at the other; two
    stated ones are meant, and zero is no limit."""
    text = base.read_text()
    if seconds is not None:
        form = f"httpRoute:\n        timeout: {{perRequest: {{unit: s, value: {seconds}}}}}"
        text = text.replace("httpRoute:", form)
    found = [d for d in AppMesh().load(load(text, NODE)).diagnostics if d.code == "AM306"]
    assert any("cart-v1" in d.message for d in found) is alarm


@pytest.mark.parametrize(
    ("rewrite", "prefix", "alarm"),
    [
        ("{defaultPrefix: ENABLED}", "/cart", True),
        ("{defaultPrefix: ENABLED}", "/cart/x", True),
        ("{defaultPrefix: ENABLED}", "/carts", False),
        ("{defaultPrefix: ENABLED}", "/", False),
        ("{defaultPrefix: DISABLED}", "/cart", False),
        ("{defaultPrefix: DISABLED}", "/basket", True),
        ("{value: /cart/v2/}", "/cart", False),
        ("{value: /v2/}", "/v1", True),
        ("{value: /v2/}", "/v2/x", False),
    ],
)
def test_rewrites_that_a_router_does_not_expect(
    load: Any, base: Any, rewrite: str, prefix: str, alarm: bool
) -> None:
    """Alarm when rules ask for what the gateway took away, or when nothing there can match."""
    route = ROUTE.replace("cart}}}}", f"cart}}}}}}, rewrite: {{prefix: {rewrite}}}}}")
    text = base.read_text().replace("prefix: /}", f"prefix: {prefix}}}")
    codes = {d.code for d in AppMesh().load(load(text, route)).diagnostics}
    assert ("AM301" in codes) is alarm


def test_a_change_of_weights_is_looked_at_where_it_shows(
    load: Any, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of one router, the router and those who lead to it are checked, nobody else."""
    provider, objects = AppMesh(), dict(load(base))
    assert provider.load(objects).diagnostics == ()
    looked: list[ObjectRef] = []
    again = Cells._again

    def noted(cells: Cells[Any], reading: Any, names: Any, ref: ObjectRef) -> bool:
        looked.append(ref)
        return again(cells, reading, names, ref)

    monkeypatch.setattr(Cells, "_again", noted)
    cart = ObjectRef(GROUP, "VirtualRouter", "shop", "cart")
    changed = load(base.read_text().replace("weight: 90", "weight: 20"))[cart]
    objects[cart] = Object(cart, "2", changed.body)
    assert provider.load(objects).diagnostics == ()
    assert {f"{ref.kind} {ref.name}" for ref in looked} == {
        "VirtualRouter cart",
        "VirtualService cart",
    }

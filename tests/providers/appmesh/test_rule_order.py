"""Which rule takes a request: the order of a list, and what each rule asks for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers.appmesh.two_hops import ANY, MESH, ask, route, rule, service, table, won

from trimtab.core.matching import MatchQuery
from trimtab.providers.appmesh import AppMesh, MeshTable, hops

# --- order ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "path", "headers"),
    [
        pytest.param(("/", 0), ("/long", None), "/long", {}, id="priority-before-length"),
        pytest.param(("/", 1000), ("/long", None), "/long", {}, id="unset-comes-after-1000"),
        pytest.param(("/longer", None), ("/long", None), "/longer", {}, id="longest-prefix"),
        pytest.param(
            ("/chapter", None), ("/", None), "/chapter1", {}, id="prefixes-have-no-boundary"
        ),
    ],
)
def test_gateway_order(
    load: Any,
    first: tuple[str, int | None],
    second: tuple[str, int | None],
    path: str,
    headers: dict[str, str],
) -> None:
    """Lower priority first, then the longest prefix; documents' order plays no part."""
    texts = [
        route("win", f"{{prefix: {first[0]}}}", priority=first[1]),
        route("lose", f"{{prefix: {second[0]}}}", priority=second[1]),
    ]
    for order in itertools.permutations(texts):
        assert won(ask(table(load, ANY, *order), path, headers=headers)) == "win"


def test_unspecified_order_is_still_the_same_each_time(load: Any) -> None:
    """Where App Mesh leaves the order open: exact, regex, prefix; more predicates; the name."""
    texts = [
        route("d-exact", "{path: {exact: /same}}"),
        route("c-regex", "{path: {regex: '/sam.'}}"),
        route(
            "b-header",
            "{prefix: /same, headers: [{name: x}]}",
            rewrite="{prefix: {defaultPrefix: DISABLED}}",
        ),
        route("a-plain", "{prefix: /same}", rewrite="{prefix: {defaultPrefix: DISABLED}}"),
    ]
    for order in itertools.permutations(texts):
        mesh = table(load, ANY, *order)
        names = [r.name.split(" ")[0] for r in mesh.explain(MatchQuery("/same"))[0].rules]
        assert names == ["shop/d-exact", "shop/c-regex", "shop/b-header", "shop/a-plain"]


def test_the_order_of_a_real_gateway(load: Any) -> None:
    """Expanded pairs are sorted by the length of each entry, then bytewise, per priority group."""
    prefixes = ("/flutter", "/foxpage", "/foxpage-admin", "/healthcheck")
    texts = [route(f"r{i}", f"{{prefix: {p}}}") for i, p in enumerate(prefixes)]
    reading = AppMesh().load(load(MESH + ANY + "".join(texts)))
    (gateway,) = reading.gateways.values()
    (host,) = hops.gateway_hosts(reading, gateway)
    assert [entry.match.path.text for entry in host.entries] == [
        "/foxpage-admin/",
        "/foxpage-admin",
        "/healthcheck/",
        "/healthcheck",
        "/flutter/",
        "/foxpage/",
        "/flutter",
        "/foxpage",
    ]


segments = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map(lambda s: "/" + "/".join(s))


@given(
    prefixes=st.lists(st.tuples(segments, st.none() | st.integers(0, 2)), min_size=1, max_size=6),
    path=segments,
)
def test_router_rules_follow_the_documented_order(
    prefixes: list[tuple[str, int | None]], path: str
) -> None:
    """The winner has the least (priority, unset last; minus length) of all prefixes that match."""
    rules = [rule(f"r{i}", f"{{prefix: {p}}}", priority=n) for i, (p, n) in enumerate(prefixes)]
    objects = _load(MESH + service("any", *rules))
    found = MeshTable(AppMesh().load(objects)).answer(MatchQuery(path, service="any"))
    assert found is not None
    ranks = [(1001 if n is None else n, -len(p)) for p, n in prefixes if path.startswith(p)]
    if not ranks:
        assert found.rule is None
        return
    assert found.rule is not None
    prefix, priority = prefixes[int(found.rule[1:])]
    assert path.startswith(prefix)
    assert (1001 if priority is None else priority, -len(prefix)) == min(ranks)


def _load(text: str) -> Any:
    import yaml

    from trimtab.core.model import Object, ObjectRef

    found = {}
    for body in yaml.safe_load_all(text):
        meta = body["metadata"]
        group = body["apiVersion"].rpartition("/")[0]
        key = ObjectRef(group, body["kind"], meta.get("namespace", ""), meta["name"])
        found[key] = Object(key, "1", body)
    return found


# --- predicates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "query", "matches"),
    [
        ("{prefix: /, method: POST}", {"method": "POST"}, True),
        ("{prefix: /, method: POST}", {"method": "GET"}, False),
        ("{prefix: /, headers: [{name: X-User}]}", {"headers": {"x-user": ""}}, True),
        ("{prefix: /, headers: [{name: x-user}]}", {}, False),
        ("{prefix: /, headers: [{name: x-user, invert: true}]}", {}, True),
        (
            "{prefix: /, headers: [{name: x, match: {exact: a}, invert: true}]}",
            {"headers": {"x": "b"}},
            True,
        ),
        ("{prefix: /, headers: [{name: x, match: {exact: a}, invert: true}]}", {}, False),
        (
            "{prefix: /, headers: [{name: n, match: {range: {start: 10, end: 20}}}]}",
            {"headers": {"n": "19"}},
            True,
        ),
        (
            "{prefix: /, headers: [{name: n, match: {range: {start: 10, end: 20}}}]}",
            {"headers": {"n": "20"}},
            False,
        ),
        (
            "{prefix: /, headers: [{name: a}, {name: b}]}",
            {"headers": {"a": "1"}},
            False,
        ),
        (
            "{prefix: /, queryParameters: [{name: q, match: {exact: '1'}}]}",
            {"path": "/x?q=1&q=2"},
            True,
        ),
        ("{prefix: /, queryParameters: [{name: q}]}", {"path": "/x?p=q"}, False),
        ("{path: {regex: '/[a-z]+'}}", {"path": "/abc?x=1"}, True),
        ("{path: {regex: '/[a-z]+'}}", {"path": "/abc/1"}, False),
        ("{path: {exact: /x}}", {"path": "/x/"}, False),
    ],
)
def test_predicates_at_the_gateway(
    load: Any, match: str, query: dict[str, Any], matches: bool
) -> None:
    """All predicates of a match must hold."""
    mesh = table(load, ANY, route("r", match))
    found = ask(mesh, query.pop("path", "/x"), **query)
    assert (won(found) == "r") is matches


@pytest.mark.parametrize(
    ("match", "path", "headers", "matches"),
    [
        ("{serviceName: a.B}", "/a.B/C", {"content-type": "application/grpc"}, True),
        ("{serviceName: a.B}", "/a.B/C", {"content-type": "application/grpc+proto"}, True),
        ("{serviceName: a.B}", "/a.B/C", {"content-type": "application/grpc-web"}, False),
        ("{serviceName: a.B}", "/a.B/C", {}, False),
        ("{serviceName: a.B}", "/a.BB/C", {"content-type": "application/grpc"}, False),
        ("{serviceName: a.B, methodName: C}", "/a.B/C", {"content-type": "application/grpc"}, True),
        (
            "{serviceName: a.B, methodName: C}",
            "/a.B/CC",
            {"content-type": "application/grpc"},
            False,
        ),
        ("{}", "/a.B/C", {"content-type": "application/grpc"}, True),
    ],
)
def test_grpc_at_the_router(
    load: Any, match: str, path: str, headers: dict[str, str], matches: bool
) -> None:
    """A gRPC rule asks the content type, and service and method by the path."""
    mesh = table(load, service("any", rule("r", match, form="grpcRoute")))
    assert (ask(mesh, path, headers=headers, service="any").rule == "r") is matches


def test_tcp_asks_nothing(load: Any) -> None:
    """A tcp rule takes every connection."""
    text = service("any", rule("r", "{}", form="tcpRoute"), listeners="{port: 80, protocol: tcp}")
    assert ask(table(load, text), "", service="any").rule == "r"


def test_the_scheme_is_a_predicate_of_routers(load: Any) -> None:
    """Scheme is asked at the router only."""
    mesh = table(load, service("any", rule("r", "{prefix: /, scheme: https}")))
    assert ask(mesh, "/", service="any", scheme="https").rule == "r"
    assert ask(mesh, "/", service="any", scheme="http").rule is None


def test_match_port_chooses_the_listener(load: Any) -> None:
    """A rule for another listener's port is not in the list; without a port the first listens."""
    text = service(
        "any",
        rule("one", "{prefix: /, port: 80}"),
        rule("two", "{prefix: /, port: 81}"),
        listeners="{port: 80, protocol: http}}, {portMapping: {port: 81, protocol: http}",
    )
    mesh = table(load, text)
    assert ask(mesh, "/", service="any").rule == "one"
    assert ask(mesh, "/", service="any", port=81).rule == "two"

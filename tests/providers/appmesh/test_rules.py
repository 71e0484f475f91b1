"""The way of a request: gateway, rewrite, service, rule, target."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.matching import MatchAnswer, MatchQuery, RuleQuery, TargetWeight
from trimtab.errors import InvalidDocument
from trimtab.providers.appmesh import AppMesh, MeshTable, hops
from trimtab.providers.appmesh.hops import Path as RoutePath
from trimtab.providers.appmesh.hops import PathKind

MESH = """
{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: {name: m}, spec: {namespaceSelector: {}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: door, namespace: shop}
spec:
  namespaceSelector: {}
  listeners: [{portMapping: {port: 8088, protocol: http}}]
"""


def service(name: str, *rules: str, listeners: str = "{port: 80, protocol: http}") -> str:
    """A VirtualService with a VirtualRouter of the same name; each rule leads to a node named as
    the rule."""
    entries = "\n".join(rules)
    return f"""
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {{name: {name}, namespace: shop}}
spec: {{provider: {{virtualRouter: {{virtualRouterRef: {{name: {name}}}}}}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {{name: {name}, namespace: shop}}
spec:
  listeners: [{{portMapping: {listeners}}}]
  routes:
{entries}
"""


def rule(name: str, match: str, form: str = "httpRoute", priority: int | None = None) -> str:
    first = f"priority: {priority}, " if priority is not None else ""
    target = f"{{virtualNodeRef: {{name: {name}}}, weight: 1}}"
    return (
        f"    - {{name: {name}, {first}{form}: {{match: {match}, "
        f"action: {{weightedTargets: [{target}]}}}}}}"
    )


def route(
    name: str,
    match: str,
    to: str = "any",
    rewrite: str = "",
    priority: int | None = None,
    form: str = "httpRoute",
) -> str:
    first = f"priority: {priority}" if priority is not None else "awsName: " + name
    change = f", rewrite: {rewrite}" if rewrite else ""
    target = f"{{virtualService: {{virtualServiceRef: {{name: {to}}}}}}}"
    return f"""
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {{name: {name}, namespace: shop}}
spec: {{{first}, {form}: {{match: {match}, action: {{target: {target}{change}}}}}}}
"""


ANY = service("any", rule("all", "{prefix: /}"))


def table(load: Any, *texts: str) -> MeshTable:
    return MeshTable(AppMesh().load(load(MESH + "".join(texts))))


def won(found: MatchAnswer | None) -> str | None:
    assert found is not None
    return found.route and found.route.removeprefix("shop/")


def ask(mesh: MeshTable, path: str, **query: Any) -> MatchAnswer:
    headers = tuple(query.pop("headers", {}).items())
    found = mesh.answer(MatchQuery(path, headers=headers, **query))
    assert found is not None
    return found


# --- the whole way ------------------------------------------------------------------------------


def test_a_request_goes_through_both_hops(load: Any, base: Path) -> None:
    """Gateway route, service, router, rule, weights, and the target that Envoy's pick gives."""
    mesh = MeshTable(
        AppMesh().load(
            load(base, MESH.split("---", maxsplit=1)[0] + route("r", "{prefix: /c}", "cart"))
        )
    )
    expected = MatchAnswer(
        route="shop/r",
        service="shop/cart",
        router="shop/cart",
        rule="main",
        targets=(TargetWeight("cart-v1", 90), TargetWeight("cart-v2", 10)),
    )
    assert mesh.answer(MatchQuery("/c")) == expected
    picked = [ask(mesh, "/c", random=n).target for n in (0, 89, 90, 99, 100, 189, 190)]
    assert picked == ["cart-v1", "cart-v1", "cart-v2", "cart-v2", "cart-v1", "cart-v1", "cart-v2"]
    assert mesh.answer(MatchQuery("/x")) == MatchAnswer()


def test_a_request_may_enter_at_a_service(load: Any) -> None:
    """A sidecar's request skips the gateway: no gateway route, no rewrite."""
    mesh = table(load, route("r", "{prefix: /a}"), service("any", rule("all", "{prefix: /a}")))
    assert ask(mesh, "/a", service="shop/any").rule == "all"
    assert ask(mesh, "/a", service="any").route is None
    assert ask(mesh, "/a").rule is None  # the gateway made / of it


@pytest.mark.parametrize("entry", [{"gateway": "gone"}, {"service": "gone"}])
def test_an_entry_that_does_not_exist_gives_nothing(load: Any, entry: dict[str, str]) -> None:
    """None, and not "no route": the caller named what is not there."""
    assert table(load, ANY).answer(MatchQuery("/", **entry)) is None


def test_the_gateway_must_be_clear(load: Any, base: Path) -> None:
    """Without a name there must be exactly one gateway; a bare name must be clear as well."""
    reading = AppMesh().load(load(MESH, MESH.replace("shop", "till")))
    for query in (MatchQuery("/"), MatchQuery("/", gateway="door")):
        with pytest.raises(InvalidDocument, match=r"shop/door, till/door"):
            MeshTable(reading).answer(query)
    with pytest.raises(InvalidDocument, match="there is none"):
        MeshTable(AppMesh().load({})).answer(MatchQuery("/"))


def test_a_port_that_nobody_listens_on(load: Any) -> None:
    """A request to another port than the listener's reaches nothing."""
    mesh = table(load, ANY, route("r", "{prefix: /}"))
    assert won(ask(mesh, "/", port=8088)) == "r"
    assert ask(mesh, "/", port=80) == MatchAnswer()


def test_a_service_that_is_not_there_still_wins(load: Any) -> None:
    """A GatewayRoute to an unknown VirtualService takes its requests, and they go nowhere."""
    mesh = table(load, ANY, route("r", "{prefix: /a}", "gone"), route("s", "{prefix: /}"))
    assert ask(mesh, "/a") == MatchAnswer(route="shop/r")


def test_a_service_with_a_node_as_provider(load: Any, base: Path) -> None:
    """There is no router and no rule, and one target of weight 1."""
    text = """
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {provider: {virtualNode: {virtualNodeRef: {name: cart-v2}}}}
"""
    mesh = MeshTable(AppMesh().load(load(base, text)))
    found = ask(mesh, "/x", service="cart", random=7)
    assert found == MatchAnswer(
        service="shop/cart", targets=(TargetWeight("cart-v2", 1),), target="cart-v2"
    )


def test_all_zero_weights_pick_nothing(load: Any, base: Path) -> None:
    """The rule matches and shows its weights, but no target is picked."""
    text = base.read_text().replace("weight: 90", "weight: 0").replace("weight: 10", "weight: 0")
    mesh = MeshTable(AppMesh().load(load(text)))
    found = ask(mesh, "/", service="cart", random=1)
    assert [t.weight for t in found.targets] == [0, 0]
    assert found.target is None
    picked = mesh.pick(RuleQuery("cart", "main", 1))
    assert picked is not None
    assert picked.target is None


def test_picking_by_rule(load: Any, base: Path) -> None:
    """A rule can be picked from by its name, without a request."""
    mesh = MeshTable(AppMesh().load(load(base)))
    found = mesh.pick(RuleQuery("shop/cart", "main", 95))
    assert found == MatchAnswer(
        router="shop/cart",
        rule="main",
        targets=(TargetWeight("cart-v1", 90), TargetWeight("cart-v2", 10)),
        target="cart-v2",
    )
    assert mesh.pick(RuleQuery("shop/cart", "other")) is None
    assert mesh.pick(RuleQuery("shop/gone", "main")) is None


# --- rewrites ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "rewrite", "path", "seen"),
    [
        ("{prefix: /}", "", "/a/b?q=1", "/a/b?q=1"),
        ("{prefix: /x}", "", "/x", "/"),
        ("{prefix: /x}", "", "/x/", "/"),
        ("{prefix: /x}", "", "/x/a/b?q=/x", "/a/b?q=/x"),
        ("{prefix: /x}", "", "/xy", "/y"),
        ("{prefix: /x/}", "", "/x/a", "/a"),
        ("{prefix: /x}", "{prefix: {defaultPrefix: ENABLED}}", "/x/a", "/a"),
        ("{prefix: /x}", "{prefix: {defaultPrefix: DISABLED}}", "/x/a", "/x/a"),
        ("{prefix: /x}", "{prefix: {value: /y/}}", "/x/a", "/y/a"),
        ("{prefix: /x}", "{prefix: {value: /y/}}", "/x", "/y/"),
        ("{prefix: /}", "{prefix: {value: /y/}}", "/a", "/y/a"),
        ("{path: {exact: /x}}", "", "/x?q=1", "/x?q=1"),
        ("{path: {exact: /x}}", "{path: {exact: /y/z}}", "/x?q=1", "/y/z?q=1"),
        ("{path: {regex: '/x/[0-9]+'}}", "{path: {exact: /y}}", "/x/12?", "/y?"),
        ("{hostname: {exact: shop.example}}", "", "/a", "/a"),
        ("{prefix: /x}", "{hostname: {defaultTargetHostname: DISABLED}}", "/x/a", "/a"),
    ],
)
def test_the_second_hop_sees_the_rewritten_path(
    load: Any, match: str, rewrite: str, path: str, seen: str
) -> None:
    """Default: a matched prefix becomes /, an exact or regex path stays; the query always stays."""
    mesh = table(load, ANY, route("r", match, rewrite=rewrite))
    first, second = mesh.explain(MatchQuery(path, host="shop.example"))
    assert first.path == path
    assert second.path == seen


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


# --- hosts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "winner"),
    [
        ("shop.example", "exact"),
        ("SHOP.example", "exact"),
        ("shop.example:8088", "exact"),
        ("eu.shop.example", "suffix"),
        ("a.eu.shop.example", "deeper"),
        ("other.example", "plain"),
        ("", "plain"),
    ],
)
def test_hosts_choose_before_paths(load: Any, host: str, winner: str) -> None:
    """Exact host, then the longest suffix, then any; a suffix may be written with or without *."""
    mesh = table(
        load,
        ANY,
        route("exact", "{hostname: {exact: Shop.example}}"),
        route("suffix", "{hostname: {suffix: .shop.example}}"),
        route("deeper", "{hostname: {suffix: '*.eu.shop.example'}}"),
        route("plain", "{prefix: /}", priority=0),
    )
    assert won(ask(mesh, "/", host=host)) == winner


def test_hosts_are_one_in_whatever_case(load: Any) -> None:
    """Two spellings of a host are one virtual host, in which the order of the routes holds."""
    texts = (
        route("a", "{prefix: /, hostname: {exact: Shop.Example}}"),
        route("b", "{prefix: /long, hostname: {exact: shop.example}}"),
    )
    reading = AppMesh().load(load(MESH, *texts))
    (gateway,) = reading.gateways.values()
    assert [h.domains for h in hops.gateway_hosts(reading, gateway)] == [
        ("shop.example", "shop.example:8088")
    ]
    assert won(ask(table(load, ANY, *texts), "/long", host="SHOP.example")) == "b"


def test_there_is_no_way_from_one_host_to_another(load: Any) -> None:
    """A host whose routes do not match gives nothing, though a route for any host would match."""
    mesh = table(
        load,
        ANY,
        route("mine", "{prefix: /mine, hostname: {exact: shop.example}}"),
        route("plain", "{prefix: /}"),
    )
    assert won(ask(mesh, "/other", host="shop.example")) is None
    assert won(ask(mesh, "/other", host="other.example")) == "plain"


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


# --- explaining ---------------------------------------------------------------------------------


def test_explaining_says_for_each_rule_why_not(load: Any) -> None:
    """Every rule of each hop, in order, with the predicate that beat it; the winner has none."""
    mesh = table(
        load,
        service("any", rule("x", "{prefix: /x}"), rule("all", "{prefix: /}")),
        route("post", "{prefix: /a, method: POST}"),
        route("all", "{prefix: /}"),
    )
    first, second = mesh.explain(MatchQuery("/a", gateway="door"))
    assert [(r.name, r.matched) for r in first.rules] == [
        ("shop/post (prefix /a/)", False),
        ("shop/post (prefix /a)", False),
        ("shop/all (prefix /)", True),
    ]
    assert first.rules[1].reason == "method must be POST"
    assert first.rules[2].reason == ""
    assert second.title == "VirtualService shop/any"
    assert [(r.name, r.matched, bool(r.reason)) for r in second.rules] == [
        ("x", False, True),
        ("all", True, False),
    ]
    assert second.as_json()["rules"][0]["name"] == "x"


def test_paths_are_values() -> None:
    """Entries can be compared and hashed, as caches of translations need."""
    assert hops.Match(RoutePath(PathKind.PREFIX, "/")) == hops.Match(hops.EVERY_PATH)
    assert hash(hops.Match(hops.EVERY_PATH))

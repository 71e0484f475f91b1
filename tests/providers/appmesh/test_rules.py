"""The way of a request: gateway, rewrite, service, rule, target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from providers.appmesh.two_hops import ANY, MESH, ask, route, rule, service, table, won

from trimtab.core.matching import MatchAnswer, MatchQuery, RuleQuery, TargetWeight
from trimtab.errors import InvalidDocument
from trimtab.providers.appmesh import AppMesh, MeshTable, hops
from trimtab.providers.appmesh.hops import Path as RoutePath
from trimtab.providers.appmesh.hops import PathKind

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

"""RouteConfigurations as rules: every form that a document may have, and what it comes to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab import RouteTable
from trimtab.core.matching import MatchQuery
from trimtab.errors import InvalidDocument
from trimtab.providers.envoy_routes import Action, EnvoyRoute, answer, explain, table_of

SHOP = """\
name: shop
virtual_hosts:
- name: shop
  domains: [shop.example, "*.shop.example"]
  routes:
  - name: cart
    match: {prefix: /cart, headers: [{name: x-user, string_match: {exact: me}}]}
    route: {weighted_clusters: {clusters: [{name: v1, weight: 90}, {name: v2, weight: 10}]}}
  - match: {path: /old}
    redirect: {path_redirect: /new}
  - name: all
    match: {prefix: /}
    route: {cluster: web, timeout: 15s, retry_policy: {retry_on: "5xx", num_retries: 2}}
- name: nobody
  domains: [nobody.example]
"""
TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(SHOP)
    return loaded


def camel(value: Any) -> Any:
    """The same in lowerCamelCase."""
    if isinstance(value, dict):
        return {_camel(key): camel(inner) for key, inner in value.items()}
    return [camel(inner) for inner in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def way(table: RouteTable, path: str, host: str = "shop.example", **headers: str) -> str | None:
    found = table.match(
        path, host, "GET", {name.replace("_", "-"): v for name, v in headers.items()}
    )
    return found.route if found else None


def check(table: RouteTable) -> None:
    assert way(table, "/cart/1", x_user="me") == "cart"
    assert way(table, "/cart/1") == "all"
    assert way(table, "/old", "www.shop.example") == "routes[1]"
    assert way(table, "/", "nobody.example") is None
    assert way(table, "/", "elsewhere") is None


def test_all_forms_of_a_document_are_the_same(tmp_path: Path) -> None:
    """A document, its text as YAML and JSON, in snake_case and lowerCamelCase, with @type, a file by
    its name and by its path."""
    file = tmp_path / "routes.yaml"
    file.write_text(SHOP)
    forms: list[Any] = [document(), SHOP, json.dumps(document()), camel(document())]
    forms += [{"@type": TYPE, **document()}, file, str(file)]
    for form in forms:
        check(RouteTable.from_envoy(form))


def test_a_configuration_dump_holds_static_and_dynamic_ones() -> None:
    """Where there is one it is taken; where there are several one is to be named."""
    mine = {"version_info": "1", "route_config": {"@type": TYPE, **document()}}
    other = {"route_config": {"@type": TYPE, "name": "other"}}
    kind = "type.googleapis.com/envoy.admin.v3.RoutesConfigDump"
    clusters = {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump"}
    one = {"configs": [clusters, {"@type": kind, "dynamic_route_configs": [mine]}]}
    check(RouteTable.from_envoy(one))
    two = {
        "configs": [{"@type": kind, "static_route_configs": [other], "dynamicRouteConfigs": [mine]}]
    }
    check(RouteTable.from_envoy(json.dumps(two), name="shop"))
    with pytest.raises(
        InvalidDocument, match='holds 2 RouteConfigurations: name one of "other", "shop"'
    ):
        RouteTable.from_envoy(two)
    with pytest.raises(InvalidDocument, match='none is called "shoe"; there are "other", "shop"'):
        RouteTable.from_envoy(two, name="shoe")
    with pytest.raises(InvalidDocument, match='several are called "shop"'):
        RouteTable.from_envoy({"configs": [*one["configs"], *one["configs"]]}, name="shop")


def test_a_file_of_xds_resources_is_read_too() -> None:
    """As Envoy itself takes one from its file system."""
    check(RouteTable.from_envoy({"resources": [{"@type": TYPE, **document()}]}))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.yaml", "nowhere.yaml: No such file or directory"),
        ("[1]", "is a list, not an object"),
        ("a: [", "not YAML"),
        ("a: 1\na: 2", "key 'a' stands twice"),
        ('{"name": "a", "name": "b"}', "key 'name' stands twice"),
        (
            {"configs": [{"@type": "x/envoy.admin.v3.ClustersConfigDump"}]},
            "holds no RouteConfiguration",
        ),
        ({"@type": "x/envoy.config.listener.v3.Listener"}, "holds no RouteConfiguration"),
    ],
)
def test_what_is_no_configuration_is_said(source: Any, message: str) -> None:
    """With the file, or what was given instead."""
    with pytest.raises(InvalidDocument, match=message):
        table_of(source)


def test_the_data_of_a_rule_says_what_the_route_is() -> None:
    """Virtual host, index, action; targets are the clusters with their weights."""
    rules = RouteTable.from_envoy(SHOP).rules
    assert [rule.data for rule in rules] == [
        EnvoyRoute("shop", "cart", 0, Action.ROUTE),
        EnvoyRoute("shop", "routes[1]", 1, Action.REDIRECT),
        EnvoyRoute("shop", "all", 2, Action.ROUTE),
    ]
    assert [rule.targets for rule in rules] == [(("v1", 90), ("v2", 10)), (), (("web", 1),)]
    assert rules[0].hosts == ("shop.example", "*.shop.example")


def test_extensions_and_what_matches_nothing_are_passed_over() -> None:
    """Filters' own configuration, also of a kind that nobody knows, metadata, headers, retries."""
    tree = document()
    tree["typed_per_filter_config"] = {
        "own": {"@type": "type.googleapis.com/acme.Filter", "x": [1]}
    }
    host = tree["virtual_hosts"][0]
    host.update(request_headers_to_add=[{"header": {"key": "a", "value": "b"}}], metadata={})
    host["routes"][0]["typed_per_filter_config"] = {
        "own": {"@type": "t/acme.Filter", "deep": {"y": 1}}
    }
    host["routes"][0]["metadata"] = {"filter_metadata": {"istio": {"config": "/x"}}}
    host["routes"][0]["decorator"] = {"operation": "shop"}
    check(RouteTable.from_envoy(tree))


def test_numbers_may_be_texts_and_null_is_not_set() -> None:
    """As JSON of protobuf writes 64-bit numbers."""
    range_match = {"start": "-9223372036854775808", "end": 10}
    match = {"prefix": "/", "path": None, "headers": [{"name": "n", "range_match": range_match}]}
    route = {"name": "r", "match": match, "route": {"cluster": "c"}, "redirect": None}
    tree = {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]}
    table = RouteTable.from_envoy(tree)
    assert way(table, "/", n="9") == "r"
    assert way(table, "/", n="10") is None


# --- answers --------------------------------------------------------------------------------------


def routed(action: dict[str, Any]) -> RouteTable:
    route = {"name": "r", "match": {"prefix": "/"}, **action}
    return RouteTable.from_envoy(
        {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]}
    )


CLUSTERS = [{"name": "a", "weight": 1}, {"name": "b", "weight": 9}]


@pytest.mark.parametrize(
    ("weighted", "random", "headers", "cluster"),
    [
        ({}, None, (), None),
        ({}, 0, (), "a"),
        ({}, 11, (), "b"),
        ({}, -1, (), "b"),
        ({"runtime_key_prefix": "x"}, 10, (), "a"),
        ({"header_name": "X-Rand"}, None, (), None),
        ({"header_name": "X-Rand"}, 5, (("x-rand", "0"),), "a"),
        ({"header_name": "x-rand"}, None, (("X-Rand", " +10 "),), "a"),
        ({"header_name": "x-rand"}, 5, (("x-rand", "0x0"),), "b"),
        ({"header_name": "x-rand"}, 5, (("x-rand", "-1"),), "b"),
        ({"header_name": "x-rand"}, 5, (("x-rand", "0"), ("x-rand", "0")), "b"),
        ({"header_name": "x-rand"}, 0, (("x-rand", "18446744073709551616"),), "a"),
        ({"header_name": "x-rand"}, 0, (("x-rand", "18446744073709551615"),), "b"),
    ],
)
def test_a_weighted_cluster_is_picked_by_a_number(
    weighted: dict[str, Any], random: int | None, headers: Any, cluster: str | None
) -> None:
    """That of the header, if it holds one number of 64 bits, else that of the request."""
    table = routed({"route": {"weighted_clusters": {"clusters": CLUSTERS, **weighted}}})
    found = answer(table, MatchQuery("/", random=random, headers=headers))
    assert found.cluster == cluster
    assert found.targets == (("a", 1), ("b", 9))


@pytest.mark.parametrize(
    ("action", "cluster"),
    [
        ({"route": {"cluster": "c"}}, "c"),
        ({"route": {"weighted_clusters": {"clusters": [{"name": "c", "weight": 3}]}}}, "c"),
        ({"route": {"cluster_header": "X-Cluster"}}, "first"),
        ({"route": {"cluster_header": "x-other"}}, None),
        ({"route": {"cluster_header": ":authority"}}, "h"),
        ({"redirect": {"host_redirect": "x"}}, None),
        ({"direct_response": {"status": 200}}, None),
        ({"non_forwarding_action": {}}, None),
        ({"filter_action": {}}, None),
    ],
)
def test_a_cluster_is_known_without_a_number(action: dict[str, Any], cluster: str | None) -> None:
    """Where there is one, or a header names it; what leads to none has none."""
    headers = (("x-cluster", "first"), ("x-cluster", "second"))
    found = answer(routed(action), MatchQuery("/", host="h", headers=headers))
    assert (found.virtual_host, found.route, found.cluster) == ("v", "r", cluster)


def test_every_route_is_explained() -> None:
    """In order, with the virtual host that it is in."""
    table = RouteTable.from_envoy(SHOP)
    told = explain(table, MatchQuery("/cart", host="shop.example"))
    assert [(r.virtual_host, r.route, r.matched, r.reason) for r in told] == [
        ("shop", "cart", False, 'header "x-user" must equal "me"'),
        ("shop", "routes[1]", False, 'path must equal "/old"'),
        ("shop", "all", True, ""),
    ]


def test_the_matcher_imports_no_schema_until_it_is_asked() -> None:
    """`import trimtab` stays light."""
    program = (
        "import sys, trimtab\n"
        "print([m for m in ('google.protobuf', 'yaml', 'trimtab.providers') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"

"""What is refused, with the virtual host, the route and the field that it stands in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab import RouteTable
from trimtab.errors import InvalidDocument
from trimtab.testbed.telling_envoy import TellingEnvoy

Document = dict[str, Any]


def route(match: Document, **action: Any) -> Document:
    leads = action or {"route": {"cluster": "c"}}
    routes = [{"name": "r", "match": match, **leads}]
    return {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]}


def header(**asks: Any) -> Document:
    return route({"prefix": "/", "headers": [{"name": "x", **asks}]})


def query(**asks: Any) -> Document:
    return route({"prefix": "/", "query_parameters": [{"name": "k", **asks}]})


def weighted(*clusters: Document, **more: Any) -> Document:
    return route({"prefix": "/"}, route={"weighted_clusters": {"clusters": list(clusters), **more}})


def hosts(*domains: list[str], **more: Any) -> Document:
    listed = [{"name": f"v{i}", "domains": names} for i, names in enumerate(domains)]
    return {"virtual_hosts": listed, **more}


A = {"name": "a", "weight": 1}
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}

# What Envoy refuses as well.
WRONG = [
    (hosts(["a.b"], ["A.b"]), """virtual_hosts[1] "v1": domains[0]: 'A.b' stands in"""),
    (hosts(["a.b", "a.b"]), """virtual_hosts[0] "v0": domains[1]: 'a.b' stands in"""),
    (hosts(["*"], ["*"]), """domains[0]: '*' stands in"""),
    (hosts(["*.b"], ["*.B"]), """domains[0]: '*.B' stands in"""),
    (hosts([]), "domains: needs at least one"),
    ({"virtual_hosts": [{"domains": ["*"]}]}, "virtual_hosts[0].name: is empty"),
    (route({}), '"r": match: asks nothing of the path'),
    (route({"headers": [{"name": "x"}]}), "match: asks nothing of the path"),
    (route({"safe_regex": {"regex": ""}}), "match.safe_regex.regex: is empty"),
    (route({"safe_regex": {"regex": "(?=a)"}}), 'match.safe_regex.regex: "(?=a)": not RE2 syntax'),
    (route({"path_separated_prefix": "/a/"}), "match.path_separated_prefix: \"/a/\" ends with '/'"),
    (route({"path_separated_prefix": "/"}), "match.path_separated_prefix: \"/\" ends with '/'"),
    (route({"path_separated_prefix": "a"}), "match.path_separated_prefix: is one character"),
    (route({"path_separated_prefix": "/a?"}), "match.path_separated_prefix"),
    (header(prefix_match=""), 'match.headers[0] "x": prefix_match: is empty'),
    (header(string_match={}), "string_match: compares with nothing"),
    (header(string_match={"contains": ""}), "string_match: is empty"),
    (header(string_match={"safe_regex": {"regex": ""}}), "string_match.safe_regex.regex: is empty"),
    (
        header(string_match={"safe_regex": {"regex": "a"}, "ignore_case": True}),
        "string_match.ignore_case: does nothing with a regex",
    ),
    (header(string_match={"safe_regex": {"regex": "a**"}}), '"a**": not RE2 syntax'),
    (header(string_match={"custom": {"name": "x", "typed_config": EMPTY}}), "custom: not honoured"),
    (route({"prefix": "/", "headers": [{"name": ""}]}), "match.headers[0]: is empty"),
    (query(string_match={}), "string_match: compares with nothing"),
    (query(string_match={"prefix": ""}), 'match.query_parameters[0] "k": string_match: is empty'),
    (route({"prefix": "/", "query_parameters": [{"name": "k" * 1025}]}), "is longer than 1024"),
    (weighted(), "weighted_clusters.clusters: needs at least one"),
    (weighted({"name": "a", "weight": 0}), "weighted_clusters: the weights sum to zero"),
    (weighted({"name": "a"}), 'clusters[0] "a": weight: is missing'),
    (weighted({"name": "a", "weight": 2**32 - 1}, A), "sum to more than 4294967295"),
    (weighted({"weight": 1}), "clusters[0].name: is empty"),
    (route({"prefix": "/"}, route={}), "route: needs a cluster"),
    (route({"prefix": "/"}, route={"cluster": ""}), "route.cluster: is empty"),
    (route({"prefix": "/"}, route={"cluster_header": ""}), "route.cluster_header: is empty"),
    (route({"prefix": "/"}, direct_response={"status": 42}), "direct_response.status: 42 is not"),
    (route({"prefix": "/"}, metadata={}), '"r": leads nowhere'),
    (route({"prefix": "/", "runtime_fraction": {}}), "runtime_fraction: needs a default_value"),
]  # fmt: skip

# What Envoy takes, and the matcher cannot honour.
BEYOND = [
    (route({"connect_matcher": {}}), "match.connect_matcher: not honoured"),
    (route({"prefix": "/", "tls_context": {"presented": True}}), "match.tls_context: not honoured"),
    (
        route({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 50}}}),
        "match.runtime_fraction.default_value: not honoured: 50 of 100",
    ),
    (
        route({"prefix": "/", "cookies": [{"name": "k", "string_match": {"exact": "a"}}]}),
        "match.cookies: not honoured",
    ),
    (
        route({"prefix": "/", "dynamic_metadata": [{"filter": "f", "path": [{"key": "k"}], "value": {"present_match": True}}]}),
        "match.dynamic_metadata: not honoured",
    ),
    (
        route({"prefix": "/", "filter_state": [{"key": "k", "string_match": {"exact": "a"}}]}),
        "match.filter_state: not honoured",
    ),
    (weighted({"cluster_header": "x", "weight": 1}), "clusters[0].cluster_header: not honoured"),
    (weighted(A, use_hash_policy=True), "use_hash_policy: not honoured"),
    (hosts(["a*b"]), 'domains[0]: "a*b" is none of'),
    (hosts([""]), 'domains[0]: "" is none of'),
    (route({"prefix": "/", "headers": [{"name": "a b"}]}), "is not the name of a header"),
    (hosts(["*"], vhost_header="x"), "vhost_header: not honoured"),
    (hosts(["*"], internal_only_headers=["x"]), "internal_only_headers: not honoured"),
    (hosts(["*"], ignore_path_parameters_in_path_matching=True), "ignore_path_parameters"),
    ({"virtual_hosts": [{"name": "v", "domains": ["*"], "require_tls": "ALL"}]}, "require_tls: not honoured"),
]  # fmt: skip

# What a test has no whole document for, or Envoy only takes with more than routes.
OURS = [
    ({"vhds": {"config_source": {"ads": {}}}}, "vhds: not honoured"),
    (
        {"virtual_hosts": [{"name": "v", "domains": ["*"], "matcher": {"matcher_tree": {}}}]},
        'virtual_hosts[0] "v": matcher: not honoured',
    ),
    (
        route({"path_match_policy": {"name": "t", "typed_config": EMPTY}}),
        "match.path_match_policy: not honoured",
    ),
    (route({"prefix": "/"}, route={"cluster_specifier_plugin": "p"}), "cluster_specifier_plugin: not honoured"),
]  # fmt: skip

# What protobuf's reader refuses.
UNREADABLE = [
    (route({"prefixx": "/"}), 'virtual_hosts[0] "v": routes[0] "r": match.prefixx: unknown field; RouteMatch has prefix, path'),
    (route({"prefix": "/", "path": "/"}), '"r": match: Message type'),
    (route({"prefix": 3}), '"r": match.prefix: expected string'),
    (header(range_match={"start": "x"}), 'match.headers[0] "x": range_match.start'),
    (route({"prefix": "/", "headers": {"name": "x"}}), "match.headers: "),
    (weighted(A, {"name": "b", "weight": -1}), 'weighted_clusters.clusters[1] "b": weight: Value out of range: -1'),
    (route({"prefix": "/"}, route={"cluster": "c", "timeout": "15"}), "route.timeout: "),
    ({"virtual_hosts": [None]}, "virtual_hosts[0]: must be an object, is None"),
    ({"virtual_hosts": "x"}, "virtual_hosts: "),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), [*WRONG, *BEYOND, *OURS, *UNREADABLE])
def test_a_refusal_names_the_field(document: Document, message: str) -> None:
    """Each is an InvalidDocument that begins with where it is."""
    with pytest.raises(InvalidDocument) as caught:
        RouteTable.from_envoy(document)
    assert message in str(caught.value)
    assert str(caught.value).startswith("RouteConfiguration: ")


def test_a_refusal_names_the_file(tmp_path: Path) -> None:
    """And the configuration in it, where there are several."""
    file = tmp_path / "dump.json"
    file.write_text(
        '{"resources": [{"@type": "t/envoy.config.route.v3.RouteConfiguration", "name": "a"},'
        ' {"@type": "t/envoy.config.route.v3.RouteConfiguration", "name": "b", "x": 1}]}'
    )
    with pytest.raises(InvalidDocument, match=r"dump\.json: b: x: unknown field"):
        RouteTable.from_envoy(file, name="b")


def test_envoy_refuses_what_is_wrong_and_takes_what_is_beyond_us(envoy_binary: Path) -> None:
    """So that the two lists above are what they are called."""
    documents = [document for document, _ in [*WRONG, *BEYOND]]
    with TellingEnvoy.serving(documents, ["a", "c"]) as envoy:
        refused = envoy.refusals()
    assert sorted(refused) == list(range(len(WRONG)))

"""``trimtab match`` and ``trimtab explain`` over a configuration of Envoy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from app.test_cli import trimtab

ROUTES = """\
name: shop
virtual_hosts:
- name: shop
  domains: [shop.example]
  routes:
  - name: cart
    match: {safe_regex: {regex: "/cart/[0-9]+"}, headers: [{name: x-user, string_match: {exact: me}}]}
    route: {weighted_clusters: {clusters: [{name: v1, weight: 90}, {name: v2, weight: 10}]}}
  - match: {prefix: /old}
    redirect: {path_redirect: /new}
  - match: {prefix: /}
    route: {cluster: web}
"""
CART = {"name": "v1", "weight": 90}, {"name": "v2", "weight": 10}


@pytest.fixture
def routes(tmp_path: Path) -> str:
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    return str(file)


def asked(**request: object) -> str:
    return json.dumps({"path": "/cart/1?q", "host": "shop.example", **request}) + "\n"


def test_one_object_a_request_in_order(routes: str) -> None:
    """The cluster is the picked one with a number, the one that there is without; where nothing
    matches the names are null and there are no targets."""
    me = {"headers": {"X-User": ["you", "me"]}}
    stdin = asked(**me, random=95) + asked(**me) + asked() + asked(path="/old") + asked(host="x")
    answer = trimtab("match", "--envoy", routes, "--requests", "-", "--json", stdin=stdin)
    assert answer.returncode == 0
    cart = {"virtual_host": "shop", "route": "cart", "targets": list(CART)}
    assert [json.loads(line) for line in answer.stdout.splitlines()] == [
        {**cart, "cluster": "v2"},
        {**cart, "cluster": None},
        {
            "virtual_host": "shop",
            "route": "routes[2]",
            "cluster": "web",
            "targets": [{"name": "web", "weight": 1}],
        },
        {"virtual_host": "shop", "route": "routes[1]", "cluster": None, "targets": []},
        {"virtual_host": None, "route": None, "cluster": None, "targets": []},
    ]


def test_people_get_a_table(routes: str) -> None:
    """With the brackets that stand in names."""
    answer = trimtab("match", "--envoy", routes, stdin=asked(path="/"))
    assert answer.returncode == 0
    assert "routes[2]" in answer.stdout


def test_explain_says_what_each_route_failed_on(routes: str) -> None:
    """In text with the regex as it was written, in JSON with the answer beside it."""
    request = ("--envoy", routes, "--host", "shop.example", "--path", "/cart/x", "--random", "3")
    text = trimtab("explain", *request)
    assert text.returncode == 0
    assert "[0-9]+" in text.stdout
    document = json.loads(trimtab("explain", *request, "--json").stdout)
    assert document["answer"]["cluster"] == "web"
    assert [(r["route"], r["matched"]) for r in document["routes"]] == [
        ("cart", False),
        ("routes[1]", False),
        ("routes[2]", True),
    ]


def test_explain_takes_the_requests_that_match_takes(routes: str, tmp_path: Path) -> None:
    """One JSON object a line."""
    requests = tmp_path / "requests.jsonl"
    requests.write_text(asked() + asked(host="x"))
    answer = trimtab("explain", "--envoy", routes, "--requests", str(requests), "--json")
    first, second = (json.loads(line) for line in answer.stdout.splitlines())
    assert first["answer"]["route"] == "routes[2]"
    assert second["answer"]["route"] is None
    assert second["routes"][0]["reason"] == "host belongs to no rule"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --manifests or --envoy, one of them"),
        (("--envoy", "r.yaml", "--manifests", "mesh"), "give --manifests or --envoy, one of them"),
        (("--envoy", "r.yaml", "--gateway", "g"), "go with --manifests"),
        (("--manifests", "mesh", "--name", "n"), "--name goes with --envoy"),
        (("--envoy", "nowhere.yaml"), "nowhere.yaml: No such file"),
    ],
)
@pytest.mark.parametrize("command", ["match", "explain"])
def test_wrong_usage_is_one_sentence(command: str, arguments: tuple[str, ...], told: str) -> None:
    """Exit 2, and no traceback."""
    answer = trimtab(command, *arguments)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_cannot_be_honoured_names_its_place(tmp_path: Path) -> None:
    """File, virtual host, route, field, and what to do."""
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES.replace("{prefix: /}", "{prefix: /, tls_context: {presented: true}}"))
    answer = trimtab("match", "--envoy", str(file), stdin=asked())
    assert answer.returncode == 2
    assert (
        f'{file}: virtual_hosts[0] "shop": routes[2].match.tls_context: not honoured'
        in answer.stderr
    )
    assert "leave it out" in answer.stderr


def test_a_wrong_request_names_its_line(routes: str) -> None:
    """As over manifests; what was answered before it stays answered."""
    answer = trimtab("match", "--envoy", routes, "--json", stdin=asked() + "{}\n")
    assert answer.returncode == 2
    assert "-:2: a request is an object" in answer.stderr
    assert len(answer.stdout.splitlines()) == 1

"""A VirtualGateway as a real Envoy serves it: GatewayRoutes, rewrites, hosts, splits."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from xds_harness.documents import gateway, gateway_route, mesh, node, router, rule, service
from xds_harness.world import Client, applications, control_plane, envoy_of

from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")


def backing(name: str, port: int) -> list:
    """A VirtualService with a router of its own, all to one node."""
    return [service(name, router=name), router(name, rule("all", {name: 100})), node(name, port)]


async def test_rewrites(tmp_path: Path) -> None:
    """Each form of rewrite does to path and Host what App Mesh did: the prefix becomes /, a value
    or stays; an exact path or regex is replaced as a whole; the query stays; the Host becomes the
    name of the VirtualService unless that is disabled."""
    port = free_port()
    keep_host = {"hostname": {"defaultTargetHostname": "DISABLED"}}
    routes = {
        "default": ({"prefix": "/default"}, None),
        "slash": ({"prefix": "/slash/"}, None),
        "kept": ({"prefix": "/kept"}, {"prefix": {"defaultPrefix": "DISABLED"}}),
        "value": ({"prefix": "/value"}, {"prefix": {"value": "/put/here/"}}),
        "exact": ({"path": {"exact": "/exact"}}, None),
        "whole": ({"path": {"exact": "/whole"}}, {"path": {"exact": "/new/whole"}}),
        "regex": ({"path": {"regex": "/re/[0-9]+"}}, {"path": {"exact": "/new/regex"}}),
        "host": ({"prefix": "/host"}, keep_host),
        "both": ({"prefix": "/both"}, {**keep_host, "prefix": {"value": "/b/"}}),
    }
    cases = {
        "/default": "/",
        "/default/": "/",
        "/default/x?q=1": "/x?q=1",
        "/default?q=1": "/?q=1",
        "/default1": "/1",
        "/slash/x": "/x",
        "/kept/x": "/kept/x",
        "/value/x": "/put/here/x",
        "/value": "/put/here/",
        "/exact?q=1": "/exact?q=1",
        "/whole?q=1": "/new/whole?q=1",
        "/re/12?q=1": "/new/regex?q=1",
        "/host/x": "/x",
        "/both/x": "/b/x",
    }
    async with applications("app") as [app]:
        documents = [mesh(), gateway(port), *backing("app", app.port)]
        documents += [gateway_route(n, m, "app", rewrite=r) for n, (m, r) in routes.items()]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            Client(port) as client,
        ):
            for path, expected in cases.items():
                answer = await client.ask(path, "client.example:1234")
                assert answer.status == 200, (path, answer)
                kept = path.startswith(("/host", "/both"))
                host = "client.example:1234" if kept else "app.shop"
                assert (answer.seen["path"], answer.seen["host"]) == (expected, host), path
                assert "x-app-mesh-virtual-service" not in answer.seen["headers"]
            assert (await client.ask("/slash")).status == 404
            assert (await client.ask("/re/x")).status == 404
            assert (await client.ask("/nothing")).status == 404


async def test_hosts(tmp_path: Path) -> None:
    """Hostnames choose before paths do: exact, then the longest suffix, then no hostname; in any
    case, with or without the listener's port; a request never falls through to another host."""
    port = free_port()
    routes = [
        gateway_route("exact", {"prefix": "/", "hostname": {"exact": "a.example.com"}}, "exact"),
        gateway_route("long", {"hostname": {"suffix": "*.b.example.com"}}, "long"),
        gateway_route("short", {"hostname": {"suffix": ".example.com"}}, "short"),
        gateway_route("any", {"prefix": "/"}, "any"),
        gateway_route("only", {"prefix": "/x", "hostname": {"exact": "only.org"}}, "exact"),
    ]
    cases = {
        "a.example.com": "exact",
        "A.Example.COM": "exact",
        f"a.example.com:{port}": "exact",
        "x.b.example.com": "long",
        f"x.y.b.example.com:{port}": "long",
        "b.example.com": "short",
        "other.example.com": "short",
        "example.com": "any",
        "elsewhere": "any",
    }
    names = ["exact", "long", "short", "any"]
    async with applications(*names) as apps:
        backings = [d for app in apps for d in backing(app.name, app.port)]
        documents = [mesh(), gateway(port), *routes, *backings]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            Client(port) as client,
        ):
            for host, backend in cases.items():
                assert (await client.ask("/", host)).seen["backend"] == backend, host
            assert (await client.ask("/x", "only.org")).seen["backend"] == "exact"
            assert (await client.ask("/y", "only.org")).status == 404


async def test_a_split_is_what_the_weights_say(tmp_path: Path) -> None:
    """The shares of the targets lie in the band that 99.9 % of honest splits lie in; a target
    that weighs nothing gets nothing; weights are relative."""
    port, requests = free_port(), 4000
    weights = {"heavy": 60, "light": 20, "none": 0}
    async with applications(*weights) as apps:
        nodes = [node(app.name, app.port) for app in apps]
        documents = [mesh(), gateway(port), gateway_route("r", {"prefix": "/"}, "s"), *nodes]
        documents += [service("s", router="s"), router("s", rule("all", weights))]
        async with control_plane(*documents) as plane, envoy_of(plane, tmp_path):

            async def some() -> None:
                async with Client(port) as client:
                    for _ in range(requests // 8):
                        assert (await client.ask()).status == 200

            await asyncio.gather(*(some() for _ in range(8)))
        served = {app.name: app.served for app in apps}
        band = 3.29 * (requests * 0.75 * 0.25) ** 0.5
        assert served["none"] == 0
        assert abs(served["heavy"] - 0.75 * requests) <= band
        assert sum(served.values()) == requests


async def test_what_leads_nowhere(tmp_path: Path) -> None:
    """No provider: 404. No such VirtualService, no such VirtualNode, or nothing but zero weights:
    503, with a word of why where we answer; the rest of the gateway goes on."""
    port = free_port()
    async with applications("app") as [app]:
        documents = [
            mesh(),
            gateway(port),
            *backing("app", app.port),
            service("empty"),
            service("zero", router="zero"),
            router("zero", rule("all", {"app": 0})),
            service("gone", router="gone"),
            router("gone", rule("all", {"gone": 1})),
            service("direct", node="app"),
        ]
        services = ("app", "empty", "zero", "gone", "direct", "missing")
        documents += [gateway_route(f"to-{s}", {"prefix": f"/{s}"}, s) for s in services]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            Client(port) as client,
        ):
            answers = {s: await client.ask(f"/{s}") for s in services}
        assert {s: a.status for s, a in answers.items()} == {
            "app": 200,
            "direct": 200,
            "empty": 404,
            "zero": 503,
            "gone": 503,
            "missing": 503,
        }
        assert b"weights of route shop/zero/all are zero" in answers["zero"].body
        assert b"GatewayRoute shop/to-missing leads to no VirtualService" in answers["missing"].body


async def test_a_service_on_several_ports(tmp_path: Path) -> None:
    """target.port of a GatewayRoute chooses the listener of the router, and match.port its routes;
    without it the first listener is meant. match.port of a GatewayRoute is the gateway's port."""
    first, second = free_port(), free_port()
    async with applications("one", "two") as [one, two]:
        rules = [
            rule("one", {"one": 1}, {"prefix": "/", "port": 8080}),
            rule("two", {"two": 1}, {"prefix": "/", "port": 9090}),
        ]
        documents = [
            mesh(),
            gateway(first, more_ports=[second]),
            service("s", router="s"),
            router("s", *rules, ports={8080: "http", 9090: "http"}),
            node("one", one.port),
            node("two", two.port),
            gateway_route("plain", {"prefix": "/plain"}, "s"),
            gateway_route("said", {"prefix": "/said"}, "s", port=8080),
            gateway_route("other", {"prefix": "/other"}, "s", port=9090),
            gateway_route("here", {"prefix": "/here", "port": first}, "s"),
            gateway_route("there", {"prefix": "/here", "port": second}, "s", port=9090),
        ]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            Client(first) as client,
            Client(second) as other,
        ):
            for path, backend in {"/plain": "one", "/said": "one", "/other": "two"}.items():
                assert (await client.ask(path)).seen["backend"] == backend
                assert (await other.ask(path)).seen["backend"] == backend
            assert (await client.ask("/here")).seen["backend"] == "one"
            assert (await other.ask("/here")).seen["backend"] == "two"


async def test_names_are_those_of_app_mesh(tmp_path: Path) -> None:
    """Dashboards made for App Mesh find their series under the same cluster names."""
    port = free_port()
    async with applications("app") as [app]:
        route = gateway_route("r", {"prefix": "/"}, "app")
        documents = [mesh(), gateway(port), route, *backing("app", app.port)]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path) as envoy,
            Client(port) as client,
        ):
            assert (await client.ask()).status == 200
            stats = await asyncio.to_thread(envoy.admin, "/stats/prometheus")
            listeners = await asyncio.to_thread(envoy.admin, "/listeners?format=json")
            dump = await asyncio.to_thread(
                envoy.admin, "/config_dump?resource=dynamic_route_configs"
            )
        for cluster in (
            f"cds_egress_m_app_shop_http_{app.port}",
            "cds_ingress_m_gw_shop_self_redirect_http_15001",
        ):
            series = f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="2",envoy_cluster_name="{cluster}"}} 1'
            assert series in stats
        for prefix in ("ingress", "egress"):
            assert (
                f'{{envoy_response_code_class="2",envoy_http_conn_manager_prefix="{prefix}"}} 1'
                in stats
            )
        assert f"lds_ingress_0.0.0.0_{port}" in listeners
        assert "lds_egress_0.0.0.0_15001" in listeners
        assert f'"rds_ingress_http_{port}"' in dump
        assert '"rds_egress_http_15001"' in dump

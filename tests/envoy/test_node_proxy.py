"""The proxy of a VirtualNode as a real Envoy serves it: out to its backends, in to its application."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from xds_harness.documents import document, mesh, node, router, rule, service, weigh
from xds_harness.tcp import connect, redirected, speaker
from xds_harness.world import Client, applications, control_plane, envoy_of

from trimtab.providers.appmesh.envoy import Ports
from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")

CALLER = "mesh/m/virtualNode/caller_shop"


async def test_out_by_host_and_in_to_the_application(tmp_path: Path) -> None:
    """Requests out go by their Host, whatever its port, to a backend and to nothing else; requests
    in go to the application as they are."""
    ports = Ports(free_port(), free_port())
    async with applications("own", "a", "b") as [own, a, b]:
        documents = [
            mesh(),
            node("caller", own.port, backends=["split", "direct"]),
            node("a", a.port),
            node("b", b.port),
            service("split", router="split"),
            router("split", rule("all", {"a": 100, "b": 0})),
            service("direct", node="b"),
            service("stranger", node="a"),
        ]
        async with (
            control_plane(*documents, ports=ports) as plane,
            envoy_of(plane, tmp_path, CALLER),
            Client(ports.egress) as out,
            Client(ports.ingress) as inward,
        ):
            assert (await out.ask("/x?y", "split.shop")).seen["path"] == "/x?y"
            assert (await out.ask("/", "split.shop")).seen["host"] == "split.shop"
            assert (await out.ask("/", "split.shop:8080")).seen["backend"] == "a"
            assert (await out.ask("/", "DIRECT.shop")).seen["backend"] == "b"
            assert (await out.ask("/", "stranger.shop")).status == 404
            assert (await inward.ask("/y", "anything")).seen["backend"] == "own"
            assert await plane.apply(router("split", rule("all", {"a": 0, "b": 100}))) == {}
            assert (await out.ask("/", "split.shop")).seen["backend"] == "b"


async def test_backends_by_group(tmp_path: Path) -> None:
    """What a node may call by its groups it can call: the members of one, or with ``*`` every
    service of the namespace; a change of the group is a change of the proxy."""
    ports = Ports(free_port(), free_port())
    async with applications("a", "b") as apps:
        caller = node("caller", 80)
        caller["spec"]["backendGroups"] = [{"name": "some"}]
        documents = [mesh(), caller, document("BackendGroup", "some", {"virtualservices": []})]
        for app in apps:
            documents += [service(app.name, node=app.name), node(app.name, app.port)]
        async with (
            control_plane(*documents, ports=ports) as plane,
            envoy_of(plane, tmp_path, CALLER),
            Client(ports.egress) as out,
        ):
            assert (await out.ask("/", "a.shop")).status == 404
            group = {"virtualservices": [{"name": "a"}]}
            assert await plane.apply(document("BackendGroup", "some", group)) == {}
            assert (await out.ask("/", "a.shop")).seen["backend"] == "a"
            assert (await out.ask("/", "b.shop")).status == 404
            caller["spec"]["backendGroups"] = [{"name": "*"}]
            assert await plane.apply(caller) == {}
            assert (await out.ask("/", "b.shop")).seen["backend"] == "b"


async def test_tcp_by_weight(tmp_path: Path) -> None:
    """Connections to the port of a TCP service are split by weight; a target of zero weight has
    none (Envoy refuses a zero there); where all weigh nothing they are closed; HTTP on other
    ports is not touched."""
    ports = Ports(free_port(), free_port())
    async with (
        applications("web") as [web],
        speaker("a") as a,
        speaker("b") as b,
        speaker("c") as c,
    ):
        tcp = router(
            "db", rule("all", {"a": 3, "b": 1, "c": 0}, form="tcpRoute"), ports={5432: "tcp"}
        )
        documents = [
            mesh(),
            node("caller", 8080, backends=["db", "web"]),
            *(node(n, p, "tcp") for n, p in (("a", a), ("b", b), ("c", c))),
            service("db", router="db"),
            tcp,
            service("web", node="web"),
            node("web", web.port),
        ]
        async with control_plane(*documents, ports=ports) as plane:
            plane.patch = redirected
            async with envoy_of(plane, tmp_path, CALLER):
                said = Counter([await connect(ports.egress, 5432) for _ in range(400)])
                assert said["c"] == 0
                assert said["a"] + said["b"] == 400
                assert abs(said["a"] - 300) <= 3.29 * (400 * 0.75 * 0.25) ** 0.5
                async with Client(ports.egress) as client:
                    assert (await client.ask("/", "web.shop")).seen["backend"] == "web"
                assert await plane.apply(weigh(tcp, [0, 0, 1])) == {}
                assert {await connect(ports.egress, 5432) for _ in range(20)} == {"c"}
                assert await plane.apply(weigh(tcp, [0, 0, 0])) == {}
                assert await connect(ports.egress, 5432) == ""


async def test_ports_tell_the_listeners_of_a_service_and_of_the_application_apart(
    tmp_path: Path,
) -> None:
    """A connection that was redirected goes by the port that it was meant for, out and in; one to
    a port of the application that is not declared is closed."""
    ports = Ports(free_port(), free_port())
    async with applications("one", "two") as [one, two]:
        rules = [
            rule("one", {"one": 1}, {"prefix": "/", "port": 8080}),
            rule("two", {"two": 1}, {"prefix": "/", "port": 9090}),
        ]
        documents = [
            mesh(),
            node("caller", {one.port: "http", two.port: "http"}, backends=["s"]),
            node("one", one.port),
            node("two", two.port),
            service("s", router="s"),
            router("s", *rules, ports={8080: "http", 9090: "http"}),
        ]
        async with control_plane(*documents, ports=ports) as plane:
            plane.patch = redirected
            async with envoy_of(plane, tmp_path, CALLER):
                for listener, port, backend in (
                    (ports.egress, 8080, "one"),
                    (ports.egress, 9090, "two"),
                    (ports.egress, 1234, "one"),
                    (ports.ingress, one.port, "one"),
                    (ports.ingress, two.port, "two"),
                ):
                    async with Client(listener) as client:
                        client.meant_for = port
                        assert (await client.ask("/", "s.shop")).seen["backend"] == backend
                assert await connect(ports.ingress, 1) == ""


async def test_a_listener_that_insists_on_tls_stays_closed(tmp_path: Path) -> None:
    """Where STRICT TLS is asked, which is not served yet, plaintext is not accepted instead."""
    ports = Ports(free_port(), free_port())
    certificate = {"file": {"certificateChain": "/c.pem", "privateKey": "/k.pem"}}
    async with applications("own") as [own]:
        closed = node("caller", own.port)
        closed["spec"]["listeners"][0]["tls"] = {"mode": "STRICT", "certificate": certificate}
        async with (
            control_plane(mesh(), closed, ports=ports) as plane,
            envoy_of(plane, tmp_path, CALLER),
        ):
            with pytest.raises(OSError, match="Connect"):
                await asyncio.open_connection("127.0.0.1", ports.ingress)
            [found] = plane.translator.diagnostics(plane.reading)
            assert (found.code, found.field) == ("AM501", "spec.listeners[0].tls.mode")

"""What requests feel while the configuration of a real Envoy changes: nothing."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from xds_harness.documents import (
    GATEWAY_ID,
    gateway,
    gateway_route,
    mesh,
    node,
    router,
    rule,
    service,
    weigh,
)
from xds_harness.world import (
    Application,
    Client,
    Load,
    Plane,
    Resources,
    applications,
    control_plane,
    envoy_of,
    slow_names,
    until,
)

from trimtab.edges.xds.snapshot import CLUSTER, ROUTE
from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")


def split(**weights: int) -> dict:
    return router("s", rule("all", weights))


def base(port: int, *apps: Application) -> list[dict]:
    """A gateway to one VirtualService, split over the applications."""
    nodes = [node(app.name, app.port) for app in apps]
    weights = {app.name: 50 for app in apps}
    route = gateway_route("r", {"prefix": "/"}, "s")
    return [mesh(), gateway(port), route, service("s", router="s"), split(**weights), *nodes]


async def test_no_request_is_lost_in_500_weight_changes(tmp_path: Path) -> None:
    """Every change is acknowledged by one response of one route configuration, and of all the
    requests meanwhile none fails."""
    port = free_port()
    async with applications("a", "b") as apps:
        async with (
            control_plane(*base(port, *apps)) as plane,
            envoy_of(plane, tmp_path),
            Load(port) as load,
        ):
            await load.more(50)
            pushed = plane.server.status()[0].pushed
            for i in range(500):
                first = 1 + i % 99
                assert await plane.apply(split(a=first, b=100 - first)) == {}
            await load.more(50)
        assert plane.server.status()[0].pushed == pushed + 500
        assert load.failures == []
        assert load.backends.keys() == {"a", "b"}


async def test_a_new_target_is_there_before_it_gets_requests(tmp_path: Path) -> None:
    """Targets come and go, by address and by name, under load: make before break, so that no
    request meets a route without its cluster."""
    port = free_port()
    async with applications("a", "b", "c") as [a, b, c]:
        async with (
            control_plane(*base(port, a)) as plane,
            envoy_of(plane, tmp_path),
            Load(port, connections=8) as load,
        ):
            for _ in range(10):
                for app, host in ((b, "127.0.0.1"), (c, "localhost")):
                    changed = node(app.name, app.port, hostname=host, endpoints=host[0] == "l")
                    assert await plane.apply(changed, split(**{app.name: 100})) == {}
                    await load.more(20)
                    assert await plane.apply(split(a=100)) == {}
                    plane.store.remove("VirtualNode", app.name)
                    assert await plane.apply() == {}
        assert load.failures == []
        assert load.backends.keys() == {"a", "b", "c"}
        clusters = plane.translator.resources(plane.reading, GATEWAY_ID)[CLUSTER]
        assert not any(app in name for app in ("_b_", "_c_") for name in clusters)


async def test_a_target_that_is_still_looked_up_gets_no_requests(tmp_path: Path) -> None:
    """Envoy acknowledges a cluster that is found by name when it has its first address, and routes
    wait for that: a slow DNS costs no request."""
    port = free_port()
    async with (
        applications("a", "b") as [a, b],
        slow_names(0.3) as names,
        control_plane(*base(port, a)) as plane,
        envoy_of(plane, tmp_path, more=names),
        Load(port) as load,
    ):
        assert await plane.apply(node("b", b.port, hostname="b.test"), split(b=100)) == {}
        await load.more(100)
    assert load.failures == []
    assert load.backends.keys() == {"a", "b"}


async def test_a_name_that_is_not_found_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    """While a DNS server does not answer for a new target, the weights are moved all the same
    after a while; the targets that are there serve."""
    port = free_port()
    async with (
        applications("a", "b") as [a, b],
        slow_names(1000.0) as names,
        control_plane(*base(port, a, b), patience_s=0.5) as plane,
        envoy_of(plane, tmp_path, more=names),
        Load(port) as load,
    ):
        lost = node("lost", 80, hostname="lost.test")
        missing = await plane.apply(lost, split(a=0, b=100, lost=0), deadline_s=2.0)
        assert missing == {
            GATEWAY_ID: "cds_egress_m_lost_shop_http_80: not acknowledged within 2 s"
        }
        load.backends.clear()
        await load.more(100)
        assert load.backends.keys() == {"b"}
        assert load.failures == []


async def test_a_gateway_route_turns_to_another_service_without_loss(tmp_path: Path) -> None:
    """Retargeting a GatewayRoute changes both hops of the gateway; no request falls in between."""
    port = free_port()
    async with applications("blue", "green") as apps:
        documents = [mesh(), gateway(port), gateway_route("r", {"prefix": "/"}, "blue")]
        for app in apps:
            documents += [
                service(app.name, router=app.name),
                router(app.name, rule("all", {app.name: 1})),
                node(app.name, app.port),
            ]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            Load(port, connections=8) as load,
        ):
            for _ in range(40):
                for color in ("green", "blue"):
                    assert await plane.apply(gateway_route("r", {"prefix": "/"}, color)) == {}
                    await load.more(10)
        assert load.failures == []
        assert load.backends.keys() == {"blue", "green"}


async def test_a_new_listener_and_a_new_route_disturb_nobody(tmp_path: Path) -> None:
    """GatewayRoutes, services and whole listeners come and go beside the load."""
    port, other = free_port(), free_port()
    async with applications("a") as [a]:
        async with (
            control_plane(*base(port, a)) as plane,
            envoy_of(plane, tmp_path),
            Load(port) as load,
        ):
            for _ in range(5):
                extra = [service("t", node="a"), gateway_route("x", {"prefix": "/x"}, "t")]
                assert await plane.apply(gateway(port, more_ports=[other]), *extra) == {}
                async with Client(other) as client:
                    assert (await client.ask("/x")).status == 200
                plane.store.remove("GatewayRoute", "x")
                plane.store.remove("VirtualService", "t")
                assert await plane.apply(gateway(port)) == {}
                await load.more(20)
        assert load.failures == []


async def test_what_envoy_refuses_changes_nothing(tmp_path: Path) -> None:
    """A NACK is told at once with Envoy's words, kept and counted; the last good routes go on
    serving, also in an Envoy that starts after it; the next good change heals it."""
    port = free_port()
    async with (
        applications("a", "b") as apps,
        control_plane(*base(port, *apps)) as plane,
        envoy_of(plane, tmp_path),
    ):

        def spoil(resources: Resources) -> Resources:
            broken = {**resources[ROUTE], "rds_egress_http_15001": b"\x0a\x01x\x12\x00"}
            return {**resources, ROUTE: broken}

        plane.patch = spoil
        async with Load(port) as load:
            missing = await plane.apply(split(a=1, b=99), deadline_s=30.0)
            assert list(missing) == [GATEWAY_ID]
            assert "rds_egress_http_15001" in missing[GATEWAY_ID]
            [status] = plane.server.status()
            assert status.refused == 1
            assert status.refusals[0].names == ("rds_egress_http_15001",)
            assert status.refusals[0].message in missing[GATEWAY_ID]
            assert not status.connections[0].complete
            await load.more(100)
            async with envoy_of(plane, tmp_path / "late") as late:
                dump = await asyncio.to_thread(late.admin, "/config_dump")
                assert '"weight": 50' in dump
            plane.patch = None
            assert await plane.apply(split(a=2, b=98)) == {}
            await load.more(100)
        assert load.failures == []
        [status] = plane.server.status()
        assert status.connections[0].complete
        assert status.refused == 2  # one of each Envoy, and never again


async def test_a_listener_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A port that somebody else has is refused by Envoy, and everything else goes on."""
    port = free_port()
    async with (
        applications("a") as [a],
        control_plane(*base(port, a)) as plane,
        envoy_of(plane, tmp_path),
    ):
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            busy = taken.getsockname()[1]
            missing = await plane.apply(gateway(port, more_ports=[busy]), deadline_s=30.0)
            assert f"lds_ingress_0.0.0.0_{busy}" in missing[GATEWAY_ID]
            async with Client(port) as client:
                assert (await client.ask()).status == 200
            assert await plane.apply(split(a=7)) == {}


async def test_envoy_restarts(tmp_path: Path) -> None:
    """An Envoy that starts over is given everything again."""
    port = free_port()
    async with (
        applications("a", "b") as apps,
        control_plane(*base(port, *apps)) as plane,
        envoy_of(plane, tmp_path) as envoy,
    ):
        assert await plane.apply(split(a=100, b=0)) == {}
        await asyncio.to_thread(envoy.kill)
        assert await plane.apply(split(a=0, b=100)) == {}
        async with envoy_of(plane, tmp_path / "again"), Client(port) as client:
            assert (await client.ask()).seen["backend"] == "b"


async def test_the_control_plane_restarts(tmp_path: Path) -> None:
    """Without a control plane the Envoy goes on; a new one that says the same sends nothing, and
    one that says something else is heard. No request fails in all this."""
    port = free_port()
    async with (
        applications("a", "b") as apps,
        control_plane(*base(port, *apps)) as plane,
        envoy_of(plane, tmp_path),
    ):
        async with Load(port) as load:
            await plane.restart()
            await connected(plane)
            await load.more(50)
            assert plane.server.status()[0].pushed == 0
            await plane.server.stop(0.0)
            await load.more(50)
            await plane.restart()
            await connected(plane)
            assert await plane.apply(split(a=100, b=0)) == {}
            assert plane.server.status()[0].pushed == 1
        assert load.failures == []
        async with Client(port) as client:
            assert {(await client.ask()).seen["backend"] for _ in range(20)} == {"a"}


async def connected(plane: Plane) -> None:
    """Until an Envoy has come back and asked for all that it has."""
    await until(lambda: any(c.complete for node in plane.server.status() for c in node.connections))


async def test_an_envoy_waits_for_a_node_that_is_not_declared_yet(tmp_path: Path) -> None:
    """It is not ready before; it is served as soon as the documents are there."""
    port = free_port()
    async with (
        applications("a") as [a],
        control_plane(mesh()) as plane,
        envoy_of(plane, tmp_path, live=False) as envoy,
    ):
        await until(lambda: bool(plane.server.status()))
        assert [(n.node, n.known) for n in plane.server.status()] == [(GATEWAY_ID, False)]
        assert await plane.apply(*base(port, a)) == {}
        await asyncio.to_thread(envoy.await_live)
        async with Client(port) as client:
            assert (await client.ask()).status == 200


async def test_replicas_of_a_gateway_are_told_alike(tmp_path: Path) -> None:
    """Two Envoys of one node id both have a change before it counts as acknowledged."""
    port = free_port()
    async with (
        applications("a", "b") as apps,
        control_plane(*base(port, *apps)) as plane,
        envoy_of(plane, tmp_path / "1") as one,
        envoy_of(plane, tmp_path / "2") as two,
    ):
        assert await plane.apply(weigh(split(a=1, b=1), [17, 83])) == {}
        for envoy in (one, two):
            dump = await asyncio.to_thread(envoy.admin, "/config_dump")
            assert '"weight": 17' in dump
        [status] = plane.server.status()
        assert len(status.connections) == 2

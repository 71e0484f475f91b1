"""The server on the wire, with a gRPC client in the place of an Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from edges.xds.envoy_model import make
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.rpc import status_pb2
from xds_harness.world import LoopClock, until

from trimtab.edges.xds.server import XdsServer
from trimtab.edges.xds.snapshot import CLUSTER, LISTENER, ROUTE
from trimtab.errors import Refused
from trimtab.serving import Tls


class Wire:
    """One stream of an Envoy that does what the test says."""

    def __init__(self, channel: grpc.aio.Channel, node: str = "n") -> None:
        stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
        self.stream = stub.StreamAggregatedResources()
        self.node = node

    async def ask(
        self, type_url: str, *names: str, last: Any = None, error: str | None = None
    ) -> None:
        request = discovery_pb2.DiscoveryRequest(type_url=type_url, resource_names=names)
        request.node.id = self.node
        if last is not None:
            request.response_nonce, request.version_info = last.nonce, last.version_info
        if error is not None:
            request.error_detail.CopyFrom(status_pb2.Status(message=error))
        await self.stream.write(request)

    async def hear(self) -> Any:
        async with asyncio.timeout(10):
            return await self.stream.read()

    async def settle(self, route: str = "r1") -> Any:
        """Ask for everything and acknowledge it; the last response."""
        for type_url, names in ((CLUSTER, ()), (LISTENER, ()), (ROUTE, (route,))):
            await self.ask(type_url, *names)
            last = await self.hear()
            await self.ask(type_url, *names, last=last)
        return last


def resources(weight: int) -> dict[str, dict[str, bytes]]:
    return make({"c1": ""}, {"l1": "r1"}, {"r1": f"c1 {weight}"})


@asynccontextmanager
async def serving(
    answer: Callable[[str], Any], *, address: str = "127.0.0.1:0", **options: Any
) -> AsyncIterator[tuple[XdsServer, int]]:
    server = XdsServer(answer, clock=LoopClock(), **options)
    port = await server.start(address)
    try:
        yield server, port
    finally:
        await server.stop(0.1)


async def test_a_publication_is_acknowledged_or_told() -> None:
    """acknowledged() answers as soon as all Envoys have it, or refused it, or the time is up."""
    offered = resources(1)
    async with (
        serving(lambda _: offered) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        wire = Wire(channel)
        await wire.settle()
        assert await server.acknowledged(5.0) == {}
        offered = resources(2)
        server.publish()
        pushed = await wire.hear()
        assert [r.value for r in pushed.resources] == [b"c1 2"]
        assert await server.acknowledged(0.05) == {"n": "r1: not acknowledged within 0.05 s"}
        waiting = asyncio.create_task(server.acknowledged(10.0))
        await asyncio.sleep(0)
        await wire.ask(ROUTE, "r1", last=pushed)
        assert await waiting == {}
        offered = resources(3)
        server.publish()
        pushed = await wire.hear()
        await wire.ask(ROUTE, "r1", last=pushed, error="no")
        assert await server.acknowledged(10.0) == {"n": "r1: no"}
        [status] = server.status()
        assert (status.pushed, status.acknowledged, status.refused) == (5, 4, 1)
        [refusal] = status.refusals
        assert (refusal.type_url, refusal.names, refusal.message) == (ROUTE, ("r1",), "no")
        assert status.connections[0].missing[0].refused == "no"


async def test_an_envoy_that_left_is_not_waited_for() -> None:
    """A disconnect ends the waiting."""
    offered = resources(1)
    async with (
        serving(lambda _: offered) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        wire = Wire(channel)
        await wire.settle()
        offered = resources(2)
        server.publish()
        waiting = asyncio.create_task(server.acknowledged(30.0))
        await wire.hear()
        wire.stream.cancel()
        assert await waiting == {}
        [status] = server.status()
        assert status.connections == ()


async def test_an_unknown_node_waits_and_leaves_no_trace() -> None:
    """A node that nobody declared is shown while it is connected, served once it is declared, and
    forgotten when it leaves before that."""
    known: dict[str, dict] = {}
    async with (
        serving(known.get) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        wire, stranger = Wire(channel), Wire(channel, "stranger")
        await wire.ask(CLUSTER)
        await stranger.ask(CLUSTER)
        await until(lambda: len(server.status()) == 2)
        assert {s.known for s in server.status()} == {False}
        assert await server.acknowledged(5.0) == {}
        known["n"] = resources(1)
        server.publish()
        assert (await wire.hear()).type_url == CLUSTER
        stranger.stream.cancel()
        await until(lambda: [s.node for s in server.status()] == ["n"])
        del known["n"]
        server.publish()
        [status] = server.status()
        assert status.version  # what it had stays


async def test_a_node_without_an_id_is_sent_away() -> None:
    """Without an id nobody knows what to serve."""
    async with (
        serving(lambda _: resources(1)) as (_, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        wire = Wire(channel, "")
        await wire.ask(CLUSTER)
        with pytest.raises(grpc.aio.AioRpcError, match="the node has no id"):
            await wire.hear()


async def test_stopping_ends_the_streams() -> None:
    """A stop does not wait for streams that never end by themselves."""
    async with (
        serving(lambda _: resources(1)) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        wire = Wire(channel)
        await wire.settle()
        async with asyncio.timeout(5):
            await server.stop(60.0)
            assert await wire.hear() is grpc.aio.EOF


async def test_plaintext_stays_on_this_machine() -> None:
    """Without TLS the server listens on loopback and sockets alone, unless it is asked."""
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"):
        server = XdsServer(lambda _: None, clock=LoopClock())
        with pytest.raises(Refused, match="plaintext on"):
            await server.start(address)
    for address in ("127.0.0.1:0", "localhost:0"):
        async with serving(lambda _: None, address=address) as (_, port):
            assert port > 0
    async with serving(lambda _: None, address="0.0.0.0:0", plaintext_anywhere=True) as (_, port):
        assert port > 0


async def test_a_port_that_is_taken_is_refused() -> None:
    """Two servers never share a port in silence."""
    async with serving(lambda _: None) as (_, port):
        with pytest.raises(Refused, match=f"cannot listen on 127.0.0.1:{port}"):
            await XdsServer(lambda _: None, clock=LoopClock()).start(f"127.0.0.1:{port}")


async def test_a_missing_certificate_is_refused(tmp_path: Path) -> None:
    """A certificate that cannot be read is named."""
    tls = Tls(tmp_path / "none.pem", tmp_path / "none.key")
    with pytest.raises(Refused, match=r"none\.key"):
        await XdsServer(lambda _: None, clock=LoopClock(), tls=tls).start("127.0.0.1:0")

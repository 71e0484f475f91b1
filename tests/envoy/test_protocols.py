"""gRPC, HTTP/2 and WebSockets through both hops of a gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from xds_harness.documents import gateway, gateway_route, mesh, node, router, rule, service
from xds_harness.greeter import greeter
from xds_harness.world import Client, applications, control_plane, envoy_of, read_head

from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")


Metadata = tuple[tuple[str, str], ...]


async def call(
    channel: grpc.aio.Channel, method: str, *words: bytes, metadata: Metadata = ()
) -> list[bytes]:
    """The answers of a streamed call; raises grpc.aio.AioRpcError where it does not end well."""
    ask = channel.stream_stream(method)(iter(words), metadata=metadata)
    found = [answer async for answer in ask]
    assert dict(await ask.trailing_metadata())["x-trailer"] == method
    return found


async def test_grpc(tmp_path: Path) -> None:
    """GRPC goes by service, method and metadata, streamed both ways with its trailers; what is not
    gRPC by its content type does not match, whatever its path; a call without a way ends with a
    gRPC status."""
    port = free_port()
    async with greeter("one") as one, greeter("two") as two, applications("web") as [web]:
        documents = [
            mesh(),
            gateway(port),
            gateway_route("grpc", {"serviceName": "a.B"}, "g", form="grpcRoute"),
            gateway_route("rest", {"prefix": "/", "method": "POST"}, "web"),
            service("g", router="g"),
            router(
                "g",
                rule(
                    "method",
                    {"two": 1},
                    {"serviceName": "a.B", "methodName": "Two"},
                    form="grpcRoute",
                ),
                rule(
                    "metadata",
                    {"two": 1},
                    {"metadata": [{"name": "x-to", "match": {"exact": "two"}}]},
                    form="grpcRoute",
                    priority=1,
                ),
                rule("service", {"one": 1}, {"serviceName": "a.B"}, form="grpcRoute"),
                ports={8080: "grpc"},
            ),
            node("one", one, "grpc"),
            node("two", two, "grpc"),
            service("web", node="web"),
            node("web", web.port),
        ]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
            Client(port) as client,
        ):
            assert await call(channel, "/a.B/One", b"x", b"y") == [b"one:x", b"one:y"]
            assert await call(channel, "/a.B/Two", b"x") == [b"two:x"]
            assert await call(channel, "/a.B/One", b"x", metadata=(("x-to", "two"),)) == [b"two:x"]
            answer = await client.ask("/a.B/One", method="POST", headers=[("content-length", "0")])
            assert answer.seen["backend"] == "web"
            plane.store.remove("VirtualRouter", "g")
            assert await plane.apply() == {}
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await channel.unary_unary("/a.B/One")(b"x")
            assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED  # Envoy's word for a 404


async def test_http2_to_the_application(tmp_path: Path) -> None:
    """A VirtualNode that speaks http2 is spoken to in HTTP/2, though the client speaks HTTP/1.1."""
    port = free_port()
    async with greeter("app") as app:
        documents = [
            mesh(),
            gateway(port),
            gateway_route("r", {"prefix": "/"}, "s"),
            service("s", router="s"),
            router("s", rule("all", {"app": 1}, form="http2Route"), ports={8080: "http2"}),
            node("app", app, "http2"),
        ]
        async with control_plane(*documents) as plane, envoy_of(plane, tmp_path) as envoy:
            async with Client(port) as client:
                headers = [("content-type", "application/grpc"), ("te", "trailers")]
                answer = await client.ask(
                    "/a.B/C", method="POST", headers=[*headers, ("content-length", "0")]
                )
            assert answer.status == 200
            stats = await asyncio.to_thread(envoy.admin, "/stats?filter=upstream_cx_http2_total")
            assert f"cluster.cds_egress_m_app_shop_http2_{app}.upstream_cx_http2_total: 1" in stats


async def test_a_websocket_passes(tmp_path: Path) -> None:
    """An upgraded connection carries bytes both ways through both hops."""
    port = free_port()

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        )
        writer.write((await reader.readexactly(4)).upper())
        writer.close()

    server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
    app = server.sockets[0].getsockname()[1]
    documents = [
        mesh(),
        gateway(port),
        gateway_route("r", {"prefix": "/"}, "s"),
        service("s", node="app"),
        node("app", app),
    ]
    async with server, control_plane(*documents) as plane, envoy_of(plane, tmp_path):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /chat HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        )
        assert (await read_head(reader))[0].split(" ")[1] == "101"
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"PING"
        writer.close()

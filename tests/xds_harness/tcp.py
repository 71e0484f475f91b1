"""TCP through the proxy of a node: connections that say where they were going, and who answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.listener.proxy_protocol.v3 import proxy_protocol_pb2
from xds_harness.world import Resources

from trimtab.edges.xds.snapshot import LISTENER


def redirected(resources: Resources) -> Resources:
    """The machine here redirects nothing; so connections say themselves where they were going to
    (PROXY protocol), where the original_dst filter would have asked the kernel."""

    def changed(body: bytes) -> bytes:
        listener = listener_pb2.Listener.FromString(body)
        for found in listener.listener_filters:
            found.name = "envoy.filters.listener.proxy_protocol"
            options = proxy_protocol_pb2.ProxyProtocol(allow_requests_without_proxy_protocol=True)
            found.typed_config.Pack(options)
        return listener.SerializeToString()

    told = {name: changed(body) for name, body in resources[LISTENER].items()}
    return {**resources, LISTENER: told}


async def connect(port: int, to: int) -> str:
    """What the server behind a connection that was meant for port ``to`` says; "" if it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"PROXY TCP4 127.0.0.1 127.0.0.1 1 {to}\r\n".encode())
    with contextlib.suppress(ConnectionError):
        said = (await reader.read(100)).decode()
        writer.close()
        return said
    return ""


@contextlib.asynccontextmanager
async def speaker(word: str) -> AsyncIterator[int]:
    """A TCP server that says its word and closes."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(word.encode())
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]

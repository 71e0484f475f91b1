from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from edges.kubernetes.wire import Server

from trimtab.edges.kubernetes import Client


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle, handler_cancellation=True))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{port}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    client = Client(server.configuration(), timeout_s=0.5)
    yield client
    await client.close()

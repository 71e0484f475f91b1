"""Servers on loopback ports with real clients."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from edges.service.parts import LOOPBACK, Keys, Router

from trimtab.edges.grpc_server import Server, Service
from trimtab.history import History


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def service(router: Router, history: History) -> Service:
    return Service(router, router, history, lambda: 7, backlog=4)


@pytest.fixture
async def server(service: Service) -> AsyncIterator[tuple[Server, int]]:
    """A running server and its port."""
    running = Server(service, LOOPBACK)
    port = await running.start()
    yield running, port
    await running.stop(0)


@pytest.fixture
async def channel(server: tuple[Server, int]) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server[1]}") as open_channel:
        yield open_channel


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))

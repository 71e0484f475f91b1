"""Who answers: one question over every wire, and whether the answers divide as the weights say."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import grpc
from xds_harness.greeter import greeter
from xds_harness.tcp import connect, speaker
from xds_harness.world import Application, Client

WIRES = {"httpRoute": "http", "http2Route": "http2", "grpcRoute": "grpc", "tcpRoute": "tcp"}
"""What a form of route speaks."""

Ask: TypeAlias = Callable[..., Awaitable[str]]
"""Asks with ``path``, ``host`` and ``headers``, as far as the wire has them: the name of the
application that answered, or the status of a refusal."""


@asynccontextmanager
async def backends(wire: str, names: Iterable[str]) -> AsyncIterator[dict[str, int]]:
    """An application of each name that speaks ``wire``: their ports."""
    ports: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        for name in names:
            if wire == "http":
                ports[name] = (await stack.enter_async_context(Application(name))).port
            else:
                serve = speaker if wire == "tcp" else greeter
                ports[name] = await stack.enter_async_context(serve(name))
        yield ports


@asynccontextmanager
async def asking(wire: str, port: int, meant_for: int = 0) -> AsyncIterator[Ask]:
    """A caller of an Envoy at ``port``; a TCP connection says which port it was ``meant_for``."""
    if wire == "tcp":

        async def connecting() -> str:
            return await connect(port, meant_for)

        yield connecting
    elif wire == "http":
        async with Client(port) as client:

            async def requesting(**how: object) -> str:
                answer = await client.ask(**how)  # type: ignore[arg-type]
                return str(answer.seen["backend"] if answer.status == 200 else answer.status)

            yield requesting
    else:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

            async def calling(path: str, headers: Iterable[tuple[str, str]] = ()) -> str:
                call = channel.stream_stream(path)(iter([b""]), metadata=tuple(headers))
                try:
                    return b"".join([part async for part in call]).decode().rstrip(":")
                except grpc.aio.AioRpcError as error:
                    return error.code().name

            yield calling


async def answers(ask: Ask, requests: int, **how: object) -> Counter[str]:
    """How many of so many requests each application answered."""
    return Counter([await ask(**how) for _ in range(requests)])


def divided(found: Counter[str], shares: Mapping[str, int]) -> bool:
    """Whether nobody else answered, and each as often as 99.9 % of honest splits have it."""
    requests, total = found.total(), sum(shares.values())
    for name, weight in shares.items():
        share = weight / total
        band = 3.29 * (requests * share * (1 - share)) ** 0.5
        if abs(found[name] - share * requests) > band:
            return False
    return found.keys() <= shares.keys()

"""A gRPC server that says who it is: the application behind http2 and grpc routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc


class Greeter(grpc.GenericRpcHandler):
    """Answers every method, unary or streamed, with its own name, a colon and what it was told."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()

    def service(self, details: Any) -> Any:
        async def stream(requests: Any, context: Any) -> AsyncIterator[bytes]:
            async for request in requests:
                yield self._name + b":" + request
            context.set_trailing_metadata((("x-trailer", details.method),))

        return grpc.stream_stream_rpc_method_handler(stream)


@asynccontextmanager
async def greeter(name: str) -> AsyncIterator[int]:
    """Its port."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Greeter(name),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)

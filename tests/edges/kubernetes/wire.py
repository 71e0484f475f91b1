"""The other end of the wire: a loopback HTTP server in the place of an API server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

SECRET = "s3cr3t-t0k3n"
OBJECT = {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1"}}

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def an_object(_: web.BaseRequest) -> web.StreamResponse:
    return web.json_response(OBJECT)


class Server:
    """A loopback HTTP server that notes what it is asked and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self.url = ""
        self.answer: Handler = an_object

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.answer(request)

    def configuration(self) -> Configuration:
        return Configuration(host=self.url, api_key={"BearerToken": f"Bearer {SECRET}"})

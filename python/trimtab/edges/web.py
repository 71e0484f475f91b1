"""The HTTP side: /metrics, /healthz, /readyz, /decisions and /status, for machines and curl."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from trimtab.errors import Refused
from trimtab.serving import Address, Tls, require_safe


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the answers come from.

    ``not_ready`` returns why the process should not be used yet, nothing when it may; it and
    ``status`` are called on the event loop and must be quick. ``decisions`` and the collectors
    of ``metrics`` are called in a worker thread, since large answers take a while: they may
    read only what is replaced, never changed.
    """

    metrics: CollectorRegistry
    not_ready: Callable[[], Sequence[str]]
    decisions: Callable[[], Sequence[Mapping[str, Any]]]
    status: Callable[[], Mapping[str, Any]]


def application(sources: Sources) -> Starlette:
    """The ASGI application: GET (and HEAD) on five paths."""

    # Plain functions run in a worker thread, coroutines on the event loop.
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(sources.metrics), headers={"content-type": content_type})

    def decisions(_: Request) -> Response:
        return JSONResponse(sources.decisions())

    async def status(_: Request) -> Response:
        return JSONResponse(sources.status())

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        reasons = sources.not_ready()
        text = "".join(f"{reason}\n" for reason in reasons) or "ok\n"
        return PlainTextResponse(text, status_code=503 if reasons else 200)

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/decisions", decisions),
            Route("/status", status),
            Route("/healthz", alive),
            Route("/readyz", ready),
        ],
        # Answers of many megabytes are compressed on the event loop: the quickest level is 15
        # times as quick as the best, for a third more bytes.
        middleware=[Middleware(GZipMiddleware, compresslevel=1)],
    )


class _Quiet(uvicorn.Server):
    """Leaves signals alone: the process has its own handlers, and more than one server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Web:
    """The application on one address, in the running event loop.

    Raises Refused for plaintext beyond this machine unless ``insecure``, for keys that do not
    work and for an address that is taken.
    """

    def __init__(
        self, sources: Sources, address: Address, *, tls: Tls | None = None, insecure: bool = False
    ) -> None:
        require_safe("HTTP", address, tls, insecure=insecure)
        self._sources = sources
        self._address = address
        self._tls = tls
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen, and return the port."""
        config = uvicorn.Config(
            application(self._sources),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            **_tls_options(self._tls),
        )
        config.load()
        listener = _listen(self._address)
        self._server = _Quiet(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="web")
        return int(listener.getsockname()[1])

    async def stop(self, grace_s: float = 5.0) -> None:
        """Take no more requests, and let those under way finish for ``grace_s``."""
        if self._server is None or self._task is None:
            return
        self._server.config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._server.should_exit = True
        await self._task
        self._server = self._task = None


def _listen(address: Address) -> socket.socket:
    everywhere = address.host == "::"
    both = everywhere and socket.has_dualstack_ipv6()
    host = ("::" if both else "0.0.0.0") if everywhere else address.host  # noqa: S104
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, address.port), family=family, backlog=128, dualstack_ipv6=both
        )
    except OSError as error:
        raise Refused(
            f"HTTP: cannot listen on {address}: {error}. Remedy: choose a free port of an address "
            "of this machine."
        ) from error


def _tls_options(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    options: dict[str, Any] = {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
    if tls.client_ca is not None:
        options |= {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options

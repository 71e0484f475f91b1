"""The HTTP side, asked over real connections."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import signal
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from http.client import HTTPResponse

import pytest
from edges.service.parts import LOOPBACK, Keys, make_report, until
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from trimtab.core.model import Report
from trimtab.edges.records import from_json, to_json
from trimtab.edges.telemetry import Metrics
from trimtab.edges.web import Sources, Web
from trimtab.errors import Refused
from trimtab.serving import Address


class State:
    """What the pages show, set by a test."""

    def __init__(self) -> None:
        self.metrics = Metrics("1.2.3")
        self.reasons: list[str] = []
        self.reports: list[Report] = []
        self.threads: dict[str, threading.Thread] = {}
        self.hold: threading.Event | None = None

    def sources(self) -> Sources:
        return Sources(self.metrics.registry, self._ready, self._decisions, self._status)

    def _ready(self) -> list[str]:
        self.threads["readyz"] = threading.current_thread()
        return self.reasons

    def _decisions(self) -> list[dict[str, object]]:
        self.threads["decisions"] = threading.current_thread()
        if self.hold is not None:
            assert self.hold.wait(20)
        return [to_json(report) for report in self.reports]

    def _status(self) -> dict[str, object]:
        self.threads["status"] = threading.current_thread()
        return {"leader": True}


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
async def port(state: State) -> AsyncIterator[int]:
    web = Web(state.sources(), LOOPBACK)
    yield await web.start()
    await web.stop(0)


async def get(
    port: int,
    path: str,
    *,
    method: str = "GET",
    context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    url = f"{'https' if context else 'http'}://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}))

    def ask() -> tuple[int, str, bytes]:
        response: HTTPResponse | urllib.error.HTTPError
        try:
            response = urllib.request.urlopen(request, context=context, timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return response.status or 0, str(response.headers["content-type"]), response.read()

    return await asyncio.to_thread(ask)


async def test_metrics_as_text(port: int, state: State) -> None:
    """/metrics is the text that Prometheus parses, with what was told."""
    state.metrics.tell(make_report("web"))
    status, kind, body = await get(port, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert {"trimtab_target_weight", "process_cpu_seconds"} <= names


async def test_metrics_as_openmetrics(port: int) -> None:
    """A scraper that asks for OpenMetrics gets it, compressed if it likes."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    status, kind, body = await get(port, "/metrics", headers=accept)
    assert status == 200
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    text = gzip.decompress(body).decode()
    assert text.endswith("# EOF\n")
    assert list(openmetrics.text_string_to_metric_families(text))


async def test_health_is_that_of_the_process(port: int, state: State) -> None:
    """/healthz answers while the process lives, ready or not."""
    state.reasons = ["no routes yet"]
    assert await get(port, "/healthz") == (200, "text/plain; charset=utf-8", b"ok\n")


async def test_readiness_says_why_not(port: int, state: State) -> None:
    """/readyz is 200 when nothing is missing, else 503 with each reason on a line."""
    assert (await get(port, "/readyz"))[::2] == (200, b"ok\n")
    state.reasons = ["no routes have been read", "Prometheus: refused"]
    expected = b"no routes have been read\nPrometheus: refused\n"
    assert (await get(port, "/readyz"))[::2] == (503, expected)


async def test_decisions(port: int, state: State) -> None:
    """/decisions holds Reports in the form of the log, so that they can be read back."""
    state.reports = [make_report("web"), make_report("api")]
    status, kind, body = await get(port, "/decisions")
    assert (status, kind) == (200, "application/json")
    assert [from_json(record) for record in json.loads(body)] == state.reports


async def test_status(port: int) -> None:
    """/status is what the process says about itself, as JSON."""
    assert await get(port, "/status") == (200, "application/json", b'{"leader":true}')


async def test_work_is_done_where_it_does_not_wait(port: int, state: State) -> None:
    """Large answers are made beside the event loop, quick ones on it."""
    for page in ("decisions", "status", "readyz"):
        await get(port, f"/{page}")
    assert state.threads["decisions"] is not threading.current_thread()
    assert state.threads["status"] is threading.current_thread()
    assert state.threads["readyz"] is threading.current_thread()


async def test_what_is_not_there(port: int) -> None:
    """Other paths are 404, and nothing can be changed over HTTP."""
    assert (await get(port, "/"))[0] == 404
    for path in ("/metrics", "/decisions", "/status", "/healthz", "/readyz"):
        assert (await get(port, path, method="POST"))[0] == 405
        assert (await get(port, path, method="HEAD"))[0] == 200


async def test_a_stop_finishes_what_was_asked(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop takes no new connection and waits until the answer under way is written."""
    caplog.set_level(logging.INFO, logger="uvicorn.error")
    web = Web(state.sources(), LOOPBACK)
    port = await web.start()
    state.hold = threading.Event()
    answer = asyncio.create_task(get(port, "/decisions"))
    await until(lambda: "decisions" in state.threads)
    stopping = asyncio.create_task(web.stop(20))
    await until(lambda: "Waiting for connections to close" in caplog.text)
    assert not _accepts(port)
    state.hold.set()
    assert (await answer)[0] == 200
    await stopping


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


async def test_signals_are_left_alone(state: State) -> None:
    """The handlers of the process stand while the server runs, and after."""
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    web = Web(state.sources(), LOOPBACK)
    port = await web.start()
    await get(port, "/healthz")
    assert {s: signal.getsignal(s) for s in before} == before
    await web.stop(0)
    assert {s: signal.getsignal(s) for s in before} == before


async def test_a_stop_before_the_start_is_nothing(state: State) -> None:
    """A server that never ran may be stopped."""
    await Web(state.sources(), LOOPBACK).stop()


async def test_plaintext_stays_on_this_machine(state: State) -> None:
    """Plaintext beyond loopback is refused, unless it is allowed by name."""
    everywhere = Address("::", 0)
    with pytest.raises(Refused, match=r"HTTP: plaintext on \[::\]:0 can be read"):
        Web(state.sources(), everywhere)
    web = Web(state.sources(), everywhere, insecure=True)
    port = await web.start()
    assert (await get(port, "/healthz"))[0] == 200
    await web.stop(0)


async def test_a_taken_port_is_refused(state: State, port: int) -> None:
    """A second server on the same port fails at its start, with the address."""
    second = Web(state.sources(), Address("127.0.0.1", port))
    with pytest.raises(Refused, match=f"HTTP: cannot listen on 127.0.0.1:{port}: "):
        await second.start()


async def test_tls(state: State, keys: Keys) -> None:
    """With keys a client that trusts their CA is served, and plaintext is not."""
    web = Web(state.sources(), LOOPBACK, tls=keys.tls)
    port = await web.start()
    try:
        trusting = ssl.create_default_context(cafile=keys.ca)
        assert (await get(port, "/healthz", context=trusting))[0] == 200
        with pytest.raises(OSError):  # noqa: PT011 - any failure of the connection will do
            await get(port, "/healthz")
    finally:
        await web.stop(0)


async def test_mutual_tls(state: State, keys: Keys) -> None:
    """With a client CA only a client with a certificate of that CA is served."""
    web = Web(state.sources(), LOOPBACK, tls=keys.mutual)
    port = await web.start()
    try:
        context = ssl.create_default_context(cafile=keys.ca)
        with pytest.raises(OSError):  # noqa: PT011
            await get(port, "/healthz", context=context)
        context.load_cert_chain(keys.client_cert, keys.client_key)
        assert (await get(port, "/healthz", context=context))[0] == 200
    finally:
        await web.stop(0)

"""Envoys that cannot be read, and what is asked of those that can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from edges.prometheus.bed import FAMILIES
from edges.prometheus.exporter import Exporter

from trimtab.core.model import MetricFamilies
from trimtab.edges.scrape import ScrapeSource
from trimtab.errors import InvalidDocument
from trimtab.testbed.processes import free_port

WEB = "cds_egress_mesh_web_http_8080"
Open = Callable[..., ScrapeSource]


@pytest.fixture
def envoy() -> Iterator[Exporter]:
    with Exporter() as exporter:
        exporter.count(WEB, {2: 100})
        yield exporter


@pytest.fixture
async def source() -> AsyncIterator[Open]:
    """Opens sources, and closes them in the end."""
    opened: list[ScrapeSource] = []

    def make(*urls: str, families: MetricFamilies = FAMILIES, **options: Any) -> ScrapeSource:
        opened.append(ScrapeSource(urls, families, **options))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": 404}, "answered 404"),
        ({"content_type": "text/html", "body": "<html>"}, "answered with a web page"),
        ({"broken": True}, "cannot be read (ServerDisconnectedError)"),
        ({"body": f"{FAMILIES.timeouts}{{oops}} 1"}, "gave no metrics: these are no labels: oops"),
    ],
)
async def test_an_answer_that_is_none(
    envoy: Exporter, source: Open, change: dict[str, Any], said: str
) -> None:
    """When no Envoy gives metrics the source is down, and says for each of them why."""
    for name, value in change.items():
        setattr(envoy, name, value)
    told = (await source(envoy.url).read(1.0)).down
    assert told
    assert f"{envoy.url}/stats/prometheus {said}" in told


async def test_nobody_there(source: Open) -> None:
    """A refused connection says where."""
    url = f"http://127.0.0.1:{free_port()}"
    told = (await source(url).read(1.0)).down
    assert (
        told == f"no Envoy gave its metrics: {url}/stats/prometheus cannot be read "
        "(ClientConnectorError)"
    )


async def test_no_answer_in_time(envoy: Exporter, source: Open) -> None:
    """One that hangs is given up after the timeout, and the others are read."""
    with Exporter() as hanging:
        hanging.gate.clear()
        opened = source(envoy.url, hanging.url, timeout_s=0.2)
        telemetry = await opened.read(1.0)
        assert telemetry.down is None
        assert telemetry.warnings == (
            f"{hanging.url}/stats/prometheus did not answer within 0.2 s",
        )
        envoy.count(WEB, {2: 3})
        assert (await opened.read(2.0)).windows[WEB].classes == {2: 3}


async def test_credentials_are_sent_and_never_shown(envoy: Exporter, source: Open) -> None:
    """A password in a URL reaches the Envoy, and no sentence."""
    opened = source(envoy.url.replace("//", "//user:s3cret@"))
    assert (await opened.read(1.0)).down is None
    assert envoy.headers["Authorization"].startswith("Basic ")
    envoy.status = 403
    assert "s3cret" not in str((await opened.read(2.0)).down)
    with pytest.raises(InvalidDocument) as refused:
        source("ftp://user:s3cret@host")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("urls", [[], ["127.0.0.1:9901"], ["file:///stats"], ["http://"]])
def test_addresses_that_are_none(urls: Sequence[str]) -> None:
    """No address, or one that is not http, is refused at the start."""
    with pytest.raises(InvalidDocument, match="admin address"):
        ScrapeSource(urls, FAMILIES)


async def test_only_the_families_are_asked_for(envoy: Exporter, source: Open) -> None:
    """An Envoy writes what the filter finds: the words of the families in their order."""
    await source(envoy.url).read(1.0)
    asked = urlsplit(envoy.path)
    assert asked.path == "/stats/prometheus"
    assert parse_qs(asked.query)["filter"][0].split("|") == [
        "^cluster.*upstream.*rq.*xx",
        "^cluster.*upstream.*rq.*timeout",
        "^cluster.*upstream.*rq.*time",
        "^cluster.*upstream.*rq.*active",
        "^server.*uptime",
    ]


async def test_an_address_with_a_path_is_read_as_it_stands(envoy: Exporter, source: Open) -> None:
    """A sidecar that gathers metrics has a path of its own."""
    await source(f"{envoy.url}/metrics?format=text").read(1.0)
    assert envoy.path == "/metrics?format=text"


async def test_names_that_are_not_envoys_are_not_filtered(envoy: Exporter, source: Open) -> None:
    """How another program names its metrics inside is not known: everything is read."""
    await source(envoy.url, families=replace(FAMILIES, requests="requests_total")).read(1.0)
    assert envoy.path == "/stats/prometheus"


async def test_one_address_given_twice_is_counted_once(envoy: Exporter, source: Open) -> None:
    """The same Envoy is not two."""
    opened = source(envoy.url, f"{envoy.url}/")
    await opened.read(1.0)
    envoy.count(WEB, {2: 3})
    assert (await opened.read(2.0)).windows[WEB].classes == {2: 3}


async def test_one_that_is_gone_for_long_is_missed_no_more(envoy: Exporter, source: Open) -> None:
    """After the longest window nobody waits for it: an address list may be out of date."""
    with Exporter() as other:
        other.count(WEB, {2: 1})
        opened = source(envoy.url, other.url, max_window_s=10)
        await opened.read(0.0)
        other.broken = True
        partial = [(await opened.read(now)).windows[WEB].partial for now in (4.0, 8.0, 12.0, 16.0)]
        assert partial == [True, True, True, False]


async def test_a_cancelled_read_loses_nothing(envoy: Exporter, source: Open) -> None:
    """A read that is given up half-way leaves the window where it was."""
    opened = source(envoy.url)
    await opened.read(1.0)
    envoy.count(WEB, {2: 3})
    envoy.gate.clear()
    reading = asyncio.create_task(opened.read(2.0))
    assert await asyncio.to_thread(envoy.waiting.wait, 10)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    envoy.gate.set()
    window = (await opened.read(3.0)).windows[WEB]
    assert (window.start, window.classes) == (1.0, {2: 3})

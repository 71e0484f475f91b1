"""The own scraping of a real Envoy, with requests that went through it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import requests
from edges.prometheus.bed import FAMILIES
from edges.prometheus.exporter import Exporter

from trimtab.core.samples import Sample
from trimtab.edges.scrape import ScrapeSource
from trimtab.edges.scrape.exposition import Exposition
from trimtab.edges.scrape.source import _filter, _page
from trimtab.testbed.processes import Envoy, free_port, poll

WEB = "cds_egress_mesh_web_http_8080"
IDLE = "cds_egress_mesh_idle_http_8080"
TYPE = "type.googleapis.com/envoy.extensions.filters"


def address(host: str, port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": host, "port_value": port}}}


def cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": address("127.0.0.1", port)}
    load = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "type": "STATIC", "load_assignment": load}


def bootstrap(listener: int, backend: int) -> dict[str, Any]:
    """One route to WEB that gives up after 0.1 s, a second cluster that nobody uses."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": WEB, "timeout": "0.1s"}}
    manager = {
        "@type": f"{TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{TYPE}.http.router.v3.Router"}}
        ],
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
        },
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "stats_flush_interval": "0.1s",
        "static_resources": {
            "listeners": [
                {"name": "in", "filter_chains": [chain], **address("127.0.0.1", listener)}
            ],
            "clusters": [cluster(WEB, backend), cluster(IDLE, backend)],
        },
    }


@pytest.fixture
def backend() -> Iterator[Exporter]:
    """A server whose status and silence the test sets."""
    with Exporter() as server:
        yield server


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def envoy(envoy_binary: Path, tmp_path: Path, backend: Exporter, port: int) -> Iterator[Envoy]:
    document = bootstrap(port, int(backend.address.rpartition(":")[2]))
    with Envoy.start(document, tmp_path) as running:
        yield running


def read(envoy: Envoy, page: str = "/stats/prometheus") -> Mapping[str, Sample]:
    families = replace(FAMILIES, selector="")
    return Exposition(families).read(envoy.admin(page).encode()).targets


async def until_flushed(envoy: Envoy, answers: int) -> None:
    """Envoy adds to its histograms at intervals, later than to its counters."""
    assert await asyncio.to_thread(
        poll, lambda: read(envoy).get(WEB, Sample()).buckets.get(inf, 0) == answers, 10
    )


async def test_what_went_through_envoy_is_counted(
    envoy: Envoy, backend: Exporter, port: int
) -> None:
    """Of a real Envoy: the first errors ever, and a timeout, which has no latency. Latencies
    come later than counters, in whichever window, and none is lost for that."""

    async def send(number: int, status: int) -> None:
        for _ in range(number):
            answer = await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}/", timeout=10)
            assert answer.status_code == status

    source = ScrapeSource([envoy.admin_url], FAMILIES)
    await send(20, 200)
    await until_flushed(envoy, 20)
    await source.read(0.0)
    await send(15, 200)
    backend.status = 503
    await send(3, 503)
    backend.gate.clear()
    await send(1, 504)
    backend.gate.set()
    first = (await source.read(1.0)).windows
    await until_flushed(envoy, 38)
    second = (await source.read(2.0)).windows
    await source.close()
    web = first[WEB]
    assert (web.classes, web.timeouts, web.partial) == ({2: 15, 5: 4}, 1, False)
    assert (second[WEB].requests, second[WEB].errors) == (0, 0)
    assert sum(web.counts) + sum(second[WEB].counts) == 18
    assert (first[IDLE].requests, first[IDLE].partial) == (0, False)


async def test_the_filter_hides_nothing(envoy: Envoy, port: int) -> None:
    """The page that is asked for says of all targets what the whole page says."""
    for _ in range(5):
        await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}/", timeout=10)
    await until_flushed(envoy, 5)
    filtered = _page("http://envoy", _filter(FAMILIES)).removeprefix("http://envoy")
    assert read(envoy, filtered) == read(envoy)
    assert read(envoy, filtered).keys() == {WEB, IDLE}
    assert len(envoy.admin(filtered)) < len(envoy.admin("/stats/prometheus")) / 4

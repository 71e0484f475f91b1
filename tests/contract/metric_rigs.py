"""The metric sources under one contract: each with exporters whose counters the test sets."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

from edges.prometheus.bed import FAMILIES
from edges.prometheus.exporter import Exporter, await_scraped

from trimtab.core.model import MetricFamilies
from trimtab.edges.prometheus import PrometheusSource
from trimtab.edges.scrape import ScrapeSource
from trimtab.ports import MetricSource
from trimtab.testbed.processes import Prometheus


class Rig(Protocol):
    """A source and the exporters that it reads."""

    exporters: tuple[Exporter, ...]
    source: MetricSource
    web: str  # two targets that no other test has
    api: str

    async def instant(self) -> float:
        """A ``now`` at which the source can see all that the exporters have counted."""

    def outage(self) -> AbstractContextManager[None]:
        """The source cannot be read meanwhile."""


class Own:
    """The own scraping, for which time is what the test says."""

    def __init__(self, exporters: tuple[Exporter, ...], test: str) -> None:
        self.exporters = exporters
        self.web, self.api, families = _of(test)
        self.source: MetricSource = ScrapeSource([one.url for one in exporters], families)
        self._now = 1_763_800_000.0

    async def instant(self) -> float:
        self._now += 1
        return self._now

    @contextmanager
    def outage(self) -> Iterator[None]:
        for one in self.exporters:
            one.broken = True
        yield
        for one in self.exporters:
            one.broken = False


class Asked:
    """A Prometheus that scrapes the exporters."""

    def __init__(self, exporters: tuple[Exporter, ...], test: str, prometheus: Prometheus) -> None:
        self.exporters = exporters
        self.web, self.api, families = _of(test)
        self._prometheus = prometheus
        self.source: MetricSource = PrometheusSource(
            prometheus.url, families, settle_s=0, timeout_s=2
        )

    async def instant(self) -> float:
        seen = await asyncio.to_thread(await_scraped, self._prometheus.url, self.exporters)
        return seen + 0.001

    @contextmanager
    def outage(self) -> Iterator[None]:
        os.kill(self._prometheus.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._prometheus.pid, signal.SIGCONT)


def _of(test: str) -> tuple[str, str, MetricFamilies]:
    """Two targets of one test's own, and families that select these alone."""
    web, api = (f"cds_egress_{test}_{name}_http_8080" for name in ("web", "api"))
    selector = f'envoy_cluster_name=~"cds_egress_{test}_.+"'
    return web, api, replace(FAMILIES, selector=selector)

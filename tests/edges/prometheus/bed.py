"""What a test of PrometheusSource stands on."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

from edges.prometheus.exporter import Exporter, await_scraped

from trimtab.core.model import MetricFamilies, Telemetry, Window
from trimtab.edges.prometheus import PrometheusSource
from trimtab.testbed.processes import Prometheus

FAMILIES = MetricFamilies(
    target_label="envoy_cluster_name",
    selector='envoy_cluster_name=~"cds_egress_.+"',
    requests="envoy_cluster_upstream_rq_xx",
    class_label="envoy_response_code_class",
    timeouts="envoy_cluster_upstream_rq_timeout",
    latency="envoy_cluster_upstream_rq_time",
    in_flight="envoy_cluster_upstream_rq_active",
    uptime="envoy_server_uptime",
)


class Bed:
    """Two exporters, the Prometheus that scrapes them, and a source that reads it.

    ``web`` is a target that no other test has; the source knows no other.
    """

    def __init__(self, prometheus: Prometheus, exporters: tuple[Exporter, Exporter]) -> None:
        self.prometheus = prometheus
        self.exporters = exporters
        self.one, self.two = exporters
        self.web = f"cds_egress_{uuid.uuid4().hex[:8]}_web_http_8080"
        self.families = replace(FAMILIES, selector=f'envoy_cluster_name="{self.web}"')
        self.sources: list[PrometheusSource] = []
        self.source = self.open()
        for one in exporters:
            one.broken = False
            one.restart(uptime_s=1000)

    def open(self, **options: Any) -> PrometheusSource:
        given = {"url": self.prometheus.url, "families": self.families, "settle_s": 0, **options}
        self.sources.append(PrometheusSource(**given))
        return self.sources[-1]

    async def scraped(self) -> float:
        """A ``now`` at which Prometheus has all that the exporters have counted."""
        seen = await asyncio.to_thread(await_scraped, self.prometheus.url, self.exporters)
        return seen + 0.001

    async def read(self) -> Telemetry:
        return await self.source.read(await self.scraped())

    async def window(self) -> Window:
        telemetry = await self.read()
        assert telemetry.down is None
        return telemetry.windows[self.web]

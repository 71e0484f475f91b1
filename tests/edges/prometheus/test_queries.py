"""The text of the queries, pinned: what runs against a user's Prometheus is read here.

That they mean what they say is proved on a real one, in test_hazards and the contract.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import requests
from edges.prometheus.bed import Bed

from trimtab.core.model import MetricFamilies
from trimtab.edges.prometheus.queries import Instants, Queries

FAMILIES = MetricFamilies(
    target_label="cluster",
    selector='cluster=~"web.*"',
    requests="rq_xx",
    class_label="class",
    timeouts="rq_timeout",
    latency="rq_time",
    in_flight="rq_active",
    uptime="uptime",
)
WINDOW = Instants(start=1763800000.5, end=1763800005.25, read_at=1763800001.0041)


def test_newest() -> None:
    """The times of the samples themselves; a target without requests has only the gauge."""
    assert Queries(FAMILIES).newest(WINDOW.end) == (
        """\
max by (cluster) (
  timestamp(rq_xx{cluster=~"web.*"} @ 1763800005.250)
  or
  timestamp(rq_active{cluster=~"web.*"} @ 1763800005.250)
)"""
    )


def test_in_flight() -> None:
    """The gauge at the end."""
    assert Queries(FAMILIES).in_flight(WINDOW.end) == (
        'sum by (cluster) (rq_active{cluster=~"web.*"} @ 1763800005.250 >= 0)'
    )


def test_counted() -> None:
    """A true difference, reset and new series from zero, only of instances that may."""
    assert Queries(FAMILIES, 'job="envoy"').counted("rq_xx", "class", WINDOW) == (
        """\
sum by (cluster, class) (
  (
    (rq_xx{cluster=~"web.*"} @ 1763800005.250 - rq_xx{cluster=~"web.*"} @ 1763800000.500) >= 0 \
unless on (job, instance) (uptime @ 1763800005.250 < uptime @ 1763800000.500)
    or
    rq_xx{cluster=~"web.*"} @ 1763800005.250 >= 0 \
unless (rq_xx{cluster=~"web.*"} @ 1763800000.500 != rq_xx{cluster=~"web.*"} @ 1763800000.500)
  )
  and on (job, instance) (
    uptime @ 1763800005.250 < 4.750
    or
    up{job="envoy"} @ 1763800000.500 == 1
  )
)"""
    )


def test_counted_without_uptime_or_selector() -> None:
    """Where no age of a process is known, only one that was scraped at the start is counted."""
    families = replace(FAMILIES, uptime="", selector="")
    assert Queries(families).counted("rq_timeout", "", WINDOW) == (
        """\
sum by (cluster) (
  (
    (rq_timeout @ 1763800005.250 - rq_timeout @ 1763800000.500) >= 0
    or
    rq_timeout @ 1763800005.250 >= 0 unless (rq_timeout @ 1763800000.500 != rq_timeout @ 1763800000.500)
  )
  and on (job, instance) (
    up @ 1763800000.500 == 1
  )
)"""
    )


def test_missing() -> None:
    """Gone; not scraped at the start; restarted or late; NaN; out of reach for longer."""
    assert Queries(replace(FAMILIES, selector=""), 'job="envoy"').missing(WINDOW) == (
        """\
count by (cluster) (
  group by (cluster, job, instance) (rq_active @ 1763800000.500) \
unless group by (cluster, job, instance) (rq_active @ 1763800005.250)
  or
  group by (cluster, job, instance) (rq_active @ 1763800005.250) unless on (job, instance) (
    uptime @ 1763800005.250 < 4.750
    or
    up{job="envoy"} @ 1763800000.500 == 1
  )
  or
  group by (cluster, job, instance) (rq_active @ 1763800005.250) and on (job, instance) (
    uptime @ 1763800005.250 < uptime @ 1763800000.500
    or
    timestamp(scrape_duration_seconds{job="envoy"} @ 1763800000.500) \
+ scrape_duration_seconds{job="envoy"} @ 1763800000.500 > 1763800001.004
  )
  or
  group by (cluster, job, instance) (rq_xx @ 1763800000.500 != rq_xx @ 1763800000.500 \
or rq_xx @ 1763800005.250 != rq_xx @ 1763800005.250)
  or
  group by (cluster, job, instance) (last_over_time(rq_active[5m] @ 1763800005.250)) \
and on (job, instance) (up{job="envoy"} @ 1763800005.250 == 0)
)"""
    )


async def test_as_many_queries_for_500_targets_as_for_one(bed: Bed) -> None:
    """The number of HTTP queries of a reading does not depend on the number of targets."""
    asked: list[str] = []
    session = bed.source._client._connection._session
    ask = session.request

    def request(**given: Any) -> requests.Response:
        asked.append(given["url"])
        answer: requests.Response = ask(**given)
        return answer

    session.request = request
    bed.one.count(bed.web, {2: 1})
    await bed.read()
    await bed.read()
    for_one = len(asked)
    families = replace(bed.families, selector='envoy_cluster_name=~"many_.+"')
    many = bed.open(families=families)
    many._client._connection._session.request = request
    for number in range(500):
        bed.one.count(f"many_{number}", {2: 1, 5: 1}, latencies_ms=[1])
    await many.read(await bed.scraped())
    del asked[:]
    telemetry = await many.read(await bed.scraped())
    assert len(telemetry.windows) == 500
    assert len(asked) + 1 == for_one == 8  # the first reading asks only once

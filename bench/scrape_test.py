"""Reading the page of an Envoy with 2,000 clusters, and the difference of two such pages.

The rival is prometheus_client's parser, which reads any page in full. The aim is 150 ms.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_benchmark.fixture import BenchmarkFixture

from trimtab.core.model import MetricFamilies
from trimtab.core.samples import Process, windows
from trimtab.edges.scrape.exposition import Exposition

CLUSTERS = 2000
BOUNDS = (
    *("0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000"),
    *("30000", "60000", "300000", "600000", "1800000", "3600000", "+Inf"),
)
FAMILIES = MetricFamilies(
    target_label="envoy_cluster_name",
    selector='envoy_cluster_name=~"cds_egress_.*"',
    requests="envoy_cluster_upstream_rq_xx",
    class_label="envoy_response_code_class",
    timeouts="envoy_cluster_upstream_rq_timeout",
    latency="envoy_cluster_upstream_rq_time",
    in_flight="envoy_cluster_upstream_rq_active",
    uptime="envoy_server_uptime",
)


def lines() -> Iterator[str]:
    """What Envoy writes for the filter of ScrapeSource: the families, and their doubles."""
    names = [
        f'envoy_cluster_name="cds_egress_mesh_node-{i}_shop_http_8080"' for i in range(CLUSTERS)
    ]
    for family in ("upstream_rq_xx", "external_upstream_rq_xx"):
        yield f"# TYPE envoy_cluster_{family} counter"
        for i, name in enumerate(names):
            for digit in "25":
                yield f'envoy_cluster_{family}{{envoy_response_code_class="{digit}",{name}}} {i}'
    for family in ("upstream_rq_timeout", "upstream_rq_per_try_timeout", "upstream_rq_active"):
        yield f"# TYPE envoy_cluster_{family} counter"
        yield from (f"envoy_cluster_{family}{{{name}}} {i}" for i, name in enumerate(names))
    yield "# TYPE envoy_server_uptime gauge"
    yield "envoy_server_uptime{} 41"
    for family in ("external_upstream_rq_time", "upstream_rq_time"):
        yield f"# TYPE envoy_cluster_{family} histogram"
        for i, name in enumerate(names):
            for at, bound in enumerate(BOUNDS):
                yield f'envoy_cluster_{family}_bucket{{{name},le="{bound}"}} {i * at}'
            yield f"envoy_cluster_{family}_sum{{{name}}} {i}.049504950495049548919723747531"
            yield f"envoy_cluster_{family}_count{{{name}}} {i * len(BOUNDS)}"


@pytest.fixture(scope="module")
def page() -> bytes:
    return "\n".join(lines()).encode()


@pytest.mark.benchmark(group="scrape")
def test_read(benchmark: BenchmarkFixture, page: bytes) -> None:
    exposition = Exposition(FAMILIES)
    exposition.read(page)  # the first page is read slower, since all its labels are new
    assert len(benchmark(exposition.read, page).targets) == CLUSTERS


@pytest.mark.benchmark(group="scrape")
def test_read_first(benchmark: BenchmarkFixture, page: bytes) -> None:
    snapshot = benchmark.pedantic(lambda: Exposition(FAMILIES).read(page), rounds=3)  # type: ignore[no-untyped-call]
    assert len(snapshot.targets) == CLUSTERS


@pytest.mark.benchmark(group="scrape")
def test_read_by_prometheus_client(benchmark: BenchmarkFixture, page: bytes) -> None:
    text = page.decode()
    families = benchmark.pedantic(lambda: list(text_string_to_metric_families(text)), rounds=1)  # type: ignore[no-untyped-call]
    assert len(families) == 8


@pytest.mark.benchmark(group="scrape")
def test_difference(benchmark: BenchmarkFixture, page: bytes) -> None:
    snapshot = Exposition(FAMILIES).read(page)
    made = benchmark(lambda: windows([Process(snapshot, snapshot)], 0, 5))
    assert len(made) == CLUSTERS

"""A Prometheus that scrapes two exporters, and what reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from edges.prometheus.bed import Bed
from edges.prometheus.exporter import Exporter

from trimtab.testbed.processes import Prometheus


@pytest.fixture(scope="session")
def exporters() -> Iterator[tuple[Exporter, Exporter]]:
    with Exporter() as one, Exporter() as two:
        yield one, two


@pytest.fixture(scope="session")
def prometheus(
    prometheus_binary: Path,
    exporters: tuple[Exporter, Exporter],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    addresses = [one.address for one in exporters]
    with Prometheus.start(folder, addresses, scrape_interval_s=0.2) as running:
        yield running


@pytest.fixture(scope="module")
def lone(
    prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, tuple[Exporter, Exporter]]]:
    """A Prometheus for tests that stop it, set it up anew or need it slow."""
    folder = tmp_path_factory.mktemp("lone")
    with (
        Exporter() as one,
        Exporter() as two,
        Prometheus.start(folder, [one.address, two.address], scrape_interval_s=1) as running,
    ):
        yield running, (one, two)


@pytest.fixture
async def own(
    lone: tuple[Prometheus, tuple[Exporter, Exporter]],
) -> AsyncIterator[Bed]:
    made = Bed(*lone)
    yield made
    for source in made.sources:
        await source.close()


@pytest.fixture
async def bed(prometheus: Prometheus, exporters: tuple[Exporter, Exporter]) -> AsyncIterator[Bed]:
    made = Bed(prometheus, exporters)
    yield made
    for source in made.sources:
        await source.close()

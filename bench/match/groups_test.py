"""The same sites and picks under pytest-benchmark: a group for each, a candidate beside its rivals.

A run is 100 requests. What the goals are checked with is ``python -m bench.match``, which takes the
candidates in turn; this is for looking, comparing with an earlier run, and profiling one of them.
"""

from __future__ import annotations

import functools

import pytest
from bench.match import picks, rivals
from bench.match.rounds import loop
from bench.match.routes import Route
from bench.match.suite import SITES, TARGET, Site, check, picking
from pytest_benchmark.fixture import BenchmarkFixture

REQUESTS = 100


@functools.lru_cache(maxsize=1)  # tests come in the order of the sites, and tables are large
def table(name: str) -> list[Route]:
    return SITES[name].table()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param(name, make, id=f"{name}-{make.__name__}")
        for name, site in SITES.items()
        for make in site.routers()
    ],
)
def test_match(name: str, make: rivals.Router, benchmark: BenchmarkFixture) -> None:
    site: Site = SITES[name]
    asked = site.requests(table(name))
    candidate = make(table(name))
    check([candidate], TARGET, asked[:REQUESTS])
    benchmark.group = f"{site.title} routes, {REQUESTS} requests"
    benchmark(loop(candidate, TARGET, [tuple(key) for key, _ in asked[:REQUESTS]]))


@pytest.mark.parametrize("count", picks.COUNTS)
@pytest.mark.parametrize(
    "place", range(len(picks.candidates(2))), ids=[one.name for one in picks.candidates(2)]
)
def test_pick(count: int, place: int, benchmark: BenchmarkFixture) -> None:
    group = picking(count)
    benchmark.group = f"{group.title}, {REQUESTS} picks"
    benchmark(loop(group.candidates[place], group.target, group.keys[:REQUESTS]))

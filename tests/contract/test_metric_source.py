"""What every MetricSource promises, on each of them: Prometheus for real, and the own scraping.

Both read the same exporters, whose counters the test sets, so that the truth is known exactly.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from math import inf, nan
from pathlib import Path

import pytest
from contract.metric_rigs import Asked, Own, Rig
from edges.prometheus.bed import FAMILIES
from edges.prometheus.exporter import BOUNDS_MS, Exporter

from trimtab.core.model import Telemetry, Window
from trimtab.testbed.processes import Prometheus


@pytest.fixture(scope="module")
def exporters() -> Iterator[tuple[Exporter, ...]]:
    with Exporter() as one, Exporter() as two:
        yield one, two


@pytest.fixture(scope="module")
def prometheus(
    prometheus_binary: Path,
    exporters: tuple[Exporter, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    addresses = [one.address for one in exporters]
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus.start(folder, addresses, scrape_interval_s=0.2) as running:
        yield running


@pytest.fixture(params=["scrape", "prometheus"])
async def rig(
    request: pytest.FixtureRequest, exporters: tuple[Exporter, ...]
) -> AsyncIterator[Rig]:
    for one in exporters:
        one.broken = False
        one.restart(uptime_s=1000)
    test = uuid.uuid4().hex[:8]
    made: Rig = (
        Own(exporters, test)
        if request.param == "scrape"
        else Asked(exporters, test, request.getfixturevalue("prometheus"))
    )
    yield made
    await made.source.close()


async def read(rig: Rig) -> Telemetry:
    return await rig.source.read(await rig.instant())


async def windows(rig: Rig) -> dict[str, Window]:
    telemetry = await read(rig)
    assert telemetry.down is None
    return dict(telemetry.windows)


async def test_the_first_read_has_no_windows(rig: Rig) -> None:
    """A difference needs two instants: one reading says nothing, and is not an outage."""
    rig.exporters[0].count(rig.web, {2: 500, 5: 100})
    telemetry = await read(rig)
    assert (telemetry.windows, telemetry.down) == ({}, None)


async def test_counts_are_exact(rig: Rig) -> None:
    """A window has the true counts of its time: by class, timeouts, buckets, and the gauge."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 500, 5: 100}, timeouts=9, latencies_ms=[1, 2, 3])
    first = (await read(rig)).at
    one.count(rig.web, {2: 15, 4: 2, 5: 3}, timeouts=1, latencies_ms=[1, 4.5, 20, 70, 9000])
    one.in_flight(rig.web, 7)
    telemetry = await read(rig)
    window = telemetry.windows[rig.web]
    assert [window.start, window.end] == pytest.approx([first, telemetry.at])
    assert Counter(window.classes) == Counter({2: 15, 4: 2, 5: 3})
    assert (window.requests, window.errors, window.timeouts) == (20, 3, 1)
    assert (window.bounds_ms, window.counts) == (BOUNDS_MS, (2, 1, 2))
    assert window.latency_sum_ms == pytest.approx(9095.5)
    assert window.in_flight == 7
    assert 0 <= window.age_s < 1
    assert not window.partial


async def test_the_first_error_ever_is_counted(rig: Rig) -> None:
    """Envoy makes a series at its first event: it counts from zero, it is not lost."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 10})
    await read(rig)
    one.count(rig.web, {2: 5, 5: 3})
    one.count(rig.api, {5: 2}, latencies_ms=[1])
    now = await windows(rig)
    assert now[rig.web].classes == {2: 5, 5: 3}
    assert (now[rig.api].classes, now[rig.api].counts) == ({5: 2}, (1, 0, 0))
    assert not now[rig.api].partial


async def test_an_idle_target_is_known_with_zeros(rig: Rig) -> None:
    """A target without traffic is known; one without series, or not selected, is not."""
    rig.exporters[0].known(rig.web)
    rig.exporters[0].count("xds_cluster", {2: 1})
    await read(rig)
    rig.exporters[0].count("xds_cluster", {2: 1})
    now = await windows(rig)
    assert now.keys() == {rig.web}
    assert (now[rig.web].requests, now[rig.web].counts, now[rig.web].in_flight) == (0, (), 0)
    assert not now[rig.web].partial


async def test_nothing_exported_is_no_outage(rig: Rig) -> None:
    """Processes without a single target answer: there is just nothing to tell."""
    await read(rig)
    telemetry = await read(rig)
    assert (telemetry.windows, telemetry.down) == ({}, None)


async def test_a_reset_counter_counts_from_zero(rig: Rig) -> None:
    """A restarted process has counted 8 since, and the end of the old one was not seen."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 100, 5: 50}, timeouts=5, latencies_ms=[1] * 9)
    await read(rig)
    one.restart()
    one.count(rig.web, {2: 7, 5: 1}, timeouts=1, latencies_ms=[20] * 2)
    window = (await windows(rig))[rig.web]
    assert (window.classes, window.timeouts, window.counts) == ({2: 7, 5: 1}, 1, (0, 2, 0))
    assert window.partial
    one.count(rig.web, {2: 4})
    window = (await windows(rig))[rig.web]
    assert (window.classes[2], window.partial) == (4, False)


async def test_a_restart_is_seen_though_the_counters_rose(rig: Rig) -> None:
    """A new process that has overtaken the old one's counters is known by its age."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 5}, latencies_ms=[1])
    await read(rig)
    one.restart()
    one.count(rig.web, {2: 7, 5: 1}, latencies_ms=[1, 2])
    window = (await windows(rig))[rig.web]
    assert (window.classes, window.counts) == ({2: 7, 5: 1}, (2, 0, 0))
    assert window.partial


async def test_instances_are_summed(rig: Rig) -> None:
    """What several processes send to one target is one target."""
    one, two = rig.exporters
    one.count(rig.web, {2: 100})
    two.count(rig.web, {2: 1000, 5: 10})
    await read(rig)
    one.count(rig.web, {2: 3, 5: 1}, timeouts=1, latencies_ms=[1, 60])
    two.count(rig.web, {2: 4}, timeouts=2, latencies_ms=[2])
    one.in_flight(rig.web, 2)
    two.in_flight(rig.web, 3)
    window = (await windows(rig))[rig.web]
    assert Counter(window.classes) == Counter({2: 7, 5: 1})
    assert (window.timeouts, window.counts, window.in_flight) == (3, (2, 0, 1), 5)
    assert not window.partial


async def test_several_series_of_a_target_are_summed(rig: Rig) -> None:
    """Further labels do not make a target two."""
    one = rig.exporters[0]
    name, label = FAMILIES.requests, FAMILIES.class_label
    for zone, count in (("a", 10), ("b", 20)):
        one.add(name, {label: "2", "zone": zone}, rig.web, count)
    await read(rig)
    for zone, count in (("a", 1), ("b", 2), ("c", 4)):
        one.add(name, {label: "2", "zone": zone}, rig.web, count)
    assert (await windows(rig))[rig.web].classes == {2: 7}


async def test_a_lost_instance_makes_its_targets_partial(rig: Rig) -> None:
    """One of two processes is out of reach: the other's counts stand, and the window says so,
    as long as it lasts. Back again, its history is not poured into one window."""
    one, two = rig.exporters
    one.count(rig.web, {2: 100})
    two.count(rig.web, {2: 100})
    one.count(rig.api, {2: 100})
    await read(rig)
    for expected in (5, 6):  # at the first such read it is gone, at the second it still is
        one.count(rig.web, {2: expected})
        one.count(rig.api, {2: 1})
        two.count(rig.web, {2: 40})
        two.broken = True
        now = await windows(rig)
        assert (now[rig.web].classes, now[rig.web].partial) == ({2: expected}, True)
        assert (now[rig.api].classes, now[rig.api].partial) == ({2: 1}, False)
    two.broken = False
    two.count(rig.web, {2: 104})
    one.count(rig.web, {2: 2})
    back = (await windows(rig))[rig.web]
    assert (back.classes, back.partial) == ({2: 2}, True)
    two.count(rig.web, {2: 9})
    after = (await windows(rig))[rig.web]
    assert (after.classes, after.partial) == ({2: 9}, False)


async def test_a_new_instance_counts_from_its_start(rig: Rig) -> None:
    """A process that is younger than the window belongs to it from its first request on; an
    older one that turns up does not: when it counted is not known."""
    one, young = rig.exporters
    one.count(rig.web, {2: 100})
    young.broken = True
    await read(rig)
    young.broken = False
    young.restart()
    young.count(rig.web, {2: 4, 5: 1})
    one.count(rig.web, {2: 10})
    window = (await windows(rig))[rig.web]
    assert (window.classes, window.partial) == ({2: 14, 5: 1}, False)


async def test_a_target_that_is_gone_is_not_known(rig: Rig) -> None:
    """No process has the target any more: nobody knows anything about it."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 100})
    one.count(rig.api, {2: 100})
    await read(rig)
    one.restart(uptime_s=2000)  # the process goes on, with another configuration
    one.count(rig.api, {2: 107})
    now = await windows(rig)
    assert now.keys() == {rig.api}
    assert now[rig.api].classes == {2: 7}


async def test_nan_is_no_count(rig: Rig) -> None:
    """NaN counts as nothing, at either end, and is not a baseline of zero."""
    one, two = rig.exporters
    name, label = FAMILIES.requests, {FAMILIES.class_label: "5"}
    one.count(rig.web, {2: 10, 5: 100})
    two.count(rig.web, {5: 50})
    await read(rig)
    one.set(name, label, rig.web, nan)
    one.in_flight(rig.web, nan)
    two.count(rig.web, {5: 2})
    two.in_flight(rig.web, 3)
    window = (await windows(rig))[rig.web]
    assert (window.errors, window.in_flight, window.partial) == (2, 3, True)
    one.set(name, label, rig.web, 104)
    two.count(rig.web, {5: 1})
    window = (await windows(rig))[rig.web]
    assert (window.errors, window.partial) == (1, True)
    one.count(rig.web, {5: 6})
    window = (await windows(rig))[rig.web]
    assert (window.errors, window.partial) == (6, False)


async def test_an_outage_loses_nothing_and_counts_nothing_twice(rig: Rig) -> None:
    """While the source is down it says so; the next window starts where the last good one ended."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 100})
    await read(rig)
    one.count(rig.web, {2: 3})
    good = (await windows(rig))[rig.web]
    one.count(rig.web, {2: 5, 5: 1})
    now = await rig.instant()
    with rig.outage():
        down = await rig.source.read(now)
    assert down.down
    assert not down.windows
    one.count(rig.web, {2: 7})
    after = (await windows(rig))[rig.web]
    assert after.start == good.end
    assert after.classes == {2: 12, 5: 1}
    assert not after.partial


async def test_a_first_read_that_fails_is_down(rig: Rig) -> None:
    """Down at the first read, and the one after it is the first."""
    rig.exporters[0].count(rig.web, {2: 100})
    now = await rig.instant()
    with rig.outage():
        assert (await rig.source.read(now)).down
    assert await windows(rig) == {}


async def test_an_old_window_starts_anew(rig: Rig) -> None:
    """What happened over more than the longest window is not one window: it starts anew."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 100})
    now = await rig.instant()
    await rig.source.read(now - 1000)
    one.count(rig.web, {2: 50})
    assert await windows(rig) == {}
    one.count(rig.web, {2: 3})
    assert (await windows(rig))[rig.web].classes == {2: 3}


async def test_a_clock_set_back_counts_nothing_twice(rig: Rig) -> None:
    """Until the clock is where it was there is nothing new; then the window has it all."""
    one = rig.exporters[0]
    one.count(rig.web, {2: 100})
    await read(rig)
    one.count(rig.web, {2: 3})
    last = await read(rig)
    one.count(rig.web, {2: 4})
    for earlier in (last.at, last.at - 0.5):
        telemetry = await rig.source.read(earlier)
        assert (telemetry.windows, telemetry.down) == ({}, None)
    assert (await windows(rig))[rig.web].classes == {2: 4}


async def test_windows_add_up(rig: Rig) -> None:
    """Over any run of counting, restarts, new targets and outages the windows sum to the truth."""
    chance = random.Random(20261122)
    truth: Counter[tuple[str, str]] = Counter()
    told: Counter[tuple[str, str]] = Counter()
    rig.exporters[0].count(rig.web, {2: 77})
    rig.exporters[1].count(rig.web, {2: 33})
    await read(rig)
    end: float | None = None
    for step in range(8):
        if step % 3 == 2:  # just read, so that nothing is lost with the old process
            chance.choice(rig.exporters).restart()
        for one in rig.exporters:
            for target in chance.sample([rig.web, rig.api], chance.randint(1, 2)):
                counted = {digit: chance.randint(0, 50) for digit in chance.sample([2, 4, 5], 2)}
                late, timeouts = chance.randint(0, 4), chance.randint(0, 2)
                one.count(target, counted, timeouts, [9000] * late)
                truth[target, "timeouts"] += timeouts
                truth[target, "slow"] += late
                for digit, number in counted.items():
                    truth[target, str(digit)] += number
        now = await rig.instant()
        if step == 3:
            with rig.outage():
                assert (await rig.source.read(now)).down
            continue
        for target, window in (await rig.source.read(now)).windows.items():
            assert end is None or window.start == end
            told[target, "timeouts"] += window.timeouts
            told[target, "slow"] += window.counts[-1] if window.bounds_ms[-1:] == (inf,) else 0
            for digit, number in window.classes.items():
                told[target, str(digit)] += number
        end = window.end
    assert +told == +truth

"""What spoils counts read from a Prometheus, each played on a real one, each count exact."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import nan

import pytest
import requests
import yaml
from edges.prometheus.bed import Bed

from trimtab.testbed.processes import Prometheus, free_port, poll


def clock_of(prometheus: Prometheus) -> float:
    answer = requests.get(f"{prometheus.url}/api/v1/query", params={"query": "time()"}, timeout=5)
    return float(answer.json()["data"]["result"][1])


@contextmanager
def remote_storage_out_of_reach(prometheus: Prometheus) -> Iterator[None]:
    """Meanwhile Prometheus is to read a remote storage as well, and nobody is there."""
    file = prometheus.log_file.with_name("prometheus.yml")
    plain = file.read_text()
    remote = {"url": f"http://127.0.0.1:{free_port()}/read", "read_recent": True}
    file.write_text(yaml.safe_dump(yaml.safe_load(plain) | {"remote_read": [remote]}))
    _reload(prometheus, warns=True)
    yield
    file.write_text(plain)
    _reload(prometheus, warns=False)


def _reload(prometheus: Prometheus, *, warns: bool) -> None:
    os.kill(prometheus.pid, signal.SIGHUP)
    url = f"{prometheus.url}/api/v1/query?query=up"
    assert poll(lambda: ("warnings" in requests.get(url, timeout=5).json()) is warns, 10)


async def test_the_first_error_of_a_series_that_did_not_exist_before(bed: Bed) -> None:
    """Envoy makes the series of a class at its first response: three errors are three."""
    bed.one.count(bed.web, {2: 100})
    bed.two.count(bed.web, {2: 200})
    await bed.read()
    bed.one.count(bed.web, {2: 10, 5: 3})
    bed.two.count(bed.web, {2: 5})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 15, 5: 3}, False)


async def test_counter_reset(bed: Bed) -> None:
    """A process that started anew has counted 7 and 1 since, whatever the old one had."""
    bed.one.count(bed.web, {2: 100, 5: 40}, timeouts=4, latencies_ms=[1, 60])
    await bed.read()
    bed.one.restart()
    bed.one.count(bed.web, {2: 7, 5: 1}, timeouts=1, latencies_ms=[2])
    window = await bed.window()
    assert (window.classes, window.timeouts) == ({2: 7, 5: 1}, 1)
    assert (window.counts, window.latency_sum_ms) == ((1, 0, 0), 2)
    assert window.partial


async def test_counter_reset_that_has_caught_up(bed: Bed) -> None:
    """A new process with higher counters than the old one is told by its age."""
    bed.one.count(bed.web, {2: 5})
    await bed.read()
    bed.one.restart()
    bed.one.count(bed.web, {2: 7})
    assert (await bed.window()).classes == {2: 7}


async def test_counter_reset_where_no_age_is_known(bed: Bed) -> None:
    """Families without an uptime: a counter that went down counts from zero, and a process
    that was not scraped at the start is left out, however young."""
    bed.families = replace(bed.families, uptime="")
    bed.source = bed.open()
    bed.one.count(bed.web, {2: 5})
    bed.two.broken = True
    await bed.read()
    bed.one.restart()
    bed.one.count(bed.web, {2: 3})
    bed.two.broken = False
    bed.two.restart()
    bed.two.count(bed.web, {2: 50})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 3}, True)


async def test_a_pod_replaced_on_the_same_address(bed: Bed) -> None:
    """The new pod has counted 4 since its start; of the old one's end nobody knows."""
    bed.one.count(bed.web, {2: 1000})
    await bed.read()
    bed.one.broken = True
    await bed.scraped()
    bed.one.broken = False
    bed.one.restart()
    bed.one.count(bed.web, {2: 4})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 4}, True)


async def test_a_pod_replaced_on_another_address(bed: Bed) -> None:
    """The new pod counts from its start, the old one is missing."""
    bed.one.count(bed.web, {2: 1000})
    bed.two.broken = True
    await bed.read()
    bed.one.broken = True
    bed.two.broken = False
    bed.two.restart()
    bed.two.count(bed.web, {2: 4, 5: 1})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 4, 5: 1}, True)


async def test_a_scrape_gap(bed: Bed) -> None:
    """An old process that was not scraped at the start has a history of 184: none of it belongs
    to the window, which is partial. The window after it is whole again."""
    bed.one.count(bed.web, {2: 100})
    bed.two.count(bed.web, {2: 150})
    bed.two.broken = True
    await bed.read()
    bed.two.broken = False
    bed.two.count(bed.web, {2: 34})
    bed.one.count(bed.web, {2: 6})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 6}, True)
    bed.two.count(bed.web, {2: 9})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 9}, False)


async def test_a_scrape_gap_inside_the_window_loses_nothing(bed: Bed) -> None:
    """Scraped at both ends, whatever lay between: all 12 are counted."""
    bed.one.count(bed.web, {2: 100})
    await bed.read()
    bed.one.count(bed.web, {2: 5})
    bed.one.broken = True
    await bed.scraped()
    bed.one.broken = False
    bed.one.count(bed.web, {2: 7})
    window = await bed.window()
    assert (window.classes, window.partial) == ({2: 12}, False)


async def test_staleness_of_an_exporter(bed: Bed) -> None:
    """A target whose last exporter cannot be scraped is gone with the next scrape."""
    bed.one.count(bed.web, {2: 100})
    await bed.read()
    bed.one.broken = True
    telemetry = await bed.read()
    assert (telemetry.windows, telemetry.down) == ({}, None)


async def test_staleness_of_prometheus(bed: Bed) -> None:
    """A Prometheus that scrapes no more answers with its last values for five minutes: no
    count betrays it, only the age of the data does; then there is nothing."""
    bed.source = bed.open(max_window_s=1000)
    bed.one.count(bed.web, {2: 100})
    await bed.read()
    bed.one.count(bed.web, {2: 8})
    last = await bed.scraped()
    # The read is the one that changes here, not the data: two minutes later, nothing newer.
    later = await bed.source.read(last + 120)
    window = later.windows[bed.web]
    assert window.classes == {2: 8}
    assert window.age_s == pytest.approx(120, abs=1)
    gone = await bed.source.read(last + 302)
    assert (gone.windows, gone.down) == ({}, None)


async def test_age_is_that_of_the_freshest_instance(bed: Bed) -> None:
    """One instance out of reach makes the target partial, not old."""
    bed.one.count(bed.web, {2: 100})
    bed.two.count(bed.web, {2: 100})
    await bed.read()
    bed.two.broken = True
    for _ in range(3):
        bed.one.count(bed.web, {2: 1})
        window = await bed.window()
        assert (window.classes, window.partial) == ({2: 1}, True)
        assert window.age_s < 1


async def test_nan(bed: Bed) -> None:
    """NaN counts as nothing, and does not spoil what the other instances counted."""
    bed.one.count(bed.web, {2: 10})
    bed.two.count(bed.web, {2: 1000})
    await bed.read()
    label = {bed.families.class_label: "2"}
    bed.two.set(bed.families.requests, label, bed.web, nan)
    bed.two.in_flight(bed.web, nan)
    bed.one.count(bed.web, {2: 3})
    bed.one.in_flight(bed.web, 2)
    window = await bed.window()
    assert (window.classes, window.in_flight, window.partial) == ({2: 3}, 2, True)
    bed.two.set(bed.families.requests, label, bed.web, 1004)
    window = await bed.window()
    assert (window.classes.get(2, 0), window.partial) == (0, True)


async def test_several_series_for_a_target(bed: Bed) -> None:
    """Of two instances with two zones each, one of them new: 1 + 2 + 4 + 8."""
    label = bed.families.class_label
    bed.two.count(bed.web)
    for one, zone, count in ((bed.one, "a", 10), (bed.one, "b", 20), (bed.two, "a", 40)):
        one.add(bed.families.requests, {label: "5", "zone": zone}, bed.web, count)
    await bed.read()
    for one, zone, count in (
        (bed.one, "a", 1),
        (bed.one, "b", 2),
        (bed.two, "a", 4),
        (bed.two, "b", 8),
    ):
        one.add(bed.families.requests, {label: "5", "zone": zone}, bed.web, count)
    window = await bed.window()
    assert (window.classes, window.partial) == ({5: 15}, False)


async def test_an_empty_answer(bed: Bed) -> None:
    """No series at all is an answer: nothing is known, and nothing is down."""
    await bed.read()
    telemetry = await bed.read()
    assert (telemetry.windows, telemetry.down, telemetry.warnings) == ({}, None, ())


async def test_a_scrape_under_way_while_reading(own: Bed) -> None:
    """A scrape bears the time at which it began and becomes visible when it is over. Read in
    between, what it brings is lost, and the next window says so. A source that lets the data
    settle loses nothing."""
    settled = own.open(settle_s=0.3)
    own.one.count(own.web, {2: 100})
    start = await own.scraped()
    await own.source.read(start)
    await settled.read(start + 0.3)
    own.one.gate.clear()
    assert await asyncio.to_thread(own.one.waiting.wait, 10)
    now = await asyncio.to_thread(clock_of, own.prometheus)
    early = [(await one.read(now)).windows[own.web] for one in (own.source, settled)]
    own.one.count(own.web, {2: 5})
    own.one.gate.set()
    end = max(await own.scraped(), now + 0.001)  # the sample is of before ``now``
    hasty = (await own.source.read(end)).windows[own.web]
    patient = (await settled.read(end + 0.3)).windows[own.web]
    assert [window.requests for window in early] == [0, 0]
    assert (hasty.requests, hasty.partial) == (0, True)
    assert (patient.requests, patient.partial) == (5, False)


async def test_prometheus_restarted(own: Bed) -> None:
    """Down while it is away; 150 requests before, during and after are 150."""
    own.one.count(own.web, {2: 1000})
    await own.read()
    own.one.count(own.web, {2: 50})
    now = await own.scraped()
    await asyncio.to_thread(own.prometheus.stop)
    own.one.count(own.web, {2: 60})
    down = await own.source.read(now)
    assert down.down
    assert "cannot be reached" in down.down
    await asyncio.to_thread(own.prometheus.start_again)
    own.one.count(own.web, {2: 40})
    window = await own.window()
    assert (window.classes, window.partial) == ({2: 150}, False)


async def test_a_warning_in_the_answer(own: Bed) -> None:
    """A Prometheus that could not read all of its storage says so beside its numbers: they are
    not used, and the next good window has all."""
    own.one.count(own.web, {2: 1000})
    await own.read()
    own.one.count(own.web, {2: 4})
    now = await own.scraped()
    with remote_storage_out_of_reach(own.prometheus):
        telemetry = await own.source.read(now)
    assert telemetry.down
    assert "incomplete" in telemetry.down
    assert any("remote_read" in warning for warning in telemetry.warnings)
    assert not telemetry.windows
    own.one.count(own.web, {2: 5})
    assert (await own.window()).classes == {2: 9}

"""The difference of cumulative samples, against a model that knows every single request."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.samples import (
    Process,
    Sample,
    Snapshot,
    histogram,
    response_class,
    upper_bound,
    windows,
)

BOUNDS = (1.0, 10.0, inf)


@dataclass
class Counting:
    """A process that counts as Envoy does: a series is there from its first event on."""

    started: float = 0.0
    classes: dict[str, Counter[int]] = field(default_factory=dict)
    buckets: dict[str, list[int]] = field(default_factory=dict)

    def request(self, target: str, digit: int, latency_ms: float) -> None:
        self.classes.setdefault(target, Counter())[digit] += 1
        within = self.buckets.setdefault(target, [0] * len(BOUNDS))
        within[bisect_left(BOUNDS, latency_ms)] += 1

    def snapshot(self, now: float) -> Snapshot:
        samples = {
            target: Sample(
                classes=dict(counted),
                buckets=dict(zip(BOUNDS, accumulate(self.buckets[target]), strict=True)),
            )
            for target, counted in self.classes.items()
        }
        return Snapshot(samples, now - self.started)


requests = st.lists(
    st.tuples(
        st.integers(0, 2),  # the process
        st.sampled_from(["a", "b"]),
        st.sampled_from([2, 4, 5]),
        st.sampled_from([0.5, 1.0, 5.0, 100.0]),
    ),
    max_size=12,
)
steps = st.lists(st.tuples(st.sets(st.integers(0, 2)), requests), min_size=1, max_size=8)


@given(steps)
def test_windows_add_up_to_every_request(
    steps: list[tuple[set[int], list[tuple[int, str, int, float]]]],
) -> None:
    """No request is lost or counted twice, however often processes start anew (just sampled)
    and whichever counters come into being in between."""
    processes = [Counting(started=-1000.0) for _ in range(3)]
    before = [process.snapshot(0) for process in processes]
    classes: Counter[tuple[str, int]] = Counter()
    buckets: Counter[tuple[str, float]] = Counter()
    truth: Counter[tuple[str, int]] = Counter()
    slow: Counter[tuple[str, float]] = Counter()
    for number, (restarted, made) in enumerate(steps):
        now = 10.0 * (number + 1)
        for index in restarted:
            processes[index] = Counting(started=now - 9 + number)  # younger each time
        for index, target, digit, latency in made:
            processes[index].request(target, digit, latency)
            truth[target, digit] += 1
            slow[target, BOUNDS[bisect_left(BOUNDS, latency)]] += 1
        after = [process.snapshot(now) for process in processes]
        ends = [Process(*pair) for pair in zip(before, after, strict=True)]
        for target, window in windows(ends, now - 10, now).items():
            assert (window.start, window.end) == (now - 10, now)
            for digit, count in window.classes.items():
                classes[target, digit] += count
            for bound, count in zip(window.bounds_ms, window.counts, strict=True):
                buckets[target, bound] += count
        before = after
    assert +classes == truth
    assert +buckets == slow


def cumulative(counts: list[int]) -> dict[float, int]:
    bounds = [*(float(i) for i in range(len(counts) - 1)), inf]
    return dict(zip(bounds, accumulate(counts), strict=True))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_a_histogram_is_taken_apart(counts: list[int]) -> None:
    """Counts by upper bound and counts of each bucket say the same."""
    bounds, apart = histogram(cumulative(counts))
    assert list(apart) == counts
    assert bounds[-1] == inf
    assert all(low < high for low, high in pairwise(bounds))


@given(st.dictionaries(st.floats(allow_nan=False), st.integers(0, 99), max_size=9))
def test_a_histogram_never_counts_below_zero(buckets: dict[float, int]) -> None:
    """Sums of histograms with different bounds need not rise: what falls counts as nothing."""
    bounds, counts = histogram(buckets)
    assert len(bounds) == len(counts)
    assert all(count >= 0 for count in counts)
    assert bool(bounds) is (inf in buckets)
    assert sum(counts) == (max(buckets.values()) if bounds else 0)


def of(target: str = "a", uptime: float | None = 1000.0, **sample: object) -> Snapshot:
    return Snapshot({target: Sample(**sample)}, uptime)  # type: ignore[arg-type]


def test_gauges_and_sums() -> None:
    """The gauge is that of the end, summed over the processes; the rest are differences."""
    one = Process(
        of(timeouts=5, latency_sum_ms=100.0, in_flight=50),
        of(timeouts=7, latency_sum_ms=130.5, in_flight=2),
    )
    two = Process(of(timeouts=1), of(timeouts=2, latency_sum_ms=1.0, in_flight=3))
    window = windows([one, two], 0, 5)["a"]
    assert (window.timeouts, window.latency_sum_ms, window.in_flight) == (3, 31.5, 5)
    assert not window.partial


def test_a_counter_that_went_down_resets_all_of_its_target() -> None:
    """The counters of a target live and die together: those that have caught up count from
    zero as well, and what the old ones counted at their end is missing."""
    process = Process(
        of(classes={2: 100, 5: 3}, timeouts=1, buckets={1.0: 4, inf: 9}),
        of(classes={2: 40, 5: 5}, timeouts=2, buckets={1.0: 6, inf: 8}),
    )
    window = windows([process], 0, 5)["a"]
    assert (window.classes, window.timeouts, window.counts) == ({2: 40, 5: 5}, 2, (6, 2))
    assert window.partial


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [(1000.0, 1005.0, False), (1000.0, 4.0, True), (1000.0, 1000.0, False), (None, 4.0, False)],
)
def test_a_younger_process_counts_from_zero(
    before: float | None, after: float | None, lost: bool
) -> None:
    """Age tells a restart that the counters hide; without an age only they can tell."""
    process = Process(of(uptime=before, classes={2: 5}), of(uptime=after, classes={2: 8}))
    window = windows([process], 0, 5)["a"]
    assert (window.requests, window.partial) == (8 if lost else 3, lost)


@pytest.mark.parametrize(
    ("uptime", "requests", "partial"), [(4.0, 7, False), (5.0, 0, True), (None, 0, True)]
)
def test_a_process_that_was_not_sampled_at_the_start(
    uptime: float | None, requests: int, partial: bool
) -> None:
    """It counts from zero if it is younger than the window; else its history is left out, and
    its gauge is known all the same."""
    after = of(uptime=uptime, classes={2: 7}, in_flight=2)
    window = windows([Process(None, after)], 10, 15)["a"]
    assert (window.requests, window.partial, window.in_flight) == (requests, partial, 2)


def test_what_is_gone_is_missed_where_it_is_still_known() -> None:
    """A process or a target that is gone at the end makes partial what others still have."""
    both = Snapshot({"a": Sample(), "b": Sample()}, 1000.0)
    gone = windows([Process(both, None), Process(of(), of(uptime=1005.0))], 0, 5)
    assert {target: window.partial for target, window in gone.items()} == {"a": True}
    dropped = windows([Process(both, of(uptime=1005.0)), Process(both, both)], 0, 5)
    assert {target: window.partial for target, window in dropped.items()} == {
        "a": False,
        "b": True,
    }
    assert windows([Process(None, None)], 0, 5) == {}


@pytest.mark.parametrize("end", ["before", "after"])
def test_nan_is_neither_a_count_nor_a_baseline(end: str) -> None:
    """A target of which a counter is NaN at either end is not measured."""
    spoilt = Snapshot({"a": Sample({2: 500})}, 1000.0, frozenset({"a"}))
    fine = Snapshot({"a": Sample({2: 900})}, 1000.0)
    process = Process(spoilt, fine) if end == "before" else Process(fine, spoilt)
    window = windows([process], 0, 5)["a"]
    assert (window.requests, window.partial) == (0, True)


@pytest.mark.parametrize(
    ("code", "digit"),
    [("2", 2), ("5xx", 5), ("503", 5), ("0", 0), ("", 0), ("unknown", 0), ("²", 0), ("٣", 0)],
)
def test_class_of_a_status_code(code: str, digit: int) -> None:
    """The first digit, 0 for what has none."""
    assert response_class(code) == digit


@pytest.mark.parametrize(
    ("text", "bound"),
    [("0.5", 0.5), ("1e3", 1000.0), ("+Inf", inf), ("NaN", None), ("", None), ("fast", None)],
)
def test_upper_bound_of_a_bucket(text: str, bound: float | None) -> None:
    """As the text format writes it; None for what bounds nothing."""
    assert upper_bound(text) == bound

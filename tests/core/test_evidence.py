"""Laws of what is remembered about a target."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.capacity import capacity
from trimtab.core.evidence import Evidence, Sums, merge, quantile_ms
from trimtab.core.model import Window

BOUNDS = (1.0, 10.0, 100.0, math.inf)
counts = st.tuples(*(st.integers(0, 50) for _ in BOUNDS))


def window(start: float, seen: tuple[int, ...], timeouts: int = 0) -> Window:
    total = sum(seen) + timeouts
    return Window(
        start=start,
        end=start + 5,
        classes={2: total - timeouts, 5: timeouts},
        timeouts=timeouts,
        bounds_ms=BOUNDS,
        counts=seen,
        latency_sum_ms=10.0 * sum(seen),
    )


@given(st.lists(st.tuples(counts, st.integers(0, 9)), min_size=1, max_size=8))
def test_merged_windows_add_up(parts: list[tuple[tuple[int, ...], int]]) -> None:
    """The sum of consecutive windows has their requests, errors, timeouts and buckets."""
    windows = tuple(window(5.0 * i, seen, late) for i, (seen, late) in enumerate(parts))
    whole = merge(windows)
    assert whole.requests == sum(w.requests for w in windows)
    assert whole.errors == whole.timeouts == sum(late for _, late in parts)
    assert whole.counts == tuple(map(sum, zip(*(seen for seen, _ in parts), strict=True)))
    assert whole.duration_s == 5 * len(parts)


@given(counts, st.integers(0, 20), st.floats(0.01, 1.0))
def test_quantile_lies_in_the_bucket_of_its_rank(
    seen: tuple[int, ...], timeouts: int, q: float
) -> None:
    """An independent walk over single requests finds the same bucket; timeouts come last."""
    answer = quantile_ms(window(0, seen, timeouts), q)
    slowest = [
        (low, high)
        for (low, high), n in zip(pairwise((0.0, *BOUNDS)), seen, strict=True)
        for _ in range(n)
    ]
    slowest += [(math.inf, math.inf)] * timeouts
    if not slowest:
        assert answer is None
        return
    low, high = slowest[max(0, math.ceil(q * len(slowest) - 1e-9) - 1)]
    assert answer is not None
    assert low <= answer <= high


def test_bounds_that_changed_are_not_mixed() -> None:
    """Counts under other bounds are left out rather than moved to buckets they were not in."""
    old = Window(0, 5, {2: 3}, bounds_ms=(5.0, math.inf), counts=(3, 0), latency_sum_ms=6)
    whole = merge((old, window(5, (0, 4, 0, 0))))
    assert whole.requests == 7
    assert whole.counts == (0, 4, 0, 0)


def test_old_windows_are_forgotten() -> None:
    """Only windows that end within the horizon are kept, and the newest always."""
    evidence = Evidence()
    for i in range(10):
        evidence = evidence.add(window(5.0 * i, (1, 0, 0, 0)), keep_s=12, half_life_s=10)
    assert [w.end for w in evidence.recent] == [40, 45, 50]


@given(st.floats(1, 200), st.floats(0.05, 0.95))
def test_capacity_of_a_shared_server_is_seen_at_any_load(mu: float, load: float) -> None:
    """M/M/1: the estimate is the capacity, so that the control loop has no gain of its own."""
    rate = load * mu
    latency_ms = 1000 / (mu - rate)
    sums = Sums(10, rate * 10, 0, 0, rate * 10, latency_ms * rate * 10, 0)
    if sums.mean_in_flight > 0.02:  # below, the floor against noise is at work
        assert capacity(sums, 1.0) == pytest.approx(mu, rel=1e-6)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_errors_never_look_like_more_capacity(a: float, b: float) -> None:
    """Of two targets alike but for errors, the one with more errors has less capacity."""
    less, more = sorted((a, b))
    one, two = (Sums(10, 1000, r * 1000, 0, 1000, 20_000, 0) for r in (less, more))
    assert capacity(one, 1.0) >= capacity(two, 1.0)


def test_a_hanging_target_shows_in_flight() -> None:
    """Nothing is answered, so there is no latency: the gauge says that it is busy."""
    hanging = Sums(seconds=10, requests=1, errors=1, in_flight=400)
    assert hanging.mean_in_flight == 40
    assert capacity(hanging, 1.0) == 0

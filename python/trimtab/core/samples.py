"""Cumulative samples of processes and their difference: the Windows of a source that samples itself.

A process (one Envoy) counts from its start. What it did in a window is the difference of
what it had counted at both ends. Three things make that less than trivial:

* A counter that went down was reset: it counts from zero.
* A target that the process did not have before counts from zero, since Envoy creates a
  counter at its first event: a plain difference would lose the first errors of a canary.
* A process that was not sampled at the start of the window counts from zero only if it is
  younger than the window. Else it would pour its whole history into it: it is left out, and
  its targets are partial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isnan
from typing import NamedTuple

from trimtab.core.model import Window


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process has counted for one target since it started.

    ``classes`` counts requests by the first digit of the status code; ``buckets`` holds, for
    each upper bound in milliseconds, the requests answered within it (cumulative, as in the
    Prometheus exposition). ``in_flight`` is the gauge.
    """

    classes: Mapping[int, int] = field(default_factory=dict)
    timeouts: int = 0
    buckets: Mapping[float, int] = field(default_factory=dict)
    latency_sum_ms: float = 0.0
    in_flight: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All samples of one process at one instant, and its age where it tells it.

    ``nan`` names targets of which a counter was NaN: their samples are no measure.
    """

    targets: Mapping[str, Sample]
    uptime_s: float | None = None
    nan: frozenset[str] = frozenset()


class Process(NamedTuple):
    """One process at both ends of a window; None where it did not answer.

    With ``after`` None, ``before`` may be of any earlier instant: it only says which targets
    the process had.
    """

    before: Snapshot | None
    after: Snapshot | None


def windows(processes: Iterable[Process], start: float, end: float) -> dict[str, Window]:
    """The Windows of all targets that a process has at ``end``, summed over the processes."""
    totals: dict[str, _Total] = {}
    partial: set[str] = set()
    for before, after in processes:
        if before is not None and after is not None:
            partial.update(before.targets.keys() - after.targets.keys())
            _add(totals, after, before, lost=_restarted(before, after))
        elif before is not None:
            partial.update(before.targets)
        elif after is not None and _younger(after, end - start):
            _add(totals, after, Snapshot({}), lost=False)
        elif after is not None:
            partial.update(after.targets)
            for name, sample in after.targets.items():
                totals.setdefault(name, _Total()).in_flight += sample.in_flight
    return {
        name: total.window(start, end, partial=total.lost or name in partial)
        for name, total in totals.items()
    }


def histogram(cumulative: Mapping[float, int]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Bounds and counts of each bucket by itself, from counts by upper bound.

    Nothing where the bound inf is missing: such a histogram does not count all requests.
    Counts never go below zero, also where summed histograms had different bounds.
    """
    if inf not in cumulative:
        return (), ()
    bounds = tuple(sorted(cumulative))
    counts, below = [], 0
    for bound in bounds:
        within = max(cumulative[bound], below)
        counts.append(within - below)
        below = within
    return bounds, tuple(counts)


def response_class(code: str) -> int:
    """The class of a status code or class label: "5", "5xx", "503" -> 5; 0 for what is no code."""
    return int(code[0]) if code[:1].isdecimal() and code[0].isascii() else 0


def upper_bound(text: str) -> float | None:
    """The upper bound of a bucket, from its label ``le``; None for what is none."""
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if isnan(bound) else bound


class _Total:
    """The counts of one target in the window, being summed."""

    __slots__ = ("buckets", "classes", "in_flight", "latency_sum_ms", "lost", "timeouts")

    def __init__(self) -> None:
        self.classes: dict[int, int] = {}
        self.buckets: dict[float, int] = {}
        self.timeouts = 0
        self.latency_sum_ms = 0.0
        self.in_flight = 0.0
        self.lost = False

    def add(self, sample: Sample, before: Sample) -> None:
        classes, buckets = self.classes, self.buckets
        earlier: Mapping[int, int] = before.classes
        for digit, count in sample.classes.items():
            classes[digit] = classes.get(digit, 0) + count - earlier.get(digit, 0)
        within = before.buckets
        for bound, count in sample.buckets.items():
            buckets[bound] = buckets.get(bound, 0) + count - within.get(bound, 0)
        self.timeouts += sample.timeouts - before.timeouts
        self.latency_sum_ms += max(0.0, sample.latency_sum_ms - before.latency_sum_ms)

    def window(self, start: float, end: float, *, partial: bool) -> Window:
        bounds, counts = histogram(self.buckets)
        return Window(
            start=start,
            end=end,
            classes=self.classes,
            timeouts=self.timeouts,
            bounds_ms=bounds,
            counts=counts,
            latency_sum_ms=self.latency_sum_ms,
            in_flight=self.in_flight,
            partial=partial,
        )


_NOTHING = Sample()


def _add(totals: dict[str, _Total], after: Snapshot, before: Snapshot, *, lost: bool) -> None:
    """Add what one process counted. ``lost``: it restarted, and the end of the old one with it."""
    earlier = {} if lost else before.targets
    unmeasured = before.nan | after.nan
    for name, sample in after.targets.items():
        total = totals.setdefault(name, _Total())
        total.in_flight += sample.in_flight
        if name in unmeasured:
            total.lost = True
            continue
        baseline = earlier.get(name, _NOTHING)
        reset = _went_down(baseline, sample)
        total.add(sample, _NOTHING if reset else baseline)
        total.lost = total.lost or lost or reset


def _younger(snapshot: Snapshot, seconds: float) -> bool:
    return snapshot.uptime_s is not None and snapshot.uptime_s < seconds


def _restarted(before: Snapshot, after: Snapshot) -> bool:
    """Whether another process answers now. Counters alone do not tell: the new one may have
    overtaken the old one already. One that starts over again and again, and lives longer each
    time, is told by its counters only."""
    if before.uptime_s is None or after.uptime_s is None:
        return False
    return after.uptime_s < before.uptime_s


def _went_down(before: Sample, after: Sample) -> bool:
    """Whether a counter went down: the counters of a target live and die together."""
    return (
        after.timeouts < before.timeouts
        or any(count > after.classes.get(key, 0) for key, count in before.classes.items())
        or any(count > after.buckets.get(key, 0) for key, count in before.buckets.items())
    )

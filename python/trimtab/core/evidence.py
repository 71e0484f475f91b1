"""What is known about a target: the windows of the recent past, and decayed sums of them.

Two memories, since two questions are asked. The judge asks "how did it behave over the last
windowSeconds", which a person must be able to check by counting: whole windows are kept and
summed. The optimiser asks "how does it behave now", with noise averaged out: sums that lose
half of their weight every halfLifeSeconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from trimtab.core.model import Window

# Latency of a target whose histogram has no sample yet, or only zeros: Envoy's finest bucket.
FINEST_MS = 0.5


@dataclass(frozen=True, slots=True)
class Sums:
    """Decayed sums over windows; rates are quotients with ``seconds``."""

    seconds: float = 0.0
    requests: float = 0.0
    errors: float = 0.0
    timeouts: float = 0.0
    answered: float = 0.0  # samples of the latency histogram
    latency_ms: float = 0.0
    in_flight: float = 0.0  # integral of the gauge over time

    def add(self, window: Window, half_life_s: float) -> Sums:
        keep = 0.5 ** (window.duration_s / half_life_s)
        return Sums(
            seconds=self.seconds * keep + window.duration_s,
            requests=self.requests * keep + window.requests,
            errors=self.errors * keep + window.errors,
            timeouts=self.timeouts * keep + window.timeouts,
            answered=self.answered * keep + sum(window.counts),
            latency_ms=self.latency_ms * keep + window.latency_sum_ms,
            in_flight=self.in_flight * keep + window.in_flight * window.duration_s,
        )

    @property
    def goodput(self) -> float:
        """Requests per second that were answered without a server error."""
        return max(0.0, self.requests - self.errors) / self.seconds if self.seconds else 0.0

    @property
    def error_ratio(self) -> float:
        return min(1.0, self.errors / self.requests) if self.requests else 0.0

    @property
    def mean_in_flight(self) -> float:
        """Requests in the target at a time: by Little's law, or the gauge where that says more.

        Timed-out requests have no latency sample, so a hanging target shows in the gauge alone.
        But the gauge is one look a tick, as noisy as the root of what it shows: only what lies
        beyond three such deviations is more than Little's law says.
        """
        if not self.seconds:
            return 0.0
        mean_ms = max(self.latency_ms / self.answered, FINEST_MS) if self.answered else FINEST_MS
        little = self.requests / self.seconds * mean_ms / 1000
        gauge = self.in_flight / self.seconds
        return gauge if gauge > little + 3 * sqrt(little + 1) else little


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything remembered about one target. ``recent`` is in order of time."""

    recent: tuple[Window, ...] = ()
    sums: Sums = Sums()

    def add(self, window: Window, keep_s: float, half_life_s: float) -> Evidence:
        """With one more window; forgets windows that ended more than ``keep_s`` before its end."""
        horizon = window.end - keep_s
        recent = (*(w for w in self.recent if w.end > horizon), window)
        return Evidence(recent, self.sums.add(window, half_life_s))

    def since(self, start: float) -> tuple[Window, ...]:
        """The windows that lie wholly after ``start``."""
        return tuple(w for w in self.recent if w.start >= start)


def merge(windows: tuple[Window, ...]) -> Window:
    """The sum of consecutive windows of one target; ``windows`` must not be empty.

    Histograms whose bounds changed on the way (an Envoy with other buckets) cannot be added:
    the newest bounds win and the older counts are left out, never moved to other buckets.
    """
    last = windows[-1]
    classes: dict[int, int] = {}
    for window in windows:
        for status, count in window.classes.items():
            classes[status] = classes.get(status, 0) + count
    # A window without requests may carry no histogram at all: take the newest that has one.
    bounds = next((w.bounds_ms for w in reversed(windows) if w.bounds_ms), ())
    alike = [w for w in windows if w.bounds_ms == bounds]
    counts = tuple(sum(column) for column in zip(*(w.counts for w in alike), strict=True))
    return Window(
        start=windows[0].start,
        end=last.end,
        classes=classes,
        timeouts=sum(w.timeouts for w in windows),
        bounds_ms=bounds,
        counts=counts,
        latency_sum_ms=sum(w.latency_sum_ms for w in alike),
        in_flight=last.in_flight,
        age_s=last.age_s,
        partial=any(w.partial for w in windows),
    )


def total(windows: tuple[Window, ...], *, complete: bool) -> Window:
    """The sum of windows of one time, of the parts of one target; ``windows`` must not be empty.

    ``complete`` says that no part is missing. As in ``merge``, histograms are added where their
    bounds are alike: those of the busiest part.
    """
    classes: dict[int, int] = {}
    for window in windows:
        for status, count in window.classes.items():
            classes[status] = classes.get(status, 0) + count
    bounds = max(windows, key=lambda w: sum(w.counts)).bounds_ms
    alike = [w for w in windows if w.bounds_ms == bounds]
    return Window(
        start=min(w.start for w in windows),
        end=max(w.end for w in windows),
        classes=classes,
        timeouts=sum(w.timeouts for w in windows),
        bounds_ms=bounds,
        counts=tuple(sum(column) for column in zip(*(w.counts for w in alike), strict=True)),
        latency_sum_ms=sum(w.latency_sum_ms for w in alike),
        in_flight=sum(w.in_flight for w in windows),
        age_s=max(w.age_s for w in windows),
        partial=not complete or any(w.partial for w in windows),
    )


def quantile_ms(window: Window, q: float) -> float | None:
    """The ``q``-quantile of latency, linear within its bucket; None without any sample.

    Timed-out requests have no sample in Envoy's histogram: they count as slower than every
    bound, or a target that hangs would look fast. Then the answer can be inf.
    """
    total = sum(window.counts) + window.timeouts
    if total == 0:
        return None
    rank, below, lower = q * total, 0, 0.0
    for bound, count in zip(window.bounds_ms, window.counts, strict=True):
        if count and below + count >= rank:
            if bound == float("inf"):
                return lower or bound
            return lower + (bound - lower) * (rank - below) / count
        below += count
        lower = bound if bound != float("inf") else lower
    return float("inf")

"""The questions that a reading asks, as text: one instant query a metric family, for all targets.

``rate`` and ``increase`` extrapolate: ten errors come back as 11.3. These are true differences
of counters between two instants, fixed by ``@``, so that every family and target is read over
the same window whenever the queries arrive. They need Prometheus 2.33 or newer.

Words used below, all evaluated at ``start`` or ``end`` of the window:

restarted   instances whose process is younger at the end than it was at the start
countable   instances that were scraped at the start, or whose process is younger than the window
late        instances whose last scrape before the start was still under way when the previous
            window was read: what it brought belongs to that window, and was not seen
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

from trimtab.core.model import MetricFamilies

LOOK_BACK = "5m"
"""How long an instance that cannot be scraped is missed: as long as Prometheus looks back."""


@dataclass(frozen=True, slots=True)
class Instants:
    """The window ``start``..``end``, and when (by Prometheus's clock) the previous one was read."""

    start: float
    end: float
    read_at: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def seconds(value: float) -> str:
    """A time or duration as PromQL has it, to the millisecond."""
    return f"{value:.3f}"


class Queries:
    """The questions about one provider's families. ``up_selector`` narrows ``up`` to its jobs."""

    def __init__(self, families: MetricFamilies, up_selector: str = "") -> None:
        self._families = families
        self._up = _selected("up", up_selector)
        self._scrape_duration = _selected("scrape_duration_seconds", up_selector)
        self._requests = self._series(families.requests)
        self._presence = self._series(families.in_flight or families.requests)

    def newest(self, end: float) -> str:
        """When the newest sample of each target was taken: the time of its own samples.

        Only ``timestamp`` of a plain selector is the time of the sample. A target is as old as
        its freshest instance, which alone says that it still behaves as it did; the others are
        missed by ``missing``. A target without any request has no series of requests yet.
        """
        series = dict.fromkeys((self._requests, self._presence))
        times = "\n  or\n  ".join(f"timestamp({one} @ {seconds(end)})" for one in series)
        return f"max by ({self._families.target_label}) (\n  {times}\n)"

    def in_flight(self, end: float) -> str:
        """The gauge at the end. The comparison drops NaN."""
        gauge = self._series(self._families.in_flight)
        return f"sum by ({self._families.target_label}) ({gauge} @ {seconds(end)} >= 0)"

    def counted(self, name: str, label: str, window: Instants) -> str:
        """How far the counter ``name`` rose in the window, summed by target and ``label``.

        The first line is the ordinary series, the second one that was reset or is new: Envoy
        creates a counter at its first event. Not that of a baseline NaN, which would count the
        whole history. The last two keep the second honest: an instance that was not scraped at
        the start would pour its history into the window.
        """
        by = ", ".join(filter(None, (self._families.target_label, label)))
        series = self._series(name)
        before = f"{series} @ {seconds(window.start)}"
        after = f"{series} @ {seconds(window.end)}"
        ordinary = f"({after} - {before}) >= 0"
        if restarted := self._restarted(window):
            ordinary += f" unless on (job, instance) ({restarted})"
        return f"""sum by ({by}) (
  (
    {ordinary}
    or
    {after} >= 0 unless ({before} != {before})
  )
  and on (job, instance) (
{indent(self._countable(window), "    ")}
  )
)"""

    def missing(self, window: Instants) -> str:
        """How many instances of each target could not be counted over the whole window.

        In this order: gone since, or not scraped at the end; not scraped at the start;
        restarted or late; NaN; out of reach for longer, yet still a scrape target.
        """
        target = self._families.target_label
        start, end = seconds(window.start), seconds(window.end)
        by = f"group by ({target}, job, instance)"
        now = f"{by} ({self._presence} @ {end})"
        requests = self._requests
        nan = " or ".join(f"{requests} @ {at} != {requests} @ {at}" for at in (start, end))
        recent = f"{by} (last_over_time({self._presence}[{LOOK_BACK}] @ {end}))"
        cut = "\nor\n".join(filter(None, (self._restarted(window), self._late(window))))
        terms = (
            f"{by} ({self._presence} @ {start}) unless {now}",
            f"{now} unless on (job, instance) (\n{indent(self._countable(window), '    ')}\n  )",
            f"{now} and on (job, instance) (\n{indent(cut, '    ')}\n  )",
            f"{by} ({nan})",
            f"{recent} and on (job, instance) ({self._up} @ {end} == 0)",
        )
        return f"count by ({target}) (\n  " + "\n  or\n  ".join(terms) + "\n)"

    def _series(self, name: str) -> str:
        return _selected(name, self._families.selector)

    def _restarted(self, window: Instants) -> str:
        uptime = self._families.uptime
        if not uptime:
            return ""
        return f"{uptime} @ {seconds(window.end)} < {uptime} @ {seconds(window.start)}"

    def _countable(self, window: Instants) -> str:
        scraped = f"{self._up} @ {seconds(window.start)} == 1"
        if not self._families.uptime:
            return scraped
        young = f"{self._families.uptime} @ {seconds(window.end)} < {seconds(window.seconds)}"
        return f"{young}\nor\n{scraped}"

    def _late(self, window: Instants) -> str:
        took = f"{self._scrape_duration} @ {seconds(window.start)}"
        return f"timestamp({took}) + {took} > {seconds(window.read_at)}"


def _selected(name: str, matchers: str) -> str:
    return f"{name}{{{matchers}}}" if matchers else name

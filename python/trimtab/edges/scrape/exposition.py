"""The Prometheus text format, read for a few families only, fast.

The page of an Envoy with 2,000 clusters has hundreds of thousands of lines. Those that are
wanted stand together and are found by searching for the name of their family, and labels that
were read once are not read again: from one page to the next only the values change.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from trimtab.core.model import MetricFamilies
from trimtab.core.samples import Sample, Snapshot, response_class, upper_bound
from trimtab.edges.scrape.matchers import parse

_LABEL = re.compile(r'\s*([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_FORGET = 1000  # series that may have gone before what was remembered of a family is dropped


class NotMetricsError(ValueError):
    """A page that is not in the text format."""


class _Series(NamedTuple):
    """What the labels of a series say: its target, and its class or upper bound."""

    target: str
    detail: float


class Exposition:
    """Reads the pages of processes that export the same families.

    Raises InvalidDocument for a selector that cannot be read.
    """

    def __init__(self, families: MetricFamilies) -> None:
        self._label = families.target_label
        self._matchers = parse(families.selector)
        self._uptime = _Family(families.uptime, lambda _: _Series("", 0))
        self._requests = _Family(
            families.requests,
            lambda labels: self._of_target(
                labels, response_class(labels.get(families.class_label, ""))
            ),
        )
        latency = families.latency
        self._buckets = _Family(
            latency and f"{latency}_bucket",
            lambda labels: self._of_target(labels, upper_bound(labels.get("le", ""))),
        )
        self._sums = _Family(latency and f"{latency}_sum", self._of_target)
        self._timeouts = _Family(families.timeouts, self._of_target)
        self._in_flight = _Family(families.in_flight, self._of_target)

    def read(self, page: bytes) -> Snapshot:
        """The samples of one page; several series of a target are summed. Raises NotMetricsError."""
        samples = _Samples()
        nan: set[str] = set()
        for (target, digit), value in self._requests.values(page, nan):
            classes = samples[target].classes
            classes[int(digit)] = classes.get(int(digit), 0) + round(value)
        for (target, bound), value in self._buckets.values(page, nan):
            buckets = samples[target].buckets
            buckets[bound] = buckets.get(bound, 0) + round(value)
        for (target, _), value in self._sums.values(page, nan):
            samples[target].latency_sum_ms += value
        for (target, _), value in self._timeouts.values(page, nan):
            samples[target].timeouts += round(value)
        for (target, _), value in self._in_flight.values(page, set()):
            samples[target].in_flight += value
        uptime = next((value for _, value in self._uptime.values(page, set())), None)
        targets = {name: sample.done() for name, sample in samples.items()}
        return Snapshot(targets, uptime, frozenset(nan))

    def _of_target(self, labels: dict[str, str], detail: float | None = 0) -> _Series | None:
        target = labels.get(self._label, "")
        if not target or detail is None or not all(match(labels) for match in self._matchers):
            return None
        return _Series(target, detail)


class _Counts:
    """A Sample being filled."""

    __slots__ = ("buckets", "classes", "in_flight", "latency_sum_ms", "timeouts")

    def __init__(self) -> None:
        self.classes: dict[int, int] = {}
        self.buckets: dict[float, int] = {}
        self.timeouts = 0
        self.latency_sum_ms = 0.0
        self.in_flight = 0.0

    def done(self) -> Sample:
        return Sample(
            self.classes, self.timeouts, self.buckets, self.latency_sum_ms, self.in_flight
        )


class _Samples(dict[str, _Counts]):
    def __missing__(self, target: str) -> _Counts:
        counts = self[target] = _Counts()
        return counts


class _Family:
    """The series of one name (none for the name ""), and what their labels were found to say."""

    def __init__(self, name: str, read: Callable[[dict[str, str]], _Series | None]) -> None:
        self._prefix = f"{name}{{".encode() if name else b""
        self._read = read
        self._known: dict[bytes, _Series | None] = {}

    def values(self, page: bytes, nan: set[str]) -> Iterator[tuple[_Series, float]]:
        """The series that matter and their values. One that has no number adds its target to
        ``nan`` instead."""
        if not self._prefix:
            return
        known = self._known
        lines = _lines(page, self._prefix)
        if len(known) > 2 * len(lines) + _FORGET:
            known.clear()
        for line in lines:
            labels, _, text = line.rpartition(b"}")
            try:
                series = known[labels]
            except KeyError:
                written = labels[len(self._prefix) :] if labels else line
                series = known[labels] = self._read(_labels(written))
            if series is None:
                continue
            try:
                yield series, int(text)
            except ValueError:
                value = _number(line, text)
                if math.isfinite(value):
                    yield series, value
                else:
                    nan.add(series.target)


def _lines(page: bytes, prefix: bytes) -> list[bytes]:
    """The lines that start with ``prefix``. The format keeps a family together, so all that
    lies between the first and the last of them is nearly nothing else."""
    first = 0 if page.startswith(prefix) else page.find(b"\n" + prefix) + 1
    if not page.startswith(prefix, first):
        return []
    last = max(first, page.rfind(b"\n" + prefix) + 1)
    end = page.find(b"\n", last)
    lines = page[first : end if end >= 0 else len(page)].split(b"\n")
    return [line for line in lines if line.startswith(prefix)]


def _labels(text: bytes) -> dict[str, str]:
    labels: dict[str, str] = {}
    written, at = text.decode(errors="replace"), 0
    while at < len(written):
        found = _LABEL.match(written, at)
        if found is None:
            raise NotMetricsError(f"these are no labels: {written[:200]}")
        labels[found[1]] = _ESCAPE.sub(_unescaped, found[2])
        at = found.end()
    return labels


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _number(line: bytes, text: bytes) -> float:
    """A value that is not a plain integer: a float, perhaps followed by a timestamp."""
    try:
        return float(text.split()[0])
    except (IndexError, ValueError) as error:
        shown = line[:200].decode(errors="replace")
        raise NotMetricsError(f"this line has no value: {shown}") from error

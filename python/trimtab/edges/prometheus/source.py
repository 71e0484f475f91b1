"""PrometheusSource: the MetricSource that asks a Prometheus."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from trimtab.core.model import MetricFamilies, Telemetry, Window
from trimtab.core.samples import histogram, response_class, upper_bound
from trimtab.edges.prometheus.client import Answer, Client, Incomplete, Row
from trimtab.edges.prometheus.queries import Instants, Queries
from trimtab.errors import Unavailable

_T = TypeVar("_T")
_NEWEST = "newest sample"
_QUERIES = 7  # at most, and all at once


class PrometheusSource:
    """Windows of all targets from one Prometheus, with the same few queries however many there are.

    A window ends ``settle_s`` before the reading: a scrape gets the time at which it began, and
    what it brought becomes visible when it is over. An instance whose scrape took longer is
    found out by the next reading, and its targets are then partial. Set ``settle_s`` above the
    usual scrape duration plus the difference of the clocks; with remote write (Thanos, Mimir)
    above its delay as well.

    After ``max_window_s`` without a good reading the next one starts anew, as a first reading.
    ``up_selector`` is a matcher list for ``up``, needed only where instances of several jobs
    share the labels job and instance. ``verify`` is True, False, or the path of a CA file, as
    in requests. Times in seconds.
    """

    def __init__(
        self,
        url: str,
        families: MetricFamilies,
        *,
        timeout_s: float = 5.0,
        settle_s: float = 0.5,
        max_window_s: float = 300.0,
        up_selector: str = "",
        headers: Mapping[str, str] | None = None,
        token_file: Path | None = None,
        verify: bool | str = True,
    ) -> None:
        self._families = families
        self._queries = Queries(families, up_selector)
        self._client = Client(
            url,
            timeout_s=timeout_s,
            headers=headers or {},
            token_file=token_file,
            verify=verify,
        )
        self._timeout_s = timeout_s
        self._settle_s = settle_s
        self._max_window_s = max_window_s
        # Threads of its own: a Prometheus that hangs must not hold up other work.
        self._threads = ThreadPoolExecutor(_QUERIES, thread_name_prefix="prometheus")
        self._end: float | None = None  # of the last good window
        self._read_at = 0.0  # when that was read, by Prometheus's clock

    async def read(self, now: float) -> Telemetry:
        """The windows since the last good reading; see ``ports.MetricSource``."""
        end = round(now - self._settle_s, 3)  # as queries have it
        start = self._end
        if start is not None and abs(end - start) > self._max_window_s:
            start = None
        if start is not None and end <= start:
            return Telemetry(at=now)  # the clock was set back: wait for it, count nothing twice
        window = None if start is None else Instants(start, end, self._read_at)
        questions = {_NEWEST: self._queries.newest(end)}
        if window is not None:
            questions |= self._questions(window)
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = await self._ask(questions)
                windows = await self._in_thread(lambda: self._windows(answers, window))
        except TimeoutError:
            return Telemetry(now, down=f"Prometheus took longer than {self._timeout_s:g} s")
        except Incomplete as error:
            return Telemetry(now, down=str(error), warnings=error.warnings)
        except Unavailable as error:
            return Telemetry(now, down=str(error))
        evaluated = answers[_NEWEST].at
        self._end, self._read_at = end, now if evaluated is None else evaluated
        return Telemetry(now, windows)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _questions(self, window: Instants) -> dict[str, str]:
        names, ask = self._families, self._queries
        texts = {
            "requests": ask.counted(names.requests, names.class_label, window),
            "missing": ask.missing(window),
        }
        if names.timeouts:
            texts["timeouts"] = ask.counted(names.timeouts, "", window)
        if names.in_flight:
            texts["in_flight"] = ask.in_flight(window.end)
        if names.latency:
            texts["buckets"] = ask.counted(f"{names.latency}_bucket", "le", window)
            texts["sums"] = ask.counted(f"{names.latency}_sum", "", window)
        return texts

    async def _ask(self, questions: Mapping[str, str]) -> dict[str, Answer]:
        """All answers, or the first failure once all are there."""
        asked = [self._in_thread(partial(self._client.ask, text)) for text in questions.values()]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return {
            name: answer
            for name, answer in zip(questions, answers, strict=True)
            if isinstance(answer, Answer)
        }

    def _in_thread(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _windows(self, answers: Mapping[str, Answer], window: Instants | None) -> dict[str, Window]:
        """A Window for each target that has a series at the end; none in a first reading."""
        if window is None:
            return {}
        label = self._families.target_label
        classes: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        for row in answers["requests"].rows:
            digit = response_class(row.labels.get(self._families.class_label, ""))
            classes[row.labels.get(label, "")][digit] += round(row.value)
        buckets: defaultdict[str, dict[float, int]] = defaultdict(dict)
        for row in _rows(answers, "buckets"):
            if (bound := upper_bound(row.labels.get("le", ""))) is not None:
                buckets[row.labels.get(label, "")][bound] = round(row.value)
        timeouts, sums, in_flight, missing = (
            _by_target(answers, name, label)
            for name in ("timeouts", "sums", "in_flight", "missing")
        )
        windows = {}
        for target, newest in _by_target(answers, _NEWEST, label).items():
            bounds, counts = histogram(buckets[target])
            windows[target] = Window(
                start=window.start,
                end=window.end,
                classes=dict(classes[target]),
                timeouts=round(timeouts.get(target, 0.0)),
                bounds_ms=bounds,
                counts=counts,
                latency_sum_ms=sums.get(target, 0.0),
                in_flight=in_flight.get(target, 0.0),
                age_s=max(0.0, window.end - newest),
                partial=target in missing,
            )
        return windows


def _rows(answers: Mapping[str, Answer], name: str) -> Iterable[Row]:
    return answers[name].rows if name in answers else ()


def _by_target(answers: Mapping[str, Answer], name: str, label: str) -> dict[str, float]:
    """The values by target; a row without the label is of no target."""
    return {row.labels[label]: row.value for row in _rows(answers, name) if label in row.labels}

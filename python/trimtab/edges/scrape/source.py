"""ScrapeSource: the MetricSource that reads Envoys' admin interfaces itself.

aiohttp does the reading: the Kubernetes client needs it already, so that it costs no further
dependency, and it reads many Envoys at once without a thread for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import aiohttp

from trimtab.core.model import MetricFamilies, Telemetry, Window
from trimtab.core.samples import Process, Snapshot, windows
from trimtab.edges.scrape.exposition import Exposition, NotMetricsError
from trimtab.errors import InvalidDocument

_PATH = "/stats/prometheus"


class _Last(NamedTuple):
    """What an Envoy had counted when it answered last."""

    at: float
    snapshot: Snapshot


class ScrapeSource:
    """Windows of all targets, summed over the Envoys at ``urls``: the difference of own samples.

    A URL is an admin address such as ``http://127.0.0.1:9901``; with a path it is read as it
    stands. An Envoy that does not answer is left out until it has answered twice in a row, and
    its targets are partial meanwhile; when none answers the source is down. After
    ``max_window_s`` without a good reading the next one starts anew, as a first reading, and an
    Envoy unreachable for so long is missed no more. Times in seconds.

    Raises InvalidDocument for no URL, one that is not http(s), or an unreadable selector.
    """

    def __init__(
        self,
        urls: Sequence[str],
        families: MetricFamilies,
        *,
        timeout_s: float = 5.0,
        max_window_s: float = 300.0,
    ) -> None:
        wanted = _filter(families)
        self._pages = tuple(dict.fromkeys(_page(url, wanted) for url in urls))
        if not self._pages:
            raise InvalidDocument("no Envoy to read metrics from: name at least one admin address")
        self._exposition = Exposition(families)
        self._timeout_s = timeout_s
        self._max_window_s = max_window_s
        self._session: aiohttp.ClientSession | None = None
        self._last: dict[str, _Last] = {}
        self._end: float | None = None  # of the last good reading

    async def read(self, now: float) -> Telemetry:
        """The windows since the last good reading; see ``ports.MetricSource``."""
        start = self._end
        if start is not None and abs(now - start) > self._max_window_s:
            start = None
        if start is not None and now <= start:
            return Telemetry(at=now)  # the clock was set back: wait for it, count nothing twice
        bodies = await asyncio.gather(*(self._fetch(page) for page in self._pages))
        # In a thread, since a large page takes longer than the event loop may be kept waiting.
        snapshots, troubles = await asyncio.to_thread(self._parse, bodies)
        if not snapshots:
            return Telemetry(now, down="no Envoy gave its metrics: " + "; ".join(troubles))
        read: dict[str, Window] = {}
        if start is not None:
            read = await asyncio.to_thread(self._windows, snapshots, start, now)
        self._end = now
        self._last = {
            page: last for page, last in self._last.items() if now - last.at <= self._max_window_s
        } | {page: _Last(now, snapshot) for page, snapshot in snapshots.items()}
        return Telemetry(now, read, warnings=troubles)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _fetch(self, page: str) -> bytes | str:
        """The page, or a sentence that says why there is none."""
        if self._session is None:  # made here, since it belongs to a running loop
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"Accept": "text/plain"},
            )
        name = _without_credentials(page)
        try:
            async with self._session.get(page) as answer:
                if answer.status != HTTPStatus.OK:
                    return f"{name} answered {answer.status}"
                if answer.content_type == "text/html":
                    return f"{name} answered with a web page, not metrics"
                return await answer.read()
        except TimeoutError:
            return f"{name} did not answer within {self._timeout_s:g} s"
        except aiohttp.ClientError as error:
            return f"{name} cannot be read ({type(error).__name__})"

    def _parse(self, bodies: Sequence[bytes | str]) -> tuple[dict[str, Snapshot], tuple[str, ...]]:
        snapshots: dict[str, Snapshot] = {}
        troubles: list[str] = []
        for page, body in zip(self._pages, bodies, strict=True):
            if isinstance(body, str):
                troubles.append(body)
                continue
            try:
                snapshots[page] = self._exposition.read(body)
            except NotMetricsError as error:
                troubles.append(f"{_without_credentials(page)} gave no metrics: {error}")
        return snapshots, tuple(troubles)

    def _windows(
        self, snapshots: Mapping[str, Snapshot], start: float, end: float
    ) -> dict[str, Window]:
        processes = []
        for page in self._pages:
            last, after = self._last.get(page), snapshots.get(page)
            # What was counted before the window began is of no use to one who answers now.
            usable = last is not None and (after is None or last.at == start)
            processes.append(Process(last.snapshot if last and usable else None, after))
        return windows(processes, start, end)


def _page(url: str, wanted: str) -> str:
    """The page of metrics of an admin address; ``wanted`` spares Envoy to write the others.

    Not ``usedonly``: it would hide the zeros of a target without traffic, which is a target
    that is known and idle, not one that nobody knows.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidDocument(
            f"{_without_credentials(url)!r} is no admin address of an Envoy: "
            "write it as http://HOST:PORT"
        )
    if parts.path not in ("", "/"):
        return url
    query = f"filter={quote(wanted, safe='')}" if wanted else ""
    return parts._replace(path=_PATH, query=query).geturl()


def _filter(families: MetricFamilies) -> str:
    """A regex for Envoy's own names of the families, "" where they are not named by Envoy.

    Envoy makes the name of a series from its own (``cluster.web.upstream_rq_5xx``) by taking
    the tags out, writing ``_`` for what is not a letter or digit, and putting ``envoy_`` before
    it (``envoy_cluster_upstream_rq_xx``). So the words of it stand in Envoy's name in this
    order. It finds a little more than is wanted, and never less.
    """
    names = (
        families.requests,
        families.timeouts,
        families.latency,
        families.in_flight,
        families.uptime,
    )
    given = [name for name in names if name]
    if not all(name.startswith("envoy_") for name in given):
        return ""
    return "|".join("^" + ".*".join(name.split("_")[1:]) for name in given)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()

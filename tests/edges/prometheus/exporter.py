"""A process with metrics, of which a test says what it has counted: Envoy's names, no Envoy."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from types import TracebackType
from typing import Any, Self

import requests

from trimtab.errors import Unavailable
from trimtab.testbed.process import poll

BOUNDS_MS = (5.0, 50.0, inf)
_REVISION = "exporter_revision"


class Exporter:
    """Serves ``/stats/prometheus`` on loopback. Safe to change while it is read.

    ``broken`` makes it hang up without an answer, as a scrape of a dead process ends;
    ``status`` and ``body`` are answered instead of the metrics, whatever the path; ``gate``
    holds answers back until it is set. ``path`` and ``headers`` are those of the last request.
    With ``tls`` it speaks https.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.uptime_s = 1000.0
        self.broken = False
        self.status = 200
        self.body: str | None = None
        self.path = ""
        self.headers: Mapping[str, str] = {}
        self.content_type = "text/plain; version=0.0.4; charset=utf-8"
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()  # somebody stands before the gate
        self.revision = 0
        self._values: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.address}"

    def stop(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def known(self, target: str) -> None:
        """The process has the target, as Envoy has a cluster that saw no request yet: with the
        counter of timeouts and the gauge, but without requests or a histogram."""
        self.add("envoy_cluster_upstream_rq_timeout", {}, target, 0)
        self.add("envoy_cluster_upstream_rq_active", {}, target, 0)

    def count(
        self,
        target: str,
        classes: Mapping[int, int] | None = None,
        timeouts: int = 0,
        latencies_ms: Iterable[float] = (),
    ) -> None:
        """Requests of ``target`` ended: so many of each class, and these latencies."""
        self.known(target)
        for digit, number in (classes or {}).items():
            label = {"envoy_response_code_class": str(digit)}
            self.add("envoy_cluster_upstream_rq_xx", label, target, number)
        self.add("envoy_cluster_upstream_rq_timeout", {}, target, timeouts)
        for latency in latencies_ms:
            for bound in BOUNDS_MS:
                label = {"le": "+Inf" if bound == inf else f"{bound:g}"}
                within = int(latency <= bound)
                self.add("envoy_cluster_upstream_rq_time_bucket", label, target, within)
            self.add("envoy_cluster_upstream_rq_time_sum", {}, target, latency)
            self.add("envoy_cluster_upstream_rq_time_count", {}, target, 1)

    def in_flight(self, target: str, number: float) -> None:
        self.set("envoy_cluster_upstream_rq_active", {}, target, number)

    def add(self, name: str, labels: Mapping[str, str], target: str, value: float) -> None:
        with self._lock:
            series = self._values.setdefault(name, {})
            key = _labels({**labels, "envoy_cluster_name": target})
            series[key] = series.get(key, 0) + value
            self.revision += 1

    def set(self, name: str, labels: Mapping[str, str], target: str, value: float) -> None:
        """Set one series, e.g. to NaN."""
        with self._lock:
            key = _labels({**labels, "envoy_cluster_name": target})
            self._values.setdefault(name, {})[key] = value
            self.revision += 1

    def restart(self, uptime_s: float = 0.0) -> None:
        """The process is replaced by a new one, which has counted nothing."""
        with self._lock:
            self._values.clear()
            self.uptime_s = uptime_s
            self.revision += 1

    def page(self) -> str:
        """What it serves: the text format, families together, as Envoy writes it."""
        with self._lock:
            lines = []
            for name, series in self._values.items():
                gauge = name.endswith("_active")
                lines.append(f"# TYPE {name} {'gauge' if gauge else 'counter'}")
                lines += [f"{name}{{{labels}}} {value:.15g}" for labels, value in series.items()]
            lines += [
                "# TYPE envoy_server_uptime gauge",
                f"envoy_server_uptime{{}} {self.uptime_s:.15g}",
                f"# TYPE {_REVISION} gauge",
                f"{_REVISION}{{}} {self.revision}",
            ]
            return "\n".join(lines) + "\n"


def await_scraped(
    prometheus_url: str, exporters: Iterable[Exporter], deadline_s: float = 20.0
) -> float:
    """Wait until Prometheus has scraped each exporter as it stands now, a broken one in vain.

    Returns the time, by Prometheus's clock, of the sample that was the last to come. No sample
    of that time or before is still under way then. Raises Unavailable when it does not happen.
    """
    waited = list(exporters)
    at: list[float] = []

    def scraped() -> bool:
        newest = [_scraped_at(prometheus_url, one) for one in waited]
        times = [time for time in newest if time is not None]
        if len(times) < len(waited):
            return False
        at[:] = at or [max(times)]
        return min(times) >= at[0]  # the scrapes of one exporter follow each other

    if not poll(scraped, deadline_s):
        raise Unavailable(f"Prometheus did not scrape all of {[one.address for one in waited]}")
    return at[0]


def _scraped_at(prometheus_url: str, exporter: Exporter) -> float | None:
    job = f'{{instance="{exporter.address}"}}'
    if exporter.broken:
        query = f"timestamp(up{job}) and up{job} == 0"
    else:
        revision = f"{_REVISION}{job}"
        query = f"timestamp({revision}) and {revision} == {exporter.revision}"
    answer = requests.get(f"{prometheus_url}/api/v1/query", params={"query": query}, timeout=5)
    rows: list[Any] = answer.json()["data"]["result"]
    return float(rows[0]["value"][1]) if rows else None


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _handler(exporter: Exporter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            exporter.path = self.path
            exporter.headers = dict(self.headers)
            if exporter.broken:
                self.close_connection = True
                return
            if not exporter.gate.is_set():
                exporter.waiting.set()
                exporter.gate.wait()
            body = exporter.page() if exporter.body is None else exporter.body
            self.send_response(exporter.status)
            self.send_header("Content-Type", exporter.content_type)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing: thousands of scrapes are no news."""

    return Handler

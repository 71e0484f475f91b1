"""A real Prometheus on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import yaml

from trimtab.testbed.process import Process, answers, free_port
from trimtab.testbed.tools import find


class Prometheus(Process):
    """A running Prometheus with one job, ``envoy``. Its data survives ``stop``/``start_again``."""

    url: str

    @classmethod
    def start(
        cls,
        directory: Path,
        targets: Sequence[str],
        scrape_interval_s: float = 1.0,
        *,
        metrics_path: str = "/stats/prometheus",
    ) -> Self:
        """Start a server that scrapes ``targets`` ("host:port"). Returns once it answers queries;
        the first scrape may follow up to 5 s later. Raises Unavailable with the end of the log,
        MissingTool where there is no Prometheus."""
        directory.mkdir(parents=True, exist_ok=True)
        interval = f"{round(scrape_interval_s * 1000)}ms"
        config = directory / "prometheus.yml"
        job = {
            "job_name": "envoy",
            "metrics_path": metrics_path,
            "static_configs": [{"targets": list(targets)}],
        }
        times = {"scrape_interval": interval, "scrape_timeout": interval}
        config.write_text(yaml.safe_dump({"global": times, "scrape_configs": [job]}))
        port = free_port()
        prometheus = cls(
            "prometheus",
            [
                find("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            directory / "prometheus.log",
        )
        prometheus.url = f"http://127.0.0.1:{port}"
        prometheus._await()
        return prometheus

    def _await(self) -> None:
        self.await_ready(lambda: answers(f"{self.url}/-/ready"), 30)

    def start_again(self) -> None:
        """Start it again on the same port with the same data, after ``stop`` or ``kill``."""
        super().start_again()
        self._await()

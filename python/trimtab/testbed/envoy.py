"""A real Envoy on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from trimtab.testbed.process import Process, answers
from trimtab.testbed.tools import find


class Envoy(Process):
    """A running Envoy. ``admin_port`` is a free loopback port, whatever the bootstrap says."""

    admin_port: int
    _admin_file: Path
    _page: str  # answers 200 once start may return

    @classmethod
    def start(
        cls,
        bootstrap: Mapping[str, Any] | str,
        directory: Path,
        *,
        concurrency: int = 1,
        log_level: str = "info",
        deadline_s: float = 30.0,
    ) -> Self:
        """Start Envoy from a bootstrap (a document, or its text as YAML or JSON).

        Returns once it serves; with ``dynamic_resources`` as soon as its admin answers, since
        it may wait for a control plane that is yet to come. Raises Unavailable with the end of
        the log, MissingTool where there is no Envoy.
        """
        directory.mkdir(parents=True, exist_ok=True)
        document = dict(yaml.safe_load(bootstrap) if isinstance(bootstrap, str) else bootstrap)
        address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        document["admin"] = {**document.get("admin", {}), "address": address}
        config = directory / "envoy.json"
        config.write_text(json.dumps(document, indent=1))
        admin_file = directory / "admin-address"
        admin_file.unlink(missing_ok=True)
        envoy = cls(
            "envoy",
            [
                find("envoy"),
                "-c",
                config,
                "--admin-address-path",
                admin_file,
                "--disable-hot-restart",
                "--concurrency",
                str(concurrency),
                "-l",
                log_level,
            ],
            directory / "envoy.log",
        )
        envoy._admin_file = admin_file
        envoy._page = "server_info" if "dynamic_resources" in document else "ready"
        envoy._await(deadline_s)
        return envoy

    def _await(self, deadline_s: float) -> None:
        file = self._admin_file
        self.await_ready(lambda: file.exists() and ":" in file.read_text(), deadline_s)
        self.admin_port = int(file.read_text().rsplit(":", 1)[1])
        self.await_ready(lambda: answers(f"{self.admin_url}/{self._page}"), deadline_s)

    def start_again(self) -> None:
        """Start it again with the same bootstrap, after ``stop`` or ``kill``; its admin port is
        another one then."""
        self.kill()
        self._admin_file.unlink(missing_ok=True)
        super().start_again()
        self._await(30)

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def admin(self, path: str, method: str = "GET") -> str:
        """The text of a page of the admin interface, e.g. ``/stats/prometheus``."""
        answer = requests.request(method, self.admin_url + path, timeout=10)
        answer.raise_for_status()
        return answer.text

    def await_live(self, deadline_s: float = 15.0) -> None:
        """Wait until it serves: its control plane has told it all that it needs to start."""
        self.await_ready(lambda: answers(f"{self.admin_url}/ready"), deadline_s)

"""A ``trimtab run`` of its own process, and a mesh with one canary for it to steer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trimtab.testbed.process import free_port, poll

STABLE = "cds_egress_m_pay-v1_shop_http_8080"
CANARY = "cds_egress_m_pay-v2_shop_http_8080"

MESH = """\
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: m}
spec: {namespaceSelector: {}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: pay, namespace: shop}
spec:
  listeners:
    - portMapping: {port: 8080, protocol: http}
  routes:
    - name: all
      httpRoute:
        match: {prefix: /}
        action:
          weightedTargets:
            - virtualNodeRef: {name: pay-v1}
              weight: 100  # the old one
            - virtualNodeRef: {name: pay-v2}
              weight: 0
"""

NODE = """\
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {{name: {name}, namespace: shop}}
spec:
  listeners:
    - portMapping: {{port: 8080, protocol: http}}
  serviceDiscovery: {{dns: {{hostname: {name}.shop}}}}
"""

POLICY = """\
---
apiVersion: trimtab.dev/v1alpha1
kind: WeightPolicy
metadata: {name: pay, namespace: shop}
spec:
  targetRef: {group: appmesh.k8s.aws, kind: VirtualRouter, name: pay}
  mode: canary
  targets:
    - {name: pay-v1, role: stable}
    - {name: pay-v2, role: canary}
  canary: {steps: [5, 25, 50, 100], stepSeconds: 1, minRequests: 20, revision: r1}
  abort: {maxErrorRatio: 0.05, minRequests: 20, windowSeconds: 5}
  rails: {staleSeconds: 5}
"""


def write_mesh(directory: Path) -> Path:
    """The manifests in a directory of their own."""
    directory.mkdir()
    nodes = "".join(NODE.format(name=name) for name in ("pay-v1", "pay-v2"))
    (directory / "mesh.yaml").write_text(MESH + nodes)
    (directory / "policy.yaml").write_text(POLICY)
    return directory


class Running:
    """``trimtab run`` with the given arguments; its decisions are read from its own record."""

    def __init__(self, directory: Path, arguments: Sequence[str]) -> None:
        self.directory = directory
        self.decisions_file = directory / "decisions.jsonl"
        self.http = f"127.0.0.1:{free_port()}"
        self._command = [
            sys.executable,
            "-m",
            "trimtab.cli",
            "run",
            "--decisions",
            str(self.decisions_file),
            "--http",
            self.http,
            *arguments,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        with (self.directory / "run.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log, stdout=log)

    def kill(self) -> None:
        """As ``kill -9``."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """As Kubernetes stops a pod; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def log(self) -> str:
        return (self.directory / "run.log").read_text()

    def reports(self) -> list[dict[str, Any]]:
        """Every report so far, oldest first."""
        if not self.decisions_file.exists():
            return []
        lines = self.decisions_file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def await_report(self, accept: Any, what: str, deadline_s: float = 30.0) -> dict[str, Any]:
        """The first report from now on that ``accept`` takes."""
        seen = len(self.reports())
        found: list[dict[str, Any]] = []

        def arrived() -> bool:
            found[:] = [r for r in self.reports()[seen:] if accept(r)]
            return bool(found)

        assert poll(arrived, deadline_s), f"no {what}; log:\n{self.log()[-2000:]}"
        return found[0]

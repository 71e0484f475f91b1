"""The running program as a whole: every server answers, Envoy follows, and it ends when told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests
from app.running import CANARY, STABLE, Running, write_mesh
from app.test_cli import GATEWAY
from edges.prometheus.exporter import Exporter

from trimtab.edges.pb.trimtab.v1 import trimtab_pb2, trimtab_pb2_grpc
from trimtab.edges.xds.bootstrap import bootstrap
from trimtab.testbed.process import free_port, poll
from trimtab.testbed.processes import Envoy

NODE = "mesh/m/virtualGateway/door_shop"


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with Exporter() as running:
        yield running


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    directory = write_mesh(tmp_path / "mesh")
    port = str(free_port())
    (directory / "gateway.yaml").write_text(GATEWAY.replace("8088", port))
    return directory


def test_every_server_answers_and_stops(tmp_path: Path, mesh: Path, exporter: Exporter) -> None:
    """HTTP, gRPC and the commands that ask them tell of the same decision; SIGTERM ends with 0."""
    port = free_port()
    arguments = ["--manifests", str(mesh), "--scrape", exporter.url, "--tick-seconds", "0.2"]
    with Running(tmp_path, [*arguments, "--grpc", f"127.0.0.1:{port}"]) as running:
        running.await_report(lambda r: r["decision"]["action"] == "ramp", "first step")
        url = f"http://{running.http}"
        assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        assert requests.get(f"{url}/readyz", timeout=5).status_code == 200
        (decision,) = requests.get(f"{url}/decisions", timeout=5).json()
        assert decision["decision"]["phase"] == "ramping 1/4 (5 %)"
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        assert "trimtab_target_weight{" in metrics
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = trimtab_pb2_grpc.TrimtabStub(channel)
            request = trimtab_pb2.Request(path="/pay", random=4)
            match = stub.Match(trimtab_pb2.MatchRequest(request=request), timeout=5)
            assert (match.route, match.rule, match.target) == ("shop/pay", "all", "pay-v1")
            reports = stub.GetDecisions(trimtab_pb2.GetDecisionsRequest(), timeout=5).reports
            assert reports[0].decision.phase == "ramping 1/4 (5 %)"
        status = subprocess.run(
            [sys.executable, "-m", "trimtab.cli", "status", "--http", url, "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(status.stdout)["decisions"][0]["decision"]["policy"]["name"] == "pay"
        assert running.terminate() == 0


def test_envoy_follows_a_ramp(
    tmp_path: Path, mesh: Path, exporter: Exporter, envoy_binary: Path
) -> None:
    """A decision is called applied once the Envoy has its weights; both say the same."""
    port = free_port()
    arguments = ["--manifests", str(mesh), "--scrape", exporter.url, "--tick-seconds", "0.2"]
    xds = f"127.0.0.1:{port}"
    with (
        Running(tmp_path, [*arguments, "--xds", xds]) as running,
        Envoy.start(bootstrap(NODE, xds), tmp_path / "envoy") as envoy,
    ):
        envoy.await_live()

        def counted() -> bool:
            exporter.count(STABLE, {2: 20}, latencies_ms=[20] * 20)
            exporter.count(CANARY, {2: 20}, latencies_ms=[20] * 20)
            return any(weights(r) == [50, 50] for r in running.reports())

        assert poll(counted, 30), running.log()
        applied = [r for r in running.reports() if r["decision"]["action"] == "ramp"]
        assert {r["outcome"] for r in applied} == {"applied"}
        last = weights(running.reports()[-1])
        assert poll(lambda: envoy_weights(envoy) == last, 5) or envoy_weights(envoy) == weights(
            running.reports()[-1]
        )
        nodes = requests.get(f"http://{running.http}/status", timeout=5).json()["xds"]
        assert [(n["node"], n["refused"]) for n in nodes] == [(NODE, 0)]
        assert running.terminate() == 0


def weights(report: dict[str, object]) -> list[int]:
    return list(report["decision"]["shifts"][0]["granted"])  # type: ignore[index]


def envoy_weights(envoy: Envoy) -> list[int]:
    """The weights of the pay service in the configuration that the Envoy runs."""
    found: list[int] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "weighted_clusters" in node:
                found[:] = [int(c.get("weight", 0)) for c in node["weighted_clusters"]["clusters"]]
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(json.loads(envoy.admin("/config_dump?resource=dynamic_route_configs")))
    return found

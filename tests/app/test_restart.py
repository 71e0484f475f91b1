"""A canary across kills and blindness: what was decided stays decided, and nothing is guessed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from app.running import CANARY, STABLE, Running, write_mesh
from edges.prometheus.exporter import Exporter

from trimtab.testbed.processes import Prometheus

TICK_S = "0.25"


@contextmanager
def traffic(exporter: Exporter, canary_errors: int = 0) -> Iterator[None]:
    """Both targets answer about 400 requests a second until the block ends."""
    over = threading.Event()

    def flow() -> None:
        while not over.wait(0.05):
            exporter.count(STABLE, {2: 20}, latencies_ms=[20] * 20)
            good = 20 - canary_errors
            exporter.count(CANARY, {2: good, 5: canary_errors}, latencies_ms=[20] * 20)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def weights(mesh: Path) -> dict[str, int]:
    router = list(yaml.safe_load_all((mesh / "mesh.yaml").read_text()))[1]
    targets = router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    return {t["virtualNodeRef"]["name"]: t["weight"] for t in targets}


def canary_weight(report: dict[str, Any]) -> int:
    return int(report["decision"]["shifts"][0]["granted"][1])


def test_a_killed_ramp_resumes_and_an_abort_stays(tmp_path: Path) -> None:
    """Kill -9 in the middle of a ramp: the next start goes on from the same step. Kill -9 after
    an abort: the canary stays at zero, also when somebody had raised it meanwhile."""
    mesh = write_mesh(tmp_path / "mesh")
    with Exporter() as exporter:
        arguments = ["--manifests", str(mesh), "--scrape", exporter.url, "--tick-seconds", TICK_S]
        with Running(tmp_path, arguments) as running:
            with traffic(exporter):
                running.await_report(lambda r: canary_weight(r) == 25, "second step")
                running.kill()
                before = weights(mesh)
                running.start()
                first = running.await_report(lambda _: True, "decision after the kill")
                assert first["decision"]["phase"].startswith("ramping 2/4")
                assert weights(mesh) == before == {"pay-v1": 75, "pay-v2": 25}
                running.await_report(lambda r: canary_weight(r) == 50, "third step")
            with traffic(exporter, canary_errors=4):
                running.await_report(lambda r: r["decision"]["action"] == "abort", "abort")
            running.kill()
            text = (mesh / "mesh.yaml").read_text()
            assert "weight: 100  # the old one" in text
            raised = text.replace("weight: 100  # the old one", "weight: 60").replace(
                "weight: 0", "weight: 40"
            )
            (mesh / "mesh.yaml").write_text(raised)
            assert weights(mesh) == {"pay-v1": 60, "pay-v2": 40}
            running.start()
            with traffic(exporter):
                back = running.await_report(lambda _: True, "decision after the second kill")
                assert back["decision"]["phase"] == "aborted"
                assert back["outcome"] == "applied", back
                for _ in range(5):
                    running.await_report(lambda r: canary_weight(r) == 0, "hold at zero")
            assert weights(mesh) == {"pay-v1": 100, "pay-v2": 0}
            assert running.terminate() == 0


def test_a_minute_without_prometheus_holds_the_ramp(
    tmp_path: Path, prometheus_binary: Path
) -> None:
    """Prometheus stopped for 60 s in the middle of a ramp: no weight raised, no abort; then on."""
    mesh = write_mesh(tmp_path / "mesh")
    with (
        Exporter() as exporter,
        Prometheus.start(tmp_path / "prometheus", [exporter.address]) as prometheus,
    ):
        arguments = ["--manifests", str(mesh), "--prometheus", prometheus.url]
        with Running(tmp_path, [*arguments, "--tick-seconds", "1"]) as running, traffic(exporter):
            running.await_report(lambda r: canary_weight(r) == 25, "second step", 60)
            prometheus.stop()
            seen = len(running.reports())
            down = running.await_report(is_blind, "source down")
            start = down["decision"]["at"]
            running.await_report(
                lambda r: is_blind(r) and r["decision"]["at"] >= start + 60, "a blind minute", 90
            )
            blind = [r for r in running.reports()[seen:] if is_blind(r)]
            assert {canary_weight(r) for r in blind} == {25}
            assert {r["decision"]["action"] for r in blind} == {"hold"}
            prometheus.start_again()
            running.await_report(lambda r: canary_weight(r) == 50, "third step", 60)


def is_blind(report: dict[str, Any]) -> bool:
    verdicts = {j["verdict"] for j in report["decision"]["judgements"]}
    return verdicts == {"source down"}

"""What one tick costs as the number of steered routes grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from app.running import MESH, NODE
from edges.prometheus.exporter import Exporter, await_scraped

from trimtab import app
from trimtab.clock import SystemClock
from trimtab.controller import Controller, Parts
from trimtab.policies import read_policy
from trimtab.providers.appmesh import AppMesh
from trimtab.settings import load_settings
from trimtab.testbed.processes import Prometheus

POLICY = """\
---
apiVersion: trimtab.dev/v1alpha1
kind: WeightPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  targetRef: {{group: appmesh.k8s.aws, kind: VirtualRouter, name: {name}}}
  mode: optimise
"""


def write_mesh(directory: Path, routers: int) -> Path:
    """``routers`` VirtualRouters of two VirtualNodes each, and a policy for each of them."""
    directory.mkdir()
    mesh, router = MESH.split("---\n", 1)
    texts = [mesh]
    for i in range(routers):
        name = f"r{i}"
        texts.append(
            "---\n" + router.replace("pay-v", f"{name}-v").replace("name: pay,", f"name: {name},")
        )
        texts += [NODE.format(name=f"{name}-v{version}") for version in (1, 2)]
        texts.append(POLICY.format(name=name))
    (directory / "mesh.yaml").write_text("".join(texts))
    return directory


async def queries_of_a_tick(
    mesh: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, int]:
    """How many HTTP requests reach Prometheus in one cycle, and how many policies it decides."""
    sent: list[str] = []
    send = requests.Session.send

    def counting(session: Any, request: Any, **options: Any) -> Any:
        sent.append(request.url)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", counting)
    settings = load_settings(None, {"manifests": (mesh,), "prometheus": url, "dry_run": True})
    clock, provider = SystemClock(), AppMesh()
    async with app.open_stores(settings, clock) as stores:
        source = app.metric_source(settings, provider.families)
        parts = Parts(
            metrics=source,
            routes=stores.routes,
            policies=stores.policies,
            provider=provider,
            verifiers=(),
            listeners=(),
            read_policy=read_policy,
            cycled=lambda _telemetry, _took_s: None,
            clock=clock,
        )
        controller = Controller(parts, tick_s=1)
        await controller.run_once(clock.now() - 5)
        sent.clear()
        reports = await controller.run_once(clock.now())
        await source.close()
    verdicts = {j.verdict for r in reports for j in r.decision.judgements}
    assert "source down" not in verdicts
    return len(sent), len(reports)


async def test_queries_are_constant_in_the_number_of_routes(
    tmp_path: Path, prometheus_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tick asks Prometheus as often for 500 steered routes as for one."""
    with (
        Exporter() as exporter,
        Prometheus.start(tmp_path / "prometheus", [exporter.address]) as prometheus,
    ):
        for i in range(500):
            for version in (1, 2):
                target = f"cds_egress_m_r{i}-v{version}_shop_http_8080"
                exporter.count(target, {2: 10}, latencies_ms=[20] * 10)
        await_scraped(prometheus.url, [exporter])
        one = await queries_of_a_tick(write_mesh(tmp_path / "one", 1), prometheus.url, monkeypatch)
        monkeypatch.undo()
        many = await queries_of_a_tick(
            write_mesh(tmp_path / "many", 500), prometheus.url, monkeypatch
        )
    assert (one[1], many[1]) == (1, 500)
    assert one[0] == many[0] > 0

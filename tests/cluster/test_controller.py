"""The whole controller on a real API server, beside people who edit the same objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml
from app.running import MESH, NODE, POLICY
from edges.prometheus.exporter import Exporter

from trimtab import app
from trimtab.clock import SystemClock
from trimtab.controller import Controller, Parts
from trimtab.core.model import Outcome, Report
from trimtab.policies import read_policy
from trimtab.providers.appmesh import AppMesh
from trimtab.settings import load_settings
from trimtab.testbed.processes import Cluster
from trimtab.verify import ReadBack

EDITS = 200
GROUP = "appmesh.k8s.aws/v1beta2"


def install(cluster: Cluster, namespace: str) -> None:
    """The mesh of one canary in its own namespace, the router with things that are not ours."""
    nodes = "".join(NODE.format(name=name) for name in ("pay-v1", "pay-v2"))
    for document in yaml.safe_load_all(MESH + nodes + POLICY):
        if document["kind"] != "Mesh":
            document["metadata"]["namespace"] = namespace
        if document["kind"] == "VirtualRouter":
            document["metadata"]["labels"] = {"team": "payments"}
            document["spec"]["unknownToTrimtab"] = {"kept": True}
            targets = document["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
            arn = "arn:aws:appmesh:eu-west-1:123456789012:mesh/m/virtualNode/far"
            targets[0]["weight"] = 90
            targets.append({"virtualNodeARN": arn, "weight": 10})
        cluster.apply(document)


@asynccontextmanager
async def controller(
    cluster: Cluster, namespace: str, exporter: Exporter
) -> AsyncIterator[tuple[Controller, SystemClock]]:
    flags = {
        "kubeconfig": cluster.kubeconfig(),
        "namespaces": (namespace,),
        "scrape": (exporter.url,),
    }
    settings, clock, provider = load_settings(None, flags), SystemClock(), AppMesh()
    async with app.open_stores(settings, clock) as stores:
        source = app.metric_source(settings, provider.families)
        parts = Parts(
            metrics=source,
            routes=stores.routes,
            policies=stores.policies,
            provider=provider,
            verifiers=(ReadBack(stores.routes, provider),),
            listeners=(),
            read_policy=read_policy,
            cycled=lambda _telemetry, _took_s: None,
            clock=clock,
        )
        try:
            yield Controller(parts, tick_s=1, attempts=8), clock
        finally:
            await source.close()


def router_path(namespace: str) -> str:
    return f"/apis/{GROUP}/namespaces/{namespace}/virtualrouters/pay"


async def edit(cluster: Cluster, namespace: str) -> None:
    """Another client adds an annotation, 200 times, each with a key of its own."""
    for i in range(EDITS):
        body = {"metadata": {"annotations": {f"edit-{i}": "here"}}}
        await asyncio.to_thread(
            cluster.request,
            "PATCH",
            router_path(namespace),
            body,
            content_type="application/merge-patch+json",
        )


async def test_two_hundred_edits_beside_a_ramp_lose_nothing(
    cluster: Cluster, namespace: str
) -> None:
    """While another client edits the router without a pause, a canary is ramped to its last step:
    no edit is lost, the weights are right, and what is not ours is as it was."""
    install(cluster, namespace)
    target = "cds_egress_m_pay-v{}_" + namespace + "_http_8080"
    reports: list[Report] = []
    with Exporter() as exporter:
        async with controller(cluster, namespace, exporter) as (steering, clock):
            editing = asyncio.create_task(edit(cluster, namespace))
            now = clock.now()
            while not editing.done() or not promoted(reports):  # pytest's timeout bounds it
                for version in (1, 2):
                    name = target.format(version)
                    exporter.count(name, {2: 50}, latencies_ms=[20] * 50)
                now += 1.0  # a second for the ramp, and as fast as it can for the race
                reports += await steering.run_once(now)
            await editing
    router: dict[str, Any] = cluster.request("GET", router_path(namespace))
    annotations = router["metadata"]["annotations"]
    assert {f"edit-{i}" for i in range(EDITS)} <= annotations.keys()
    targets = router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    assert [t["weight"] for t in targets] == [0, 90, 10]
    assert targets[2]["virtualNodeARN"].endswith("/far")
    assert router["metadata"]["labels"] == {"team": "payments"}
    assert router["spec"]["unknownToTrimtab"] == {"kept": True}
    applied = [r for r in reports if r.outcome is Outcome.APPLIED]
    assert len(applied) == 4  # the steps 5, 25, 50, 100, each written once


def promoted(reports: list[Report]) -> bool:
    return bool(reports) and reports[-1].decision.phase == "promoted"


async def test_a_policy_status_tells_what_stands(cluster: Cluster, namespace: str) -> None:
    """The status that kubectl shows has the phase, the weights and the reason."""
    install(cluster, namespace)
    with Exporter() as exporter:
        async with controller(cluster, namespace, exporter) as (steering, clock):
            await steering.run_once(clock.now())
    path = f"/apis/trimtab.dev/v1alpha1/namespaces/{namespace}/weightpolicies/pay"
    status = cluster.request("GET", path)["status"]
    assert status["phase"] == "ramping 1/4 (5 %)"
    assert status["weights"]["all/pay-v2"] == 4  # 5 % of the 90 units that the two share
    assert status["message"] == "the canary starts at 5 %"

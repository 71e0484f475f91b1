"""Weights in an annotation on a real API server, honoured by a real Envoy that we serve."""

from __future__ import annotations

from pathlib import Path

import pytest
from steering.world import World, world

from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
ANNOTATE = "{way: annotate, services: [pay-v1, pay-v2]}"


def annotated(mesh: World) -> str:
    annotations = mesh.get("gatewayroutes", "door")["metadata"].get("annotations", {})
    return str(annotations.get("trimtab.dev/weights", ""))


async def test_a_canary_climbs_in_the_annotation_and_survives_kill_9(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """At 25 % an Envoy gives the canary a quarter of the requests, also while Trimtab is dead; it
    goes on from there to the end. The target of the route is never touched."""
    async with world(cluster, namespace, tmp_path) as mesh:
        before = mesh.get("gatewayroutes", "door")["spec"]
        mesh.ask_for(ANNOTATE, step_seconds=600)
        await mesh.until(lambda: annotated(mesh) == "pay-v1=75,pay-v2=25", "at 25 %")
        await mesh.await_served({"pay-v1": 75, "pay-v2": 25}, 2000)
        mesh.running.kill()
        assert await mesh.serves({"pay-v1": 75, "pay-v2": 25}, 400)
        mesh.running.start()
        mesh.ask_for(ANNOTATE)
        await mesh.until(lambda: mesh.phase() == "promoted", "promoted")
        assert annotated(mesh) == "pay-v1=0,pay-v2=100"
        await mesh.await_served({"pay-v1": 0, "pay-v2": 100}, 200)
        assert mesh.get("gatewayroutes", "door")["spec"] == before


async def test_without_our_xds_it_is_refused(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Where nobody would honour the annotation none is written, and the reason is told."""
    async with world(cluster, namespace, tmp_path, xds=False) as mesh:
        mesh.ask_for(ANNOTATE)

        def told() -> bool:
            return any(
                "nobody else honours the annotation" in reason["message"]
                for report in mesh.running.reports()
                for reason in report["decision"]["reasons"]
            )

        await mesh.until(told, "refused")
        assert annotated(mesh) == ""

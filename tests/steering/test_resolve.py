"""The weights behind a GatewayRoute on a real API server, under the eyes of a real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest
from steering.world import world

from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
RESOLVE = "{way: resolve}"


async def test_a_canary_climbs_in_the_router_and_survives_kill_9(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """At 25 % an Envoy gives the canary a quarter of the requests, also while Trimtab is dead; it
    goes on from there to the end. The GatewayRoute and the service are never touched."""
    async with world(cluster, namespace, tmp_path, leads_to="pay") as mesh:
        before = mesh.get("gatewayroutes", "door"), mesh.get("virtualservices", "pay")
        mesh.ask_for(RESOLVE, step_seconds=600)
        await mesh.until(lambda: mesh.weights() == [75, 25], "at 25 %")
        await mesh.await_served({"pay-v1": 75, "pay-v2": 25}, 2000)
        mesh.running.kill()
        await mesh.await_served({"pay-v1": 75, "pay-v2": 25}, 400)
        mesh.running.start()
        mesh.ask_for(RESOLVE)
        await mesh.until(lambda: mesh.phase() == "promoted", "promoted")
        assert mesh.weights() == [0, 100]
        await mesh.await_served({"pay-v1": 0, "pay-v2": 100}, 200)
        assert before == (mesh.get("gatewayroutes", "door"), mesh.get("virtualservices", "pay"))

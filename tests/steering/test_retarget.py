"""Blue/green on a real API server and a real Envoy: switched, proved, rolled back, never half."""

from __future__ import annotations

from pathlib import Path

import pytest
from steering.world import world

from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
RETARGET = "{way: retarget, services: [pay-v1, pay-v2]}"


async def test_a_good_release_takes_over_and_survives_kill_9(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Killed right after the switch, Trimtab goes on from it when it comes back: all requests go to
    the new service, the release is promoted, and the old service is still there."""
    async with world(cluster, namespace, tmp_path) as mesh:
        await mesh.await_served({"pay-v1": 1, "pay-v2": 0}, 200)
        mesh.ask_for(RETARGET)
        await mesh.until(lambda: mesh.leads_to() == "pay-v2", "switched")
        mesh.running.kill()
        assert mesh.phase() == "ramping 1/1 (100 %)"
        mesh.running.start()
        await mesh.until(lambda: mesh.phase() == "promoted", "promoted")
        await mesh.await_served({"pay-v1": 0, "pay-v2": 1}, 200)
        assert mesh.leads_to() == "pay-v2"
        assert {"pay-v1", "pay-v2"} <= mesh.names("virtualservices")


async def test_a_bad_release_is_rolled_back_and_stays_back(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Errors after the switch turn the route back, and a restart does not try again before the
    revision changes."""
    async with world(cluster, namespace, tmp_path) as mesh:
        before = mesh.get("gatewayroutes", "door")["spec"]
        mesh.ask_for(RETARGET, step_seconds=600)
        await mesh.until(lambda: mesh.leads_to() == "pay-v2", "switched")
        await mesh.until(lambda: mesh.verified(0, 1), "verified")
        await mesh.until(lambda: mesh.phase() == "aborted", "aborted", errors=10)
        await mesh.until(lambda: mesh.verified(1, 0), "rolled back")
        mesh.running.kill()
        mesh.running.start()
        assert mesh.leads_to() == "pay-v1"
        await mesh.await_served({"pay-v1": 1, "pay-v2": 0}, 200)
        assert mesh.get("gatewayroutes", "door")["spec"] == before
        mesh.ask_for(RETARGET, revision="r2", step_seconds=600)
        await mesh.until(lambda: mesh.leads_to() == "pay-v2", "switched again")

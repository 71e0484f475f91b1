"""A cohort on a real API server and a real Envoy: a route of ours, made, deleted, never left over."""

from __future__ import annotations

from pathlib import Path

import pytest
from steering.world import World, world

from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
LANE = "door-trimtab-lane"
MAIN, NEW = {"pay-v1": 1, "pay-v2": 0}, {"pay-v1": 0, "pay-v2": 1}
HEADER = {"headers": [("x-cohort", "beta")]}
BETA = "{headers: [{name: x-cohort, value: beta}]}"
COHORTS = {
    BETA: HEADER,
    "{cookies: [{name: cohort, value: b.ta}]}": {"headers": [("cookie", "a=1; cohort=b.ta; c=2")]},
    "{query: [{name: cohort, value: beta}]}": {"path": "/pay?x=1&cohort=beta"},
    "{host: beta.example.com}": {"host": "beta.example.com"},
}


def lane(match: str = BETA) -> str:
    return f"{{way: lane, services: [pay-v1, pay-v2], match: {match}}}"


def stands(mesh: World) -> bool:
    return LANE in mesh.names("gatewayroutes")


@pytest.mark.parametrize("match", COHORTS)
async def test_the_cohort_alone_takes_the_lane(
    cluster: Cluster, namespace: str, tmp_path: Path, match: str
) -> None:
    """Requests of the cohort reach the new service and all others the old one; when the policy is
    deleted the lane goes and everybody is back; the route of the person is never touched."""
    async with world(cluster, namespace, tmp_path) as mesh:
        before = mesh.get("gatewayroutes", "door")
        mesh.ask_for(lane(match))
        await mesh.until(lambda: mesh.phase() == "promoted", "promoted")
        await mesh.await_served(NEW, 100, **COHORTS[match])
        await mesh.await_served(MAIN, 100)
        near = {"headers": [("x-cohort", "beta2"), ("cookie", "xcohort=b.ta; cohort=beta")]}
        await mesh.await_served(MAIN, 40, path="/pay?cohort=beta2", host="x.example.com", **near)
        made = mesh.get("gatewayroutes", LANE)["metadata"]
        assert made["labels"] == {"app.kubernetes.io/managed-by": "trimtab"}
        assert [owner["uid"] for owner in made["ownerReferences"]] == [before["metadata"]["uid"]]
        mesh.drop_policy()
        await mesh.until(lambda: not stands(mesh), "deleted")
        await mesh.await_served(MAIN, 100, **COHORTS[match])
        assert mesh.get("gatewayroutes", "door") == before


async def test_a_bad_cohort_is_closed_also_after_kill_9(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Killed with the lane open, Trimtab finds it again, and closes it on errors."""
    async with world(cluster, namespace, tmp_path) as mesh:
        mesh.ask_for(lane(), step_seconds=600)
        await mesh.until(lambda: stands(mesh), "open")
        await mesh.await_served(NEW, 100, **HEADER)  # the Envoy has the lane before its server dies
        mesh.running.kill()
        await mesh.await_served(NEW, 100, **HEADER)
        mesh.running.start()
        await mesh.until(lambda: mesh.phase() == "aborted", "aborted", errors=10)
        await mesh.until(lambda: not stands(mesh), "closed")
        await mesh.await_served(MAIN, 100, **HEADER)


async def test_a_lane_that_nobody_asks_for_goes_after_a_restart(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """The policy was deleted while Trimtab was dead: what it left is taken away by its successor,
    and a route that only looks like a lane is left alone."""
    async with world(cluster, namespace, tmp_path) as mesh:
        mesh.ask_for(lane(), step_seconds=600)
        await mesh.until(lambda: stands(mesh), "open")
        mesh.running.kill()
        mesh.drop_policy()
        person = mesh.get("gatewayroutes", LANE)
        person["metadata"] = {"name": "by-hand", "namespace": namespace}
        person["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "trimtab"}
        cluster.apply(person)
        mesh.running.start()
        await mesh.until(lambda: not stands(mesh), "taken away")
        assert "by-hand" in mesh.names("gatewayroutes")


async def test_a_policy_that_asks_for_another_lane_gets_it(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """After a change of the match the old lane goes and a new one comes."""
    async with world(cluster, namespace, tmp_path) as mesh:
        mesh.ask_for(lane(), step_seconds=600)
        await mesh.until(lambda: stands(mesh), "open")
        mesh.ask_for(lane("{headers: [{name: x-staff}]}"), revision="r2", step_seconds=600)
        await mesh.await_served(NEW, 40, headers=[("x-staff", "yes")])
        await mesh.await_served(MAIN, 40, **HEADER)

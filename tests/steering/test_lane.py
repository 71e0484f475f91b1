"""A cohort on a real API server and a real Envoy: a route of ours, made, deleted, never left over."""

from __future__ import annotations

from collections.abc import Callable
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


def turn_the_route(mesh: World) -> None:
    """The person lets everybody go where the cohort went."""
    door = mesh.get("gatewayroutes", "door")
    door["spec"]["httpRoute"]["action"]["target"]["virtualService"] = {
        "virtualServiceRef": {"name": "pay-v2"}
    }
    mesh.cluster.request("PUT", mesh.path("gatewayroutes", "door"), door)


def delete_the_route(mesh: World) -> None:
    mesh.cluster.request("DELETE", mesh.path("gatewayroutes", "door"))


ENDS: dict[str, tuple[Callable[[World], None], dict[str, int] | None]] = {
    "its policy is deleted": (World.drop_policy, MAIN),
    "its policy asks for another cohort": (
        lambda mesh: mesh.ask_for(lane("{headers: [{name: x-staff}]}")),
        MAIN,
    ),
    "its policy asks for another way": (
        lambda mesh: mesh.ask_for("{way: retarget, services: [pay-v1, pay-v2]}"),
        NEW,  # the route itself is switched
    ),
    "its route leads where it leads": (turn_the_route, NEW),
    "its route is deleted": (delete_the_route, None),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_lane_is_deleted_when_it_is_done(
    cluster: Cluster, namespace: str, tmp_path: Path, end: str
) -> None:
    """A promoted lane stands until there is no more use for it, and then goes, also if that
    happened while Trimtab was dead; a route that only looks like a lane is left alone."""
    ending, shares = ENDS[end]
    async with world(cluster, namespace, tmp_path) as mesh:
        mesh.ask_for(lane())
        await mesh.until(lambda: mesh.phase() == "promoted", "promoted")
        await mesh.await_served(NEW, 40, **HEADER)
        person = mesh.get("gatewayroutes", LANE)
        person["metadata"] = {"name": "by-hand", "namespace": namespace}
        person["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "trimtab"}
        person["spec"]["httpRoute"]["match"] = {"prefix": "/hand"}
        cluster.apply(person)
        first = mesh.get("gatewayroutes", LANE)["metadata"]["uid"]
        mesh.running.kill()
        ending(mesh)
        mesh.running.start()
        await mesh.until(lambda: mesh.uid("gatewayroutes", LANE) != first, "taken away")
        if shares is not None:
            await mesh.await_served(shares, 40, **HEADER)
        assert "by-hand" in mesh.names("gatewayroutes")


async def test_a_policy_that_asks_for_another_lane_gets_it(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """After a change of the match, which is another release, the old lane goes and a new one comes."""
    async with world(cluster, namespace, tmp_path) as mesh:
        mesh.ask_for(lane())
        await mesh.until(lambda: mesh.phase() == "promoted", "promoted")
        mesh.ask_for(lane("{headers: [{name: x-staff}]}"), step_seconds=600)
        await mesh.await_served(NEW, 40, headers=[("x-staff", "yes")])
        await mesh.await_served(MAIN, 40, **HEADER)

"""Killed between a write and its answer: every way is found again as it stands, and undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cluster.gate import Gate, Lost
from steering.world import World, world

from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
SERVICES = "services: [pay-v1, pay-v2]"
OLD, NEW, QUARTER = ({"pay-v1": 100 - n, "pay-v2": n} for n in (0, 100, 25))


@dataclass(frozen=True, slots=True)
class Way:
    """What its first step writes, and what becomes of requests then."""

    steering: str
    writes: tuple[str, str]  # a verb, and a part of the path
    opened: Mapping[str, int]
    concerned: Mapping[str, Any] = field(default_factory=dict)
    leads_to: str = "pay-v1"


WAYS = {
    "resolve": Way("{way: resolve}", ("patch", "/virtualrouters/"), QUARTER, leads_to="pay"),
    "retarget": Way(f"{{way: retarget, {SERVICES}}}", ("patch", "/gatewayroutes/"), NEW),
    "lane": Way(
        f"{{way: lane, {SERVICES}, match: {{cookies: [{{name: beta}}]}}}}",
        ("post", "/gatewayroutes"),
        NEW,
        {"headers": [("cookie", "beta=1")]},
    ),
    "annotate": Way(f"{{way: annotate, {SERVICES}}}", ("patch", "/gatewayroutes/"), QUARTER),
}


def written(mesh: World) -> object:
    """All that a way may have written, but for its annotation, of which ``full`` weights are left."""
    routes = mesh.cluster.request("GET", mesh.path("gatewayroutes"))["items"]
    notes = [route["metadata"].get("annotations", {}) for route in routes]
    full = [note.get("trimtab.dev/weights", "pay-v1=100,pay-v2=0") for note in notes]
    return [route["spec"] for route in routes], full, mesh.weights()


@pytest.mark.parametrize(
    ("name", "arrived"), [*((way, True) for way in WAYS), ("resolve", False), ("lane", False)]
)
async def test_undone_after_kill_9_in_the_middle(
    cluster: Cluster, namespace: str, tmp_path: Path, name: str, arrived: bool
) -> None:
    """Its successor makes the step stand, whether the write had arrived or not, and takes it back
    on errors: nothing is left of it."""
    way, gate = WAYS[name], Gate(cluster)
    async with (
        gate.open(tmp_path) as kubeconfig,
        world(cluster, namespace, tmp_path, leads_to=way.leads_to, kubeconfig=kubeconfig) as mesh,
    ):
        before = written(mesh)
        gate.lost = Lost(*way.writes, arrived=arrived)
        mesh.ask_for(way.steering, step_seconds=600)
        await mesh.until(gate.missed.is_set, "writing")
        mesh.running.kill()
        assert (written(mesh) != before) == arrived
        gate.lost = None
        mesh.running.start()
        await mesh.await_served(way.opened, 400, **way.concerned)
        await mesh.until(lambda: mesh.phase() == "aborted", "aborted", errors=10)
        await mesh.until(lambda: written(mesh) == before, "undone")
        await mesh.await_served(OLD, 200, **way.concerned)

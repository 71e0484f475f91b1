"""Each way of steering over each form of GatewayRoute: HTTP/2 and gRPC are no afterthoughts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from steering.world import world

from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
FORMS = ["http2Route", "grpcRoute"]  # those of httpRoute have tests of their own
OLD = {"pay-v1": 1, "pay-v2": 0}
SERVICES = "services: [pay-v1, pay-v2]"
COHORT = {"headers": [("x-cohort", "beta")]}
WAYS: Mapping[str, tuple[str, Mapping[str, int], Mapping[str, object]]] = {
    "{way: resolve}": ("pay", {"pay-v1": 75, "pay-v2": 25}, {}),
    f"{{way: retarget, {SERVICES}}}": ("pay-v1", {"pay-v1": 0, "pay-v2": 1}, {}),
    f"{{way: lane, {SERVICES}, match: {{headers: [{{name: x-cohort, value: beta}}]}}}}": (
        "pay-v1",
        {"pay-v1": 0, "pay-v2": 1},
        COHORT,
    ),
    f"{{way: annotate, {SERVICES}}}": ("pay-v1", {"pay-v1": 75, "pay-v2": 25}, {}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("steering", WAYS, ids=["resolve", "retarget", "lane", "annotate"])
async def test_it_opens_and_closes(
    cluster: Cluster, namespace: str, tmp_path: Path, steering: str, form: str
) -> None:
    """The requests that the way concerns go as its first step says, all others as before; after an
    abort the old application has all of them, and the route is as it was."""
    leads_to, opened, concerned = WAYS[steering]
    async with world(cluster, namespace, tmp_path, form=form, leads_to=leads_to) as mesh:
        await mesh.await_served(OLD, 40)
        before = mesh.get("gatewayroutes", "door")["spec"]
        mesh.ask_for(steering, step_seconds=600)
        await mesh.until(lambda: mesh.phase().startswith("ramping"), "begun")
        await mesh.await_served(opened, 400, **concerned)
        if concerned:
            await mesh.await_served(OLD, 40)
        await mesh.until(lambda: mesh.phase() == "aborted", "aborted", errors=10)
        await mesh.await_served(OLD, 100, **concerned)
        assert mesh.get("gatewayroutes", "door")["spec"] == before
        assert mesh.names("gatewayroutes") == {"door"}

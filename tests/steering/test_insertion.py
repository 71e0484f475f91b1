"""A router put before a node on a real API server, under the eyes of a real Envoy, and removed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster.gate import Gate, Lost
from steering.world import World, world
from xds_harness import documents as docs
from xds_harness.tcp import redirected
from xds_harness.traffic import WIRES, asking, backends
from xds_harness.world import Load, control_plane, envoy_of

from trimtab.core.model import PatchOp
from trimtab.errors import Refused
from trimtab.providers.appmesh import AppMesh, insertion
from trimtab.providers.appmesh.envoy import Ports
from trimtab.testbed.processes import Cluster, free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")
SERVICE = docs.reference(docs.service("pay"))


async def started(
    mesh: World, command: str, *flags: str, kubeconfig: Path | None = None
) -> asyncio.subprocess.Process:
    """A command on the service, running."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trimtab.cli", command, f"{mesh.namespace}/pay-v1"),
        *("--kubeconfig", str(kubeconfig or mesh.cluster.kubeconfig()), *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def trimtab(mesh: World, command: str, *flags: str) -> tuple[int, str]:
    """The exit code of a command on the service, and what it printed."""
    process = await started(mesh, command, *flags)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def without_router(mesh: World) -> None:
    """The service pay-v1 is provided by its node."""
    service = docs.service("pay-v1", node="pay-v1")
    service["metadata"]["namespace"] = mesh.namespace
    await asyncio.to_thread(mesh.cluster.apply, service)
    mesh.cluster.request("DELETE", mesh.path("virtualrouters", "pay-v1"))
    await mesh.await_served({"pay-v1": 1}, 40)


def provider(mesh: World) -> dict[str, Any]:
    return dict(mesh.get("virtualservices", "pay-v1")["spec"]["provider"])


NODE = {"virtualNode": {"virtualNodeRef": {"name": "pay-v1"}}}
ROUTER = {"virtualRouter": {"virtualRouterRef": {"name": "pay-v1"}}}


async def test_a_router_comes_and_goes_and_no_request_is_lost(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Asked for, a node gets a router with all the weight; asked again nothing happens; removed, the
    service is as it was. Every request meanwhile is answered; who else calls is told."""
    async with world(cluster, namespace, tmp_path) as mesh:
        await without_router(mesh)
        async with Load(mesh.port, ["/pay"]) as load:
            code, said = await trimtab(mesh, "insert-router", "--dry-run")
            assert (code, provider(mesh)) == (0, NODE)
            assert "would be written" in said
            code, said = await trimtab(mesh, "insert-router", "--json")
            assert code == 0
            assert json.loads(said)["callers"] == [f"GatewayRoute {namespace}/door"]
            assert provider(mesh) == ROUTER
            router = mesh.get("virtualrouters", "pay-v1")
            assert router["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "trimtab"}
            owners = [owner["uid"] for owner in router["metadata"]["ownerReferences"]]
            assert owners == [mesh.uid("virtualservices", "pay-v1")]
            targets = router["spec"]["routes"][0]["httpRoute"]
            assert targets["action"]["weightedTargets"] == [
                {"virtualNodeRef": {"name": "pay-v1"}, "weight": 100}
            ]
            await load.more(200)
            code, said = await trimtab(mesh, "insert-router")
            assert (code, "nothing to do" in said) == (0, True)
            assert (await trimtab(mesh, "remove-router"))[0] == 0
            await load.more(200)
        assert load.failures == []
        assert set(load.backends) == {"pay-v1"}
        assert provider(mesh) == NODE
        assert "pay-v1" not in mesh.names("virtualrouters")
        code, said = await trimtab(mesh, "remove-router")
        assert (code, "has no router that Trimtab inserted" in said) == (1, True)


WRITES = {
    "insert-router": [("post", "/virtualrouters"), ("patch", "/virtualservices/")],
    "remove-router": [("patch", "/virtualservices/"), ("delete", "/virtualrouters/")],
}


async def test_killed_after_any_write_it_is_completed_by_asking_again(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """After kill -9 at each of its writes every request is answered as before, and asking again
    goes on from there."""
    gate = Gate(cluster)
    async with (
        gate.open(tmp_path) as kubeconfig,
        world(cluster, namespace, tmp_path) as mesh,
    ):
        await without_router(mesh)

        async def killed(command: str, write: tuple[str, str]) -> None:
            gate.lost = Lost(*write, arrived=True)
            gate.missed.clear()
            process = await started(mesh, command, kubeconfig=kubeconfig)
            await asyncio.wait_for(gate.missed.wait(), 30)
            process.kill()
            await process.wait()

        async with Load(mesh.port, ["/pay"]) as load:
            for command, after in (("insert-router", ROUTER), ("remove-router", NODE)):
                for write in WRITES[command]:
                    await killed(command, write)
                    await load.more(50)
                code, said = await trimtab(mesh, command)
                assert code == 0 or "has no router that Trimtab inserted" in said
                assert provider(mesh) == after
        assert load.failures == []
        assert "pay-v1" not in mesh.names("virtualrouters")


def shop() -> docs.Store:
    caller = docs.node("web", 80, backends=["pay"])
    route = docs.gateway_route("door", {"prefix": "/"}, "pay")
    nodes = docs.node("pay", {8080: "http", 9090: "grpc", 7070: "tcp"})
    by_group, by_star = docs.node("kiosk", 80), docs.node("till", 80)
    by_group["spec"]["backendGroups"] = [{"name": "paying"}]
    by_star["spec"]["backendGroups"] = [{"name": "*"}]
    group = docs.document("BackendGroup", "paying", {"virtualservices": [{"name": "pay"}]})
    called = [docs.service("pay", node="pay"), nodes, group]
    return docs.Store(docs.mesh(), route, caller, by_group, by_star, *called)


def applied(store: docs.Store, steps: insertion.Steps, count: int) -> None:
    """The first writes of some steps, as after a kill in the middle."""
    for change in steps.changes[:count]:
        if change.body is not None:
            store.put(dict(change.body))
        elif change.verb == "delete":
            store.remove(change.ref.kind, change.ref.name)
        else:
            body = store.get(change.ref.kind, change.ref.name)
            body["spec"]["provider"] = change.ops[-1].value
            store.put(body)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_either_way_half_done_is_completed(done: int) -> None:
    """Wherever it was interrupted, asking again ends where it should, and the way back begins; who
    calls the service, by a route, one by one or by a group, is told."""
    store, mesh = shop(), AppMesh()
    before = store.get("VirtualService", "pay")["spec"]
    steps = insertion.insert(mesh.load(store.objects), SERVICE)
    assert [caller.name for caller in steps.callers] == ["door", "kiosk", "till", "web"]
    applied(store, steps, done)
    applied(store, insertion.insert(mesh.load(store.objects), SERVICE), 2)
    assert insertion.insert(mesh.load(store.objects), SERVICE).changes == ()
    reading = mesh.load(store.objects)
    assert [d for d in reading.diagnostics if d.ref and d.ref.kind == "VirtualRouter"] == []
    routes, problems = reading.resolve(SERVICE, ())
    assert ([r.weights for r in routes], problems) == ([(100,)] * 3, ())
    applied(store, insertion.remove(reading, SERVICE), done)
    if done < 2:
        applied(store, insertion.remove(mesh.load(store.objects), SERVICE), 2)
    assert store.get("VirtualService", "pay")["spec"] == before
    assert not any(ref.kind == "VirtualRouter" for ref in store.objects)


def test_a_node_in_another_namespace_is_led_to_and_back() -> None:
    """The router of a service stands beside it, wherever its node stands."""
    store, mesh = shop(), AppMesh()
    far = docs.document("VirtualNode", "pay", store.get("VirtualNode", "pay")["spec"], "till")
    service = docs.service("pay", node="pay")
    service["spec"]["provider"]["virtualNode"]["virtualNodeRef"]["namespace"] = "till"
    store.remove("VirtualNode", "pay")
    store.put(far, service)
    applied(store, insertion.insert(mesh.load(store.objects), SERVICE), 2)
    reading = mesh.load(store.objects)
    keys = {t.telemetry for r in reading.resolve(SERVICE, ()).routes for t in r.targets}
    assert "cds_egress_m_pay_till_http_8080" in keys
    applied(store, insertion.remove(reading, SERVICE), 2)
    assert store.get("VirtualService", "pay")["spec"] == service["spec"]


def test_only_what_was_read_is_written() -> None:
    """Every patch and every deletion is for the version that was looked at."""
    store, mesh = shop(), AppMesh()
    for steps in (insertion.insert, insertion.remove):
        todo = steps(mesh.load(store.objects), SERVICE)
        for change in todo.changes:
            if change.verb != "create":
                version = store.objects[change.ref].version
                assert change.ops[0] == PatchOp("test", "/metadata/resourceVersion", version)
        applied(store, todo, 2)


@pytest.mark.parametrize("form", WIRES)
async def test_nobody_notices_an_inserted_router(tmp_path: Path, form: str) -> None:
    """Whatever the node speaks, its callers are answered through the router as without it, after
    each write of either way."""
    wire, door = WIRES[form], free_port()
    async with backends(wire, ["app"]) as ports:
        app = docs.node("app", ports["app"], wire)
        documents = [docs.mesh(), docs.service("pay", node="app"), app]
        documents += [docs.node("caller", 80, backends=["pay"]), docs.gateway(door, protocol=wire)]
        documents += [docs.gateway_route("door", {"prefix": "/"}, "pay")]
        if wire == "tcp":
            documents = documents[:-2]  # a gateway knows no TCP: the caller's proxy is asked
        who = "mesh/m/virtualNode/caller_shop" if wire == "tcp" else docs.GATEWAY_ID
        how = {} if wire == "tcp" else {"path": "/a.B/C"}
        async with control_plane(*documents, ports=Ports(free_port(), door)) as plane:
            plane.patch = redirected
            async with envoy_of(plane, tmp_path, who), asking(wire, door, ports["app"]) as ask:
                assert await ask(**how) == "app"
                for steps in (insertion.insert, insertion.remove):
                    while (todo := steps(plane.reading, SERVICE)).changes:
                        applied(plane.store, todo, 1)
                        assert await plane.apply() == {}
                        assert await ask(**how) == "app"
                        if docs.reference(docs.router("pay")) not in plane.store.objects:
                            break
        assert (
            plane.store.get("VirtualService", "pay")["spec"] == docs.service("", node="app")["spec"]
        )


def test_what_is_not_ours_or_divides_is_left_alone() -> None:
    """A router of a person is neither taken over nor removed; one that divides, or that somebody
    else has come to use, stays."""
    store, mesh = shop(), AppMesh()
    store.put(docs.router("pay", docs.rule("all", {"pay": 1})))
    with pytest.raises(Refused, match="not Trimtab's"):
        insertion.insert(mesh.load(store.objects), SERVICE)
    with pytest.raises(Refused, match="no router that Trimtab inserted"):
        insertion.remove(mesh.load(store.objects), SERVICE)
    store = shop()
    applied(store, insertion.insert(mesh.load(store.objects), SERVICE), 2)
    store.put(docs.service("other", router="pay"))
    with pytest.raises(Refused, match="provider of VirtualService shop/other too"):
        insertion.remove(mesh.load(store.objects), SERVICE)
    store.remove("VirtualService", "other")
    router = store.get("VirtualRouter", "pay")
    targets = router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    targets.append({"virtualNodeRef": {"name": "web"}, "weight": 1})
    store.put(router)
    with pytest.raises(Refused, match="several targets"):
        insertion.remove(mesh.load(store.objects), SERVICE)

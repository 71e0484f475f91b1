"""The mirror of a real API server, through cut connections, lost history and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aiohttp import web
from cluster.gate import GROUP, ROUTER, Gate, labelled, mirrored, router

from trimtab.core.model import ObjectRef
from trimtab.errors import Unavailable
from trimtab.ports import Kind
from trimtab.testbed.processes import CRDS, Cluster


async def apply(cluster: Cluster, document: dict[str, object]) -> None:
    """Create or replace, also on an API server that is still filling its caches."""
    async with asyncio.timeout(30):
        while True:
            try:
                await asyncio.to_thread(cluster.apply, document)
            except requests.HTTPError as error:
                if error.response is None or error.response.status_code not in (429, 503):
                    raise
                await asyncio.sleep(0.1)
            else:
                return


async def test_a_watch_cut_in_the_middle_of_an_event_is_resumed(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Half an event is no event: the watch goes on from the last whole one, without a new list."""
    gate = Gate(cluster)
    await apply(cluster, router(namespace, step="0"))
    async with mirrored(gate, tmp_path, namespace) as behind:
        await labelled(behind.store, step="0")
        await apply(cluster, router(namespace, step="1"))
        await labelled(behind.store, step="1")
        version = behind.reflector._version
        gate.halve = True
        await apply(cluster, router(namespace, step="2"))
        await labelled(behind.store, step="2")
        assert gate.last("watch")["resourceVersion"] == version
        assert (behind.reflector.lists, behind.reflector.watches) == (1, 2)


async def test_what_happens_while_the_network_is_gone_is_caught_up(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """The last state serves on and the reason is told; afterwards nothing is missing."""
    gate = Gate(cluster)
    await apply(cluster, router(namespace, step="0"))
    async with mirrored(gate, tmp_path, namespace) as behind:
        await labelled(behind.store, step="0")
        await gate.watched()
        gate.shut = True
        gate.cut()
        async with asyncio.timeout(30):
            while not behind.store.problems:  # noqa: ASYNC110 - problems are polled by nature
                await asyncio.sleep(0.01)
        assert [p.code for p in behind.store.problems] == ["ApiUnavailable"]
        await apply(cluster, router(namespace, step="1"))
        ((_, kept),) = (await behind.store.read()).items()
        assert kept.body["metadata"]["labels"] == {"step": "0"}
        gate.shut = False
        await labelled(behind.store, step="1")
        assert behind.store.problems == []
        assert behind.reflector.lists == 1


async def test_the_server_is_left_alone_as_long_as_it_asks(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Retry-After of a 429 or 503 is the least pause, for lists and for watches."""
    gate = Gate(cluster)
    gate.faults = {
        "list": [web.Response(status=429, headers={"Retry-After": "7"})],
        "watch": [web.Response(status=503, headers={"Retry-After": "9"})],
    }
    await apply(cluster, router(namespace, step="0"))
    async with mirrored(gate, tmp_path, namespace) as behind:
        await labelled(behind.store, step="0")
        await apply(cluster, router(namespace, step="1"))
        await labelled(behind.store, step="1")
        assert behind.pauses[:2] == [7.0, 9.0]


async def test_lost_history_in_the_status_leads_to_a_list(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """410 as the status of a watch: everything is listed anew, and what changed is seen."""
    gate = Gate(cluster)
    gate.faults = {"watch": [web.Response(status=410)]}
    await apply(cluster, router(namespace, step="0"))
    async with mirrored(gate, tmp_path, namespace) as behind:
        await labelled(behind.store, step="0")
        await apply(cluster, router(namespace, step="1"))
        await labelled(behind.store, step="1")
        assert gate.count("list") == 2


async def test_lost_history_in_an_event_leads_to_a_list(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """A real API server says 410 in an ERROR event, within an answer of status 200."""
    gate = Gate(cluster)
    await apply(cluster, router(namespace, step="0"))
    async with mirrored(gate, tmp_path, namespace) as behind:
        await labelled(behind.store, step="0")
        await gate.watched()
        behind.reflector._version = "1"  # the watch is to begin where no server remembers
        gate.cut()
        await apply(cluster, router(namespace, step="1"))
        await labelled(behind.store, step="1")
        assert {"1"} < {q["resourceVersion"] for what, q in gate.asked if what == "watch"}
        assert behind.reflector.lists == 2


async def test_bookmarks_move_the_start_of_the_next_watch(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Where nothing happens for long, a watch still does not fall behind history."""
    gate = Gate(cluster)
    gate.watch_s = 4  # the API server sends a bookmark two seconds before the end
    await apply(cluster, router(namespace, step="0"))
    other = f"{namespace}-other"
    await apply(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    async with mirrored(gate, tmp_path, namespace) as behind:
        await labelled(behind.store, step="0")
        await gate.watched()
        begin, step = int(behind.reflector._version), 0
        async with asyncio.timeout(60):
            # A bookmark tells only of what happened while the watch was open.
            while int(gate.last("watch")["resourceVersion"]) <= begin:
                step += 1
                await apply(cluster, router(other, step=str(step)))
                await asyncio.sleep(0.1)
        assert behind.reflector.lists == 1
        assert len(await behind.store.read()) == 1


async def test_before_the_first_list_nothing_is_said(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """No objects yet is not the same as no objects: reading is Unavailable, and says why."""
    gate = Gate(cluster)
    gate.shut = True
    async with mirrored(gate, tmp_path, namespace) as behind:
        with pytest.raises(Unavailable, match="not yet listed: VirtualRouter"):
            await behind.store.read()
        with pytest.raises(Unavailable, match="no answer"):
            await behind.store.wait_synced(0.5)
        gate.shut = False
        await behind.store.wait_synced(30)
        assert await behind.store.read() == {}


async def test_long_lists_come_in_pages(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """A page's token leads to the next page until all is there, and a token that has expired to a
    new list."""
    for i in range(7):
        await apply(cluster, router(namespace, f"r{i}"))
    gate = Gate(cluster)
    gate.faults = {"list": [web.Response(status=410)]}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trimtab.edges.kubernetes.client.PAGE", 3)
        async with mirrored(gate, tmp_path, namespace) as behind:
            await behind.store.wait_synced(30)
            assert len(await behind.store.read()) == 7
    lists = [query for what, query in gate.asked if what == "list"]
    assert ["continue" in query for query in lists] == [False, False, True, True]


async def test_a_kind_whose_crd_is_missing_is_reported_and_comes_later(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """The other kinds are served meanwhile; installing and removing the CRD is noticed."""
    late = Kind("late.trimtab.test", "v1", "comers", "Comer", namespaced=True)
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{late.plural}.{late.group}"},
        "spec": {
            "group": late.group,
            "scope": "Namespaced",
            "names": {"kind": late.kind, "plural": late.plural, "singular": "comer"},
            "versions": [
                {
                    "name": late.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    ref = ObjectRef(late.group, late.kind, namespace, "first")
    await apply(cluster, router(namespace))
    async with mirrored(Gate(cluster), tmp_path, namespace, [ROUTER, late]) as behind:
        await behind.store.wait_synced(30)
        assert [r.name for r in await behind.store.read()] == ["web"]
        (problem,) = behind.store.problems
        assert problem.code == "KindNotServed"
        assert "comers.late.trimtab.test/v1" in problem.message
        await apply(cluster, crd)
        document = {
            "apiVersion": f"{late.group}/{late.version}",
            "kind": late.kind,
            "metadata": {"name": ref.name, "namespace": namespace},
        }
        # Not through discovery, which may learn of the kind a moment later.
        path = f"/apis/{late.group}/{late.version}/namespaces/{namespace}/{late.plural}"
        await asyncio.to_thread(cluster.request, "POST", path, document)
        async with asyncio.timeout(60):
            async for objects in behind.store.watch():
                if ref in objects:
                    break
        assert behind.store.problems == []
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"  # type: ignore[index]
        await asyncio.to_thread(cluster.request, "DELETE", path)
        async with asyncio.timeout(60):
            async for objects in behind.store.watch():
                if ref not in objects:
                    break
        assert ObjectRef(GROUP, "VirtualRouter", namespace, "web") in objects


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Cluster]:
    """An API server that may be stopped without harm to other tests. ``cluster`` is asked for
    because it looks after missing tools."""
    with Cluster.start(tmp_path_factory.mktemp("own")) as running:
        running.apply_all(CRDS)
        running.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield running


async def test_a_restarted_api_server_is_found_again(own_cluster: Cluster, tmp_path: Path) -> None:
    """While it is away the mirror holds its last state; afterwards it follows again."""
    await apply(own_cluster, router("shop", step="0"))
    async with mirrored(Gate(own_cluster), tmp_path, "shop") as behind:
        await labelled(behind.store, step="0")
        await asyncio.to_thread(own_cluster.stop_apiserver)
        assert len(await behind.store.read()) == 1
        with pytest.raises(Unavailable):
            await behind.store.read(fresh=ObjectRef(GROUP, "VirtualRouter", "shop", "web"))
        await asyncio.to_thread(own_cluster.start_apiserver)
        await apply(own_cluster, router("shop", step="1"))
        await labelled(behind.store, step="1")


async def test_compacted_history_leads_to_a_list(own_cluster: Cluster, tmp_path: Path) -> None:
    """What a mirror missed is in no server's history any more: it lists anew, sees what was changed,
    and does not keep what was deleted."""
    gate = Gate(own_cluster)
    await apply(own_cluster, router("shop", step="0"))
    await apply(own_cluster, router("shop", "goes"))
    async with mirrored(gate, tmp_path, "shop") as behind:
        await behind.store.wait_synced(30)
        assert len(await behind.store.read()) == 2
        await gate.watched()
        gate.shut = True
        gate.cut()
        path = f"/apis/{GROUP}/v1beta2/namespaces/shop/virtualrouters/goes"
        await asyncio.to_thread(own_cluster.request, "DELETE", path)
        for i in range(1, 20):
            await apply(own_cluster, router("shop", step=str(i)))
        await asyncio.to_thread(compact, own_cluster)
        await asyncio.to_thread(own_cluster.stop_apiserver)
        await asyncio.to_thread(own_cluster.start_apiserver)
        gate.shut = False
        await labelled(behind.store, step="19")
        assert behind.reflector.lists == 2


def compact(cluster: Cluster) -> None:
    """Make etcd forget all but the present, by its HTTP gateway."""
    url = f"{cluster._etcd_url}/v3/kv"
    header = requests.post(f"{url}/range", json={"key": "AA=="}, timeout=10).json()["header"]
    wanted = {"revision": header["revision"], "physical": True}
    requests.post(f"{url}/compaction", json=wanted, timeout=10).raise_for_status()

"""What every PolicyStore promises, proved on the real API server and on real files alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from trimtab.core.model import ObjectRef
from trimtab.core.policy import GROUP, KIND, VERSION
from trimtab.edges.kubernetes import Client, KubernetesPolicyStore
from trimtab.edges.manifests import ManifestPolicyStore
from trimtab.errors import Conflict
from trimtab.ports import PolicyStore

STATUS = {
    "phase": "ramping 2/5",
    "weights": {"main/v1": 90, "main/v2": 10},
    "state": {
        "step": 2,
        "since": 1763790000.25,
        "aborted": False,
        "seen": [1, 2.5, "three", {"four": True}],
        "empty": {},
        "text": "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve \N{SNOWMAN}",
    },
}


def policy(namespace: str, name: str = "web", mode: str = "canary") -> dict[str, Any]:
    target = {"group": "appmesh.k8s.aws", "kind": "VirtualRouter", "name": "web"}
    roles = [{"name": "v1", "role": "stable"}, {"name": "v2", "role": "canary"}]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": {"team": "shop"}},
        "spec": {"targetRef": target, "mode": mode, "targets": roles},
    }


class Lab(Protocol):
    """Stores over one place, and a person's hands on the policies there."""

    namespace: str

    def open(self) -> Any:
        """A context with a store of its own: a second one is a restarted controller."""

    async def put(self, document: dict[str, Any]) -> None: ...

    async def delete(self, name: str) -> None: ...


class ClusterLab:
    def __init__(self, cluster: Any, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace

    @asynccontextmanager
    async def open(self) -> AsyncIterator[PolicyStore]:
        async with (
            await Client.connect(self._cluster.kubeconfig()) as client,
            KubernetesPolicyStore(client, [self.namespace]) as store,
        ):
            await store.wait_synced(30)
            yield store

    async def put(self, document: dict[str, Any]) -> None:
        await asyncio.to_thread(self._cluster.apply, document)

    async def delete(self, name: str) -> None:
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/weightpolicies/{name}"
        await asyncio.to_thread(self._cluster.request, "DELETE", path)


class FolderLab:
    namespace = "shop"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def open(self) -> AsyncIterator[PolicyStore]:
        yield ManifestPolicyStore([self._folder / "policies"], self._folder / "state.json", Wall())

    async def put(self, document: dict[str, Any]) -> None:
        self._file(document["metadata"]["name"]).write_text(yaml.safe_dump(document))

    async def delete(self, name: str) -> None:
        self._file(name).unlink()

    def _file(self, name: str) -> Path:
        (self._folder / "policies").mkdir(exist_ok=True)
        return self._folder / "policies" / f"{name}.yaml"


class Wall:
    now = staticmethod(time.time)  # noqa: TID251 - files carry the times of the real clock
    sleep = staticmethod(asyncio.sleep)


@pytest.fixture(params=["kubernetes", "manifests"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    if request.param == "manifests":
        return FolderLab(tmp_path)
    return ClusterLab(request.getfixturevalue("cluster"), request.getfixturevalue("namespace"))


@pytest.fixture
async def web(lab: Lab) -> ObjectRef:
    await lab.put(policy(lab.namespace))
    return ObjectRef(GROUP, KIND, lab.namespace, "web")


async def until(store: PolicyStore, true: Any) -> Any:
    """The first reading for which ``true`` holds, within a deadline."""
    async with asyncio.timeout(20):
        while not true(objects := await store.read()):  # noqa: ASYNC110 - there is no watch
            await asyncio.sleep(0.01)
    return objects


async def test_a_policy_is_read_as_it_was_written(lab: Lab, web: ObjectRef) -> None:
    """The body is the document, and a policy that was never decided has no status."""
    async with lab.open() as store:
        found = (await store.read())[web]
        assert found.body["spec"] == policy(lab.namespace)["spec"]
        assert found.body["metadata"]["labels"] == {"team": "shop"}
        assert found.version == found.body["metadata"]["resourceVersion"]
        assert not found.body.get("status")


async def test_a_saved_status_is_read_back_at_once(lab: Lab, web: ObjectRef) -> None:
    """The next read shows the status exactly as it was saved."""
    async with lab.open() as store:
        await store.read()
        await store.save(web, STATUS)
        assert (await store.read())[web].body["status"] == STATUS


async def test_a_saved_status_outlives_the_process(lab: Lab, web: ObjectRef) -> None:
    """Another store over the same place, as after a restart, reads what the first one saved."""
    async with lab.open() as first:
        await first.read()
        await first.save(web, STATUS)
        async with lab.open() as second:
            assert (await second.read())[web].body["status"] == STATUS


async def test_a_status_is_replaced_as_a_whole(lab: Lab, web: ObjectRef) -> None:
    """Nothing of the last status lingers in the next one."""
    async with lab.open() as store:
        await store.read()
        await store.save(web, STATUS)
        await store.save(web, {"phase": "aborted", "state": {"step": 0}})
        expected = {"phase": "aborted", "state": {"step": 0}}
        assert (await store.read())[web].body["status"] == expected
        async with lab.open() as second:
            assert (await second.read())[web].body["status"] == expected


async def test_a_person_edits_the_spec_and_the_status_stays(lab: Lab, web: ObjectRef) -> None:
    """Spec and status have different owners, who do not undo each other's work."""
    async with lab.open() as store:
        await store.read()
        await store.save(web, STATUS)
        await lab.put(policy(lab.namespace, mode="hold"))
        objects = await until(store, lambda o: o[web].body["spec"]["mode"] == "hold")
        assert objects[web].body["status"] == STATUS
        await store.save(web, {"phase": "hold"})
        assert (await store.read())[web].body["spec"]["mode"] == "hold"


async def test_many_policies_are_saved_at_the_same_time(lab: Lab, web: ObjectRef) -> None:
    """Every save is durable when it returns, and each policy keeps its own."""
    for i in range(20):
        await lab.put(policy(lab.namespace, f"p{i}"))
    refs = [web._replace(name=f"p{i}") for i in range(20)]
    async with lab.open() as store:
        await until(store, lambda objects: len(objects) == 21)
        await asyncio.gather(*(store.save(ref, {"phase": ref.name}) for ref in refs))
        async with lab.open() as second:
            objects = await second.read()
            assert [objects[ref].body["status"]["phase"] for ref in refs] == [r.name for r in refs]
            assert not objects[web].body.get("status")


async def test_a_deleted_policy_is_not_saved(lab: Lab, web: ObjectRef) -> None:
    """Saving for a policy that is gone is a Conflict: the reading was out of date."""
    async with lab.open() as store:
        await store.read()
        await lab.delete("web")
        with pytest.raises(Conflict, match="web"):
            await store.save(web, STATUS)
        await until(store, lambda objects: web not in objects)
        with pytest.raises(Conflict, match="web"):
            await store.save(web, STATUS)


async def test_an_untouched_policy_stays_the_same_object(lab: Lab, web: ObjectRef) -> None:
    """Readers may recognise by identity what they have seen already."""
    await lab.put(policy(lab.namespace, "idle"))
    idle = web._replace(name="idle")
    async with lab.open() as store:
        objects = await until(store, lambda objects: len(objects) == 2)
        before = objects[idle]
        await store.save(web, STATUS)
        assert (await store.read())[idle] is before

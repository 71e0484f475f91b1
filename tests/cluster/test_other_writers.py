"""Weights and another client's edits on one router of the real API server: nobody loses anything."""

from __future__ import annotations

import asyncio
import copy
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from trimtab.core.model import Change, Object, ObjectRef, PatchOp
from trimtab.edges.kubernetes import Client, KubernetesPolicyStore, KubernetesStore
from trimtab.errors import Conflict, Refused
from trimtab.ports import Kind
from trimtab.testbed.processes import Cluster

GROUP = "appmesh.k8s.aws"
ROUTER = Kind(GROUP, "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)
TARGETS = "/spec/routes/0/httpRoute/action/weightedTargets"
EDITS = 200
ARN = "arn:aws:appmesh:eu-west-1:123456789012:mesh/m/virtualNode/far"


def router(namespace: str) -> dict[str, Any]:
    targets = [
        {"virtualNodeRef": {"name": "v1"}, "weight": 90},
        {"virtualNodeARN": ARN, "weight": 0, "portOfNoKnownMeaning": 7},
        {"virtualNodeRef": {"name": "v2"}, "weight": 10},
    ]
    return {
        "apiVersion": f"{GROUP}/v1beta2",
        "kind": "VirtualRouter",
        "metadata": {"name": "web", "namespace": namespace, "labels": {"team": "shop"}},
        "spec": {
            "unknownToUs": {"kept": [True, None, 1.5]},
            "routes": [{"name": "main", "httpRoute": {"action": {"weightedTargets": targets}}}],
        },
    }


class OtherClient:
    """Edits annotations in the three ways in which clients do, until each edit is in."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._path = f"/apis/{GROUP}/v1beta2/namespaces/{namespace}/virtualrouters/web"

    def edit(self, number: int) -> None:
        (self._replace, self._merge, self._json_patch)[number % 3](f"edit-{number}")

    def read(self) -> dict[str, Any]:
        return dict(self._cluster.request("GET", self._path))

    def _replace(self, key: str) -> None:
        """Read, change, write the whole object; again when somebody was faster, as kubectl edit."""
        while True:
            whole = self.read()
            whole["metadata"].setdefault("annotations", {})[key] = "here"
            try:
                self._cluster.request("PUT", self._path, whole)
            except requests.HTTPError as error:
                if error.response is None or error.response.status_code != 409:
                    raise
            else:
                return

    def _merge(self, key: str) -> None:
        body = {"metadata": {"annotations": {key: "here"}}}
        self._cluster.request(
            "PATCH", self._path, body, content_type="application/merge-patch+json"
        )

    def _json_patch(self, key: str) -> None:
        body = [{"op": "add", "path": f"/metadata/annotations/{key}", "value": "here"}]
        self._cluster.request("PATCH", self._path, body, content_type="application/json-patch+json")


def weights(body: Any) -> list[int]:
    targets = body["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    return [target["weight"] for target in targets]


def move(found: Object, first: int) -> Change:
    """Ours are the first and the last target; the one between is somebody else's."""
    ops = [PatchOp("test", "/metadata/resourceVersion", found.version)]
    for index, name, weight in ((0, "v1", first), (2, "v2", 100 - first)):
        ops.append(PatchOp("test", f"{TARGETS}/{index}/virtualNodeRef/name", name))
        ops.append(PatchOp("replace", f"{TARGETS}/{index}/weight", weight))
    return Change(found.ref, tuple(ops))


async def set_weights(store: KubernetesStore, ref: ObjectRef, first: int) -> int:
    """What the controller does: decide on what is known, re-read on a Conflict. How many there were."""
    objects = await store.read()
    for conflicts in range(1000):
        try:
            await store.apply(move(objects[ref], first))
        except Conflict:
            objects = await store.read(fresh=ref)
        else:
            return conflicts
    raise AssertionError("lost the race a thousand times")


async def test_200_concurrent_edits_and_our_weights(cluster: Cluster, namespace: str) -> None:
    """Every one of 200 edits by another client is there in the end, our weights are the last that we
    set, and the foreign target, the label and the unknown field are as they were."""
    before = router(namespace)
    before["metadata"]["annotations"] = {"first": "here"}
    await asyncio.to_thread(cluster.apply, copy.deepcopy(before))
    ref = ObjectRef(GROUP, "VirtualRouter", namespace, "web")
    other = OtherClient(cluster, namespace)
    async with (
        await Client.connect(cluster.kubeconfig()) as client,
        KubernetesStore(client, [ROUTER], [namespace]) as store,
    ):
        await store.wait_synced(30)
        loop, chance = asyncio.get_running_loop(), random.Random(7)
        moves, conflicts, last = 0, 0, 90
        with ThreadPoolExecutor(4) as hands:
            editing = asyncio.gather(
                *(loop.run_in_executor(hands, other.edit, i) for i in range(EDITS))
            )
            while not editing.done():
                last = chance.randint(0, 100)
                conflicts += await set_weights(store, ref, last)
                moves += 1
            await editing
        after = await asyncio.to_thread(other.read)
        assert weights((await store.read(fresh=ref))[ref].body) == [last, 0, 100 - last]
    assert weights(after) == [last, 0, 100 - last]
    annotations = after["metadata"]["annotations"]
    assert set(annotations) == {"first", *(f"edit-{i}" for i in range(EDITS))}
    assert after["metadata"]["labels"] == {"team": "shop"}
    before["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = last
    before["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][2]["weight"] = 100 - last
    assert after["spec"] == before["spec"]
    assert moves > 2, "the edits were over before the weights had moved"
    assert conflicts > 0, "nobody ever collided: the test proves nothing"


async def test_a_conflict_names_the_other_writer(cluster: Cluster, namespace: str) -> None:
    """Who fights with us is told by name, as the API server's field managers know it."""
    await asyncio.to_thread(cluster.apply, router(namespace))
    ref = ObjectRef(GROUP, "VirtualRouter", namespace, "web")
    async with (
        await Client.connect(cluster.kubeconfig()) as client,
        KubernetesStore(client, [ROUTER], [namespace]) as store,
    ):
        await store.wait_synced(30)
        old = (await store.read())[ref]
        path = f"/apis/{GROUP}/v1beta2/namespaces/{namespace}/virtualrouters/web"
        edit = [{"op": "replace", "path": f"{TARGETS}/0/weight", "value": 50}]
        await asyncio.to_thread(
            cluster.request,
            "PATCH",
            f"{path}?fieldManager=argocd-controller",
            edit,
            content_type="application/json-patch+json",
        )
        with pytest.raises(Conflict) as caught:
            await store.apply(move(old, 80))
        assert caught.value.writer == "argocd-controller"
        assert "argocd-controller" in str(caught.value)
        assert "/metadata/resourceVersion" in str(caught.value)
        assert weights((await store.read())[ref].body) == [50, 0, 10], (
            "the re-read goes to the cache"
        )


async def test_we_write_under_our_name(cluster: Cluster, namespace: str) -> None:
    """Field managers say trimtab, by which GitOps tools can leave our fields alone."""
    await asyncio.to_thread(cluster.apply, router(namespace))
    ref = ObjectRef(GROUP, "VirtualRouter", namespace, "web")
    async with (
        await Client.connect(cluster.kubeconfig()) as client,
        KubernetesStore(client, [ROUTER], [namespace]) as store,
    ):
        await store.wait_synced(30)
        await store.apply(move((await store.read())[ref], 80))
    after = await asyncio.to_thread(OtherClient(cluster, namespace).read)
    assert "trimtab" in [entry["manager"] for entry in after["metadata"]["managedFields"]]


async def test_a_value_beyond_the_schema_is_refused_with_its_field(
    cluster: Cluster, namespace: str
) -> None:
    """The API server's own words say which field and why; it is not taken for a lost race."""
    await asyncio.to_thread(cluster.apply, router(namespace))
    ref = ObjectRef(GROUP, "VirtualRouter", namespace, "web")
    async with (
        await Client.connect(cluster.kubeconfig()) as client,
        KubernetesStore(client, [ROUTER], [namespace]) as store,
    ):
        await store.wait_synced(30)
        with pytest.raises(
            Refused, match=r"weightedTargets\[0\]\.weight.*less than or equal to 100"
        ):
            await store.apply(move((await store.read())[ref], 101))
        elsewhere = ref._replace(namespace="default")
        with pytest.raises(Refused, match="in that namespace"):
            await store.read(fresh=elsewhere)
        with pytest.raises(Refused, match="holds no Mesh"):
            await store.apply(Change(ObjectRef(GROUP, "Mesh", "", "m"), ()))


async def test_a_new_policy_does_not_inherit_the_old_ones_status(
    cluster: Cluster, namespace: str
) -> None:
    """A policy that was deleted and made anew under its name starts with a clean slate, also when
    we have not noticed yet."""
    document = {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "WeightPolicy",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"targetRef": {"group": GROUP, "kind": "VirtualRouter", "name": "web"}},
    }
    ref = ObjectRef("trimtab.dev", "WeightPolicy", namespace, "web")
    path = f"/apis/trimtab.dev/v1alpha1/namespaces/{namespace}/weightpolicies/web"
    await asyncio.to_thread(cluster.apply, document)
    async with (
        await Client.connect(cluster.kubeconfig()) as client,
        KubernetesPolicyStore(client, [namespace]) as store,
    ):
        await store.wait_synced(30)
        known = store._reflector(ref).objects[ref]
        await asyncio.to_thread(cluster.request, "DELETE", path)
        await asyncio.to_thread(cluster.apply, document)
        store._reflector(ref).objects[ref] = known  # the news are still on their way
        with pytest.raises(Conflict, match="made anew"):
            await store.save(ref, {"phase": "aborted"})
    assert "status" not in await asyncio.to_thread(cluster.request, "GET", path)

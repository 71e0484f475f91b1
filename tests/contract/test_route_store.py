"""What every RouteStore promises, proved on the real API server and on real files alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from contract.route_labs import (
    GROUP,
    LABS,
    MESH,
    ROUTER,
    TARGETS,
    ClusterLab,
    FolderLab,
    Lab,
    Wall,
    as_yaml,
    move,
    router,
    weights,
    without_weights,
)

from trimtab.core.model import Change, Object, ObjectRef, Objects, PatchOp, Verb
from trimtab.edges.kubernetes import Client, KubernetesStore
from trimtab.edges.manifests import ManifestStore
from trimtab.errors import Conflict, Refused
from trimtab.ports import RouteStore


@pytest.fixture(params=["kubernetes", *LABS])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    if request.param in LABS:
        folder = tmp_path / "manifests"
        folder.mkdir()
        yield LABS[request.param](folder)
        return
    cluster = request.getfixturevalue("cluster")
    namespace = request.getfixturevalue("namespace")
    async with (
        await Client.connect(cluster.kubeconfig()) as client,
        KubernetesStore(client, [ROUTER, MESH], [namespace]) as store,
    ):
        await store.wait_synced(30)
        yield ClusterLab(cluster, namespace, store)


@pytest.fixture
async def web(lab: Lab) -> ObjectRef:
    """A router that the store has seen."""
    await lab.put(router(lab.namespace))
    ref = ObjectRef(GROUP, "VirtualRouter", lab.namespace, "web")
    await seen(lab.store, lambda objects: ref in objects)
    return ref


async def seen(store: RouteStore, true: Callable[[Objects], bool]) -> Objects:
    """The first objects that ``watch`` yields for which ``true`` holds, within a deadline."""
    async with asyncio.timeout(20):
        async for objects in store.watch():
            if true(objects):
                return objects
    raise AssertionError("a watch never ends by itself")


async def test_an_object_is_read_with_its_name_and_version(lab: Lab, web: ObjectRef) -> None:
    """The body is what stands there, and carries the version by which a patch is guarded."""
    found = (await lab.store.read())[web]
    assert found.ref == web
    assert found.version == found.body["metadata"]["resourceVersion"]
    assert without_weights(found.body) == without_weights(await lab.look("web"))
    assert weights(found.body) == [90, 10, 0]


async def test_own_writes_are_read_at_once(lab: Lab, web: ObjectRef) -> None:
    """What apply returned is what the next read shows."""
    before = (await lab.store.read())[web]
    for first in (80, 70, 60):
        written = await lab.store.apply(move((await lab.store.read())[web], first, 100 - first))
        assert weights(written.body) == [first, 100 - first, 0]
        assert (await lab.store.read())[web] == written
        assert weights(await lab.look("web")) == [first, 100 - first, 0]
    assert weights(before.body) == [90, 10, 0], "a body that was handed out has been modified"


async def test_nothing_but_the_weights_changes(lab: Lab, web: ObjectRef) -> None:
    """Labels, annotations, unknown fields, other routes and foreign targets survive a write."""
    before = await lab.look("web")
    await lab.store.apply(move((await lab.store.read())[web], 55, 45))
    after = await lab.look("web")
    assert without_weights(after) == without_weights(before)
    assert weights(after) == [55, 45, 0]


async def test_every_write_changes_the_version(lab: Lab, web: ObjectRef) -> None:
    """A version that was read before a write fits no more after it."""
    before = (await lab.store.read())[web]
    after = await lab.store.apply(move(before, 80, 20))
    assert after.version != before.version
    await lab.put(router(lab.namespace, weights=(70, 30)))
    latest = (await lab.store.read(fresh=web))[web]
    assert latest.version not in (before.version, after.version)


async def test_an_unchanged_object_stays_the_same_one(lab: Lab, web: ObjectRef) -> None:
    """Readers may recognise by identity what they have seen already."""
    await lab.put(router(lab.namespace, "idle"))
    idle = web._replace(name="idle")
    before = (await seen(lab.store, lambda objects: idle in objects))[idle]
    await lab.store.apply(move((await lab.store.read())[web], 80, 20))
    assert (await lab.store.read())[idle] is before


async def test_an_outdated_version_is_a_conflict(lab: Lab, web: ObjectRef) -> None:
    """Who has read before another's write cannot overwrite it."""
    old = (await lab.store.read())[web]
    changed = router(lab.namespace)
    changed["metadata"]["labels"]["team"] = "other"
    await lab.put(changed)
    with pytest.raises(Conflict, match="resourceVersion"):
        await lab.store.apply(move(old, 50, 50))
    there = await lab.look("web")
    assert weights(there) == [90, 10, 0]
    assert there["metadata"]["labels"] == {"team": "other"}
    latest = (await lab.store.read(fresh=web))[web]
    assert weights((await lab.store.apply(move(latest, 50, 50))).body) == [50, 50, 0]


async def test_another_target_in_the_place_is_a_conflict(lab: Lab, web: ObjectRef) -> None:
    """A weight is never given to a target that was not meant."""
    ops = (
        PatchOp("replace", f"{TARGETS}/1/weight", 99),
        PatchOp("test", f"{TARGETS}/1/virtualNodeRef/name", "v3"),
    )
    with pytest.raises(Conflict, match="virtualNodeRef"):
        await lab.store.apply(Change(web, ops))
    assert weights(await lab.look("web")) == [90, 10, 0]


async def test_a_target_that_is_gone_is_a_conflict(lab: Lab, web: ObjectRef) -> None:
    """A test of something that is not there fails like any other test."""
    missing = PatchOp("test", f"{TARGETS}/3/virtualNodeRef/name", "v4")
    with pytest.raises(Conflict):
        await lab.store.apply(move((await lab.store.read())[web], 80, 20, missing))
    assert weights(await lab.look("web")) == [90, 10, 0]


async def test_an_illegal_value_is_refused_and_nothing_applied(lab: Lab, web: ObjectRef) -> None:
    """One wrong weight keeps the right one beside it from being written."""
    with pytest.raises(Refused, match="weight"):
        await lab.store.apply(move((await lab.store.read())[web], 80, "many"))
    assert weights(await lab.look("web")) == [90, 10, 0]


async def test_a_path_that_is_not_there_is_refused(lab: Lab, web: ObjectRef) -> None:
    """A patch that fits no object of the kind is a mistake and not a race."""
    nowhere = PatchOp("replace", f"{TARGETS}/9/weight", 1)
    with pytest.raises(Refused, match="9/weight"):
        await lab.store.apply(move((await lab.store.read())[web], 80, 20, nowhere))
    assert weights(await lab.look("web")) == [90, 10, 0]


async def test_an_object_that_is_not_there_is_refused(lab: Lab, web: ObjectRef) -> None:
    """The error names the object."""
    ghost = web._replace(name="ghost")
    with pytest.raises(Refused, match="ghost"):
        await lab.store.apply(Change(ghost, (PatchOp("replace", f"{TARGETS}/0/weight", 1),)))


async def test_an_object_that_was_just_created_can_be_written(lab: Lab, web: ObjectRef) -> None:
    """What the store has not been told of yet is looked for where it stands."""
    await lab.put(router(lab.namespace, "new"))
    new = web._replace(name="new")
    ops = (PatchOp("replace", f"{TARGETS}/0/weight", 7),)
    assert weights((await lab.store.apply(Change(new, ops))).body) == [7, 10, 0]
    assert weights((await lab.store.read())[new].body) == [7, 10, 0]


async def test_an_empty_change_returns_what_stands_there(lab: Lab, web: ObjectRef) -> None:
    """Nothing to do is not an error."""
    assert weights((await lab.store.apply(Change(web, ()))).body) == [90, 10, 0]


async def test_of_many_writers_with_one_version_one_wins(lab: Lab, web: ObjectRef) -> None:
    """However many race from the same reading, one write happens and every other is a Conflict."""
    start = (await lab.store.read())[web]
    results = await asyncio.gather(
        *(lab.store.apply(move(start, first, 100 - first)) for first in range(20, 40)),
        return_exceptions=True,
    )
    written = [r for r in results if isinstance(r, Object)]
    assert len(written) == 1
    assert all(isinstance(r, Conflict) for r in results if not isinstance(r, Object)), results
    assert weights(await lab.look("web")) == weights(written[0].body)


async def test_writes_to_different_objects_do_not_disturb_each_other(lab: Lab) -> None:
    """Ten objects written at the same time are all written."""
    names = [f"r{i}" for i in range(10)]
    for name in names:
        await lab.put(router(lab.namespace, name))
    every = [ObjectRef(GROUP, "VirtualRouter", lab.namespace, name) for name in names]
    found = await seen(lab.store, lambda objects: objects.keys() >= set(every))
    objects = {ref: found[ref] for ref in every}
    await asyncio.gather(
        *(lab.store.apply(move(obj, 100 - i, i)) for i, obj in enumerate(objects.values()))
    )
    for i, ref in enumerate(objects):
        assert weights(await lab.look(ref.name)) == [100 - i, i, 0]


def made(lab: Lab, name: str = "lane") -> dict[str, Any]:
    """An object of our own, without anything that only a server writes."""
    return router(lab.namespace, name)


async def create(lab: Lab, near: ObjectRef, name: str = "lane") -> Object:
    ref = near._replace(name=name)
    body = made(lab, name)
    return await lab.store.apply(Change(ref, verb=Verb.CREATE, body=body, beside=near))


def deletion(found: Object) -> Change:
    version = PatchOp("test", "/metadata/resourceVersion", found.version)
    return Change(found.ref, (version,), Verb.DELETE)


async def test_an_object_of_our_own_is_created_and_deleted(lab: Lab, web: ObjectRef) -> None:
    """It is read at once, watched, deleted again, and what stands beside it never changes."""
    before = (await lab.store.read())[web]
    lane = await create(lab, web)
    assert weights((await lab.store.read())[lane.ref].body) == [90, 10, 0]
    assert weights((await lab.store.read(fresh=lane.ref))[lane.ref].body) == [90, 10, 0]
    await lab.store.apply(deletion(lane))
    assert lane.ref not in await lab.store.read()
    assert lane.ref not in await lab.store.read(fresh=lane.ref)
    assert lane.ref not in await seen(lab.store, lambda objects: lane.ref not in objects)
    assert without_weights((await lab.store.read())[web].body) == without_weights(before.body)
    assert (await create(lab, web)).ref == lane.ref


async def test_what_is_there_is_not_created_again(lab: Lab, web: ObjectRef) -> None:
    """A second creation is a Conflict, and leaves the first as it is."""
    await create(lab, web)
    with pytest.raises(Conflict, match="lane"):
        await create(lab, web)
    with pytest.raises(Conflict, match="web"):
        await create(lab, web, "web")


async def test_what_has_changed_is_not_deleted(lab: Lab, web: ObjectRef) -> None:
    """Only the version that was looked at is deleted, and only once."""
    lane = await create(lab, web)
    fresh = await lab.store.apply(move(lane, 80, 20))
    with pytest.raises(Conflict):
        await lab.store.apply(deletion(lane))
    await lab.store.apply(deletion(fresh))
    with pytest.raises(Conflict):
        await lab.store.apply(deletion(fresh))


async def test_watch_begins_with_what_is_there(lab: Lab, web: ObjectRef) -> None:
    """The first thing that a watcher gets is the present, without any change."""
    async with asyncio.timeout(20):
        assert web in await anext(lab.store.watch())


async def test_watch_shows_another_writers_change(lab: Lab, web: ObjectRef) -> None:
    """A change by somebody else arrives without being asked for."""
    watching = asyncio.create_task(seen(lab.store, lambda o: weights(o[web].body)[0] == 33))
    await asyncio.sleep(0)
    await lab.put(router(lab.namespace, weights=(33, 67)))
    assert weights((await watching)[web].body) == [33, 67, 0]
    assert weights((await lab.store.read())[web].body) == [33, 67, 0]


async def test_watch_shows_the_newest_only(lab: Lab, web: ObjectRef) -> None:
    """A slow watcher skips what has been overtaken, and ends up with the last state."""
    watch = lab.store.watch()
    async with asyncio.timeout(20):
        assert weights((await anext(watch))[web].body) == [90, 10, 0]
        for first in (80, 70, 60):
            await lab.store.apply(move((await lab.store.read())[web], first, 100 - first))
        assert weights((await anext(watch))[web].body) == [60, 40, 0]


async def test_watch_shows_own_changes(lab: Lab, web: ObjectRef) -> None:
    """What we write reaches our own watchers: xDS is fed by them."""
    watching = asyncio.create_task(seen(lab.store, lambda o: weights(o[web].body)[0] == 42))
    await asyncio.sleep(0)
    await lab.store.apply(move((await lab.store.read())[web], 42, 58))
    assert weights((await watching)[web].body) == [42, 58, 0]


async def test_watch_shows_a_deletion(lab: Lab, web: ObjectRef) -> None:
    """An object that is deleted goes away for readers and watchers."""
    await lab.delete("web")
    assert web not in await seen(lab.store, lambda objects: web not in objects)
    assert web not in await lab.store.read()
    with pytest.raises((Refused, Conflict)):
        await lab.store.apply(Change(web, (PatchOp("replace", f"{TARGETS}/0/weight", 1),)))


async def test_a_fresh_read_is_past_the_cache(lab: Lab, web: ObjectRef) -> None:
    """Right after another's write, without waiting for anything, ``fresh`` shows it."""
    for first in range(10, 20):
        await lab.put(router(lab.namespace, weights=(first, 100 - first)))
        assert weights((await lab.store.read(fresh=web))[web].body)[0] == first
    await lab.delete("web")
    assert web not in await lab.store.read(fresh=web)


async def test_a_cluster_scoped_kind_has_no_namespace(lab: Lab) -> None:
    """A Mesh is named without a namespace, whatever namespaces the store was limited to."""
    name = f"mesh-{lab.namespace}"
    ref = ObjectRef(GROUP, "Mesh", "", name)
    document = {
        "apiVersion": f"{GROUP}/v1beta2",
        "kind": "Mesh",
        "metadata": {"name": name},
        "spec": {"namespaceSelector": {}},
    }
    await lab.put(document)
    try:
        assert ref in await seen(lab.store, lambda objects: ref in objects)
    finally:
        if isinstance(lab, ClusterLab):
            path = f"/apis/{GROUP}/v1beta2/meshes/{name}"
            await asyncio.to_thread(lab._cluster.request, "DELETE", path)


def test_the_other_writers_hands_are_real(cluster: Any, namespace: str) -> None:
    """The cluster lab's own writes go through the API server's validation, as a user's would."""
    with pytest.raises(requests.HTTPError, match="weight"):
        cluster.apply(router(namespace, weights=(101, 0)))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_file_of_a_person_is_never_deleted(tmp_path: Path) -> None:
    """What people wrote stays, whatever it is named; ours is a file beside theirs."""
    lab = FolderLab(tmp_path)
    await lab.put(router("shop"))
    (tmp_path / "trimtab-mine.yaml").write_text(as_yaml(router("shop", "mine")))
    objects = await lab.store.read()
    for found in objects.values():
        with pytest.raises(Refused, match="not a file of Trimtab's own"):
            await lab.store.apply(deletion(found))
    await create(lab, next(iter(objects)))
    assert files(tmp_path) == {
        "web.yaml",
        "trimtab-mine.yaml",
        "trimtab-virtualrouter-shop-lane.yaml",
    }


async def test_without_a_folder_no_file_is_made(tmp_path: Path) -> None:
    """Where manifests are named one by one a new one would not be read."""
    file = tmp_path / "web.yaml"
    file.write_text(as_yaml(router("shop")))
    lab = FolderLab(tmp_path)
    lab.store = ManifestStore([file], [ROUTER], Wall())
    (web,) = await lab.store.read()
    with pytest.raises(Refused, match="name the folder"):
        await create(lab, web)
    assert files(tmp_path) == {"web.yaml"}

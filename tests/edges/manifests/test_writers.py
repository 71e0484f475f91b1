"""Several writers of one file: nothing is lost, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from edges.manifests.routers import (
    fill,
    move,
    names,
    opened,
    ref,
    weights,
)

from trimtab.core.model import Change, Object, PatchOp
from trimtab.edges.manifests import ManifestStore
from trimtab.edges.manifests.files import replace
from trimtab.errors import Conflict


async def test_an_edit_between_read_and_apply_is_a_conflict(tmp_path: Path) -> None:
    """What a person saved after our reading is neither overwritten nor lost."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    found = (await manifests.read())[ref()]
    edited = fill("block", "web", 90, 10).replace("prefix: /", "prefix: /shop")
    file.write_text(edited)
    with pytest.raises(Conflict, match="resourceVersion"):
        await manifests.apply(move(found, 80, 20))
    assert file.read_text() == edited
    await manifests.apply(move((await manifests.read())[ref()], 80, 20))
    assert file.read_text() == fill("block", "web", 80, 20).replace("prefix: /", "prefix: /shop")


async def test_a_comment_is_no_conflict(tmp_path: Path) -> None:
    """The version is that of what a document says, so that a comment may be added at any time."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    found = (await manifests.read())[ref()]
    file.write_text("# new\n" + fill("block", "web", 90, 10))
    await manifests.apply(move(found, 80, 20))
    assert file.read_text() == "# new\n" + fill("block", "web", 80, 20)


async def test_an_edit_in_the_last_moment_is_a_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what is saved while we write is not overwritten."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    found = (await manifests.read())[ref()]

    def late(path: Path, content: bytes, read_as: Any) -> None:
        file.write_text("# mine\n")
        replace(path, content, read_as)

    monkeypatch.setattr("trimtab.edges.manifests.store.replace", late)
    with pytest.raises(Conflict, match="somebody else"):
        await manifests.apply(move(found, 80, 20))
    assert file.read_text() == "# mine\n"
    assert names(tmp_path) == ["r.yaml"]


async def test_two_processes_lose_no_write(tmp_path: Path) -> None:
    """Two stores that count up in one file, each re-reading after a Conflict, both get through."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "web", 0, 0))

    async def count(manifests: ManifestStore, index: int) -> None:
        done = 0
        while done < 25:
            found = (await manifests.read())[ref()]
            pair = weights(found)
            pair[index] += 1
            try:
                await manifests.apply(move(found, *pair))
                done += 1
            except Conflict:
                continue

    await asyncio.gather(count(opened(file), 0), count(opened(file), 1))
    assert file.read_text() == fill("block", "web", 25, 25)


async def test_changes_for_one_file_are_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten documents that change together cost one replacement of their file, and one that does not
    fit takes none of the others down."""
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(fill("block", f"r{i}", 90, 10) for i in range(10)))
    manifests = opened(file)
    objects = await manifests.read()
    writes: list[None] = []
    monkeypatch.setattr(
        "trimtab.edges.manifests.store.replace", lambda *args: writes.append(replace(*args))
    )
    changes = [move(found, i, 100 - i) for i, found in enumerate(objects.values())]
    changes[3] = Change(
        changes[3].ref, (PatchOp("test", "/metadata/resourceVersion", "old"), *changes[3].ops[1:])
    )
    results = await asyncio.gather(*map(manifests.apply, changes), return_exceptions=True)
    assert len(writes) == 1
    assert [type(r) for r in results] == [Object] * 3 + [Conflict] + [Object] * 6
    expected = [(i, 100 - i) if i != 3 else (90, 10) for i in range(10)]
    assert file.read_text() == "---\n".join(
        fill("block", f"r{i}", *pair) for i, pair in enumerate(expected)
    )


async def test_a_cancelled_caller_does_not_take_others_down(tmp_path: Path) -> None:
    """Who stops waiting for an apply leaves those who came with him alone."""
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(fill("block", f"r{i}", 90, 10) for i in range(2)))
    manifests = opened(file)
    objects = await manifests.read()
    first = asyncio.create_task(manifests.apply(move(objects[ref("r0")], 1, 1)))
    second = asyncio.create_task(manifests.apply(move(objects[ref("r1")], 2, 2)))
    await asyncio.sleep(0)
    first.cancel()
    assert weights(await second) == [2, 2]


WRITER = """
import asyncio, sys
from pathlib import Path
from edges.manifests.routers import move, opened, ref
async def main():
    manifests = opened(Path(sys.argv[1]))
    for i in range(10_000):
        await manifests.apply(move((await manifests.read())[ref()], i % 101, 100 - i % 101))
asyncio.run(main())
"""


async def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    """However a process ends that writes as fast as it can, the file is one of those it wrote, and
    what lies about from its last write is gone with the next one."""
    legal = {fill("block", "web", i, 100 - i) for i in range(101)}
    file = tmp_path / "web.yaml"
    chance = random.Random(3)
    for _ in range(4):
        file.write_text(fill("block", "web", 0, 100))
        paths = os.pathsep.join(filter(None, sys.path))
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(file), env={"PYTHONPATH": paths}
        )
        seen: set[str] = set()
        async with asyncio.timeout(60):
            while len(seen) < 20 + chance.randint(0, 5):
                seen.add(file.read_text())
                await asyncio.sleep(chance.random() / 1000)
        writer.kill()
        await writer.wait()
        assert seen | {file.read_text()} <= legal
        manifests = opened(file)
        await manifests.apply(move((await manifests.read())[ref()], 7, 7))
        assert file.read_text() == fill("block", "web", 7, 7)
        assert names(tmp_path) == ["web.yaml"]


async def test_what_a_killed_writer_left_is_no_hindrance(tmp_path: Path) -> None:
    """Half a file under the name of our temporary one is neither read nor in the way."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    (tmp_path / ".web.yaml.trimtab").write_text("kind: Virt")
    manifests = opened(tmp_path)
    await manifests.apply(move((await manifests.read())[ref()], 80, 20))
    assert manifests.problems == ()
    assert names(tmp_path) == ["web.yaml"]

"""Only what has changed is read again, and every change is seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from edges.manifests.routers import ROUTER, Wall, fill, move, opened, ref, weights

from trimtab.edges.manifests import ManifestStore


async def test_only_what_has_changed_is_parsed_again(tmp_path: Path) -> None:
    """Of 200 files and a file with 50 documents, one changed document is parsed, and no other."""
    for i in range(200):
        (tmp_path / f"{i}.yaml").write_text(fill("block", f"f{i}", 90, 10))
    many = [fill("block", f"m{i}", 90, 10) for i in range(50)]
    (tmp_path / "many.yaml").write_text("---\n".join(many))
    manifests = opened(tmp_path)
    assert len(await manifests.read()) == 250
    parsed = manifests._folder.parsed
    await manifests.read()
    assert manifests._folder.parsed == parsed
    many[25] = fill("block", "m25", 1, 99)
    (tmp_path / "many.yaml").write_text("---\n".join(many))
    assert weights((await manifests.read())[ref("m25")]) == [1, 99]
    assert manifests._folder.parsed == parsed + 1
    (tmp_path / "7.yaml").write_text(fill("block", "f7", 2, 98))
    assert weights((await manifests.read())[ref("f7")]) == [2, 98]
    assert manifests._folder.parsed == parsed + 2


async def test_a_change_without_a_trace_in_the_file_system_is_seen(tmp_path: Path) -> None:
    """Two writes within the resolution of the file times leave the same time, size and inode."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "web", 90, 10))
    before = file.stat()
    manifests = opened(file)
    assert weights((await manifests.read())[ref()]) == [90, 10]
    with file.open("r+") as same:
        same.write(fill("block", "web", 80, 20))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert weights((await manifests.read())[ref()]) == [80, 20]


async def test_a_settled_file_is_not_opened_again(tmp_path: Path) -> None:
    """A file that was last written long ago costs a look at its times."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "web", 90, 10))
    os.utime(file, (1, 1))
    manifests = opened(file)
    before = await manifests.read()
    entry = manifests._folder._files[str(file)]
    assert entry.settled
    assert await manifests.read() is before
    assert manifests._folder._files[str(file)] is entry


async def test_watching_asks_at_the_interval(tmp_path: Path) -> None:
    """Between two looks a watcher sleeps for the interval, on the clock that it was given; a change
    that says nothing else than before is no news."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    slept: list[float] = []
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: file.write_text("# new\n" + fill("block", "web", 90, 10)),
        lambda: file.write_text(fill("block", "web", 80, 20)),
    ]

    class Stepped(Wall):
        @staticmethod
        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            changes.pop(0)()

    manifests = ManifestStore([file], [ROUTER], Stepped(), interval_s=7.0)
    watch = manifests.watch()
    assert weights((await anext(watch))[ref()]) == [90, 10]
    assert weights((await anext(watch))[ref()]) == [80, 20]  # a comment is no news
    assert slept == [7.0, 7.0, 7.0]


async def test_watching_does_not_spin(tmp_path: Path) -> None:
    """After our own changes a watcher sleeps again: it looks once a change, and not in between."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    sleeps = 0

    class Endless(Wall):
        @staticmethod
        async def sleep(seconds: float) -> None:
            nonlocal sleeps
            sleeps += 1
            await asyncio.Event().wait()

    manifests = ManifestStore([file], [ROUTER], Endless())
    watch = manifests.watch()
    assert weights((await anext(watch))[ref()]) == [90, 10]
    for first in range(20):
        await manifests.apply(move((await manifests.read())[ref()], first, 100 - first))
        assert weights((await anext(watch))[ref()]) == [first, 100 - first]
    waiting = asyncio.ensure_future(anext(watch))
    for _ in range(20):
        await manifests.read()
    waiting.cancel()
    assert sleeps <= 25

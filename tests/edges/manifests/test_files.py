"""Files, folders and links as they are found on real machines."""

from __future__ import annotations

import os
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

from trimtab.errors import InvalidDocument


async def test_mode_owner_and_link_stay(tmp_path: Path) -> None:
    """A replaced file is still the same file to everybody else; a link still leads to it."""
    (tmp_path / "real").mkdir()
    file = tmp_path / "real" / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 5678)
    before = file.stat()
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    manifests = opened(link)
    await manifests.apply(move((await manifests.read())[ref()], 80, 20))
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_ino != before.st_ino, (
        "the file was written in place: a reader may see half of it"
    )
    assert link.is_symlink()
    assert file.read_text() == fill("block", "web", 80, 20)
    assert names(file.parent) == ["web.yaml"]


@pytest.mark.parametrize(
    ("errno", "error", "message"),
    [
        (28, "Unavailable", "No space left"),
        (30, "Refused", "Read-only"),
        (13, "Refused", "Permission"),
    ],
)
async def test_a_write_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errno: int, error: str, message: str
) -> None:
    """No half file, no temporary file, and an error that says whose business it is."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    found = (await manifests.read())[ref()]

    def fail(*_: Any) -> None:
        raise OSError(errno, os.strerror(errno))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        with pytest.raises(Exception, match=message) as caught:
            await manifests.apply(move(found, 80, 20))
    assert type(caught.value).__name__ == error
    assert str(file) in str(caught.value)
    assert file.read_text() == fill("block", "web", 90, 10)
    assert names(tmp_path) == ["web.yaml"]
    assert weights(await manifests.apply(move(found, 80, 20))) == [80, 20]


async def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    """The hidden folders behind its links are not read beside them, nor is anything else hidden."""
    version = tmp_path / "..2026_11_22"
    version.mkdir()
    (version / "web.yaml").write_text(fill("block", "web", 90, 10))
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "web.yaml").symlink_to("..data/web.yaml")
    (tmp_path / ".hidden.yaml").write_text(fill("block", "hidden", 90, 10))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.yaml").write_text(fill("block", "hidden", 90, 10))
    (tmp_path / "again").symlink_to(tmp_path)  # a link that leads back up
    (tmp_path / "twin.yaml").symlink_to("web.yaml")
    (tmp_path / "notes.txt").write_text("kind: VirtualRouter\n")
    manifests = opened(tmp_path)
    assert list(await manifests.read()) == [ref()]
    assert manifests.problems == ()


async def test_linked_folders_are_read(tmp_path: Path) -> None:
    """Folders and their folders, also by links that lead elsewhere."""
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "web.yml").write_text(fill("block", "web", 90, 10))
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "link").symlink_to("../elsewhere")
    assert list(await opened(tmp_path / "manifests").read()) == [ref()]


async def test_a_folder_that_may_not_be_read_keeps_what_it_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be seen for a while is not taken for deleted."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "web.yaml").write_text(fill("block", "web", 90, 10))
    (tmp_path / "new.yaml").write_text(fill("block", "new", 90, 10))
    manifests = opened(tmp_path)
    before = await manifests.read()
    scandir = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith("team"):
            raise PermissionError(13, os.strerror(13), path)
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", denied)
        assert await manifests.read() == before
        assert "Permission denied" in str(manifests.problems[0])
    assert await manifests.read() == before
    assert manifests.problems == ()


async def test_a_change_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    """A file whose weights are right already keeps its inode and its time."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    before = file.stat()
    manifests = opened(file)
    await manifests.apply(move((await manifests.read())[ref()], 90, 10))
    assert file.stat() == before


async def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A mistyped path must not look like an empty folder."""
    with pytest.raises(InvalidDocument, match=r"nowhere.*Remedy"):
        await opened(tmp_path / "nowhere").read()


async def test_a_folder_that_goes_away_keeps_what_it_held(tmp_path: Path) -> None:
    """A checkout that is being exchanged does not take all routes away, and is reported."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "web.yaml").write_text(fill("block", "web", 90, 10))
    manifests = opened(folder)
    before = await manifests.read()
    folder.rename(tmp_path / "away")
    assert await manifests.read() == before
    assert [p.code for p in manifests.problems] == ["PathMissing"]
    (tmp_path / "away").rename(folder)
    assert await manifests.read() == before
    assert manifests.problems == ()


async def test_a_file_that_is_deleted_takes_its_objects_along(tmp_path: Path) -> None:
    """Within a folder that is there, a deletion is a deletion."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(fill("block", name, 90, 10))
    manifests = opened(tmp_path)
    assert len(await manifests.read()) == 2
    (tmp_path / "a.yaml").unlink()
    assert list(await manifests.read()) == [ref("b")]

"""Finding, reading and replacing files, so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trimtab.errors import Conflict, Refused, TrimtabError, Unavailable

SUFFIXES = (".yaml", ".yml", ".json")
_LOCK_ATTEMPTS, _LOCK_PAUSE_S = 500, 0.01


class Stamp(NamedTuple):
    """What tells one state of a file from another without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def stamp(path: str) -> Stamp:
    found = os.stat(path)  # noqa: PTH116 - ten times as fast, for thousands of files a second
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def is_as(path: str, seen: Stamp | None) -> bool:
    """Whether a file is as it was ``seen``."""
    found = os.stat(path)  # noqa: PTH116
    return seen == (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def walk(root: str) -> Iterator[str]:
    """The manifests under a path in a fixed order: itself, or those of a folder and its folders.

    Hidden files and folders are passed over, among them our temporary files and the versioned
    folders of a mounted ConfigMap, whose files are reached by their visible links. Raises OSError
    for a path that is not there, or a folder that may not be read.
    """
    if not os.path.isdir(root):  # noqa: PTH112
        stamp(root)
        yield root
        return
    seen = set()
    for folder, folders, names in os.walk(root, onerror=_raise, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.join(folder, "")  # noqa: PTH118
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield inside + name


def _raise(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process of Trimtab at a time writes in a folder. The folder itself is locked, since
    the file is replaced and no lock file should be left. Raises Unavailable if it stays taken."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for _ in range(_LOCK_ATTEMPTS):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_LOCK_PAUSE_S)
        else:
            raise Unavailable(f"{folder}: another process holds the lock on this folder")
        yield
    finally:
        os.close(handle)


def replace(path: Path, content: bytes, read_as: Stamp | None) -> None:
    """Put new content in the place of a file: complete and on disk, or not at all.

    ``path`` is real (no link), and its folder locked. Mode and owner are kept. Raises Conflict when the file is no longer
    as it was read (``read_as``; None for one that was not there), Refused where we may not write.
    """
    old = path.stat() if read_as else None
    # One name, under the lock: what a killed process left behind is gone with the next write.
    temporary = path.with_name(f".{path.name}.trimtab")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if old is not None:
                made = os.fstat(handle)
                if (old.st_uid, old.st_gid) != (made.st_uid, made.st_gid):
                    os.fchown(handle, old.st_uid, old.st_gid)
                os.fchmod(handle, old.st_mode & 0o7777)
            file.flush()
            os.fsync(handle)
        _same(path, read_as)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name is on disk too
    finally:
        os.close(folder)


def _same(path: Path, read_as: Stamp | None) -> None:
    if read_as is not None and stamp(str(path)) != read_as:
        raise Conflict(f"{path}: written by somebody else just now")


def explain(path: str | Path, error: OSError, doing: str) -> TrimtabError:
    """What a failure of the file system amounts to: a person's business, or a passing trouble."""
    why = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return Conflict(f"{path}: deleted while it was being {doing}")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Refused(
            f"{path}: cannot be {doing}: {why}. Remedy: run as a user who may write there, "
            "as the owner of the file"
        )
    return Unavailable(f"{path}: cannot be {doing}: {why}")

"""Files of our own beside those of people: one object each, created and deleted as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from trimtab.core.model import Change, Object
from trimtab.edges.manifests.files import explain, locked, replace
from trimtab.edges.manifests.folder import Folder
from trimtab.errors import Conflict, Refused

PREFIX = "trimtab-"
_HEAD = "# Written by Trimtab, which deletes it when it is not needed any more.\n"


def create(folder: Folder, change: Change) -> Object:
    """Write the object into a new file beside the file of another one.

    Raises Conflict when it is there already, Refused where such a file would not be read."""
    ref, near = change.ref, folder.objects.get(change.beside) if change.beside else None
    if ref in folder.objects:
        raise Conflict(f"{ref}: there is one already")
    if near is None or near.file is None:
        raise Conflict(f"{change.beside}: not in the manifests any more")
    place = Path(os.path.realpath(near.file)).parent
    path = place / f"{PREFIX}{ref.kind.lower()}-{ref.namespace}-{ref.name}.yaml"
    if not folder.covers(near.file):
        raise Refused(
            f"{ref}: {path} would not be read, since the manifests are named file by file. "
            f"Remedy: name the folder {place}"
        )
    text = _HEAD + yaml.safe_dump(dict(change.body or {}), sort_keys=False)
    try:
        with locked(place):
            replace(path, text.encode(), None)
    except OSError as error:
        raise explain(str(path), error, "written") from error
    folder.scan()
    found = folder.objects.get(ref)
    if found is None:
        raise Conflict(f"{ref}: {path} was taken away again")
    return found


def delete(folder: Folder, change: Change) -> Object:
    """Delete the file of an object of ours. Raises Conflict when it has changed or is gone, Refused
    for a file that people write."""
    found = folder.objects.get(change.ref)
    if found is None or found.file is None:
        raise Conflict(f"{change.ref}: there is none any more")
    path = Path(found.file)
    (version,) = (op.value for op in change.ops if op.path == "/metadata/resourceVersion")
    if found.version != version:
        raise Conflict(f"{change.ref} in {path}: changed since it was read")
    if not path.name.startswith(PREFIX) or not path.read_text().startswith(_HEAD):
        raise Refused(
            f"{change.ref}: {path} is not a file of Trimtab's own. Remedy: take the object out of it"
        )
    try:
        with locked(path.parent):
            path.unlink()
    except FileNotFoundError as error:
        raise Conflict(f"{change.ref}: {path} is gone") from error
    except OSError as error:
        raise explain(str(path), error, "deleted") from error
    folder.scan()
    return found

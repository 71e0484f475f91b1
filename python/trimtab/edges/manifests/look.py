"""Manifests read once, as kindly as can be: for whoever looks and does not write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.core.model import Diagnostic, ObjectRef, Objects, Origin
from trimtab.edges.manifests.documents import About, DocumentReader
from trimtab.edges.manifests.folder import Folder
from trimtab.edges.manifests.placeholders import Values
from trimtab.ports import Kind

DEFAULT_NAMESPACE = "default"
Where = Callable[[ObjectRef, str], Origin | None]


@dataclass(frozen=True, slots=True)
class Looked:
    """What stands in some files. ``problems`` are those of the files themselves; ``reader`` read
    them; ``where`` tells the place of an object, or of a field of it."""

    objects: Objects
    problems: Sequence[Diagnostic]
    reader: DocumentReader
    where: Where


def look(
    paths: Iterable[str | Path],
    kinds: Iterable[Kind],
    now: Callable[[], float],
    *,
    values: Values,
    about: About | None = None,
) -> Looked:
    """Placeholders with one of ``values`` are filled in, others stay as text, with a warning.
    Raises InvalidDocument for a path that is not there."""
    reader = DocumentReader(kinds, DEFAULT_NAMESPACE, values=values, about=about)
    folder = Folder([str(path) for path in paths], reader, now)
    folder.scan()
    return Looked(folder.objects, folder.problems, reader, folder.where)

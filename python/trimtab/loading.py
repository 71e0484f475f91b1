"""Manifests read once, for the commands that look and do not steer.

They read leniently: placeholders are filled in or kept as text, and older shapes count as what
they mean. Nothing that writes to a cluster reads like this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.clock import SystemClock
from trimtab.core.model import Diagnostic, Object, ObjectRef, Objects, Severity
from trimtab.edges.manifests import Replacement, Written, look, read_values, rewrite
from trimtab.edges.manifests.documents import DocumentReader
from trimtab.errors import Conflict, InvalidDocument
from trimtab.ports import POLICY_KIND, Kind
from trimtab.providers.appmesh import AppMesh, client_routes, gateway_routes
from trimtab.providers.appmesh.documents import KINDS
from trimtab.providers.appmesh.legacy import LEGACY_KINDS, about, upgrade
from trimtab.providers.appmesh.tables import Routes


@dataclass(frozen=True, slots=True)
class Loaded:
    """What stands in some files, older shapes as what they mean.

    ``found`` is what was read before that, ``forms`` what became of the older shapes among it.
    ``problems`` are those of the files and of the shapes."""

    objects: Objects
    policies: Objects
    problems: Sequence[Diagnostic]
    found: Objects
    forms: Mapping[ObjectRef, tuple[Mapping[str, Any], ...]]
    partial: frozenset[ObjectRef]
    reader: DocumentReader


def load_manifests(paths: Sequence[Path], values: Sequence[str] = ()) -> Loaded:
    """Read ``paths`` once. ``values`` are files or KEY=VALUE pairs for placeholders.
    Raises InvalidDocument for a path that does not exist."""
    kinds: tuple[Kind, ...] = (*KINDS, *LEGACY_KINDS, POLICY_KIND)
    seen = look(paths, kinds, SystemClock().now, values=read_values(values), about=about)
    policies = {ref: obj for ref, obj in seen.objects.items() if ref.kind == POLICY_KIND.kind}
    found = {ref: obj for ref, obj in seen.objects.items() if ref not in policies}
    upgraded = upgrade(found)
    return Loaded(
        objects=upgraded.objects,
        policies=policies,
        problems=(*seen.problems, *upgraded.diagnostics),
        found=found,
        forms=upgraded.forms,
        partial=upgraded.partial,
        reader=seen.reader,
    )


def load_routes(
    paths: Iterable[str | Path], gateway: str | None = None, values: Iterable[str] = ()
) -> Routes:
    """The routes of a client's Envoy, or of a VirtualGateway's. Unlike the commands this is strict:
    raises InvalidDocument with everything that would be missing from the answer."""
    loaded = load_manifests([Path(path) for path in paths], tuple(values))
    reading = AppMesh().load(loaded.objects)
    missing = (*loaded.problems, *(d for found in reading.broken.values() for d in found))
    errors = [str(problem) for problem in missing if problem.severity is Severity.ERROR]
    if errors:
        raise InvalidDocument("\n".join(errors))
    return gateway_routes(reading, gateway) if gateway else client_routes(reading)


def write_forms(loaded: Loaded) -> list[Written]:
    """Write every v1beta2 form in the place of the document that means it, where that loses
    nothing; in the order of the documents. ``loaded`` was read without values."""
    done: list[Written] = []
    jobs: dict[str, list[Replacement]] = {}
    for ref, forms in loaded.forms.items():
        obj = loaded.found[ref]
        one = Replacement(obj, forms)
        refused = _hindrance(loaded, obj)
        if refused or obj.origin is None:
            done.append(Written(one, refused=refused))
        else:
            jobs.setdefault(obj.origin.file, []).append(one)
    for path, wanted in jobs.items():
        try:
            done += rewrite(path, wanted, loaded.reader)
        except Conflict as error:
            done += [Written(one, refused=str(error)) for one in wanted]
    order = {ref: i for i, ref in enumerate(loaded.forms)}
    return sorted(done, key=lambda written: order[written.replacement.old.ref])


def _hindrance(loaded: Loaded, obj: Object) -> str:
    """Why the form of an object may not take its place; nothing where it may."""
    if not loaded.forms[obj.ref]:
        return "it has no v1beta2 form"
    if obj.ref in loaded.partial:
        return "a part of it has no v1beta2 form and would be lost"
    for form in loaded.forms[obj.ref]:
        metadata = form["metadata"]
        namespace = "" if form["kind"] == "Mesh" else obj.ref.namespace
        ref = ObjectRef(obj.ref.group, form["kind"], namespace, metadata["name"])
        there = loaded.found.get(ref) if ref != obj.ref else None
        if there is not None:
            return f"there is a {ref} already, at {there.origin}"
        if loaded.objects[ref].origin != obj.origin:
            return f"{loaded.objects[ref].origin} means the {ref} too"
    return ""

"""Manifests read once, for the commands that look and do not steer.

They read leniently: placeholders are filled in or kept as text, and older shapes count as what
they mean. Nothing that writes to a cluster reads like this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trimtab.clock import SystemClock
from trimtab.core.model import Diagnostic, Object, ObjectRef, Objects, Origin, Severity
from trimtab.edges.manifests import Looked, Replacement, Written, look, read_values, rewrite
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
    ``sources`` tells of each such object which one it was before; ``problems`` are those of the
    files and of the shapes."""

    objects: Objects
    policies: Objects
    problems: Sequence[Diagnostic]
    found: Objects
    forms: Mapping[ObjectRef, tuple[Mapping[str, Any], ...]]
    partial: frozenset[ObjectRef]
    sources: Mapping[ObjectRef, ObjectRef]
    seen: Looked

    def where(self, ref: ObjectRef, field: str = "") -> Origin:
        """Where an object stands, or a field of it; what is meant by an older shape, there."""
        found = self.seen.where(self.sources.get(ref, ref), field)
        if found is None:
            raise AssertionError(f"{ref} is not among these documents")
        return found

    def located(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The diagnostics with their places, in the order of these; those of no file at the end."""
        placed = [self._located(one) for one in diagnostics]
        return sorted(placed, key=lambda d: (d.origin is None, _place(d.origin)))

    def _located(self, one: Diagnostic) -> Diagnostic:
        ref = self.sources.get(one.ref, one.ref) if one.ref else None
        if one.origin is not None or ref is None:
            return one
        return replace(one, origin=self.seen.where(ref, one.field))


def _place(origin: Origin | None) -> tuple[str, int, int]:
    return (origin.file, origin.document, origin.line) if origin else ("", 0, 0)


def load_manifests(paths: Sequence[Path], values: Sequence[str] = ()) -> Loaded:
    """Read ``paths`` once. ``values`` are files or KEY=VALUE pairs for placeholders.
    Raises InvalidDocument for a path that does not exist."""
    kinds: tuple[Kind, ...] = (*KINDS, *LEGACY_KINDS, POLICY_KIND)
    seen = look(paths, kinds, SystemClock().now, values=read_values(values), about=about)
    policies = {ref: obj for ref, obj in seen.objects.items() if ref.kind == POLICY_KIND.kind}
    found = {ref: obj for ref, obj in seen.objects.items() if ref not in policies}
    upgraded = upgrade(found)
    loaded = Loaded(
        objects=upgraded.objects,
        policies=policies,
        problems=(),
        found=found,
        forms=upgraded.forms,
        partial=upgraded.partial,
        sources=upgraded.sources,
        seen=seen,
    )
    problems = loaded.located((*seen.problems, *upgraded.diagnostics))
    return replace(loaded, problems=problems)


def load_routes(
    paths: Iterable[str | Path], gateway: str | None = None, values: Iterable[str] = ()
) -> Routes:
    """The routes of a client's Envoy, or of a VirtualGateway's. Unlike the commands this is strict:
    raises InvalidDocument with everything that would be missing from the answer."""
    loaded = load_manifests([Path(path) for path in paths], tuple(values))
    reading = AppMesh().load(loaded.objects)
    missing = (*loaded.problems, *(d for found in reading.broken.values() for d in found))
    errors = [
        str(problem) for problem in loaded.located(missing) if problem.severity is Severity.ERROR
    ]
    if errors:
        raise InvalidDocument("\n".join(errors))
    return gateway_routes(reading, gateway) if gateway else client_routes(reading)


def write_forms(loaded: Loaded) -> list[Written]:
    """Write every v1beta2 form in the place of the document that means it, where that loses
    nothing; in the order of the documents. ``loaded`` was read without values."""
    done: list[Written] = []
    jobs: dict[str, list[Replacement]] = {}
    for ref, forms in loaded.forms.items():
        obj, at = loaded.found[ref], loaded.where(ref)
        one = Replacement(obj, at, forms)
        refused = _hindrance(loaded, obj)
        if refused:
            done.append(Written(one, refused=refused))
        else:
            jobs.setdefault(at.file, []).append(one)
    for path, wanted in jobs.items():
        try:
            done += rewrite(path, wanted, loaded.seen.reader)
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
            return f"there is a {ref} already, at {loaded.where(ref)}"
        if loaded.sources.get(ref, ref) != obj.ref:
            return f"{loaded.where(ref)} means the {ref} too"
    return ""

"""``trimtab lint``: every diagnostic of manifests and policies, for people or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.commands.output import STYLE, console, print_json
from trimtab.core.model import Diagnostic, Object, ObjectRef, Origin, Severity
from trimtab.edges.manifests import Written, as_yaml
from trimtab.errors import InvalidDocument
from trimtab.loading import Loaded, load_manifests, write_forms
from trimtab.policies import read_policy
from trimtab.ports import Reading
from trimtab.providers.appmesh import AppMesh


@dataclass(frozen=True, slots=True)
class Linted:
    """What lint found, and with ``--fix`` what became of the forms of older shapes."""

    loaded: Loaded
    found: Sequence[Diagnostic]
    written: Sequence[Written] = field(default=())


def lint_command(
    paths: Sequence[Path],
    *,
    xds: bool,
    strict: bool,
    fix: bool,
    values: Sequence[str],
    as_json: bool,
) -> int:
    """Print the diagnostics; 1 when there are errors (with ``strict`` warnings too), else 0.

    Raises InvalidDocument for a wrong use."""
    if fix and values:
        raise InvalidDocument(
            "--fix writes documents as they stand, with their placeholders. Remedy: leave --values"
        )
    linted = lint(paths, xds=xds, fix=fix, values=values)
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if as_json:
        print_json(_as_json(linted))
    else:
        _show(linted)
    return int(any(d.severity in failing for d in linted.found))


def lint(paths: Sequence[Path], *, xds: bool, fix: bool, values: Sequence[str]) -> Linted:
    """Everything that is wrong; with ``fix`` after the forms have been written."""
    loaded = load_manifests(paths, values)
    written: Sequence[Written] = ()
    if fix and loaded.forms:
        written = write_forms(loaded)
        loaded = load_manifests(paths)
    provider = AppMesh(serves_xds=True)  # who serves is not known from files
    reading = provider.load(loaded.objects)
    found = [*loaded.problems, *reading.diagnostics]
    for obj in loaded.policies.values():
        found += policy_diagnostics(obj, reading)
    if xds:
        from trimtab.providers.appmesh import lint_xds
        from trimtab.providers.appmesh.envoy import HONOURED, Translator

        found += [*lint_xds(reading, HONOURED), *Translator().diagnostics(reading)]
    return Linted(loaded, loaded.located(found), written)


def policy_diagnostics(obj: Object, reading: Reading) -> Iterator[Diagnostic]:
    """What is wrong with one policy: its document, or what it names in the mesh."""
    try:
        policy = read_policy(obj)
    except InvalidDocument as error:
        yield Diagnostic("WP001", Severity.ERROR, str(error), ref=obj.ref)
        return
    named = policy.spec.target_ref
    target = ObjectRef(named.group, named.kind, policy.namespace, named.name)
    for problem in reading.resolve(target, policy.spec.routes, policy.spec.steering).problems:
        yield Diagnostic("WP002", Severity.ERROR, problem, ref=obj.ref, field="spec.targetRef")


def as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    """A Diagnostic as JSON; absent parts are null."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        **_place(diagnostic.origin),
        "object": str(diagnostic.ref) if diagnostic.ref else None,
        "field": diagnostic.field or None,
        "message": diagnostic.message,
        "remedy": diagnostic.remedy or None,
    }


def _place(origin: Origin | None) -> dict[str, Any]:
    return {
        "file": origin.file if origin else None,
        "document": origin.document if origin else None,
        "line": origin.line if origin else None,
    }


def _as_json(linted: Linted) -> dict[str, Any]:
    loaded = linted.loaded
    forms = [
        {"object": str(ref), **_place(loaded.where(ref)), "documents": list(documents)}
        for ref, documents in loaded.forms.items()
    ]
    written = [
        {
            "object": str(one.replacement.old.ref),
            **_place(one.replacement.at),
            "refused": one.refused or None,
        }
        for one in linted.written
    ]
    return {
        "objects": len(loaded.objects) + len(loaded.policies),
        "diagnostics": [as_dict(d) for d in linted.found],
        "forms": forms,
        "written": written,
    }


def _show(linted: Linted) -> None:
    loaded = linted.loaded
    for diagnostic in linted.found:
        style = STYLE[diagnostic.severity]
        console.print(str(diagnostic), style=style, markup=False, soft_wrap=True)
    for ref, forms in loaded.forms.items():
        _show_form(f"{ref}, {loaded.where(ref)}", forms)
    for one in linted.written:
        console.print(_told(one), markup=False, soft_wrap=True)
    counts = {s: sum(d.severity is s for d in linted.found) for s in Severity}
    told = ", ".join(f"{count} {s}" for s, count in counts.items() if count)
    console.print(f"{len(loaded.objects) + len(loaded.policies)} objects: {told or 'clean'}")


def _show_form(whose: str, forms: Sequence[Mapping[str, Any]]) -> None:
    """The form as YAML that can be copied; comments around it say whose it is."""
    if forms:
        sys.stdout.write(f"\n# {whose}, as v1beta2:\n")
        sys.stdout.write("".join(f"---\n{as_yaml(document)}" for document in forms) + "\n")


def _told(one: Written) -> str:
    which = f"{one.replacement.old.ref}, {one.replacement.at}"
    if one.refused:
        return f"not written: {which}: {one.refused}"
    gone = f"; comments inside of it are gone ({one.comments} lines)" if one.comments else ""
    documents = (
        "1 document" if len(one.replacement.new) == 1 else f"{len(one.replacement.new)} documents"
    )
    return f"written: {which}: {documents} of v1beta2{gone}"

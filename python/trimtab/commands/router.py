"""``trimtab insert-router`` and ``remove-router``: a router where a service has none, on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from trimtab import app
from trimtab.clock import SystemClock
from trimtab.commands.output import console, print_json
from trimtab.core.model import Change, ObjectRef, Verb
from trimtab.errors import InvalidDocument, Refused
from trimtab.providers.appmesh import AppMesh, AppMeshReading, insertion
from trimtab.providers.appmesh.insertion import Steps
from trimtab.providers.appmesh.values import GROUP
from trimtab.settings import Settings, load_settings


def router_command(
    config: Path | None,
    flags: Mapping[str, Any],
    service: str,
    *,
    removing: bool,
    as_json: bool,
) -> int:
    """Write it, or with ``dry_run`` show it; 0 also when there was nothing to do."""
    space, slash, name = service.partition("/")
    if not (space and slash and name):
        raise InvalidDocument(f"{service!r}: name the VirtualService as NAMESPACE/NAME.")
    settings = load_settings(config, flags)
    if settings.manifests and not settings.dry_run:
        raise Refused(
            "A provider in a file is not a single value that could be set in place. Remedy: add "
            "--dry-run, and write what it shows."
        )
    plan = insertion.remove if removing else insertion.insert
    steps = asyncio.run(_run(settings, ObjectRef(GROUP, "VirtualService", space, name), plan))
    if as_json:
        writes = [_told(change) for change in steps.changes]
        callers = [str(caller) for caller in steps.callers]
        print_json({"written": not settings.dry_run, "changes": writes, "callers": callers})
        return 0
    for caller in steps.callers:
        console.print(f"{caller} calls it too: what is steered there concerns it", markup=False)
    verb = "would be written" if settings.dry_run else "written"
    for change in steps.changes:
        console.print(f"{change.ref}: {change.verb} {verb}", markup=False)
        if settings.dry_run:
            text = yaml.safe_dump(_told(change), sort_keys=False)
            console.print(text, markup=False, highlight=False)
    if not steps.changes:
        console.print("nothing to do")
    return 0


async def _run(
    settings: Settings, ref: ObjectRef, plan: Callable[[AppMeshReading, ObjectRef], Steps]
) -> Steps:
    async with app.open_stores(settings, SystemClock()) as stores:
        steps = plan(AppMesh().load(await stores.routes.read(fresh=ref)), ref)
        if not settings.dry_run:
            for change in steps.changes:
                await stores.routes.apply(change)
        return steps


def _told(change: Change) -> dict[str, Any]:
    if change.verb is Verb.CREATE:
        return dict(change.body or {})
    return {str(change.verb): str(change.ref), "operations": [op.as_json() for op in change.ops]}

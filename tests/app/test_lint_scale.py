"""A mesh of thousands of resources: what it may hold, and how little a change may touch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import lint_scale  # noqa: E402 - the benchmark is no package

from trimtab.core.model import ObjectRef  # noqa: E402
from trimtab.edges.manifests import folder  # noqa: E402
from trimtab.providers.appmesh import reading  # noqa: E402
from trimtab.providers.appmesh.checks.cells import Cells  # noqa: E402
from trimtab.providers.appmesh.owners import Owners  # noqa: E402


@pytest.mark.parametrize("layout", ["many", "one"])
def test_5000_resources_fit(layout: str) -> None:
    """Read, linted, resolved and changed in a process of its own, within 200 MiB."""
    command = [sys.executable, str(BENCH / "lint_scale.py"), "--layout", layout]
    told = subprocess.run(
        [*command, "--changes", "3", "--json"], check=True, capture_output=True, text=True
    )
    (found,) = json.loads(told.stdout)
    assert (found["resources"], found["diagnostics"], found["routes"]) == (5003, 0, 2000)
    assert found["peak_mib"] <= 200
    assert found["changes"].keys() == lint_scale.EDITS.keys()


# What each change makes a reader read and the checks look at, beside what it changes itself.
TOUCHED = {
    "weights": {"VirtualRouter s0", "VirtualService s0", "GatewayRoute s0"},
    "service name": {"VirtualService s0", "GatewayRoute s0"},
    "route match": {"GatewayRoute s0"},
    "node backend": {"VirtualNode s0-a", "VirtualRouter s0"},
    "node deleted": {"VirtualNode s0-a", "VirtualRouter s0"},
    "mesh egress": {"Mesh m"},
    "gateway port": {"VirtualGateway door"},
    "comment above": set(),
}


@pytest.mark.parametrize("name", TOUCHED)
@pytest.mark.parametrize("layout", ["many", "one"])
async def test_a_change_touches_what_it_concerns(
    tmp_path: Path, layout: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 500 resources a change reads one document again, and checks it and who leads to it."""
    files, mesh = lint_scale.prepare(tmp_path, 500, layout)
    await mesh.read()
    mesh.lint()
    parsed = mesh.store._folder.parsed
    read, looked = [], set()
    real_read, real_again = reading.read_document, Cells._again

    def again(cells: Cells[Any], reading: Any, names: Any, ref: ObjectRef) -> bool:
        looked.add(f"{ref.kind} {ref.name}")
        return real_again(cells, reading, names, ref)

    monkeypatch.setattr(reading, "read_document", lambda o: read.append(o.ref) or real_read(o))
    monkeypatch.setattr(Cells, "_again", again)
    edit = lint_scale.EDITS[name]
    files.put(edit.part, edit.text(0))
    await mesh.read()
    mesh.lint()
    gone = name == "node deleted"
    assert mesh.store._folder.parsed - parsed <= 1
    assert len(read) == int(bool(TOUCHED[name]) and not gone)
    assert looked == TOUCHED[name]


SELECTORS = ("mesh selector", "namespace labels", "gateway selector", "gateway port")


@pytest.mark.parametrize("name", SELECTORS)
async def test_routes_that_are_alike_are_given_to_a_gateway_as_one(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that concerns all 100 GatewayRoutes asks for the owner of one of them."""
    files, mesh = lint_scale.prepare(tmp_path, 500, "many")
    await mesh.read()
    mesh.lint()
    asked: list[ObjectRef] = []
    real = Owners.gateway_of_route
    monkeypatch.setattr(
        Owners, "gateway_of_route", lambda own, one: asked.append(one.ref) or real(own, one)
    )
    edit = lint_scale.EDITS[name]
    files.put(edit.part, edit.text(0))
    await mesh.read()
    mesh.lint()
    assert len(asked) == 1


@pytest.mark.parametrize("layout", ["many", "one"])
async def test_a_change_is_put_into_the_index(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all edits of the benchmark, there and back, all objects are indexed again for one alone: a
    name that comes has to find its place."""
    files, mesh = lint_scale.prepare(tmp_path, 50, layout)
    await mesh.read()
    calls: list[int] = []
    real = folder.merged
    monkeypatch.setattr(folder, "merged", lambda given: calls.append(len(given)) or real(given))
    again = {}
    for name, edit in lint_scale.EDITS.items():
        calls.clear()
        for turn in (0, 1):
            files.put(edit.part, edit.text(turn))
            await mesh.read()
        again[name] = len(calls)
    assert again == {name: int(name == "node deleted") for name in lint_scale.EDITS}


@pytest.mark.parametrize("layout", ["many", "one"])
async def test_after_every_change_all_is_as_if_read_anew(tmp_path: Path, layout: str) -> None:
    """Every edit of the benchmark, there and back: objects, places and findings are those of a new
    store and a new provider."""
    files, mesh = lint_scale.prepare(tmp_path, 50, layout)
    for turn in (0, 1):
        for edit in lint_scale.EDITS.values():
            files.put(edit.part, edit.text(turn))
            await mesh.read()
            mesh.lint()
            anew = lint_scale.Mesh(tmp_path)
            await anew.read()
            anew.lint()
            assert mesh.objects == anew.objects
            assert mesh.reading.diagnostics == anew.reading.diagnostics
            for ref in anew.objects:
                assert mesh.store.where(ref, "spec") == anew.store.where(ref, "spec")

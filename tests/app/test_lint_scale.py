"""A mesh of thousands of resources: what it may hold, and how little a change may touch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import lint_scale  # noqa: E402 - the benchmark is no package

from trimtab.providers.appmesh import checks, reading  # noqa: E402


@pytest.mark.parametrize("layout", ["many", "one"])
def test_5000_resources_fit(layout: str) -> None:
    """Read, linted, resolved and changed in a process of its own, within 200 MiB."""
    command = [sys.executable, str(BENCH / "lint_scale.py"), "--layout", layout]
    told = subprocess.run(
        [*command, "--changes", "3", "--json"], check=True, capture_output=True, text=True
    )
    (found,) = json.loads(told.stdout)
    assert (found["resources"], found["diagnostics"], found["routes"]) == (5002, 0, 2000)
    assert found["peak_mib"] <= 200


@pytest.mark.parametrize("layout", ["many", "one"])
async def test_a_change_touches_what_it_concerns(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 5,000 resources one change reads one document again, and checks the router and who leads
    to it."""
    rewrite = lint_scale.write_mesh(tmp_path, 5000, layout)
    mesh = lint_scale.Mesh(tmp_path)
    await mesh.read()
    mesh.lint()
    parsed = mesh.store._folder.parsed
    read, looked = [], []
    real_read, real_look = reading.read_document, checks.Checks._look_at
    monkeypatch.setattr(reading, "read_document", lambda o: read.append(o.ref) or real_read(o))
    monkeypatch.setattr(
        checks.Checks, "_look_at", lambda c, r, ref: looked.append(ref) or real_look(c, r, ref)
    )
    rewrite(20)
    await mesh.read()
    mesh.lint()
    mesh.resolve_one(20)
    assert mesh.store._folder.parsed == parsed + 1
    assert read == [lint_scale.ROUTER]
    assert {(ref.kind, ref.name) for ref in looked} == {
        ("VirtualRouter", "s0"),
        ("VirtualService", "s0"),
        ("GatewayRoute", "s0"),
    }

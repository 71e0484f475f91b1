"""The core alone, in Rust: asks ``rust/core/benches/goals.rs`` about the same tables and requests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .rivals import arguments
from .rounds import Times
from .routes import Route
from .suite import Site

ROOT = Path(__file__).parent.parent.parent
HUGE_PAGES = {"_RJEM_MALLOC_CONF": "thp:always"}  # as rust/py/src/route/short/memory.rs sets it
COMMAND = ["cargo", "bench", "--quiet", "-p", "trimtab-core", "--bench", "goals", "--"]


def measure(site: Site) -> dict[str, Times]:
    """The figures of the core for a table, by name. Needs cargo, as building Trimtab does."""
    table = site.table()
    rules = [f"{route.method} {_kind_and_path(route)}" for route in table]
    asked = [f"{request.method} {request.path}" for request, _ in site.requests(table)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "routes"), Path(folder, "requests")]
        for file, lines in zip(files, (rules, asked), strict=True):
            file.write_text("".join(f"{line}\n" for line in lines))
        return run(files)


def run(files: Sequence[Path]) -> dict[str, Times]:
    env = {**os.environ, **HUGE_PAGES}
    done = subprocess.run([*COMMAND, *files], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    read: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["name"]: Times(one["rounds"]) for one in read}


def _kind_and_path(route: Route) -> str:
    made = arguments(route)
    return next(f"{kind} {made[kind]}" for kind in ("path", "regex") if kind in made)


def rustc() -> str:
    """The version of the compiler, or what is missing."""
    if shutil.which("rustc") is None:
        return "no rustc"
    done = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()

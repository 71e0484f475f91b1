"""``trimtab lint`` called as the command line calls it, without a process for each call."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trimtab.commands.lint import lint_command


def linted(
    *paths: Path,
    xds: bool = False,
    strict: bool = False,
    fix: bool = False,
    values: Sequence[str] = (),
) -> tuple[int, dict[str, Any]]:
    """The exit code, and the answer of ``--json``."""
    with contextlib.redirect_stdout(io.StringIO()) as told:
        code = lint_command(paths, xds=xds, strict=strict, fix=fix, values=values, as_json=True)
    return code, json.loads(told.getvalue())


def shown(*paths: Path, fix: bool = False, values: Sequence[str] = ()) -> str:
    """What a person sees."""
    with contextlib.redirect_stdout(io.StringIO()) as told:
        lint_command(paths, xds=False, strict=False, fix=fix, values=values, as_json=False)
    return told.getvalue()


def codes(answer: dict[str, Any], *severities: str) -> list[str]:
    wanted = severities or ("error", "warning", "info")
    return [d["code"] for d in answer["diagnostics"] if d["severity"] in wanted]

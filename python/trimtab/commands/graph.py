"""``trimtab graph``: a mesh drawn from gateway to node, with its weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from trimtab.commands.output import print_json, tell_problems
from trimtab.errors import InvalidDocument
from trimtab.loading import load_manifests
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.graph import Graph, graph_of

FORMATS = ("text", "dot", "svg", "json")


def graph_command(paths: Sequence[Path], form: str, *, values: Sequence[str]) -> int:
    """Print the graph of everything that can be read. Raises InvalidDocument for a wrong use."""
    if form not in FORMATS:
        raise InvalidDocument(f"--format {form}: write one of {', '.join(FORMATS)}")
    loaded = load_manifests(paths, values)
    tell_problems(loaded.problems)
    _print(graph_of(AppMesh().load(loaded.objects)), form)
    return 0


def _print(graph: Graph, form: str) -> None:
    if form == "json":
        print_json(graph.as_json())
        return
    drawn = {"text": graph.as_text, "dot": graph.as_dot, "svg": graph.as_svg}[form]()
    sys.stdout.write(f"{drawn}\n" if drawn else "")

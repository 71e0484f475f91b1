"""How a match grows with the table, one line a router, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from .rounds import Times
from .suite import SITES

NOT_DRAWN = ("F", "F3 of these texts")
GROWING = ("github-203", "site-3500", "site-10k", "site-100k")


def draw(figures: Mapping[str, Mapping[str, Times]], file: Path) -> None:
    """Writes ``file`` (SVG): the sites that were measured, and which of them each router could hold;
    nothing where there is no site."""
    sites = [name for name in GROWING if name in figures]
    if not sites:
        return
    mpl.rcParams["svg.hashsalt"] = "trimtab"  # the same figures, the same file
    drawing = Figure(figsize=(8, 5), layout="constrained")
    axes = drawing.subplots()
    names = dict.fromkeys(name for site in sites for name in figures[site])
    for name in (name for name in names if name not in NOT_DRAWN and "match_" not in name):
        points = [(SITES[s].size, figures[s][name].median) for s in sites if name in figures[s]]
        style = {"trimtab": "o-", "F3": "k:"}.get(name, "s--")
        axes.plot(*zip(*points, strict=True), style, label=name)
    axes.set(xscale="log", yscale="log", xlabel="routes", ylabel="ns a match")
    axes.set_title("One match from Python, uniformly random routes with fresh parameters")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    drawing.savefig(file, metadata={"Date": None})

"""Measures each group in a process of its own, whose memory no other group has used."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from . import report, rounds, suite
from .goals import Figures
from .rounds import Times


def measure(
    chosen: Sequence[str], times: int, repeats: int
) -> tuple[dict[str, report.Told], Figures]:
    """The chosen groups, one after the other: what is known of each, and its figures."""
    told: dict[str, report.Told] = {}
    figures: dict[str, dict[str, Times]] = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in suite.groups():
            if name in chosen:
                done = processes.submit(_alone, name, times, repeats)
                told[name], figures[name] = done.result()
    return told, figures


def _alone(name: str, times: int, repeats: int) -> tuple[report.Told, dict[str, Times]]:
    """Builds, checks and measures one group."""
    group = suite.groups()[name]()
    names = ", ".join(one.name for one in group.candidates)
    print(f"{group.title}: {names}", file=sys.stderr, flush=True)
    return report.tell(group), rounds.measure(group, times, repeats)

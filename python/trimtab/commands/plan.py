"""``trimtab plan``: one decision on what is live now, shown and not made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.table import Table

from trimtab import app
from trimtab.commands.output import console, print_json
from trimtab.core.model import Report
from trimtab.edges.records import to_json
from trimtab.settings import load_settings


def plan_command(
    config: Path | None, flags: Mapping[str, Any], window_s: float, *, as_json: bool
) -> int:
    """Print what would change; 1 when a policy or the source could not be read."""
    settings = load_settings(config, {**flags, "dry_run": True})
    waiting = nullcontext() if as_json else console.status(f"looking at {window_s:g} s of traffic")
    with waiting:
        reports, problems = asyncio.run(app.plan(settings, window_s))
    if as_json:
        print_json({"decisions": [to_json(r) for r in reports], "problems": list(problems)})
    else:
        show(reports)
        for problem in problems:
            console.print(problem, style="red", markup=False)
    return int(bool(problems))


def show(reports: Sequence[Report]) -> None:
    """The table of decisions: one row a target, one line of reasons a policy."""
    table = Table("policy", "rule", "target", "weight", "wanted", "granted", "verdict", "evidence")
    for report in reports:
        decision = report.decision
        told = {j.target: j for j in decision.judgements}
        for shift in decision.shifts:
            rows = zip(shift.route.targets, shift.wanted, shift.granted, strict=True)
            for target, wanted, granted in rows:
                judgement = told.get(target.name)
                table.add_row(
                    f"{decision.policy.namespace}/{decision.policy.name}",
                    shift.route.key.rule,
                    target.name,
                    str(target.weight),
                    f"{wanted:.1%}",
                    str(granted) if granted == target.weight else f"[bold]{granted}[/bold]",
                    str(judgement.verdict) if judgement else "not measured",
                    judgement.message if judgement else "",
                )
    console.print(table)
    for report in reports:
        decision = report.decision
        reasons = "; ".join(f"{r.code}: {r.message}" for r in decision.reasons)
        name = f"{decision.policy.namespace}/{decision.policy.name}"
        console.print(f"{name}: {decision.action}: {reasons}", markup=False)

"""Plays the script on the stage, and tells the result."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trimtab.demo.claims import Claim, check
from trimtab.demo.figures import Figure, figures, summary
from trimtab.demo.live import Screen
from trimtab.demo.plot import ACTS, TIMEOUT_S, TOTAL_S, Cue
from trimtab.demo.record import Event, Recording, Scene
from trimtab.demo.recorder import Recorder
from trimtab.demo.report import write
from trimtab.demo.stage import LEAD_S, Stage, set_stage
from trimtab.testbed.processes import poll

LOOK_S = 0.5
TITLE = "What users felt, and would have felt with the weights left alone"
KEPT = ("*.log", "*/*.log", "*.csv", "*.jsonl")  # beside the report, for whoever doubts it


def play(report: Path, *, cluster: bool, as_json: bool) -> int:
    """Set the stage, play, check, report; the exit code."""
    console = Console(stderr=as_json)
    report.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="trimtab-demo-") as scratch:
        directory = Path(scratch)
        try:
            console.print("Setting the stage", style="bold")
            with set_stage(
                directory, cluster=cluster, tell=lambda text: console.print(f"  {text}")
            ) as stage:
                recording = perform(stage, console)
        finally:
            _keep(directory, report / "run")
    return conclude(recording, report, console, as_json=as_json)


def conclude(recording: Recording, report: Path, console: Console, *, as_json: bool) -> int:
    """Check what was recorded, report it, and say by the exit code whether every claim held."""
    claims = check(recording)
    path = write(report, recording, claims)
    if as_json:
        print(json.dumps(summary(recording, claims), indent=2))  # noqa: T201 - asked for
    else:
        tell(console, figures(recording), claims, path)
    return 0 if all(claim.held for claim in claims) else 1


def perform(stage: Stage, console: Console) -> Recording:
    """Play the acts in their time, and take down what happens."""
    recorder = Recorder(stage)
    recording = recorder.recording
    cues: list[tuple[float, Cue]] = []
    start = 0.0
    for act in ACTS:
        scene = Scene(
            act.number, act.short, act.title, act.service.name, start, start + act.seconds
        )
        recording.scenes.append(scene)
        cues += [(start + cue.at, cue) for cue in act.cues]
        start = scene.end
    with Screen(console) as screen:
        told = 0
        while (now := stage.now()) < TOTAL_S:
            stage.check()
            if now >= 0:
                recorder.look()
                screen.show(recording, now)
            while told < len(recording.scenes) and recording.scenes[told].start <= now:
                screen.say(
                    now, f"Act {recording.scenes[told].number}: {recording.scenes[told].title}"
                )
                told += 1
            while cues and cues[0][0] <= now:
                _, cue = cues.pop(0)
                cue.do(stage)
                recording.events.append(Event(stage.now(), cue.phase, cue.says))
                screen.say(now, cue.says)
            time.sleep(max(0.0, LOOK_S - (stage.now() - now)))
        poll(lambda: not stage.load.running, TIMEOUT_S + LEAD_S)  # what is under way counts too
        recorder.look()
    return recording


def _keep(directory: Path, target: Path) -> None:
    """Keep what the processes wrote; what an earlier run left there is replaced."""
    target.mkdir(exist_ok=True)
    for pattern in KEPT:
        for file in directory.glob(pattern):
            shutil.copyfile(file, target / "-".join(file.relative_to(directory).parts))


def tell(console: Console, rows: list[Figure], claims: list[Claim], path: Path) -> None:
    """Print the figures and the claims, and where the report is."""
    table = Table(title=TITLE, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("act", "weights"):
        table.add_column(column, no_wrap=True)
    for column in ("requests", "failed", "", "p50", "p99"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.phase.act} {row.phase.service}, {row.phase.name}",
            row.arm,
            f"{row.felt.requests}",
            f"{row.felt.failed}",
            f"{row.felt.failed_ratio:.2%}",
            f"{row.felt.p50_ms:.0f} ms",
            f"{row.felt.p99_ms:.0f} ms",
        )
    console.print(table)
    for claim in claims:
        mark = "[green]held  [/]" if claim.held else "[red]FAILED[/]"
        console.print(
            f"{mark} act {claim.act}: {claim.says}: {claim.measured}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"Report: {path}", soft_wrap=True)

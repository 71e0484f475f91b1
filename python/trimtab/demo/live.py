"""What a person sees while the demo runs: a live table on a terminal, else plain lines."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trimtab.core.model import Action
from trimtab.demo.plot import ALONE, ARMS, STEERED, TOTAL_S
from trimtab.demo.record import Recording, Scene, Told, shares

RECENT_S = 4.0
LINES_S = 5.0  # how often a plain line says how it goes
LATEST = 6  # decisions shown


class Screen:
    """Shows a Recording as it grows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )
        self._shown = 0  # of the told
        self._next_line = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, at: float, text: str) -> None:
        """Something happened; stays on the screen."""
        self._console.print(f"{at:5.1f} s  {text}", highlight=False, markup=False, soft_wrap=True)

    def show(self, recording: Recording, now: float) -> None:
        """How things stand."""
        scene = next((s for s in reversed(recording.scenes) if s.start <= now), None)
        if scene is None:
            return
        if self._live is not None:
            self._live.update(_picture(recording, scene, now))
            return
        for told in recording.told[self._shown :]:
            if told.report.decision.moves or told.report.decision.action is Action.PROMOTE:
                self.say(told.at, decided(told))
        self._shown = len(recording.told)
        if now >= self._next_line:
            self._next_line = now + LINES_S
            self.say(now, _line(recording, scene, now))


def decided(told: Told) -> str:
    """A decision in one line: what moved, and why."""
    decision = told.report.decision
    moved = "; ".join(
        ", ".join(
            f"{target.name} {before}→{granted}"
            for target, before, granted in zip(
                shift.route.targets, shift.before, shift.granted, strict=True
            )
            if before != granted
        )
        for shift in decision.shifts
        if shift.moves
    )
    why = "; ".join(reason.message for reason in decision.reasons)
    return f"{told.service}: {decision.action} {moved or 'nothing'} ({told.report.outcome}): {why}"


def _line(recording: Recording, scene: Scene, now: float) -> str:
    parts = []
    for arm in ARMS:
        felt = recording.felt_in(scene.service, arm, now - RECENT_S, now)
        parts.append(f"{arm} p99 {felt.p99_ms:.0f} ms, {felt.failed_ratio:.1%} failed")
    return f"act {scene.number}: {scene.service}: " + "; ".join(parts)


def _picture(recording: Recording, scene: Scene, now: float) -> RenderableType:
    title = Text.assemble(
        (f" Act {scene.number} ", "bold reverse"),
        f" {scene.title}   ",
        (f"{now:.0f} of {TOTAL_S:.0f} s", "dim"),
    )
    latest = [t for t in recording.told if t.report.decision.moves][-LATEST:]
    decisions = [Text(f"{t.at:5.1f} s  {decided(t)}", overflow="ellipsis") for t in latest]
    return Group(title, _targets(recording, now), _arms(recording, now), *decisions)


def _targets(recording: Recording, now: float) -> Table:
    table = Table("service", "target", "weight", "", "share by Envoy", box=None, pad_edge=False)
    for service, targets in recording.targets.items():
        known = recording.weights_in(service, now - RECENT_S, now + 1)
        seen = shares(recording.served_in(service, STEERED, now - RECENT_S, now + 1))
        for target in targets:
            weight = known[-1].weights[target] if known else 0
            share = f"{seen[target]:.0f} %" if target in seen else ""
            table.add_row(service, target, str(weight), "█" * round(weight / 2.5), share)
    return table


def _arms(recording: Recording, now: float) -> Table:
    table = Table("users of", "", "p50", "p99", "failed", box=None, pad_edge=False)
    for service in recording.targets:
        for arm in (STEERED, ALONE):
            felt = recording.felt_in(service, arm, now - RECENT_S, now)
            table.add_row(
                service,
                arm,
                f"{felt.p50_ms:.0f} ms",
                f"{felt.p99_ms:.0f} ms",
                f"{felt.failed_ratio:.1%}",
                style="" if arm == STEERED else "dim",
            )
    return table

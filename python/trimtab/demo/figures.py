"""The figures of a run: the same ones are printed, reported and given as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from trimtab.demo.claims import Claim
from trimtab.demo.plot import ARMS
from trimtab.demo.record import Felt, Recording, quantile

ALIKE_S = 1.0  # a phase is not told apart from the act that it begins with


class Phase(NamedTuple):
    """A stretch of an act between two things that the script did."""

    act: int
    name: str
    service: str
    start: float
    end: float


class Figure(NamedTuple):
    """What the users of one arm felt in one phase."""

    phase: Phase
    arm: str
    felt: Felt


def phases(recording: Recording) -> Iterator[Phase]:
    """Each act, parted where the script did something in it."""
    for scene in recording.scenes:
        start, name = scene.start, "before"
        for event in recording.events:
            if scene.start <= event.at < scene.end:
                if event.at - start > ALIKE_S:
                    yield Phase(scene.number, name, scene.service, start, event.at)
                    start = event.at
                name = event.phase
        yield Phase(scene.number, name, scene.service, start, scene.end)


def figures(recording: Recording) -> list[Figure]:
    """What was felt in each phase, of the service of its act, in both arms."""
    return [
        Figure(phase, arm, recording.felt_in(phase.service, arm, phase.start, phase.end))
        for phase in phases(recording)
        for arm in ARMS
    ]


def lateness_ms(recording: Recording) -> dict[str, float]:
    """How late the load generator sent its requests: it has to be small beside the latencies."""
    late = sorted(r.late_ms for r in recording.requests())
    return {"p50": quantile(late, 0.5), "p99": quantile(late, 0.99), "max": quantile(late, 1)}


def summary(recording: Recording, claims: Sequence[Claim]) -> dict[str, Any]:
    """Everything that is printed, as JSON values."""
    return {
        "store": recording.store,
        "passed": all(claim.held for claim in claims),
        "acts": [
            {
                **scene._asdict(),
                "claims": [
                    {"says": c.says, "held": c.held, "measured": c.measured}
                    for c in claims
                    if c.act == scene.number
                ],
                "felt": [
                    {
                        "phase": f.phase.name,
                        "start": f.phase.start,
                        "end": f.phase.end,
                        "arm": f.arm,
                        **f.felt._asdict(),
                        "failed_ratio": f.felt.failed_ratio,
                    }
                    for f in figures(recording)
                    if f.phase.act == scene.number
                ],
            }
            for scene in recording.scenes
        ],
        "decisions": len(recording.told),
        "moves": sum(t.report.decision.moves for t in recording.told),
        "generator_late_ms": lateness_ms(recording),
    }

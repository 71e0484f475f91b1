"""The state machine of a canary. Everything that moves it is an argument.

              telemetry answers              each step: dwell, requests and GOOD
    WAITING ------------------> RAMPING 1/n ----------------> ... RAMPING n/n ---> PROMOTED
                                    |                                 |
                                    +------------- BAD ---------------+
                                                    v
                                                 ABORTED     (latched until the revision changes)

Rule 1: only GOOD raises, only BAD aborts; every other verdict waits where it is.
Rule 2: an abort is latched: the canary stays at zero whatever is known or not known later.
Rule 3: a step is proved at its own weights: time and requests count only while they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from trimtab.core.model import Judgement, Reason
from trimtab.core.policy import CanaryPlan
from trimtab.core.verdict import Verdict


class Phase(StrEnum):
    WAITING = "waiting"
    RAMPING = "ramping"
    PROMOTED = "promoted"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Ramp:
    """Where a canary stands. ``since`` is when the step began, ``seen`` its requests since then.

    ``baseline`` holds, by rule, the weights of the stable targets before the canary: the
    proportions in which they share what the canary leaves, also after an abort.
    """

    phase: Phase = Phase.WAITING
    step: int = 0
    since: float = 0.0
    seen: int = 0
    why: str = ""
    baseline: Mapping[str, Mapping[str, int]] | None = None

    def percent(self, plan: CanaryPlan) -> float | None:
        """The share that the canary should have now; None where the ramp does not say."""
        if self.phase is Phase.ABORTED:
            return 0.0
        if self.phase is Phase.RAMPING:
            return plan.steps[min(self.step, len(plan.steps) - 1)]
        return None

    def describe(self, plan: CanaryPlan) -> str:
        if self.phase is Phase.RAMPING:
            return f"ramping {self.step + 1}/{len(plan.steps)} ({self.percent(plan):g} %)"
        return str(self.phase)


def advance(
    ramp: Ramp,
    plan: CanaryPlan,
    canary: Judgement,
    fresh_requests: int,
    now: float,
    *,
    in_place: bool,
) -> tuple[Ramp, Reason]:
    """One tick. ``fresh_requests`` are those of the canary in the window just read; ``in_place``
    says that the routes hold the weights of the present step."""
    if ramp.phase is Phase.ABORTED:
        return ramp, Reason("Aborted", f"stays at zero until canary.revision changes: {ramp.why}")
    if ramp.phase is Phase.PROMOTED:
        return ramp, Reason("Promoted", "the last step has been proved; nothing is steered")
    if ramp.phase is Phase.WAITING:
        if canary.verdict is Verdict.SOURCE_DOWN:
            return ramp, Reason("SourceDown", f"not started: {canary.message}")
        return replace(ramp, phase=Phase.RAMPING, since=now), Reason(
            "Started", f"the canary starts at {plan.steps[0]:g} %"
        )
    seen = replace(ramp, seen=ramp.seen + fresh_requests)
    return _ramping(seen, plan, canary, now, in_place=in_place)


def _ramping(
    ramp: Ramp, plan: CanaryPlan, canary: Judgement, now: float, *, in_place: bool
) -> tuple[Ramp, Reason]:
    if canary.verdict is Verdict.BAD:
        aborted = replace(ramp, phase=Phase.ABORTED, since=now, seen=0, why=canary.message)
        return aborted, Reason("Abort", canary.message)
    if not in_place:  # a step begins when its weights stand, not when they were decided
        return replace(ramp, since=now, seen=0), Reason(
            "NotInPlace", f"the weights of {plan.steps[ramp.step]:g} % do not stand yet"
        )
    if canary.verdict is not Verdict.GOOD:
        code = "".join(word.capitalize() for word in str(canary.verdict).split())
        return ramp, Reason(code, f"waits: {canary.message}")
    dwelt = now - ramp.since
    if dwelt < plan.step_seconds:
        return ramp, Reason("Dwelling", f"{dwelt:.0f} of {plan.step_seconds:g} s at this step")
    if ramp.seen < plan.min_requests:
        return ramp, Reason("Dwelling", f"{ramp.seen} of {plan.min_requests} requests at this step")
    if ramp.step + 1 >= len(plan.steps):
        return replace(ramp, phase=Phase.PROMOTED, since=now, seen=0), Reason(
            "Promoted", f"every step was good: {canary.message}"
        )
    raised = replace(ramp, step=ramp.step + 1, since=now, seen=0)
    return raised, Reason("Raised", f"to {plan.steps[raised.step]:g} %: {canary.message}")


def to_status(ramp: Ramp) -> dict[str, Any]:
    """What must survive a restart, in a document's camelCase."""
    return {
        "phase": str(ramp.phase),
        "step": ramp.step,
        "since": ramp.since,
        "why": ramp.why,
        "baseline": {rule: dict(weights) for rule, weights in (ramp.baseline or {}).items()},
    }


def from_status(status: Mapping[str, Any]) -> Ramp:
    """Inverse of ``to_status``; ``seen`` begins anew, so that a restart can only be slower."""
    return Ramp(
        phase=Phase(status["phase"]),
        step=int(status["step"]),
        since=float(status["since"]),
        why=str(status["why"]),
        baseline={rule: dict(weights) for rule, weights in status["baseline"].items()},
    )

"""Limits that hold whatever was wanted: a chain of small functions, each with its reason.

Two kinds. *Gates* look at what is known and may say that nothing moves. *Bounds* narrow the
legal range of each target's weight before the integers are allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from trimtab.core.model import Judgement, Reason, Route
from trimtab.core.policy import PolicySpec
from trimtab.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Context:
    """What the gates may look at, by telemetry key of the steered targets.

    ``measured`` says of which targets enough is known to compare them.
    """

    spec: PolicySpec
    judgements: Mapping[str, Judgement]
    measured: Mapping[str, bool]
    moved_at: float | None
    now: float


Gate = Callable[[Context], Reason | None]


def blind(context: Context) -> Reason | None:
    """Freeze when the source is down: weights stay where the last evidence put them."""
    for judgement in context.judgements.values():
        if judgement.verdict is Verdict.SOURCE_DOWN:
            return Reason("SourceDown", judgement.message)
    return None


def unknown(context: Context) -> Reason | None:
    """Hold until something is known of at least two targets: a split is a comparison."""
    if sum(context.measured.values()) >= 2:
        return None
    told = "; ".join(f"{j.target}: {j.message}" for j in context.judgements.values())
    return Reason("TooFew", told or "no target can be measured")


def all_bad(context: Context) -> Reason | None:
    """When every target is bad the cause is elsewhere: moving traffic only spreads it."""
    known = [j for j in context.judgements.values() if j.verdict in (Verdict.GOOD, Verdict.BAD)]
    if known and all(j.verdict is Verdict.BAD for j in known):
        return Reason("AllBad", "every target is bad; weights do not mend that")
    return None


def cooldown(context: Context) -> Reason | None:
    """Let the last move show its effect first."""
    wait = context.spec.rails.cooldown_seconds
    if context.moved_at is None or context.now - context.moved_at >= wait:
        return None
    return Reason("Cooldown", f"moved {context.now - context.moved_at:.0f} s ago, waits {wait:g} s")


GATES: tuple[Gate, ...] = (blind, unknown, all_bad, cooldown)


def closed(context: Context) -> Reason | None:
    """The reason of the first gate that is closed, None when all are open."""
    return next((reason for gate in GATES if (reason := gate(context))), None)


def bounds(
    route: Route, spec: PolicySpec, free: Sequence[bool]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Legal range of each weight in units: the user's bounds, within one step of today's weight.

    A target that is not ``free`` keeps its weight. One that stands outside its bounds may
    return to them, one step at a time. A free target keeps at least one unit, or it could
    never be measured again; maxPercent 0 lifts that.
    """
    total = route.total
    by_name = {t.name: t for t in spec.targets}
    step = max(1, floor(spec.rails.max_step_percent / 100 * total))
    lower, upper = [], []
    for target, is_free in zip(route.targets, free, strict=True):
        if not is_free:
            lower.append(target.weight)
            upper.append(target.weight)
            continue
        asked = by_name.get(target.name)
        low = ceil(asked.min_percent / 100 * total) if asked else 0
        high = floor(asked.max_percent / 100 * total) if asked else total
        low = min(max(low, 1), high)
        nearest = (target.weight - step, target.weight + step)
        lower.append(max(0, _clamp(low, *nearest)))
        upper.append(min(route.maximum, _clamp(high, *nearest)))
    return tuple(lower), tuple(upper)


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))

"""Mode optimise: weights in proportion to the estimated capacity of each target, within rails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trimtab._core import allocate
from trimtab.core import rails
from trimtab.core.answer import Answer, hold, stay
from trimtab.core.capacity import capacity, shares
from trimtab.core.model import Action, Judgement, Reason, Route, Shift
from trimtab.core.policy import PolicySpec
from trimtab.core.state import PolicyState
from trimtab.core.verdict import Verdict

_USABLE = (Verdict.GOOD, Verdict.BAD, Verdict.TOO_FEW)


def answer(
    routes: Sequence[Route],
    state: PolicyState,
    spec: PolicySpec,
    judgements: Mapping[str, Judgement],
    now: float,
) -> Answer:
    """A better split for each route, or the reason why not."""
    measured = {
        key: state.evidence[key].sums.requests >= spec.rails.min_requests
        and judgement.verdict in _USABLE
        for key, judgement in judgements.items()
    }
    context = rails.Context(spec, judgements, measured, state.moved_at, now)
    gate = rails.closed(context)
    if gate is not None:
        return hold(routes, gate)
    capacities = {
        key: capacity(state.evidence[key].sums, spec.objective.error_penalty)
        for key, known in measured.items()
        if known
    }
    moved = [_move(route, spec, capacities) for route in routes]
    shifts = tuple(shift for shift, _ in moved)
    reasons = tuple(dict.fromkeys(reason for _, reason in moved))
    moves = any(shift.moves for shift in shifts)
    return Answer(Action.SHIFT if moves else Action.HOLD, shifts, reasons)


def _move(route: Route, spec: PolicySpec, capacities: Mapping[str, float]) -> tuple[Shift, Reason]:
    """One route. Targets of which too little is known, or which are off, keep their weight."""
    free = [t.weight > 0 and t.telemetry in capacities for t in route.targets]
    if sum(free) < 2:
        return stay(route), Reason("TooFew", f"{route.key.rule}: fewer than two targets to compare")
    total = route.total
    rest = sum(t.weight for t, is_free in zip(route.targets, free, strict=True) if is_free)
    # One thing that stands there several times has its capacity once.
    times = Counter(t.telemetry for t, is_free in zip(route.targets, free, strict=True) if is_free)
    known = [
        capacities[t.telemetry] / times[t.telemetry]
        for t, is_free in zip(route.targets, free, strict=True)
        if is_free and t.telemetry is not None
    ]
    split = iter(shares(known, rest / total))
    wanted = tuple(
        next(split) if is_free else t.weight / total
        for t, is_free in zip(route.targets, free, strict=True)
    )
    lower, upper = rails.bounds(route, spec, free)
    if not sum(lower) <= total <= sum(upper):
        return stay(route), Reason(
            "BoundsInfeasible", f"{route.key.rule}: minPercent and maxPercent leave no legal split"
        )
    granted = tuple(allocate(wanted, total, lower, upper))
    furthest = max(abs(a - b) for a, b in zip(granted, route.weights, strict=True))
    if furthest < spec.rails.min_change_percent / 100 * total:
        return Shift(route, wanted, route.weights), Reason(
            "Settled", f"no weight would move {spec.rails.min_change_percent:g} %"
        )
    told = ", ".join(
        f"{t.name} {capacities[t.telemetry]:.0f}/s"
        for t, is_free in zip(route.targets, free, strict=True)
        if is_free and t.telemetry is not None
    )
    return Shift(route, wanted, granted), Reason("Capacity", f"estimated capacity {told}")

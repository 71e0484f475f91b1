"""Mode canary: the ramp says the share of the canary, the stable targets divide the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trimtab._core import allocate
from trimtab.core.answer import Answer, hold, stay
from trimtab.core.model import Action, Judgement, Reason, Role, Route, Shift, Target, Window
from trimtab.core.policy import PolicySpec
from trimtab.core.ramp import Phase, Ramp, advance
from trimtab.core.state import PolicyState
from trimtab.core.verdict import Verdict

_ENTERED = {
    Phase.RAMPING: Action.RAMP,
    Phase.ABORTED: Action.ABORT,
    Phase.PROMOTED: Action.PROMOTE,
}


def answer(
    routes: Sequence[Route],
    state: PolicyState,
    spec: PolicySpec,
    judgements: Mapping[str, Judgement],
    inputs: Mapping[str, Window],
    now: float,
) -> Answer:
    """All routes that hold the canary move together: one ramp for one policy."""
    steered = [r for r in routes if _with_role(r, Role.CANARY)]
    keys = {t.telemetry for r in steered for t in _with_role(r, Role.CANARY)}
    if not all(_with_role(r, Role.STABLE) for r in steered):
        return hold(routes, Reason("NoStable", "a route has the canary but no stable target"))
    key = next(iter(keys)) if len(keys) == 1 else None
    if key is None or key not in judgements:
        return hold(
            routes, Reason("NotMeasured", "nothing measures the canary: no evidence, no ramp")
        )
    if not _told_apart(steered):
        told = "the canary and a stable target are counted as one: nothing tells them apart"
        return hold(routes, Reason("NotMeasured", told))
    if any(_pool(r) == 0 for r in steered):
        return hold(routes, Reason("NoWeight", "stable and canary have no weight to divide"))
    if any(r.maximum == 1 for r in steered):  # a switch knows no share in between
        spec = replace(spec, canary=replace(spec.canary, steps=(100.0,)))
    before = state.ramp
    if before.baseline is None:
        before = replace(before, baseline={r.key.rule: _stable_weights(r) for r in steered})
    fresh = _requests_since(inputs.get(key), before.since)
    in_place = all(_in_place(r, before, spec) for r in steered)
    ramp, reason = advance(before, spec.canary, judgements[key], fresh, now, in_place=in_place)
    blind = judgements[key].verdict in (Verdict.SOURCE_DOWN, Verdict.STALE)
    shifts = tuple(_shift(r, ramp, spec, blind=blind) if r in steered else stay(r) for r in routes)
    return Answer(
        action=_action(before, ramp, moves=any(s.moves for s in shifts)),
        shifts=shifts,
        reasons=(reason,),
        phase=ramp.describe(spec.canary),
        state=replace(state, ramp=ramp),
    )


def joined(routes: Sequence[Route]) -> tuple[Route, ...]:
    """The routes with the canary measured as one thing: on ports of its own in each it is counted
    under several keys, and judged by their sum. Where nothing measures a part of it: as they are."""
    canaries = [t for route in routes for t in _with_role(route, Role.CANARY)]
    keys = {key for t in canaries for key in t.parts or (t.telemetry,)}
    parts = tuple(sorted(key for key in keys if key is not None))
    if len({t.telemetry for t in canaries}) < 2 or len(parts) < len(keys):
        return tuple(routes)
    one = " + ".join(parts)
    return tuple(
        replace(
            route,
            targets=tuple(
                replace(t, telemetry=one, parts=parts) if t.role is Role.CANARY else t
                for t in route.targets
            ),
        )
        for route in routes
    )


def _told_apart(routes: Sequence[Route]) -> bool:
    """Whether no stable target is counted under a key of the canary."""
    keys: dict[Role, set[str | None]] = {role: set() for role in Role}
    for target in (t for route in routes for t in route.targets):
        keys[target.role].update(target.parts or (target.telemetry,))
    return keys[Role.CANARY].isdisjoint(keys[Role.STABLE])


def _action(before: Ramp, after: Ramp, *, moves: bool) -> Action:
    if after.phase is not before.phase and after.phase in _ENTERED:
        return _ENTERED[after.phase]
    if after.step != before.step:
        return Action.RAMP
    return Action.ENFORCE if moves else Action.HOLD


def _shift(route: Route, ramp: Ramp, spec: PolicySpec, *, blind: bool) -> Shift:
    """The weights of one route for the ramp's share."""
    percent = ramp.percent(spec.canary)
    if percent is None:
        return stay(route)
    total, pool = route.total, _pool(route)
    weight = _canary_units(percent, pool)
    today = sum(t.weight for t in _with_role(route, Role.CANARY))
    if blind and weight > today:  # an earlier raise that never arrived waits until we see again
        return stay(route)
    if weight == today or pool - weight > route.maximum * len(_with_role(route, Role.STABLE)):
        return stay(route)
    rest = _divide(route, pool - weight, ramp)
    granted = tuple(
        weight if t.role is Role.CANARY else rest.get(t.name, t.weight) for t in route.targets
    )
    return Shift(route, tuple(g / total for g in granted), granted)


def _in_place(route: Route, ramp: Ramp, spec: PolicySpec) -> bool:
    percent = ramp.percent(spec.canary)
    today = sum(t.weight for t in _with_role(route, Role.CANARY))
    return percent is not None and today == _canary_units(percent, _pool(route))


def _canary_units(percent: float, pool: int) -> int:
    """The nearest whole weight; a canary that should have some gets at least one unit."""
    units = round(percent / 100 * pool)
    if percent > 0:
        units = max(1, units)
    if percent < 100 and pool > 1:
        units = min(units, pool - 1)
    return units


def _divide(route: Route, units: int, ramp: Ramp) -> dict[str, int]:
    """``units`` among the stable targets, in the proportions from before the canary."""
    stable = _with_role(route, Role.STABLE)
    baseline = (ramp.baseline or {}).get(route.key.rule, {})
    parts = [baseline.get(t.name, 0) for t in stable]
    if not sum(parts):
        parts = [1] * len(stable)
    wanted = [p / sum(parts) for p in parts]
    most = min(units, route.maximum)
    granted = allocate(wanted, units, [0] * len(stable), [most] * len(stable))
    return {t.name: g for t, g in zip(stable, granted, strict=True)}


def _with_role(route: Route, role: Role) -> list[Target]:
    return [t for t in route.targets if t.role is role]


def _pool(route: Route) -> int:
    """The units that stable and canary share; third targets keep theirs."""
    return sum(t.weight for t in route.targets if t.role is not Role.NONE)


def _stable_weights(route: Route) -> dict[str, int]:
    return {t.name: t.weight for t in _with_role(route, Role.STABLE)}


def _requests_since(window: Window | None, since: float) -> int:
    """Requests of a window that lies wholly in the present step."""
    return window.requests if window is not None and window.start >= since else 0

"""Laws of ``decide`` that hold for every input, found by search rather than by example."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.cycle import decide
from trimtab.core.model import (
    Action,
    Decision,
    ObjectRef,
    Observation,
    Role,
    Route,
    RouteKey,
    Target,
    Telemetry,
    Window,
)
from trimtab.core.policy import (
    AbortRules,
    CanaryPlan,
    Mode,
    Policy,
    PolicySpec,
    Rails,
    TargetPolicy,
    TargetRef,
)
from trimtab.core.state import State

POLICY = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "web")
ROUTER = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "web")
TICK_S = 5.0

weights = st.lists(st.integers(0, 100), min_size=2, max_size=10).filter(any)
seen = st.tuples(st.integers(0, 500), st.floats(0, 1), st.floats(0.1, 5000), st.integers(0, 200))
tick = st.one_of(
    st.just("down"),
    st.lists(st.one_of(st.none(), seen), min_size=10, max_size=10),
)


def spec(mode: Mode, names: list[str], **rails: float) -> PolicySpec:
    roles = {n: Role.CANARY if i == 0 else Role.STABLE for i, n in enumerate(names)}
    return PolicySpec(
        target_ref=TargetRef(group=ROUTER.group, kind=ROUTER.kind, name=ROUTER.name),
        mode=mode,
        targets=tuple(TargetPolicy(name=n, role=r) for n, r in roles.items()),
        canary=CanaryPlan(steps=(5.0, 50.0, 100.0), step_seconds=5.0, min_requests=10),
        abort=AbortRules(min_requests=10, window_seconds=20.0),
        rails=Rails(**rails),
    )


def route(current: list[int]) -> Route:
    targets = tuple(Target(f"t{i}", w, f"t{i}") for i, w in enumerate(current))
    return Route(RouteKey("test", ROUTER, "web"), targets, 100)


def telemetry(at: float, seen_now: object) -> Telemetry:
    if seen_now == "down":
        return Telemetry(at, down="no answer")
    assert isinstance(seen_now, list)
    windows = {}
    for i, values in enumerate(seen_now):
        if values is None:
            continue
        requests, ratio, latency, in_flight = values
        errors = round(requests * ratio)
        windows[f"t{i}"] = Window(
            start=at - TICK_S,
            end=at,
            classes={2: requests - errors, 5: errors},
            bounds_ms=(100.0, float("inf")),
            counts=(requests, 0) if latency <= 100 else (0, requests),
            latency_sum_ms=latency * requests,
            in_flight=in_flight,
        )
    return Telemetry(at, windows)


def play(mode: Mode, start: list[int], ticks: list[object]) -> list[Decision]:
    policy = Policy("web", "shop", spec(mode, [f"t{i}" for i in range(len(start))]))
    state, current, decisions = State(), route(start), []
    for i, seen_now in enumerate(ticks):
        now = 1000 + TICK_S * i
        observation = Observation(telemetry(now, seen_now), {POLICY: (current,)})
        (decision,), state = decide(observation, state, {POLICY: policy}, now)
        decisions.append(decision)
        granted = decision.shifts[0].granted
        targets = tuple(replace(t, weight=g) for t, g in zip(current.targets, granted, strict=True))
        current = replace(current, targets=targets)
    return decisions


@given(st.sampled_from(list(Mode)), weights, st.lists(tick, min_size=1, max_size=12))
def test_weights_stay_legal(mode: Mode, start: list[int], ticks: list[object]) -> None:
    """Whatever is seen: integers from 0 to the maximum, the total kept, never all zero."""
    for decision in play(mode, start, ticks):
        granted = decision.shifts[0].granted
        assert all(0 <= g <= 100 for g in granted)
        assert sum(granted) == sum(start)
        assert any(granted)


@given(st.sampled_from(list(Mode)), weights, st.lists(tick, min_size=1, max_size=8))
def test_decide_is_a_function(mode: Mode, start: list[int], ticks: list[object]) -> None:
    """The same input gives the same Decisions: no clock, no chance, no memory outside the state."""
    assert play(mode, start, ticks) == play(mode, start, ticks)


@given(weights, st.lists(tick, min_size=1, max_size=12))
def test_blindness_never_raises_and_never_aborts(start: list[int], ticks: list[object]) -> None:
    """In a tick without telemetry no canary gains weight and none is aborted."""
    decisions = play(Mode.CANARY, start, ticks)
    for decision, seen_now in zip(decisions, ticks, strict=True):
        if seen_now == "down":
            shift = decision.shifts[0]
            assert shift.granted[0] <= shift.before[0]
            assert decision.action is not Action.ABORT


@given(weights, st.lists(tick, min_size=1, max_size=16))
def test_an_abort_is_latched(start: list[int], ticks: list[object]) -> None:
    """After an abort the canary has no weight in any later tick."""
    aborted = False
    for decision in play(Mode.CANARY, start, ticks):
        aborted = aborted or decision.action is Action.ABORT
        if aborted:
            assert decision.shifts[0].granted[0] == 0


@given(weights, st.lists(tick, min_size=1, max_size=12))
def test_only_bad_aborts_and_only_good_raises(start: list[int], ticks: list[object]) -> None:
    """An abort has a bad verdict on the canary beside it, a raise beyond the first step a good one."""
    for decision in play(Mode.CANARY, start, ticks):
        verdict = next(j.verdict for j in decision.judgements if j.target == "t0")
        if decision.action is Action.ABORT:
            assert verdict == "bad"
        if decision.reasons[0].code == "Raised":
            assert verdict == "good"


@given(weights, st.lists(tick, min_size=1, max_size=12))
def test_no_step_is_larger_than_the_rail(start: list[int], ticks: list[object]) -> None:
    """In mode optimise a weight moves at most maxStepPercent of the total in a tick."""
    most = max(1, int(0.10 * sum(start)))
    for decision in play(Mode.OPTIMISE, start, ticks):
        shift = decision.shifts[0]
        moves = [abs(g - b) for g, b in zip(shift.granted, shift.before, strict=True)]
        assert max(moves) <= most


@given(weights, st.lists(tick, min_size=1, max_size=12))
def test_a_target_that_is_off_stays_off(start: list[int], ticks: list[object]) -> None:
    """Mode optimise never gives traffic to a target that a person set to zero, nor takes the last."""
    for decision in play(Mode.OPTIMISE, start, ticks):
        granted = decision.shifts[0].granted
        assert [g > 0 for g in granted] == [w > 0 for w in start]

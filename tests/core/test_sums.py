"""Targets that are several things to the metric sources, and routes that are switches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.cycle import decide
from trimtab.core.evidence import total
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
from trimtab.core.policy import AbortRules, CanaryPlan, Mode, Policy, PolicySpec, TargetPolicy
from trimtab.core.policy import TargetRef as Ref
from trimtab.core.state import State

BOUNDS = (1.0, 10.0, math.inf)
REF = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "pay")
DOOR = ObjectRef("mesh", "Door", "shop", "door")

windows = st.builds(
    Window,
    st.just(0.0),
    st.just(5.0),
    st.dictionaries(st.sampled_from([2, 4, 5]), st.integers(0, 50)),
    st.integers(0, 9),
    st.just(BOUNDS),
    st.tuples(*(st.integers(0, 50) for _ in BOUNDS)),
    st.floats(0, 1e6),
    st.floats(0, 1e3),
    st.floats(0, 60),
    st.booleans(),
)


@given(st.lists(windows, min_size=1, max_size=5))
def test_a_sum_has_all_of_its_parts(parts: list[Window]) -> None:
    """Requests, errors, timeouts, buckets and requests in flight add up; the oldest data and the
    least complete part say how much the sum can be trusted."""
    whole = total(tuple(parts), complete=True)
    assert whole.requests == sum(p.requests for p in parts)
    assert whole.errors == sum(p.errors for p in parts)
    assert whole.timeouts == sum(p.timeouts for p in parts)
    assert sum(whole.counts) == sum(sum(p.counts) for p in parts)
    assert whole.in_flight == pytest.approx(sum(p.in_flight for p in parts))
    assert whole.age_s == max(p.age_s for p in parts)
    assert whole.partial == any(p.partial for p in parts)
    assert (whole.start, whole.end) == (0.0, 5.0)
    assert total(tuple(parts), complete=False).partial


def test_other_buckets_are_never_mixed() -> None:
    """Of parts with different buckets the busiest has the histogram; all have the requests."""
    one = Window(0, 5, {2: 10}, 0, BOUNDS, (4, 4, 2))
    other = Window(0, 5, {2: 3}, 0, (2.0, math.inf), (3, 0))
    whole = total((other, one), complete=True)
    assert (whole.bounds_ms, whole.counts, whole.requests) == (BOUNDS, (4, 4, 2), 13)


def policy(steps: tuple[float, ...] = (5, 50, 100)) -> Policy:
    spec = PolicySpec(
        target_ref=Ref(group="mesh", kind="Door", name="door"),
        mode=Mode.CANARY,
        targets=(
            TargetPolicy(name="old", role=Role.STABLE),
            TargetPolicy(name="new", role=Role.CANARY),
        ),
        canary=CanaryPlan(steps=steps, step_seconds=1, min_requests=10),
        abort=AbortRules(min_requests=10, window_seconds=100),
    )
    return Policy("pay", "shop", spec)


class Door:
    """A switch between two services of two parts each, and the ticks of a controller over it."""

    def __init__(self) -> None:
        self.state = State()
        self.now = 0.0
        self.weights: tuple[int, ...] = (1, 0)

    def tick(self, counted: Mapping[str, Mapping[int, int]]) -> Decision:
        """Five seconds in which the parts counted these classes."""
        start, self.now = self.now, self.now + 5
        route = Route(
            RouteKey("mesh", DOOR, "target"),
            (
                Target("old", self.weights[0], "old", parts=("old-a", "old-b")),
                Target("new", self.weights[1], "new", parts=("new-a", "new-b")),
            ),
            maximum=1,
        )
        seen = {name: Window(start, self.now, classes) for name, classes in counted.items()}
        observation = Observation(Telemetry(self.now, seen), {REF: (route,)})
        (decision,), self.state = decide(observation, self.state, {REF: policy()}, self.now)
        self.weights = decision.shifts[0].granted
        return decision


def test_a_switch_is_one_step_whatever_the_plan_says() -> None:
    """The steps of the plan have no meaning for a switch: once on, the next thing is promotion."""
    door, good = Door(), {"new-a": {2: 10}, "new-b": {2: 10}}
    assert door.tick({}).phase == "ramping 1/1 (100 %)"
    assert door.weights == (0, 1)
    phases = [door.tick(good).phase for _ in range(2)]
    assert phases[-1] == "promoted"
    assert door.weights == (0, 1)


def test_the_bad_half_of_a_service_aborts_the_whole() -> None:
    """Errors of one part are errors of the sum, and the switch goes back."""
    door = Door()
    door.tick({})
    decision = door.tick({"new-a": {2: 50}, "new-b": {5: 50}})
    assert (decision.action, door.weights) == (Action.ABORT, (1, 0))
    assert decision.inputs["new"].requests == 100


def test_a_part_without_series_is_no_evidence_against() -> None:
    """What nobody counts is missing, and said to be: the rest is judged."""
    door = Door()
    door.tick({})
    decision = door.tick({"new-a": {2: 50}})
    assert decision.inputs["new"] == replace(
        Window(5.0, 10.0, {2: 50}), partial=True, bounds_ms=(), counts=()
    )
    assert decision.action is Action.PROMOTE


# --- keys that targets share ----------------------------------------------------------------------


def rules(*keys: tuple[str, str], weights: tuple[int, int] = (100, 0)) -> tuple[Route, ...]:
    """A route for each pair of keys under which old and new are counted in it."""
    return tuple(
        Route(
            RouteKey("mesh", DOOR, f"rule-{i}"),
            (Target("old", weights[0], old), Target("new", weights[1], new)),
            maximum=100,
        )
        for i, (old, new) in enumerate(keys)
    )


def decided(
    routes: tuple[Route, ...], *ticks: Mapping[str, Mapping[int, int]], mode: Mode = Mode.CANARY
) -> Decision:
    """The last decision on routes that stay as they are."""
    state, asked = State(), policy()
    asked = replace(asked, spec=replace(asked.spec, mode=mode))
    for i, counted in enumerate(ticks):
        now = 5.0 * (i + 1)
        seen = {n: Window(now - 5, now, classes) for n, classes in counted.items()}
        observation = Observation(Telemetry(now, seen), {REF: routes})
        (decision,), state = decide(observation, state, {REF: asked}, now)
    return decision


def test_a_canary_on_several_ports_is_judged_by_all_of_them() -> None:
    """Routes of one node on ports of their own have one ramp, and errors on one port abort it."""
    routes = rules(("old:1", "new:1"), ("old:2", "new:2"))
    good = {"new:1": {2: 50}, "new:2": {2: 50}}
    assert [s.granted for s in decided(routes, good).shifts] == [(95, 5), (95, 5)]
    raised = rules(("old:1", "new:1"), ("old:2", "new:2"), weights=(95, 5))
    decision = decided(raised, good, good, {"new:1": {2: 50}, "new:2": {2: 10, 5: 40}})
    assert decision.action is Action.ABORT
    assert [s.granted for s in decision.shifts] == [(100, 0), (100, 0)]


def test_a_canary_that_is_nowhere_measured_in_one_route_waits() -> None:
    """Half of the evidence is none, where nobody knows of the other half."""
    first, second = rules(("old", "new"), ("old", "new"))
    blind = replace(second, targets=(second.targets[0], replace(second.targets[1], telemetry=None)))
    assert decided((first, blind), {}).reasons[0].code == "NotMeasured"


def test_a_canary_and_a_stable_target_that_are_one_are_not_ramped() -> None:
    """Where one key counts both, errors of the old would be those of the new."""
    decision = decided(rules(("one", "one")), {"one": {2: 100}})
    assert (decision.action, decision.reasons[0].code) == (Action.HOLD, "NotMeasured")
    assert "nothing tells them apart" in decision.reasons[0].message


def test_a_thing_that_stands_there_twice_has_its_capacity_once() -> None:
    """Two equal nodes share a route evenly, though one of them has two of the three places."""
    twin, other = {2: 100}, {2: 100}
    targets = (Target("a", 34, "a"), Target("a#2", 33, "a"), Target("new", 33, "b"))
    route = Route(RouteKey("mesh", DOOR, "rule"), targets, maximum=100)
    asked = policy()
    spec = replace(asked.spec, mode=Mode.OPTIMISE, targets=())
    seen = {
        n: Window(0, 5, c, in_flight=10, latency_sum_ms=2000, bounds_ms=BOUNDS, counts=(0, 0, 100))
        for n, c in (("a", twin), ("b", other))
    }
    observation = Observation(Telemetry(5, seen), {REF: (route,)})
    (decision,), _ = decide(observation, State(), {REF: replace(asked, spec=spec)}, 5)
    assert decision.shifts[0].wanted == pytest.approx((0.25, 0.25, 0.5))


def test_what_is_counted_together_is_said() -> None:
    """Evidence that is not of the route alone is told with the decision, and decides all the same."""
    routes, told = rules(("old", "new")), "new is counted together with something else"
    observation = Observation(Telemetry(5, {}), {REF: routes}, shared={REF: (told,)})
    (decision,), _ = decide(observation, State(), {REF: policy()}, 5)
    assert decision.reasons[-1] == ("SharedTelemetry", told)
    assert decision.action is Action.RAMP

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

"""The sentence of this program: what is seen, what is remembered and what is asked -> Decisions.

Pure: the same arguments give the same answer, in production, dry run, replay, tests and the
simulator. All policies of a tick are decided in one call.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from trimtab.core import canary, optimise
from trimtab.core.answer import hold
from trimtab.core.evidence import Evidence, total
from trimtab.core.model import (
    Decision,
    Judgement,
    ObjectRef,
    Observation,
    Reason,
    Role,
    Route,
    Telemetry,
    Window,
)
from trimtab.core.policy import Mode, Policy, PolicySpec
from trimtab.core.state import PolicyState, State, identity
from trimtab.core.verdicts import judge


def decide(
    observation: Observation,
    state: State,
    policies: Mapping[ObjectRef, Policy],
    now: float,
) -> tuple[tuple[Decision, ...], State]:
    """One Decision for each policy, in the order of ``policies``, and the state after them.

    State of policies that are gone is forgotten.
    """
    decisions, states = [], {}
    for ref, policy in policies.items():
        decision, states[ref] = _decide_one(ref, policy, observation, state, now)
        decisions.append(decision)
    return tuple(decisions), State(states)


def _decide_one(
    ref: ObjectRef, policy: Policy, observation: Observation, state: State, now: float
) -> tuple[Decision, PolicyState]:
    spec = policy.spec
    name = identity(policy)
    known = state.policies.get(ref)
    before = known if known is not None and known.identity == name else PolicyState(name)
    routes, problems = _assign(observation.routes.get(ref, ()), spec)
    if spec.mode is Mode.CANARY:
        routes = canary.joined(routes)
    problems = (*observation.problems.get(ref, ()), *problems)
    telemetry = _summed(observation.telemetry, routes)
    learned = _learn(before, routes, spec, telemetry)
    judgements = _judge(learned, routes, spec, telemetry)
    windows = telemetry.windows
    inputs = {key: windows[key] for key in judgements if key in windows}
    if problems or not routes:
        told = problems or ("it has no weighted route",)
        answer = hold(routes, *(Reason("Unresolved", p) for p in told))
    elif spec.mode is Mode.CANARY:
        answer = canary.answer(routes, learned, spec, judgements, inputs, now)
    elif spec.mode is Mode.OPTIMISE:
        answer = optimise.answer(routes, learned, spec, judgements, now)
    else:
        answer = hold(routes, Reason("Watching", "mode hold: nothing is steered"))
    decision = Decision(
        policy=ref,
        at=now,
        mode=str(spec.mode),
        action=answer.action,
        phase=answer.phase or str(spec.mode),
        shifts=answer.shifts,
        judgements=tuple(judgements.values()),
        reasons=(*answer.reasons, *_shared(observation.shared.get(ref, ()))),
        inputs=inputs,
        dry_run=spec.dry_run,
    )
    after = answer.state or learned
    if decision.moves:
        after = replace(after, moved_at=now)
    return decision, after


def _assign(routes: Sequence[Route], spec: PolicySpec) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    """The routes with the roles that the policy gives, and what it names in vain."""
    names = sorted({t.name for route in routes for t in route.targets})
    problems = []
    for target in spec.targets:
        if routes and target.name not in names:
            close = difflib.get_close_matches(target.name, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
            problems.append(f"spec.targets: no route has a target {target.name}; {hint}")
    problems += [
        f"{route.key}: the weights add up to {route.total}, above {route.maximum}; write less"
        for route in routes
        if route.sum_limited and route.total > route.maximum
    ]
    roles = {t.name: t.role for t in spec.targets}
    assigned = tuple(
        replace(
            route,
            targets=tuple(replace(t, role=roles.get(t.name, Role.NONE)) for t in route.targets),
        )
        for route in routes
    )
    return assigned, tuple(problems)


def _shared(told: Sequence[str]) -> Iterator[Reason]:
    for sentence in told:
        yield Reason("SharedTelemetry", sentence)


def _summed(telemetry: Telemetry, routes: Sequence[Route]) -> Telemetry:
    """With a window for each target that is the sum of parts."""
    sums = {}
    for target in (t for route in routes for t in route.targets if t.parts):
        found = tuple(w for p in target.parts if (w := telemetry.windows.get(p)) is not None)
        if target.telemetry is not None and found:
            sums[target.telemetry] = total(found, complete=len(found) == len(target.parts))
    return replace(telemetry, windows={**telemetry.windows, **sums}) if sums else telemetry


def _learn(
    state: PolicyState, routes: Sequence[Route], spec: PolicySpec, telemetry: Telemetry
) -> PolicyState:
    """With the windows of this tick; targets that left the routes are forgotten.

    A stale window is not learned: what it says belongs to another time.
    """
    keys = {t.telemetry for route in routes for t in route.targets if t.telemetry is not None}
    keep_s = spec.abort.window_seconds
    evidence = {}
    for key in sorted(keys):
        old = state.evidence.get(key, Evidence())
        window: Window | None = telemetry.windows.get(key)
        if window is not None and window.age_s <= spec.rails.stale_seconds:
            old = old.add(window, keep_s, spec.rails.half_life_seconds)
        evidence[key] = old
    if not routes:  # a route that cannot be resolved for a moment is not a new beginning
        return state
    return replace(state, evidence=evidence)


def _judge(
    state: PolicyState, routes: Sequence[Route], spec: PolicySpec, telemetry: Telemetry
) -> dict[str, Judgement]:
    """The verdict on every measurable target, by telemetry key."""
    names = {
        t.telemetry: t.name for route in routes for t in route.targets if t.telemetry is not None
    }
    return {
        key: judge(
            name,
            state.evidence.get(key, Evidence()),
            telemetry.windows.get(key),
            telemetry,
            spec,
        )
        for key, name in names.items()
    }

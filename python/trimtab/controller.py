"""The loop: read, decide, apply, verify, tell. It holds no rule of its own.

A cycle is one call of ``run_once(now)``; everything that can fail in it is one policy's
affair and becomes that policy's Outcome. What must survive a kill is saved before the
weights are written, so that a restart finds at worst a decision not yet carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from trimtab.core.cycle import decide
from trimtab.core.model import (
    Decision,
    Object,
    ObjectRef,
    Objects,
    Observation,
    Outcome,
    Report,
    Role,
    Route,
    RouteKey,
    Telemetry,
)
from trimtab.core.policy import Mode, Policy
from trimtab.core.state import PolicyState, State, from_status, to_status
from trimtab.errors import Conflict, InvalidDocument, Refused, Transient, TrimtabError, Unavailable
from trimtab.ports import (
    Asked,
    Clock,
    Listener,
    MetricSource,
    PolicyStore,
    Provider,
    Reading,
    RouteStore,
    Verifier,
)

# Patches under way at a time: enough to hide the API server's latency, too few to trip its
# priority and fairness.
_WRITERS = 16


@dataclass(frozen=True, slots=True)
class Parts:
    """What the controller is made of.

    ``read_policy`` raises InvalidDocument; ``cycled`` is told of each cycle's telemetry and how
    long the cycle took, in seconds. Without ``sweeps`` nothing is ever deleted.
    """

    metrics: MetricSource
    routes: RouteStore
    policies: PolicyStore
    provider: Provider
    verifiers: Sequence[Verifier]
    listeners: Sequence[Listener]
    read_policy: Callable[[Object], Policy]
    cycled: Callable[[Telemetry, float], None]
    clock: Clock
    sweeps: bool = True


class Controller:
    """Steers the routes of all policies. One instance a process, or many in a test."""

    def __init__(self, parts: Parts, *, tick_s: float, attempts: int = 4) -> None:
        self._parts = parts
        self._tick_s = tick_s
        self._attempts = attempts
        self._state = State()
        self._saved: dict[ObjectRef, object] = {}
        self._parsed: dict[ObjectRef, tuple[str, Policy | InvalidDocument]] = {}
        self._overlaps: dict[ObjectRef, tuple[str, ...]] = {}
        self._writing = asyncio.Semaphore(_WRITERS)
        self.ready = asyncio.Event()  # the first whole cycle is over
        self.problems: tuple[str, ...] = ("the first cycle has not run yet",)
        self.invalid: tuple[str, ...] = ()
        self.leftovers: tuple[str, ...] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Cycle every tick until ``stop``. A cycle that overruns delays the next one only."""
        clock = self._parts.clock
        while not stop.is_set():
            started = clock.now()
            await self.run_once(started)
            rest = max(0.0, started + self._tick_s - clock.now())
            sleeping = asyncio.ensure_future(clock.sleep(rest))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            sleeping.cancel()
            stopping.cancel()

    async def run_once(self, now: float) -> tuple[Report, ...]:
        """One cycle at ``now``; the Reports of all policies, in the order of their names."""
        parts = self._parts
        started = parts.clock.now()
        try:
            telemetry, objects, documents = await asyncio.gather(
                parts.metrics.read(now), parts.routes.read(), parts.policies.read()
            )
        except TrimtabError as error:  # nothing is known: weights stay, the next cycle looks again
            self.problems = (str(error),)
            return ()
        self.problems = ()
        policies = self._policies(documents)
        self._restore(documents, policies)
        before = self._state
        reading = parts.provider.load(objects)
        if await self._sweep(reading, documents, policies):
            reading = parts.provider.load(await parts.routes.read())
        self._overlaps = {}
        observation = self._observe(telemetry, reading, policies)
        self._overlaps = _overlaps(observation)
        problems = {
            ref: (*observation.problems[ref], *self._overlaps.get(ref, ())) for ref in policies
        }
        observation = replace(observation, problems=problems)
        decisions, self._state = decide(observation, before, policies, now)
        reports = await asyncio.gather(
            *(self._carry_out(d, telemetry, reading, before, policies) for d in decisions)
        )
        for listener in parts.listeners:
            for report in reports:
                listener.tell(report)
            listener.retain(policies.keys())
        parts.cycled(telemetry, parts.clock.now() - started)
        self.ready.set()
        return tuple(reports)

    # --- read ---------------------------------------------------------------------------

    def _policies(self, documents: Objects) -> dict[ObjectRef, Policy]:
        """The policies that can be read; a broken one is told of and never steers."""
        parsed, policies, invalid = {}, {}, []
        for ref, obj in sorted(documents.items()):
            known = self._parsed.get(ref)
            if known is None or known[0] != obj.version:
                known = (obj.version, self._parse(obj))
            parsed[ref] = known
            if isinstance(known[1], Policy):
                policies[ref] = known[1]
            else:
                invalid.append(str(known[1]))
        self._parsed = parsed
        self.invalid = tuple(invalid)
        return policies

    def _parse(self, obj: Object) -> Policy | InvalidDocument:
        try:
            return self._parts.read_policy(obj)
        except InvalidDocument as error:
            return error

    def _restore(self, documents: Objects, policies: Mapping[ObjectRef, Policy]) -> None:
        """Take up the state of policies that this process has not seen before."""
        restored: dict[ObjectRef, PolicyState] = {}
        for ref in policies:
            status = documents[ref].body.get("status")
            if ref in self._state.policies or not isinstance(status, Mapping):
                continue
            try:
                restored[ref] = from_status(status["state"])
            except (KeyError, ValueError, TypeError, AttributeError):
                continue  # a status without our state: a policy that has never been decided
            self._saved[ref] = to_status(restored[ref])
        if restored:
            self._state = State({**self._state.policies, **restored})

    def _observe(
        self, telemetry: Telemetry, reading: Reading, policies: Mapping[ObjectRef, Policy]
    ) -> Observation:
        routes: dict[ObjectRef, tuple[Route, ...]] = {}
        problems: dict[ObjectRef, tuple[str, ...]] = {}
        shared: dict[ObjectRef, tuple[str, ...]] = {}
        for ref, policy in policies.items():
            spec = policy.spec
            routes[ref], found = reading.resolve(_target(policy), spec.routes, spec.steering)
            problems[ref] = (*found, *self._overlaps.get(ref, ()))
            shared[ref] = tuple(reading.shared(routes[ref]))
        return Observation(telemetry, routes, problems, shared)

    # --- what nobody asks for any more ----------------------------------------------------

    async def _sweep(
        self, reading: Reading, documents: Objects, policies: Mapping[ObjectRef, Policy]
    ) -> bool:
        """Delete what we made for policies that are gone or ask for something else; whether any was.

        It looks at what stands, not at what this process did: another one may have died."""
        if not self._parts.sweeps:
            return False
        asked: dict[ObjectRef, Asked | None] = dict.fromkeys(documents)
        for ref, policy in policies.items():
            if not policy.spec.dry_run:
                asked[ref] = Asked(_target(policy), policy.spec.steering)
        deleted, problems = False, []
        for change in self._parts.provider.leftovers(reading, asked):
            try:
                await self._parts.routes.apply(change)
                deleted = True
            except Conflict:
                continue  # changed or gone since it was read: the next cycle looks again
            except (Transient, Refused) as error:
                problems.append(str(error))
        self.leftovers = tuple(problems)
        return deleted

    # --- apply ----------------------------------------------------------------------------

    async def _carry_out(
        self,
        decision: Decision,
        telemetry: Telemetry,
        reading: Reading,
        before: State,
        policies: Mapping[ObjectRef, Policy],
    ) -> Report:
        """Save, write and verify; on a lost race re-read, decide again and retry."""
        clock = self._parts.clock
        started = clock.now()
        policy = {decision.policy: policies[decision.policy]}
        outcome, message, attempt = Outcome.UNCHANGED, "", 0
        while True:
            attempt += 1
            try:
                async with self._writing:
                    outcome, message = await self._attempt(decision, reading)
                break
            except Conflict as error:
                outcome, message = Outcome.CONFLICT, str(error)
                if attempt >= self._attempts:
                    break
                retry = await self._again(decision, telemetry, before, policy)
                if retry is None:
                    break
                decision, reading = retry
            except Unavailable as error:
                outcome, message = Outcome.UNAVAILABLE, str(error)
                break
            except Refused as error:
                outcome, message = Outcome.REFUSED, str(error)
                break
        if outcome in (Outcome.CONFLICT, Outcome.UNAVAILABLE, Outcome.REFUSED):
            self._unmoved(decision, before)
        return Report(decision, outcome, message, attempt, clock.now() - started)

    async def _attempt(self, decision: Decision, reading: Reading) -> tuple[Outcome, str]:
        if decision.dry_run:
            return (Outcome.DRY_RUN if decision.moves else Outcome.UNCHANGED), ""
        changes = tuple(self._parts.provider.changes(reading, decision)) if decision.moves else ()
        await self._save(decision, raises=_raises_canary(decision))
        if not changes:
            return Outcome.UNCHANGED, ""
        for change in changes:
            await self._parts.routes.apply(change)
        seen = await asyncio.gather(*(v.verify(decision) for v in self._parts.verifiers))
        missing = [problem for problem in seen if problem is not None]
        if missing:
            return Outcome.UNVERIFIED, "; ".join(missing)
        return Outcome.APPLIED, ""

    async def _again(
        self,
        decision: Decision,
        telemetry: Telemetry,
        before: State,
        policies: Mapping[ObjectRef, Policy],
    ) -> tuple[Decision, Reading] | None:
        """The Decision on the objects as they stand now; None when they cannot be read."""
        objects: Objects = {}
        try:
            for ref in {shift.route.key.object for shift in decision.shifts}:
                objects = await self._parts.routes.read(fresh=ref)
        except (Transient, Refused):
            return None
        reading = self._parts.provider.load(objects)
        observation = self._observe(telemetry, reading, policies)
        (again,), state = decide(observation, before, policies, decision.at)
        self._state = State({**self._state.policies, **state.policies})
        return again, reading

    async def _save(self, decision: Decision, *, raises: bool) -> None:
        """Make the ramp durable before its weights are written.

        A raise that cannot be remembered is not made. Lowering a canary goes ahead: it is
        safe in itself, and the state is saved by a later cycle.
        """
        if decision.mode != Mode.CANARY:
            return
        status = to_status(self._state.policies[decision.policy])
        if self._saved.get(decision.policy) == status:
            return
        try:
            await self._parts.policies.save(decision.policy, _status(decision, status))
        except Transient:
            if raises:
                raise
        else:
            self._saved[decision.policy] = status

    def _unmoved(self, decision: Decision, before: State) -> None:
        """A move that did not happen starts no cooldown."""
        state = self._state.policies[decision.policy]
        old = before.policies.get(decision.policy)
        kept = replace(state, moved_at=old.moved_at if old else None)
        self._state = State({**self._state.policies, decision.policy: kept})


def _target(policy: Policy) -> ObjectRef:
    named = policy.spec.target_ref
    return ObjectRef(named.group, named.kind, policy.namespace, named.name)


def _overlaps(observation: Observation) -> dict[ObjectRef, tuple[str, ...]]:
    """Policies that steer a route which an earlier one (by name) steers already: they are held."""
    owners: dict[RouteKey, ObjectRef] = {}
    problems: dict[ObjectRef, tuple[str, ...]] = {}
    for ref, routes in observation.routes.items():
        for route in routes:
            owner = owners.setdefault(route.key, ref)
            if owner != ref:
                told = f"{route.key} is steered by {owner} already; delete one, or name its routes"
                problems[ref] = (*problems.get(ref, ()), told)
    return problems


def _raises_canary(decision: Decision) -> bool:
    return any(
        granted > target.weight
        for shift in decision.shifts
        for target, granted in zip(shift.route.targets, shift.granted, strict=True)
        if target.role is Role.CANARY
    )


def _status(decision: Decision, state: Mapping[str, object]) -> dict[str, object]:
    """What the policy's status shows a person, beside the state that we need ourselves."""
    return {
        "phase": decision.phase,
        "message": "; ".join(reason.message for reason in decision.reasons),
        "weights": {
            f"{shift.route.key.rule}/{target.name}": granted
            for shift in decision.shifts
            for target, granted in zip(shift.route.targets, shift.granted, strict=True)
        },
        "state": dict(state),
    }

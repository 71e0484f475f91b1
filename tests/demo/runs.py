"""Recorded runs for the tests: one in which every act did what it claims, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.core.model import (
    Action,
    Decision,
    ObjectRef,
    Outcome,
    Reason,
    Report,
    Route,
    RouteKey,
    Shift,
    Target,
)
from trimtab.demo.load import Request
from trimtab.demo.plot import ACTS, ALONE, ARMS, SERVICES, STEERED, TOTAL_S
from trimtab.demo.record import Event, Recording, Scene, Served, Told, Weights

LEVEL = {"shop-a": 56, "shop-b": 29, "shop-c": 15}
EVEN = {"shop-a": 34, "shop-b": 33, "shop-c": 33}
SICK = {"shop-a": 72, "shop-b": 10, "shop-c": 18}


STARTS = [sum(act.seconds for act in ACTS[:i]) for i in range(len(ACTS))]
SLOW, BAD, GOOD = STARTS[1:]
WELL = SLOW + ACTS[1].cues[1].at


def shop(at: float) -> Mapping[str, int]:
    """shop: even at first, then its level, without shop-b while that is slow."""
    if at < 10:
        return EVEN
    return SICK if SLOW + 4 <= at < WELL + 7 else LEVEL


def pay(at: float) -> Mapping[str, int]:
    """pay: a canary of 5 % that is aborted after 3 s, then one that is promoted."""
    if at < GOOD:
        canary = 5 if BAD + 1 <= at < BAD + 4 else 0
    else:
        canary = 100 if at >= GOOD + 7 else 20 if at >= GOOD + 2 else 0
    return {"pay-stable": 100 - canary, "pay-canary": canary}


def told(at: float, service: str, action: Action, why: str, before: int, granted: int) -> Told:
    """A decision on the canary of ``service``."""
    policy = ObjectRef("trimtab.dev", "WeightPolicy", STEERED, service)
    router = ObjectRef("appmesh.k8s.aws", "VirtualRouter", STEERED, service)
    targets = (
        Target(f"{service}-stable", 100 - before, "s"),
        Target(f"{service}-canary", before, "c"),
    )
    route = Route(RouteKey("appmesh", router, "all"), targets, maximum=100)
    shift = Shift(route, ((100 - granted) / 100, granted / 100), (100 - granted, granted))
    decision = Decision(
        policy=policy,
        at=at,
        mode="canary",
        action=action,
        phase="ramping",
        shifts=(shift,),
        judgements=(),
        reasons=(Reason(str(action).capitalize(), why),),
        inputs={},
    )
    return Told(at, Report(decision, Outcome.APPLIED))


def good_run() -> Recording:
    """Every act did what it claims."""
    run = Recording("files", {s.name: tuple(t.name for t in s.targets) for s in SERVICES})
    for act, start in zip(ACTS, STARTS, strict=True):
        end = start + act.seconds
        run.scenes.append(Scene(act.number, act.short, act.title, act.service.name, start, end))
        run.events += [Event(start + cue.at, cue.phase, cue.says) for cue in act.cues]
    sent = {arm: {t.name: 0 for s in SERVICES for t in s.targets} for arm in ARMS}
    for half in range(int(2 * TOTAL_S)):
        at = half / 2
        for service, weights in (("shop", shop(at)), ("pay", pay(at))):
            run.weights.append(Weights(at, service, weights))
            for arm in ARMS:
                for name, weight in weights.items():
                    sent[arm][name] += weight
                run.served.append(Served(at, service, arm, {n: sent[arm][n] for n in weights}))
                _ask(run, at, service, arm)
    run.told += [
        told(BAD + 1, "pay", Action.RAMP, "the canary starts at 5 %", 0, 5),
        told(BAD + 4, "pay", Action.ABORT, "4 errors in <20> requests", 5, 0),
        told(BAD + 6, "pay", Action.HOLD, "stays at zero", 0, 0),
        told(BAD + 7, "pay", Action.HOLD, "stays at zero", 0, 0),
        told(GOOD + 2, "pay", Action.RAMP, "to 20 %", 0, 20),
        told(GOOD + 12, "pay", Action.PROMOTE, "every step was good", 100, 100),
    ]
    return run


def _ask(run: Recording, at: float, service: str, arm: str) -> None:
    """Ten requests: slow where the weights are left alone, and failing there in act 3."""
    for i in range(10):
        bad = arm == ALONE and service == "pay" and BAD <= at < GOOD and i == 0
        latency = 200.0 if arm == ALONE else 20.0
        run.add(Request(at + i / 100, service, arm, "500" if bad else "200", latency + i, 0.1 * i))

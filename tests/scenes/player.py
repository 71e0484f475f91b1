"""Plays a scene: a text file that tells what Trimtab sees, tick by tick, and what it must do.

    every 5s                               the time between two ticks (default 5s)
    policy                                 spec of the WeightPolicy, as YAML; targetRef is added
      mode: canary
      ...
    weights stable=100 canary=0            the weights of the rule "web" before the first tick
    units 1000000                          the largest weight (default 100)

    tick stable=500/1@20 canary=25/9@20    requests/errors@mean latency in ms, since the last tick
         web=500/1@20~7                    ~7: 7 of the errors are timeouts, without a sample
         web=-                             no series at all
         web=500/1@20!90                   !90: the newest data is 90 s old
    tick x3 ...                            the same three times
    tick down connection refused           the source did not answer
    world stable=70 canary=30              somebody else wrote these weights
    restart                                the controller is killed and started again
    change canary.revision "v3"            a field of the policy is edited

    expect abort stable=100 canary=0       of the last tick: action, weights granted
    expect hold reason=TooFew              first reason's code; phase="..." ; canary is bad

Weights that a decision grants are those of the next tick, unless a ``world`` line says otherwise.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trimtab.core.cycle import decide
from trimtab.core.model import (
    Decision,
    Object,
    ObjectRef,
    Observation,
    Route,
    RouteKey,
    Target,
    Telemetry,
    Window,
)
from trimtab.core.policy import GROUP, KIND, Policy
from trimtab.core.state import State, from_status, to_status
from trimtab.policies import read_policy

POLICY = ObjectRef(GROUP, KIND, "shop", "web")
ROUTER = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "web")
BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, float("inf"))
SEEN = re.compile(r"(\d+)/(\d+)@([\d.]+)(?:~(\d+))?(?:!(\d+))?")


@dataclass
class Stage:
    """Where a scene stands."""

    every: float = 5.0
    now: float = 1_000.0
    maximum: int = 100
    spec: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    state: State = field(default_factory=State)
    decision: Decision | None = None

    def policy(self) -> Policy:
        ref = {"group": ROUTER.group, "kind": ROUTER.kind, "name": ROUTER.name}
        body = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": KIND,
            "spec": {"targetRef": ref, **self.spec},
        }
        return read_policy(Object(POLICY, "1", body))

    def tick(self, telemetry: Telemetry) -> None:
        targets = tuple(Target(name, w, name) for name, w in self.weights.items())
        route = Route(RouteKey("test", ROUTER, "web"), targets, self.maximum)
        observation = Observation(telemetry, {POLICY: (route,)})
        before = sum(self.weights.values())
        (self.decision,), self.state = decide(
            observation, self.state, {POLICY: self.policy()}, self.now
        )
        (shift,) = self.decision.shifts
        assert sum(shift.granted) == before, "the total is kept, whatever is decided"
        self.weights = dict(zip(self.weights, shift.granted, strict=True))


def play(scene: Path) -> None:
    """Run every line; an AssertionError names the file and the line that did not hold."""
    stage, policy_lines = Stage(), []
    for number, raw in enumerate(scene.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.split("#", 1)[0].rstrip() if not raw.startswith("  ") else raw.rstrip()
        if not line:
            continue
        if line.startswith("  "):
            policy_lines.append(line)
            stage.spec = yaml.safe_load("\n".join(policy_lines))
            continue
        try:
            _line(stage, line)
        except AssertionError as error:
            raise AssertionError(f"{scene.name}:{number}: {line}\n  {error}") from error
        except (ValueError, KeyError) as error:
            raise ValueError(f"{scene.name}:{number}: cannot be read: {line}: {error}") from error


def _line(stage: Stage, line: str) -> None:
    verb, _, rest = line.partition(" ")
    rest = rest.strip()
    match verb:
        case "policy":
            return
        case "every":
            stage.every = float(rest.removesuffix("s"))
        case "units":
            stage.maximum = int(rest)
        case "weights" | "world":
            stage.weights.update({n: int(w) for n, w in _pairs(rest).items()})
        case "tick":
            _tick(stage, rest)
        case "restart":
            saved = json.loads(json.dumps(to_status(stage.state.policies[POLICY])))
            stage.state = State({POLICY: from_status(saved)})
        case "change":
            path, _, value = rest.partition(" ")
            here = stage.spec
            *parents, leaf = path.split(".")
            for parent in parents:
                here = here.setdefault(parent, {})
            here[leaf] = yaml.safe_load(value)
        case "expect":
            _expect(stage, rest)
        case _:
            raise ValueError(f"unknown word {verb!r}")


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split())


def _tick(stage: Stage, rest: str) -> None:
    times = 1
    if match := re.match(r"x(\d+) ", rest):
        times, rest = int(match[1]), rest[match.end() :]
    for _ in range(times):
        start, stage.now = stage.now, stage.now + stage.every
        if rest.startswith("down"):
            stage.tick(Telemetry(stage.now, down=rest.removeprefix("down").strip()))
            continue
        windows = {
            name: _window(seen, start, stage.now)
            for name, seen in _pairs(rest).items()
            if seen != "-"
        }
        stage.tick(Telemetry(stage.now, windows))


def _window(seen: str, start: float, end: float) -> Window:
    match = SEEN.fullmatch(seen)
    if match is None:
        raise ValueError(f"{seen!r} is not requests/errors@milliseconds")
    requests, errors, latency = int(match[1]), int(match[2]), float(match[3])
    timeouts = int(match[4] or 0)
    answered = requests - timeouts
    where = next(i for i, bound in enumerate(BOUNDS) if latency <= bound)
    counts = tuple(answered if i == where else 0 for i in range(len(BOUNDS)))
    return Window(
        start=start,
        end=end,
        classes={2: requests - errors, 5: errors},
        timeouts=timeouts,
        bounds_ms=BOUNDS,
        counts=counts,
        latency_sum_ms=answered * latency,
        in_flight=requests / (end - start) * latency / 1000,
        age_s=float(match[5] or 0),
    )


def _expect(stage: Stage, rest: str) -> None:
    decision = stage.decision
    assert decision is not None, "nothing was decided yet"
    told = (
        f"decided {decision.action}, weights {stage.weights}, {decision.phase}, {decision.reasons}"
    )
    words = shlex.split(rest)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not equals and words[:1] == ["is"]:
            words.pop(0)
            verdict = " ".join(
                [words.pop(0), *([words.pop(0)] if words[:1] in (["few"], ["down"]) else [])]
            )
            found = {j.target: str(j.verdict) for j in decision.judgements}
            assert found[word] == verdict, f"{word} is {found[word]}, not {verdict}"
        elif not equals:
            assert str(decision.action) == word, told
        elif name == "reason":
            assert decision.reasons[0].code == value, told
        elif name == "phase":
            assert decision.phase == value, told
        else:
            low, dots, high = value.partition("..")
            weight = stage.weights[name]
            assert int(low) <= weight <= int(high if dots else low), told

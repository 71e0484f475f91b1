"""What each act claims, checked on what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from trimtab.core.model import Action, Outcome
from trimtab.demo.plot import ALONE, STEERED
from trimtab.demo.record import Felt, Recording, Scene, shares

SETTLED_S = 6.0  # the end of an act, in which nothing should move much


class Claim(NamedTuple):
    """One sentence about one act, whether it held, and the figures that say so."""

    act: int
    says: str
    held: bool
    measured: str


def check(recording: Recording) -> list[Claim]:
    """Every claim of every act that was played."""
    return [
        Claim(scene.number, says, held, measured)
        for scene in recording.scenes
        for says, held, measured in _CHECKS[scene.number](recording, scene)
    ]


_Checked = tuple[str, bool, str]


def _finds_level(recording: Recording, act: Scene) -> list[_Checked]:
    late = act.end - SETTLED_S
    last = recording.weights_in("shop", late, act.end)
    mean = _mean([w.weights for w in last])
    spread = max((_spread([w.weights[name] for w in last]) for name in mean), default=100)
    seen = shares(recording.served_in("shop", STEERED, late, act.end))
    gap = max((abs(seen.get(n, 0) - share) for n, share in shares(mean).items()), default=100.0)
    return [
        (
            "the faster a backend, the more weight it has",
            bool(mean) and mean["shop-a"] > mean["shop-b"] > mean["shop-c"],
            _listed(mean),
        ),
        ("the weights have settled", spread <= 8, f"they move by {spread} units at the end"),
        (
            "Envoy sends what the weights say",
            gap <= 6,
            f"share seen by Envoy {_listed(seen)}, at most {gap:.1f} points apart",
        ),
        _faster(recording, "shop", late, act.end),
    ]


def _loses_and_regains(recording: Recording, act: Scene) -> list[_Checked]:
    ill, well = (e.at for e in recording.events if "shop-b" in e.says)
    before = _mean([w.weights for w in recording.weights_in("shop", ill - SETTLED_S, ill)])
    during = [w.weights["shop-b"] for w in recording.weights_in("shop", ill, well)]
    after = [w.weights["shop-b"] for w in recording.weights_in("shop", act.end - 3, act.end)]
    was = before.get("shop-b", 0.0)
    lowest, last = min(during, default=100), sum(after) / max(len(after), 1)
    return [
        (
            "the slow backend loses weight",
            lowest <= 0.6 * was,
            f"shop-b from {was:.0f} to {lowest}",
        ),
        (
            "it comes back after",
            bool(after) and last >= 0.7 * was,
            f"shop-b back at {last:.0f} of {was:.0f}",
        ),
        _faster(recording, "shop", ill + 6, well),
    ]


def _aborts(recording: Recording, act: Scene) -> list[_Checked]:
    told = recording.told_in("pay", act.start, act.end)
    ramped = recording.weights_in("pay", act.start, act.end)
    raised = max((w.weights["pay-canary"] for w in ramped), default=0)
    aborts = [t for t in told if t.report.decision.action is Action.ABORT]
    done = [t for t in aborts if t.report.outcome is Outcome.APPLIED]
    since = done[0].at + 1.5 if done else act.end  # one reading and what was under way
    after = [w.weights["pay-canary"] for w in recording.weights_in("pay", since, act.end)]
    sent = recording.served_in("pay", STEERED, since, act.end).get("pay-canary")
    why = done[0].report.decision.reasons[0].message if done else "no abort was applied"
    felt, alone = _both(recording, "pay", act.start, act.end)
    return [
        ("the canary is ramped", raised > 0, f"its weight reached {raised}"),
        ("it is aborted", bool(done), why),
        (
            "it stays at zero",
            bool(after) and not any(after) and sent == 0,
            f"weights {sorted(set(after))} and {sent} requests in the {act.end - since:.0f} s after",
        ),
        (
            "fewer requests fail than in a release by hand",
            felt.failed_ratio < alone.failed_ratio,
            f"{felt.failed_ratio:.2%} failed, against {alone.failed_ratio:.2%}",
        ),
    ]


def _promotes(recording: Recording, act: Scene) -> list[_Checked]:
    told = recording.told_in("pay", act.start, act.end)
    promoted = [t for t in told if t.report.decision.action is Action.PROMOTE]
    last = recording.weights_in("pay", act.end - 2, act.end)
    ends = bool(last) and all(
        w.weights["pay-canary"] > 0 and w.weights["pay-stable"] == 0 for w in last
    )
    felt, _ = _both(recording, "pay", act.start, act.end)
    when = f"{promoted[0].at - act.start:.0f} s after its start" if promoted else "never"
    return [
        ("the canary is promoted", bool(promoted), when),
        ("it has all of the traffic", ends, _listed(last[-1].weights) if last else "unknown"),
        (
            "nobody feels it",
            felt.failed_ratio <= 0.01,
            f"{felt.failed} of {felt.requests} requests failed",
        ),
    ]


_CHECKS: Mapping[int, Callable[[Recording, Scene], list[_Checked]]] = {
    1: _finds_level,
    2: _loses_and_regains,
    3: _aborts,
    4: _promotes,
}


def _both(recording: Recording, service: str, start: float, end: float) -> tuple[Felt, Felt]:
    return (
        recording.felt_in(service, STEERED, start, end),
        recording.felt_in(service, ALONE, start, end),
    )


def _faster(recording: Recording, service: str, start: float, end: float) -> _Checked:
    felt, alone = _both(recording, service, start, end)
    return (
        "users wait less than with the weights left alone",
        0 < felt.p99_ms < alone.p99_ms and felt.failed_ratio <= alone.failed_ratio,
        (
            f"p99 {felt.p99_ms:.0f} ms against {alone.p99_ms:.0f} ms, "
            f"{felt.failed_ratio:.2%} failed against {alone.failed_ratio:.2%}"
        ),
    )


def _mean(weights: list[Mapping[str, int]]) -> dict[str, float]:
    if not weights:
        return {}
    return {name: sum(w[name] for w in weights) / len(weights) for name in weights[0]}


def _spread(values: list[int]) -> int:
    return max(values) - min(values) if values else 100


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in values.items())

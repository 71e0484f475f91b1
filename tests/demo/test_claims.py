"""The claims of the acts: they hold on a good run, and each can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from demo.runs import BAD, EVEN, SLOW, good_run
from rich.console import Console

from trimtab.core.model import Action
from trimtab.demo.claims import check
from trimtab.demo.plot import STEERED
from trimtab.demo.record import Recording
from trimtab.demo.show import conclude


def never_moved(run: Recording) -> None:
    run.weights = [w._replace(weights=EVEN) if w.service == "shop" else w for w in run.weights]


def restless(run: Recording) -> None:
    def swung(at: float) -> dict[str, int]:
        swing = 17 * (int(2 * at) % 2)
        return {"shop-a": 50 + swing, "shop-b": 35 - swing, "shop-c": 15}

    run.weights = [
        w._replace(weights=swung(w.at)) if w.service == "shop" and 15 < w.at < SLOW else w
        for w in run.weights
    ]


def envoy_disobeys(run: Recording) -> None:
    run.served = [
        s._replace(requests={name: int(s.at * 100) for name in s.requests}) for s in run.served
    ]


def no_return(run: Recording) -> None:
    run.weights = [
        w._replace(weights={"shop-a": 80, "shop-b": 5, "shop-c": 15})
        if w.service == "shop" and w.at > SLOW
        else w
        for w in run.weights
    ]


def no_abort(run: Recording) -> None:
    run.told = [t for t in run.told if t.report.decision.action is not Action.ABORT]


def canary_again(run: Recording) -> None:
    run.weights = [
        w._replace(weights={"pay-stable": 99, "pay-canary": 1})
        if w.service == "pay" and BAD + 9 < w.at < BAD + 10
        else w
        for w in run.weights
    ]


def not_promoted(run: Recording) -> None:
    run.told = [t for t in run.told if t.report.decision.action is not Action.PROMOTE]


def slow_for_users(run: Recording) -> None:
    for r in list(run.requests()):
        if r.arm == STEERED:
            run.add(r._replace(latency_ms=900.0))


def failing_users(run: Recording) -> None:
    for r in list(run.requests()):
        if r.arm == STEERED:
            run.add(r._replace(outcome="timeout"))


def nothing_measured(run: Recording) -> None:
    run.weights, run.served, run.told = [], [], []


def test_every_claim_holds_on_a_good_run(tmp_path: Path) -> None:
    """A run that did what the acts claim ends with 0."""
    run = good_run()
    assert [c for c in check(run) if not c.held] == []
    assert {c.act for c in check(run)} == {1, 2, 3, 4}
    assert conclude(run, tmp_path, Console(quiet=True), as_json=False) == 0


@pytest.mark.parametrize(
    ("spoil", "act", "says"),
    [
        (never_moved, 1, "the faster a backend, the more weight it has"),
        (never_moved, 2, "the slow backend loses weight"),
        (restless, 1, "the weights have settled"),
        (envoy_disobeys, 1, "Envoy sends what the weights say"),
        (no_return, 2, "it comes back after"),
        (slow_for_users, 1, "users wait less than with the weights left alone"),
        (slow_for_users, 2, "users wait less than with the weights left alone"),
        (no_abort, 3, "it is aborted"),
        (no_abort, 3, "it stays at zero"),
        (canary_again, 3, "it stays at zero"),
        (failing_users, 3, "fewer requests fail than in a release by hand"),
        (not_promoted, 4, "the canary is promoted"),
        (failing_users, 4, "nobody feels it"),
        (nothing_measured, 1, "Envoy sends what the weights say"),
        (nothing_measured, 3, "the canary is ramped"),
        (nothing_measured, 4, "it has all of the traffic"),
    ],
)
def test_a_failing_act_ends_with_1(
    spoil: Callable[[Recording], None], act: int, says: str, tmp_path: Path
) -> None:
    """Each way to fail is noticed by its own claim, and makes the exit code 1."""
    run = good_run()
    spoil(run)
    failed = {(c.act, c.says) for c in check(run) if not c.held}
    assert (act, says) in failed
    assert conclude(run, tmp_path, Console(quiet=True), as_json=False) == 1


def test_json_is_the_only_thing_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json a script can parse all of standard output, and it is what the report keeps."""
    assert conclude(good_run(), tmp_path, Console(stderr=True), as_json=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "figures.json").read_text())
    assert printed["passed"] is True
    assert [act["number"] for act in printed["acts"]] == [1, 2, 3, 4]

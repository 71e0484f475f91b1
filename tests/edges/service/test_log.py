"""The log: what is new is said once, for machines and for eyes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from edges.service.parts import make_report

from trimtab.core.model import Action, Outcome
from trimtab.core.verdict import Verdict
from trimtab.edges.telemetry import DecisionLog, configure_logging
from trimtab.errors import Refused


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Leaves the logging of the process as it was."""
    root, ours = logging.getLogger(), logging.getLogger("trimtab")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The JSON lines on standard error since the last look; nothing is on standard output."""
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_move_is_one_event(capsys: pytest.CaptureFixture[str]) -> None:
    """A Decision that moves weights is one line with all that a person asks: what, how, why."""
    configure_logging(json=True, level="info")
    DecisionLog().tell(
        make_report(
            "web",
            granted=(40, 60),
            action=Action.SHIFT,
            outcome=Outcome.APPLIED,
            verdict=Verdict.TOO_FEW,
            attempts=1,
        )
    )
    (line,) = lines(capsys)
    assert line.pop("timestamp")
    assert line == {
        "event": "decision",
        "level": "info",
        "logger": "trimtab.decisions",
        "policy": "shop/web",
        "at": 1000.0,
        "mode": "optimise",
        "phase": "optimise",
        "action": "shift",
        "outcome": "applied",
        "attempts": 1,
        "took_s": 0.0,
        "dry_run": False,
        "reasons": ["Balanced: Nothing to do."],
        "verdicts": {"a": "good", "b": "too few"},
        "moves": {"VirtualRouter/shop/web/main": {"a": "50 -> 40", "b": "50 -> 60"}},
    }


def test_only_moved_targets_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A target that keeps its weight is not among the moves."""
    configure_logging(json=True, level="info")
    DecisionLog().tell(make_report(weights=(50, 0), granted=(50, 10), outcome=Outcome.APPLIED))
    (line,) = lines(capsys)
    assert line["moves"] == {"VirtualRouter/shop/web/main": {"b": "0 -> 10"}}


def test_only_what_is_new_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A hold is said when it begins and when its verdict or phase changes, not in between."""
    configure_logging(json=True, level="info")
    log = DecisionLog()
    said = []
    for change in (
        {},
        {},
        {"verdict": Verdict.STALE},
        {"verdict": Verdict.STALE},
        {"phase": "ramping 1/5"},
        {"phase": "ramping 1/5"},
    ):
        log.tell(make_report("web", **change))
        said.append(len(lines(capsys)))
    assert said == [1, 0, 1, 0, 1, 0]


def test_each_write_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The same move written again, against another writer, is said again."""
    configure_logging(json=True, level="info")
    log = DecisionLog()
    for _ in range(3):
        log.tell(make_report(granted=(40, 60), action=Action.ENFORCE, outcome=Outcome.APPLIED))
    assert [line["action"] for line in lines(capsys)] == ["enforce"] * 3


def test_a_dry_run_repeats_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A move that a dry run wants in each cycle is said once, and again when it wants another."""
    configure_logging(json=True, level="info")
    log = DecisionLog()
    for granted in ((40, 60), (40, 60), (30, 70)):
        log.tell(make_report(granted=granted, action=Action.SHIFT, outcome=Outcome.DRY_RUN))
    assert len(lines(capsys)) == 2


def test_debug_says_all(capsys: pytest.CaptureFixture[str]) -> None:
    """At level debug every Decision is in the log."""
    configure_logging(json=True, level="debug")
    log = DecisionLog()
    for _ in range(3):
        log.tell(make_report())
    assert [line["level"] for line in lines(capsys)] == ["info", "debug", "debug"]


@pytest.mark.parametrize(
    ("outcome", "action", "level"),
    [
        (Outcome.APPLIED, Action.RAMP, "info"),
        (Outcome.UNCHANGED, Action.HOLD, "info"),
        (Outcome.APPLIED, Action.ABORT, "warning"),
        (Outcome.CONFLICT, Action.SHIFT, "warning"),
        (Outcome.UNVERIFIED, Action.SHIFT, "warning"),
        (Outcome.UNAVAILABLE, Action.SHIFT, "warning"),
        (Outcome.REFUSED, Action.SHIFT, "error"),
    ],
)
def test_levels(
    capsys: pytest.CaptureFixture[str], outcome: Outcome, action: Action, level: str
) -> None:
    """An abort and what passes by itself warn; what a person must mend is an error."""
    configure_logging(json=True, level="info")
    DecisionLog().tell(make_report(granted=(40, 60), outcome=outcome, action=action))
    (line,) = lines(capsys)
    assert line["level"] == level


def test_a_policy_that_returns_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a policy that is no more nothing is remembered."""
    configure_logging(json=True, level="info")
    log = DecisionLog()
    log.tell(make_report())
    log.retain([])
    log.tell(make_report())
    assert len(lines(capsys)) == 2


def test_libraries_speak_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries log in the same form, but never their debug texts: these hold messages whole."""
    configure_logging(json=True, level="debug")
    logging.getLogger("kubernetes.client.rest").debug("response body: secret")
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("urllib3").warning("slow")
    logging.getLogger("trimtab.somewhere").debug("ours")
    assert [(line["logger"], line["event"]) for line in lines(capsys)] == [
        ("urllib3", "slow"),
        ("trimtab.somewhere", "ours"),
    ]


def test_an_error_carries_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A logged exception is in the same JSON line."""
    configure_logging(json=True, level="info")
    try:
        int("odd")
    except ValueError:
        logging.getLogger("trimtab").exception("failed")
    (line,) = lines(capsys)
    assert line["exception"][0]["exc_type"] == "ValueError"


def test_the_console_is_for_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    """Without JSON the same event is a line that a person reads, without colours in a pipe."""
    configure_logging(json=False, level="info")
    DecisionLog().tell(make_report(granted=(40, 60), outcome=Outcome.APPLIED))
    err = capsys.readouterr().err
    assert "decision" in err
    assert "policy=shop/web" in err
    assert "\x1b[" not in err


def test_an_unknown_level_is_refused() -> None:
    """A level that does not exist is refused with those that do."""
    with pytest.raises(Refused) as caught:
        configure_logging(json=True, level="loud")
    text = "log level 'loud' is none. Remedy: one of debug, info, warning, error."
    assert str(caught.value) == text

"""The metrics, read as Prometheus reads them."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import pytest
from edges.service.parts import REPORTS, make_policy, make_report
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from trimtab.core.model import Action, Judgement, Outcome, Report, Telemetry
from trimtab.core.verdict import Verdict
from trimtab.edges.telemetry import Metrics, Probe

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(metrics: Metrics) -> Series:
    """All series of ours; none may appear twice, and each needs a help text."""
    series: Series = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        if not family.name.startswith("trimtab_"):
            continue
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, f"{key} appears twice"
            series[key] = sample.value
    return series


def value(series: Series, name: str, **labels: str) -> float:
    return series[name, frozenset(labels.items())]


def of_policy(series: Series, policy: str) -> Series:
    return {key: number for key, number in series.items() if ("policy", policy) in key[1]}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def test_the_metrics_of_a_report(metrics: Metrics) -> None:
    """A Report shows its weights, wanted shares, verdicts and ages under the agreed names."""
    metrics.tell(make_report("web", granted=(40, 60), outcome=Outcome.APPLIED, action=Action.SHIFT))
    series = scrape(metrics)
    where = {"policy": "shop/web", "route": "VirtualRouter/shop/web", "rule": "main"}
    assert of_policy(series, "shop/web") == {
        ("trimtab_target_weight", frozenset({**where, "target": "a"}.items())): 40,
        ("trimtab_target_weight", frozenset({**where, "target": "b"}.items())): 60,
        ("trimtab_target_share_wanted", frozenset({**where, "target": "a"}.items())): 0.25,
        ("trimtab_target_share_wanted", frozenset({**where, "target": "b"}.items())): 0.75,
        **{
            (
                "trimtab_verdict",
                frozenset({"policy": "shop/web", "target": t, "verdict": v}.items()),
            ): float(v == "good")
            for t in "ab"
            for v in ("good", "bad", "too_few", "stale", "source_down")
        },
        (
            "trimtab_evidence_age_seconds",
            frozenset({"policy": "shop/web", "target": "a"}.items()),
        ): 1.0,
        (
            "trimtab_evidence_age_seconds",
            frozenset({"policy": "shop/web", "target": "b"}.items()),
        ): 3.5,
        ("trimtab_patch_conflicts_total", frozenset({"policy": "shop/web"}.items())): 0,
    }
    assert value(series, "trimtab_decisions_total", action="shift", outcome="applied") == 1
    assert value(series, "trimtab_build_info", version="1.2.3") == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_the_weight_is_that_of_the_cluster(metrics: Metrics, outcome: Outcome) -> None:
    """A weight that was not written is not shown: dry runs and failures show what stands."""
    metrics.tell(make_report("web", granted=(40, 60), outcome=outcome))
    written = outcome in (Outcome.APPLIED, Outcome.UNVERIFIED)
    assert value(
        scrape(metrics),
        "trimtab_target_weight",
        policy="shop/web",
        route="VirtualRouter/shop/web",
        rule="main",
        target="b",
    ) == (60 if written else 50)


@given(told=st.lists(st.tuples(st.sampled_from(Action), st.sampled_from(Outcome)), max_size=30))
@settings(max_examples=20)
def test_decisions_are_counted(told: list[tuple[Action, Outcome]]) -> None:
    """Each Report counts once, by action and outcome; what never happened stands at 0."""
    metrics = Metrics("")
    for action, outcome in told:
        metrics.tell(make_report(action=action, outcome=outcome))
    series = scrape(metrics)
    counted = Counter(told)
    for action in Action:
        for outcome in Outcome:
            labels = {"action": str(action), "outcome": str(outcome).replace("-", "_")}
            assert value(series, "trimtab_decisions_total", **labels) == counted[action, outcome]


@settings(max_examples=50)
@given(told=st.lists(REPORTS, max_size=3))
def test_no_series_appears_twice(told: list[Report]) -> None:
    """Whatever the Reports hold, the exposition can be parsed and has no series twice."""
    metrics = Metrics("")
    for report in told:
        metrics.tell(report)
    scrape(metrics)


def test_what_is_gone_leaves_no_series(metrics: Metrics) -> None:
    """A rule that a Report no longer names, and a policy that is no more, lose their series."""
    metrics.tell(make_report("web", rule="old", outcome=Outcome.CONFLICT, attempts=3))
    metrics.tell(make_report("web", rule="new"))
    metrics.tell(make_report("api"))
    series = scrape(metrics)
    assert not any(("rule", "old") in labels for _, labels in series)
    metrics.retain([make_policy("api")])
    after = scrape(metrics)
    assert not of_policy(after, "shop/web")
    assert of_policy(after, "shop/api") == of_policy(series, "shop/api")


def test_lost_races_are_counted(metrics: Metrics) -> None:
    """Each attempt that lost against another writer counts: all of a conflict, else all but one."""
    metrics.tell(make_report("web", outcome=Outcome.CONFLICT, attempts=5))
    metrics.tell(make_report("web", outcome=Outcome.APPLIED, attempts=3))
    metrics.tell(make_report("web", outcome=Outcome.APPLIED, attempts=1))
    metrics.tell(make_report("web", outcome=Outcome.UNCHANGED, attempts=0))
    assert value(scrape(metrics), "trimtab_patch_conflicts_total", policy="shop/web") == 7


def test_verdicts_are_states(metrics: Metrics) -> None:
    """Exactly one verdict of a target is 1 at a time, and it follows the newest Report."""
    for verdict in (*Verdict, Verdict.GOOD):
        metrics.tell(make_report(verdict=verdict))
        states = {
            dict(labels)["verdict"]: number
            for (name, labels), number in scrape(metrics).items()
            if name == "trimtab_verdict" and ("target", "b") in labels
        }
        assert states == {str(v).replace(" ", "_"): float(v is verdict) for v in Verdict}


def test_a_target_of_two_rules_is_shown_once(metrics: Metrics) -> None:
    """Two judgements on one target make one series, of the last."""
    report = make_report()
    twice = (*report.decision.judgements, Judgement("b", Verdict.BAD, "again", age_s=math.inf))
    decision = dataclasses.replace(report.decision, judgements=twice)
    metrics.tell(dataclasses.replace(report, decision=decision))
    series = scrape(metrics)
    labels = {"policy": "shop/web", "target": "b"}
    assert value(series, "trimtab_verdict", verdict="bad", **labels) == 1
    assert value(series, "trimtab_evidence_age_seconds", **labels) == math.inf


def test_cycles(metrics: Metrics) -> None:
    """A cycle counts in the histogram, and says whether its source answered and when."""
    metrics.cycle(Telemetry(at=1000.0), 0.02)
    series = scrape(metrics)
    assert value(series, "trimtab_source_down") == 0
    assert value(series, "trimtab_last_cycle_timestamp_seconds") == 1000
    metrics.cycle(Telemetry(at=1005.0, down="refused"), 7.0)
    series = scrape(metrics)
    assert value(series, "trimtab_source_down") == 1
    assert value(series, "trimtab_cycle_duration_seconds_count") == 2
    assert value(series, "trimtab_cycle_duration_seconds_bucket", le="0.01") == 0
    assert value(series, "trimtab_cycle_duration_seconds_bucket", le="0.025") == 1
    assert value(series, "trimtab_cycle_duration_seconds_bucket", le="10.0") == 2


def test_probes_are_read_at_the_scrape() -> None:
    """A number that somebody else holds is read when it is asked for, with its labels."""
    nacks: dict[tuple[str, ...], float] = {("edge",): 1.0}
    metrics = Metrics(
        "",
        [
            Probe("trimtab_xds_nacks", "NACKs by node.", ("node",), lambda: nacks, counter=True),
            Probe("trimtab_xds_streams", "Open streams.", (), lambda: {(): 3.0}),
        ],
    )
    assert value(scrape(metrics), "trimtab_xds_nacks_total", node="edge") == 1
    nacks[("edge",)] = 2.0
    series = scrape(metrics)
    assert value(series, "trimtab_xds_nacks_total", node="edge") == 2
    assert value(series, "trimtab_xds_streams") == 3


def test_two_controllers_share_nothing() -> None:
    """Metrics belong to their object: two in one process do not see each other."""
    one, other = Metrics(""), Metrics("")
    one.tell(make_report())
    assert of_policy(scrape(one), "shop/web")
    assert not of_policy(scrape(other), "shop/web")

"""What Trimtab says about itself: Prometheus metrics and log events. The only file that names them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trimtab.core.model import Action, Decision, ObjectRef, Outcome, Report, Shift, Telemetry
from trimtab.core.verdict import Verdict
from trimtab.errors import Refused
from trimtab.history import policy_name

WRITTEN = frozenset({Outcome.APPLIED, Outcome.UNVERIFIED})
TRANSIENT = frozenset({Outcome.CONFLICT, Outcome.UNVERIFIED, Outcome.UNAVAILABLE})
LOGGER = "trimtab.decisions"
LEVELS = ("debug", "info", "warning", "error")
# A cycle is a few queries and patches: milliseconds as a rule, seconds when a server is slow.
CYCLE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Probe:
    """Numbers that somebody else holds, read at each scrape.

    ``name`` is without ``_total``, which a counter gets. ``read`` returns a number for each
    tuple of label values; it is called from a worker thread and must not wait.
    """

    name: str
    doc: str
    labels: tuple[str, ...]
    read: Callable[[], Mapping[tuple[str, ...], float]]
    counter: bool = False


class _Known(NamedTuple):
    """What is remembered of one policy. Replaced, never changed: scrapes read from a thread."""

    report: Report
    conflicts: int


class Metrics(Collector):
    """A Listener that counts Reports and shows the newest of each policy, in a registry of its own.

    What belongs to a policy is made from its newest Report at each scrape, so that a target,
    rule or policy which is gone leaves no series behind.
    """

    def __init__(self, version: str, probes: Sequence[Probe] = ()) -> None:
        self.registry = CollectorRegistry()
        self._probes = tuple(probes)
        self._policies: dict[ObjectRef, _Known] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Info("trimtab_build", "The running version.", registry=self.registry).info(
            {"version": version}
        )
        # A counter that begins at its first event hides that event: all begin at 0.
        self._decisions = {(action, outcome): 0 for action in Action for outcome in Outcome}
        self._cycles = Histogram(
            "trimtab_cycle_duration_seconds",
            "Time from the reading of the metrics to the last verified write.",
            buckets=CYCLE_BUCKETS_S,
            registry=self.registry,
        )
        self._last_cycle = Gauge(
            "trimtab_last_cycle_timestamp_seconds",
            "When the last cycle began, as epoch seconds.",
            registry=self.registry,
        )
        self._source_down = Gauge(
            "trimtab_source_down",
            "1 if the metric source did not answer in the last cycle.",
            registry=self.registry,
        )
        self.registry.register(self)

    def tell(self, report: Report) -> None:
        self._decisions[report.decision.action, report.outcome] += 1
        before = self._policies.get(report.decision.policy)
        conflicts = (before.conflicts if before else 0) + _conflicts(report)
        self._policies[report.decision.policy] = _Known(report, conflicts)

    def cycle(self, telemetry: Telemetry, took_s: float) -> None:
        """A cycle has ended that read ``telemetry`` and took ``took_s``."""
        self._cycles.observe(took_s)
        self._last_cycle.set(telemetry.at)
        self._source_down.set(telemetry.down is not None)

    def retain(self, policies: Collection[ObjectRef]) -> None:
        """Drop the series of all policies but these."""
        for policy in self._policies.keys() - set(policies):
            del self._policies[policy]

    def collect(self) -> Iterator[Metric]:
        # Each copy is one call into C, which the loop's thread does not interrupt.
        known = tuple(self._policies.values())
        reports = [entry.report for entry in known]
        yield from _counters(dict(self._decisions), known)
        yield from _target_metrics(reports)
        yield from _evidence_metrics([report.decision for report in reports])
        yield from map(_probed, self._probes)


def _counters(
    counts: Mapping[tuple[Action, Outcome], int], known: Iterable[_Known]
) -> Iterator[Metric]:
    decisions = CounterMetricFamily(
        "trimtab_decisions",
        "Decisions, by what they did with the weights and what became of them.",
        labels=("action", "outcome"),
    )
    for (action, outcome), count in counts.items():
        decisions.add_metric((_label(action), _label(outcome)), count)
    conflicts = CounterMetricFamily(
        "trimtab_patch_conflicts",
        "Writes that lost a race against another writer.",
        labels=("policy",),
    )
    for entry in known:
        conflicts.add_metric((policy_name(entry.report.decision.policy),), entry.conflicts)
    yield decisions
    yield conflicts


def _target_metrics(reports: Iterable[Report]) -> Iterator[Metric]:
    labels = ("policy", "route", "rule", "target")
    weight = GaugeMetricFamily(
        "trimtab_target_weight",
        "Weight of a target in its rule after the last decision, in the units of its provider.",
        labels=labels,
    )
    wanted = GaugeMetricFamily(
        "trimtab_target_share_wanted",
        "Share that a target should have, as a fraction of 1, before limits and rounding.",
        labels=labels,
    )
    for report in reports:
        policy = policy_name(report.decision.policy)
        for shift in report.decision.shifts:
            where = (policy, _route_name(shift), shift.route.key.rule)
            weights = shift.granted if report.outcome in WRITTEN else shift.before
            for target, units, share in zip(
                shift.route.targets, weights, shift.wanted, strict=True
            ):
                weight.add_metric((*where, target.name), units)
                wanted.add_metric((*where, target.name), share)
    yield weight
    yield wanted


def _evidence_metrics(decisions: Iterable[Decision]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily(
        "trimtab_verdict",
        "1 for the verdict on a target, 0 for the others.",
        labels=("policy", "target", "verdict"),
    )
    age = GaugeMetricFamily(
        "trimtab_evidence_age_seconds",
        "How old the newest data on a target was at the last decision.",
        labels=("policy", "target"),
    )
    for decision in decisions:
        policy = policy_name(decision.policy)
        # A target that stands in several rules is judged in each, from the same evidence: once
        # is enough, and a series may appear only once.
        for target, judgement in {j.target: j for j in decision.judgements}.items():
            for one in Verdict:
                verdict.add_metric((policy, target, _label(one)), float(one is judgement.verdict))
            age.add_metric((policy, target), judgement.age_s)
    yield verdict
    yield age


def _probed(probe: Probe) -> Metric:
    family = CounterMetricFamily if probe.counter else GaugeMetricFamily
    metric = family(probe.name, probe.doc, labels=probe.labels)
    for values, number in probe.read().items():
        metric.add_metric(values, number)
    return metric


def _label(value: str) -> str:
    """A word of the core as a label value: words are joined by underscores, as in metric names."""
    return value.replace(" ", "_").replace("-", "_")


def _route_name(shift: Shift) -> str:
    ref = shift.route.key.object
    return f"{ref.kind}/{policy_name(ref)}"


def _conflicts(report: Report) -> int:
    """Every attempt but the one that went through lost a race."""
    if report.outcome is Outcome.CONFLICT:
        return report.attempts
    return max(0, report.attempts - 1)


# --- log ------------------------------------------------------------------------------


class DecisionLog:
    """A Listener that logs one event a Decision: what moves, or is new, so that people see it.

    A policy that goes on as before is logged at debug. Warnings and errors are repeated only
    when something about them is new.
    """

    def __init__(self) -> None:
        self._log = structlog.stdlib.get_logger(LOGGER)
        self._told: dict[ObjectRef, tuple[object, ...]] = {}

    def tell(self, report: Report) -> None:
        decision = report.decision
        state = (
            decision.mode,
            decision.phase,
            report.outcome,
            frozenset((j.target, j.verdict) for j in decision.judgements),
            tuple((s.route.key, s.granted) for s in decision.shifts if s.moves),
        )
        written = decision.moves and report.outcome in WRITTEN
        new = written or self._told.get(decision.policy) != state
        self._told[decision.policy] = state
        level = _level(report) if new else logging.DEBUG
        if logging.getLogger(LOGGER).isEnabledFor(level):
            self._log.log(level, "decision", **_fields(report))

    def retain(self, policies: Collection[ObjectRef]) -> None:
        """Forget all policies but these."""
        for policy in self._told.keys() - set(policies):
            del self._told[policy]


def _level(report: Report) -> int:
    if report.outcome is Outcome.REFUSED:
        return logging.ERROR
    if report.outcome in TRANSIENT or report.decision.action is Action.ABORT:
        return logging.WARNING
    return logging.INFO


def _fields(report: Report) -> dict[str, object]:
    decision = report.decision
    fields: dict[str, object] = {
        "policy": policy_name(decision.policy),
        "at": decision.at,
        "mode": decision.mode,
        "action": str(decision.action),
        "phase": decision.phase,
        "outcome": str(report.outcome),
        "message": report.message,
        "attempts": report.attempts,
        "took_s": round(report.took_s, 6),
        "dry_run": decision.dry_run,
        "reasons": [f"{reason.code}: {reason.message}" for reason in decision.reasons],
        "verdicts": {j.target: str(j.verdict) for j in decision.judgements},
        "moves": {
            f"{_route_name(shift)}/{shift.route.key.rule}": {
                target.name: f"{before} -> {after}"
                for target, before, after in zip(
                    shift.route.targets, shift.before, shift.granted, strict=True
                )
                if before != after
            }
            for shift in decision.shifts
            if shift.moves
        },
    }
    return {name: value for name, value in fields.items() if value not in ("", [], {})}


def configure_logging(*, json: bool, level: str) -> None:
    """Send all log events of the process to standard error: as JSON lines, or for eyes.

    ``level`` is one of LEVELS. Libraries log from warning on: below it some write the bodies
    of their messages, with secrets in them.
    """
    if level not in LEVELS:
        raise Refused(f"log level {level!r} is none. Remedy: one of {', '.join(LEVELS)}.")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if json:
        shared.append(structlog.processors.dict_tracebacks)
        renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    logging.getLogger("trimtab").setLevel(level.upper())

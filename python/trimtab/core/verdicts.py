"""The judge: evidence in, verdict out, with the numbers that say it.

The order of the questions is the law "no evidence is not bad evidence": whether anything is
known at all comes before what it says.
"""

from __future__ import annotations

from trimtab.core.evidence import Evidence, merge, quantile_ms
from trimtab.core.model import Judgement, Telemetry, Window
from trimtab.core.policy import AbortRules, PolicySpec
from trimtab.core.verdict import Verdict


def judge(
    target: str,
    evidence: Evidence,
    latest: Window | None,
    telemetry: Telemetry,
    policy: PolicySpec,
) -> Judgement:
    """The verdict on one target over the last ``abort.windowSeconds``.

    ``latest`` is its window in this tick, None when it has no series.
    """
    if telemetry.down is not None:
        return Judgement(target, Verdict.SOURCE_DOWN, telemetry.down)
    rules, stale_s = policy.abort, policy.rails.stale_seconds
    if latest is not None and latest.age_s > stale_s:
        told = f"the newest data is {latest.age_s:.0f} s old, above staleSeconds {stale_s:g}"
        return Judgement(target, Verdict.STALE, told, age_s=latest.age_s)
    windows = evidence.since(telemetry.at - rules.window_seconds)
    if not windows:
        age = telemetry.at - evidence.recent[-1].end if evidence.recent else None
        told = "no data yet" if age is None else f"no data for {age:.0f} s"
        verdict = Verdict.TOO_FEW if age is None or age <= stale_s else Verdict.STALE
        return Judgement(target, verdict, told, age_s=age or 0.0)
    window = merge(windows)
    verdict, message = _read(window, rules)
    return Judgement(
        target=target,
        verdict=verdict,
        message=message,
        requests=window.requests,
        errors=window.errors,
        timeouts=window.timeouts,
        latency_ms=quantile_ms(window, rules.latency.quantile if rules.latency else 0.99),
        age_s=window.age_s + (telemetry.at - window.end),
    )


def _read(window: Window, rules: AbortRules) -> tuple[Verdict, str]:
    span = f"in {window.duration_s:.0f} s"
    if window.requests < rules.min_requests:
        return (
            Verdict.TOO_FEW,
            f"{window.requests} requests {span}, below minRequests {rules.min_requests}",
        )
    ratio = window.errors / window.requests
    counted = f"{window.errors} errors in {window.requests} requests {span} ({ratio:.1%})"
    if ratio > rules.max_error_ratio:
        return Verdict.BAD, f"{counted}, above maxErrorRatio {rules.max_error_ratio:.1%}"
    if rules.latency is None:
        return Verdict.GOOD, counted
    bound = rules.latency
    if sum(window.counts) + window.timeouts < rules.min_requests:
        return Verdict.TOO_FEW, f"{counted}, but {sum(window.counts)} latency samples"
    latency = quantile_ms(window, bound.quantile)
    timed = f"p{bound.quantile * 100:g} {latency:.0f} ms"
    if latency is not None and latency > bound.max_milliseconds:
        return Verdict.BAD, f"{timed} {span}, above maxMilliseconds {bound.max_milliseconds:g}"
    return Verdict.GOOD, f"{counted}, {timed}"

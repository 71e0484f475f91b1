"""Between the messages of proto/trimtab/v1 and the words of the core; nothing is left out."""

from __future__ import annotations

import math
from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from trimtab.core import matching, model
from trimtab.core.steering import Pair, Steering, Way
from trimtab.core.verdict import Verdict
from trimtab.edges.pb.trimtab.v1 import trimtab_pb2 as pb
from trimtab.errors import InvalidDocument

LONGEST_S = 315_576_000_000.0  # what a google.protobuf.Duration can hold

ROLES = {
    model.Role.NONE: pb.ROLE_NONE,
    model.Role.STABLE: pb.ROLE_STABLE,
    model.Role.CANARY: pb.ROLE_CANARY,
}
WAYS = {way: pb.Way.Value(f"WAY_{way.name}") for way in Way}
ACTIONS = {action: pb.Action.Value(f"ACTION_{action.name}") for action in model.Action}
VERDICTS = {verdict: pb.Verdict.Value(f"VERDICT_{verdict.name}") for verdict in Verdict}
OUTCOMES = {outcome: pb.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in model.Outcome}


def match_query(request: pb.Request, random: int | None) -> matching.MatchQuery:
    """A request to match, checked. Raises InvalidDocument with the field."""
    if not request.path.startswith("/"):
        raise InvalidDocument(
            f"request.path: {request.path!r} does not begin with '/'. Remedy: give path and query."
        )
    if request.port > 65535:
        raise InvalidDocument(f"request.port: {request.port} is above 65535.")
    for header in request.headers:
        if not header.name or header.name.startswith(":"):
            raise InvalidDocument(
                f"request.headers: {header.name!r} is no header name. Remedy: give path, method, "
                "scheme and host in their own fields."
            )
    entry = request.WhichOneof("entry")
    return matching.MatchQuery(
        path=request.path,
        host=request.host,
        method=request.method or "GET",
        scheme=request.scheme or "http",
        port=request.port if request.HasField("port") else None,
        headers=tuple((header.name, header.value) for header in request.headers),
        random=random,
        gateway=request.gateway if entry == "gateway" else None,
        service=request.service if entry == "service" else None,
    )


def match_response(answer: matching.MatchAnswer) -> pb.MatchResponse:
    """Where a request goes, as its message."""
    return pb.MatchResponse(
        matched=bool(answer.targets),
        route=answer.route,
        service=answer.service,
        router=answer.router,
        rule=answer.rule,
        targets=[pb.WeightedTarget(name=t.name, weight=t.weight) for t in answer.targets],
        target=answer.target,
    )


def report_message(report: model.Report) -> pb.Report:
    """A Report as its message; nothing is left out."""
    return pb.Report(
        decision=_decision(report.decision),
        outcome=OUTCOMES[report.outcome],
        message=report.message,
        attempts=report.attempts,
        took=_duration(report.took_s),
    )


def _decision(decision: model.Decision) -> pb.Decision:
    return pb.Decision(
        policy=_ref(decision.policy),
        at=_timestamp(decision.at),
        mode=decision.mode,
        action=ACTIONS[decision.action],
        phase=decision.phase,
        shifts=[
            pb.Shift(route=_route(shift.route), wanted=shift.wanted, granted=shift.granted)
            for shift in decision.shifts
        ],
        judgements=[_judgement(judgement) for judgement in decision.judgements],
        reasons=[pb.Reason(code=r.code, message=r.message) for r in decision.reasons],
        inputs={target: _window(window) for target, window in decision.inputs.items()},
        dry_run=decision.dry_run,
    )


def _ref(ref: model.ObjectRef) -> pb.ObjectRef:
    return pb.ObjectRef(group=ref.group, kind=ref.kind, namespace=ref.namespace, name=ref.name)


def _route(route: model.Route) -> pb.Route:
    key = route.key
    return pb.Route(
        key=pb.RouteKey(provider=key.provider, object=_ref(key.object), rule=key.rule),
        targets=[
            pb.RouteTarget(
                name=t.name,
                weight=t.weight,
                telemetry=t.telemetry,
                role=ROLES[t.role],
                parts=t.parts,
            )
            for t in route.targets
        ],
        maximum=route.maximum,
        sum_limited=route.sum_limited,
        steering=_steering(route.steering) if route.steering else None,
    )


def _steering(steering: Steering) -> pb.Steering:
    def pairs(asked: Iterable[Pair]) -> list[pb.Pair]:
        return [pb.Pair(name=pair.name, value=pair.value) for pair in asked]

    match = steering.match
    cohort = pb.Cohort(
        headers=pairs(match.headers),
        cookies=pairs(match.cookies),
        query=pairs(match.query),
        host=match.host,
    )
    return pb.Steering(way=WAYS[steering.way], services=steering.services, match=cohort)


def _judgement(judgement: model.Judgement) -> pb.Judgement:
    return pb.Judgement(
        target=judgement.target,
        verdict=VERDICTS[judgement.verdict],
        message=judgement.message,
        requests=judgement.requests,
        errors=judgement.errors,
        timeouts=judgement.timeouts,
        latency_ms=judgement.latency_ms,
        age=_duration(judgement.age_s),
    )


def _window(window: model.Window) -> pb.Window:
    return pb.Window(
        start=_timestamp(window.start),
        end=_timestamp(window.end),
        classes=window.classes,
        timeouts=window.timeouts,
        bounds_ms=window.bounds_ms,
        counts=window.counts,
        latency_sum_ms=window.latency_sum_ms,
        in_flight=window.in_flight,
        age=_duration(window.age_s),
        partial=window.partial,
    )


def _timestamp(epoch_s: float) -> Timestamp:
    # Whole seconds apart: epoch nanoseconds do not fit into a float.
    seconds = math.floor(epoch_s)
    message = Timestamp()
    message.FromNanoseconds(seconds * 10**9 + round((epoch_s - seconds) * 1e9))
    return message


def _duration(seconds: float) -> Duration:
    """No data ever is infinitely old, which becomes the longest time that the message can hold."""
    bounded = max(-LONGEST_S, min(seconds, LONGEST_S))
    message = Duration()
    message.FromNanoseconds(round(bounded * 10**9))
    return message

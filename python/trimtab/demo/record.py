"""The record of a run: what was asked, felt, decided and seen, all in seconds from its start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import ceil, floor
from typing import NamedTuple

from trimtab.core.model import Report
from trimtab.demo.load import TIMEOUT, Request


class Scene(NamedTuple):
    """An act as it was played."""

    number: int
    short: str
    title: str
    service: str
    start: float
    end: float


class Event(NamedTuple):
    """Something that the script did, and the name of what began with it."""

    at: float
    phase: str
    says: str


class Weights(NamedTuple):
    """The weights of a service as they stood in the store."""

    at: float
    service: str
    weights: Mapping[str, int]


class Served(NamedTuple):
    """Requests that an Envoy had sent to each target of a service up to an instant."""

    at: float
    service: str
    arm: str
    requests: Mapping[str, int]


class Told(NamedTuple):
    """A Report of the controller, with the instant of its decision."""

    at: float
    report: Report

    @property
    def service(self) -> str:
        return self.report.decision.policy.name


@dataclass
class Recording:
    """Everything that the claims and the report are made from. Grows while the demo runs."""

    store: str  # "files" or "cluster"
    targets: Mapping[str, Sequence[str]]  # by service
    scenes: list[Scene] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    # By service, arm and the second in which a request was due: a look at a few seconds is cheap.
    _requests: dict[tuple[str, str, int], list[Request]] = field(default_factory=dict)

    def add(self, request: Request) -> None:
        key = (request.service, request.arm, int(request.due_s))
        self._requests.setdefault(key, []).append(request)

    def requests(self) -> Iterator[Request]:
        """All of them."""
        return chain.from_iterable(self._requests.values())

    def weights_in(self, service: str, start: float, end: float) -> list[Weights]:
        return [w for w in self.weights if w.service == service and start <= w.at < end]

    def told_in(self, service: str, start: float, end: float) -> list[Told]:
        return [t for t in self.told if t.service == service and start <= t.at < end]

    def served_in(self, service: str, arm: str, start: float, end: float) -> dict[str, int]:
        """Requests to each target between the first and the last reading in that time."""
        seen = [
            s for s in self.served if s.service == service and s.arm == arm and start <= s.at < end
        ]
        if len(seen) < 2:
            return {}
        first, last = seen[0].requests, seen[-1].requests
        return {target: last[target] - first.get(target, 0) for target in last}

    def felt_in(self, service: str, arm: str, start: float, end: float) -> Felt:
        """What users felt whose requests were due in that time."""
        return felt(
            request
            for second in range(max(0, floor(start)), ceil(end))
            for request in self._requests.get((service, arm, second), ())
            if start <= request.due_s < end
        )


class Felt(NamedTuple):
    """Latency of all requests, failed ones included, and how many failed."""

    requests: int
    failed: int
    timeouts: int
    p50_ms: float
    p99_ms: float

    @property
    def failed_ratio(self) -> float:
        return self.failed / self.requests if self.requests else 0.0


def felt(requests: Iterable[Request]) -> Felt:
    """What some requests felt like."""
    known = list(requests)
    latencies = sorted(r.latency_ms for r in known)
    return Felt(
        requests=len(known),
        failed=sum(r.failed for r in known),
        timeouts=sum(r.outcome == TIMEOUT for r in known),
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
    )


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest value that a share ``q`` of the values does not exceed; 0 of no values."""
    return ordered[max(0, ceil(q * len(ordered)) - 1)] if ordered else 0.0


def shares(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts as percentages of their sum; all zero where that is zero."""
    total = sum(counts.values())
    return {name: 100 * count / total if total else 0.0 for name, count in counts.items()}

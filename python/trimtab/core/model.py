"""The words of Trimtab as types: what the edges hand to the core, and what it answers.

Units: times are epoch seconds (float), durations seconds, latencies
milliseconds (as Envoy's histograms have them), weights integers in the units of
their provider, shares fractions of 1. Everything is immutable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from trimtab.core.steering import Steering
from trimtab.core.verdict import Verdict

# --- objects: what a store holds -------------------------------------------------


class ObjectRef(NamedTuple):
    """The name of one object in a store. ``group`` and ``kind`` as in its API."""

    group: str
    kind: str
    namespace: str  # "" for cluster-scoped kinds
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a person wrote a document: file, index of the document in it (from 0), line (from 1)."""

    file: str
    document: int
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} (document {self.document})"


@dataclass(frozen=True, slots=True)
class Object:
    """One raw object. ``version`` changes with every write; ``body`` is never modified in place.

    ``body["metadata"]["resourceVersion"]`` equals ``version`` in every store, so that one
    JSON Patch guards against lost updates wherever it is applied. ``file`` is where a person wrote
    it, None for one that was read from a cluster; the store of the file knows the line.
    """

    ref: ObjectRef
    version: str
    body: Mapping[str, Any]
    file: str | None = None


Objects: TypeAlias = Mapping[ObjectRef, Object]


class PatchOp(NamedTuple):
    """One operation of a JSON Patch (RFC 6902): ``test``, ``replace`` or ``add``, path as a JSON
    pointer. Stores of files know no ``add``."""

    op: str
    path: str
    value: Any

    def as_json(self) -> dict[str, Any]:
        return {"op": self.op, "path": self.path, "value": self.value}


class Verb(StrEnum):
    PATCH = "patch"
    CREATE = "create"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """What a Decision needs on one object: a patch; empty ``ops`` when it is already right.

    An object of our own is created with ``body``, where files hold the objects in one ``beside``
    that of another, and deleted if the one ``test`` of its resourceVersion in ``ops`` holds.
    """

    ref: ObjectRef
    ops: tuple[PatchOp, ...] = ()
    verb: Verb = Verb.PATCH
    body: Mapping[str, Any] | None = None
    beside: ObjectRef | None = None


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something a person should know about a document. ``code`` is stable and documented."""

    code: str
    severity: Severity
    message: str
    remedy: str = ""
    ref: ObjectRef | None = None
    origin: Origin | None = None
    field: str = ""  # path in the document, e.g. spec.routes[0].httpRoute.match

    def __str__(self) -> str:
        where = [str(part) for part in (self.origin, self.ref) if part]
        where += [self.field] if self.field else []
        tail = f" Remedy: {self.remedy}" if self.remedy else ""
        return f"{self.severity}: {self.code}: {': '.join([*where, self.message])}{tail}"


# --- routes: what is steered --------------------------------------------------------


class Role(StrEnum):
    STABLE = "stable"
    CANARY = "canary"
    NONE = "none"


class RouteKey(NamedTuple):
    """One weighted choice: the provider that reads it, the object it stands in, the rule there."""

    provider: str
    object: ObjectRef
    rule: str

    def __str__(self) -> str:
        return f"{self.object}/{self.rule}"


@dataclass(frozen=True, slots=True)
class Target:
    """One destination of a Route.

    ``name`` is unique within its Route. ``telemetry`` is the key by which metric sources
    know it, None where none can (a target by ARN): such a target keeps its weight. Of a target
    that is several things to them, ``parts`` are their keys, and ``telemetry`` names the sum.
    """

    name: str
    weight: int
    telemetry: str | None
    role: Role = Role.NONE
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One weighted choice with its ordered targets.

    ``maximum`` is the largest legal weight of a target, and of the sum where
    ``sum_limited`` (100 and True for App Mesh); a route whose maximum is 1 is a switch. A
    decision keeps the sum of the weights. ``steering`` says for the provider in which way the
    weights stand in the object, None where they are its own.
    """

    key: RouteKey
    targets: tuple[Target, ...]
    maximum: int
    sum_limited: bool = True
    steering: Steering | None = None

    @property
    def total(self) -> int:
        return sum(t.weight for t in self.targets)

    @property
    def weights(self) -> tuple[int, ...]:
        return tuple(t.weight for t in self.targets)


# --- telemetry: how targets behave -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class MetricFamilies:
    """The names under which one provider's data plane exports its metrics.

    ``selector`` is a PromQL label matcher list that keeps the series of targets, without
    braces. ``latency`` is the base name of a histogram in milliseconds, ``uptime`` the age
    of the exporting process in seconds.
    """

    target_label: str
    selector: str
    requests: str
    class_label: str
    timeouts: str
    latency: str
    in_flight: str
    uptime: str


@dataclass(frozen=True, slots=True)
class Window:
    """How one target behaved between two instants: true integer differences of counters.

    ``classes`` counts completed requests by the first digit of the status code.
    ``bounds_ms``/``counts`` are the latency histogram of the requests that got an answer,
    not cumulative; the last bound is inf. A timed-out request counts in ``classes`` (5) and
    ``timeouts`` but has no latency sample (Envoy). ``in_flight`` is the gauge at the end.
    ``age_s`` is how old the newest data was at ``end``. ``partial`` says that an instance of
    the target could not be counted over the whole window.
    """

    start: float
    end: float
    classes: Mapping[int, int] = field(default_factory=dict)
    timeouts: int = 0
    bounds_ms: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    latency_sum_ms: float = 0.0
    in_flight: float = 0.0
    age_s: float = 0.0
    partial: bool = False

    @property
    def duration_s(self) -> float:
        return self.end - self.start

    @property
    def requests(self) -> int:
        return sum(self.classes.values())

    @property
    def errors(self) -> int:
        """Server errors (5xx), timeouts among them."""
        return self.classes.get(5, 0)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One reading of a metric source: a Window for each target that it knows, all alike in time.

    ``down`` says why there is nothing, when the source did not answer. A target missing from
    ``windows`` has no series: nobody knows anything about it. The first reading of a source
    has no windows, since a difference needs two instants.
    """

    at: float
    windows: Mapping[str, Window] = field(default_factory=dict)
    down: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one tick knows: the telemetry, and the routes of each policy as they stand.

    ``problems`` says for a policy why its routes could not be resolved; it is then held.
    ``shared`` says which of its targets are counted together with something else.
    """

    telemetry: Telemetry
    routes: Mapping[ObjectRef, tuple[Route, ...]]
    problems: Mapping[ObjectRef, tuple[str, ...]] = field(default_factory=dict)
    shared: Mapping[ObjectRef, tuple[str, ...]] = field(default_factory=dict)


# --- decisions -----------------------------------------------------------------------


class Action(StrEnum):
    """What a Decision does with the weights."""

    HOLD = "hold"  # nothing to do, or nothing known
    SHIFT = "shift"  # optimise: move toward the better split
    RAMP = "ramp"  # canary: the next step
    ABORT = "abort"  # canary: to zero, and latched
    PROMOTE = "promote"  # canary: the last step has been proved
    ENFORCE = "enforce"  # put back what an earlier decision set


class Reason(NamedTuple):
    """Why: a CamelCase code for machines (as in a Kubernetes condition), a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Shift:
    """The weights of one Route: as they stand (in ``route``), as wanted (shares of 1), as granted."""

    route: Route
    wanted: tuple[float, ...]
    granted: tuple[int, ...]

    @property
    def before(self) -> tuple[int, ...]:
        return self.route.weights

    @property
    def moves(self) -> bool:
        return self.granted != self.route.weights


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one target, with the numbers that say it."""

    target: str
    verdict: Verdict
    message: str
    requests: int = 0
    errors: int = 0
    timeouts: int = 0
    latency_ms: float | None = None
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one policy at one instant: made once, then applied, shown, logged, replayed.

    ``phase`` is the state of a canary ("ramping 2/5", "aborted", …) or the mode. ``inputs`` are
    the windows that were read in this tick, by target.
    """

    policy: ObjectRef
    at: float
    mode: str
    action: Action
    phase: str
    shifts: tuple[Shift, ...]
    judgements: tuple[Judgement, ...]
    reasons: tuple[Reason, ...]
    inputs: Mapping[str, Window]
    dry_run: bool = False

    @property
    def moves(self) -> bool:
        return any(shift.moves for shift in self.shifts)


class Outcome(StrEnum):
    """What became of a Decision in the world."""

    UNCHANGED = "unchanged"  # the cluster was already right
    APPLIED = "applied"  # written, read back and, where we serve xDS, acknowledged by Envoy
    UNVERIFIED = "unverified"  # written, but not confirmed in time; the next cycle looks again
    DRY_RUN = "dry-run"
    CONFLICT = "conflict"  # lost the race too often; the next cycle tries again
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Report:
    """A Decision and what became of it: what every Listener is told."""

    decision: Decision
    outcome: Outcome
    message: str = ""
    attempts: int = 0
    took_s: float = 0.0

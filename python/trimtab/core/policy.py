"""WeightPolicy: what a user asks for a weighted route. The one source of its schema.

Written as ``trimtab.dev/v1alpha1``; field names appear in documents in camelCase. The
reader (``trimtab.policies``), the CRD and the reference page are all made from these
dataclasses: the docstring of a class and the ``doc`` of a field are what users read.
Durations are seconds and say so in their names, as the Kubernetes API conventions ask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt, Le, Len

from trimtab.core.documented import Documented, Name, camel, doc
from trimtab.core.model import Role
from trimtab.core.steering import Steering

__all__ = ["Documented", "camel", "doc"]

GROUP = "trimtab.dev"
VERSION = "v1alpha1"
KIND = "WeightPolicy"

Percent = Annotated[float, Ge(0), Le(100)]
Ratio = Annotated[float, Ge(0), Le(1)]
Seconds = Annotated[float, Gt(0)]
Milliseconds = Annotated[float, Gt(0)]
Count = Annotated[int, Ge(1)]


class Mode(StrEnum):
    OPTIMISE = "optimise"
    CANARY = "canary"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRef(Documented):
    """The object whose weights are steered, in the namespace of the policy."""

    group: Annotated[str, Len(1, 253)] = field(metadata=doc("API group, e.g. appmesh.k8s.aws."))
    kind: Name = field(metadata=doc("VirtualRouter, VirtualService or GatewayRoute for App Mesh."))
    name: Name = field(metadata=doc("metadata.name of the object."))


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy(Documented):
    """Role and bounds of one target of the rule, by its name."""

    name: Name = field(
        metadata=doc("Name of the target as the route names it; namespace/name if elsewhere.")
    )
    role: Role = field(
        default=Role.NONE,
        metadata=doc(
            "stable or canary; needed in mode canary. none: its weight is left alone there."
        ),
    )
    min_percent: Percent = field(
        default=0.0, metadata=doc("Share below which this target is not steered, in percent.")
    )
    max_percent: Percent = field(
        default=100.0, metadata=doc("Share above which this target is not steered, in percent.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPlan(Documented):
    """How the share of a canary grows: one step at a time, each on evidence."""

    steps: Annotated[tuple[Annotated[float, Gt(0), Le(100)], ...], Len(1, 100)] = field(
        default=(5.0, 10.0, 25.0, 50.0, 100.0),
        metadata=doc("Shares of the canary in percent, rising; the last one is the goal."),
    )
    step_seconds: Seconds = field(
        default=60.0, metadata=doc("Least time at each step before the next.")
    )
    min_requests: Count = field(
        default=100, metadata=doc("Canary requests that a step must have seen before the next.")
    )
    revision: str = field(
        default="",
        metadata=doc(
            "Any text that names the release. Changing it starts over, also after an abort."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule(Documented):
    """A bound on a quantile of the latency, timed-out requests counted as slower than any bound."""

    quantile: Annotated[float, Gt(0), Le(1)] = field(
        default=0.99, metadata=doc("Which quantile, as a fraction.")
    )
    max_milliseconds: Milliseconds = field(metadata=doc("The quantile may not be above this."))


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortRules(Documented):
    """What is bad. Judged over the last windowSeconds; only a bad verdict aborts a canary."""

    max_error_ratio: Ratio = field(
        default=0.05, metadata=doc("Server errors (5xx, timeouts) over requests, as a fraction.")
    )
    latency: LatencyRule | None = field(
        default=None, metadata=doc("Optional bound on a latency quantile.")
    )
    window_seconds: Seconds = field(
        default=30.0, metadata=doc("How far back the evidence reaches.")
    )
    min_requests: Count = field(
        default=20, metadata=doc("Fewer requests than this in the window say nothing: too few.")
    )


class ObjectiveKind(StrEnum):
    GOODPUT = "goodput"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective(Documented):
    """What optimise optimises. goodput: weights in proportion to each target's goodput capacity."""

    kind: ObjectiveKind = field(
        default=ObjectiveKind.GOODPUT, metadata=doc("goodput is the one kind there is.")
    )
    error_penalty: Annotated[float, Ge(0)] = field(
        default=1.0,
        metadata=doc("How much an error weighs against utilisation (gRPC A58's penalty)."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rails(Documented):
    """Limits that hold whatever the objective wants."""

    max_step_percent: Annotated[float, Gt(0), Le(100)] = field(
        default=10.0, metadata=doc("A target's share moves at most this far in one decision.")
    )
    min_change_percent: Percent = field(
        default=2.0, metadata=doc("Smaller moves are not worth a patch (hysteresis).")
    )
    min_requests: Count = field(
        default=20,
        metadata=doc("Optimise holds until each target with traffic has had this many requests."),
    )
    half_life_seconds: Seconds = field(
        default=10.0, metadata=doc("Evidence loses half of its weight in this time.")
    )
    cooldown_seconds: Annotated[float, Ge(0)] = field(
        default=0.0, metadata=doc("Least time between two moves in mode optimise.")
    )
    stale_seconds: Seconds = field(default=30.0, metadata=doc("Older data says nothing: hold."))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec(Documented):
    """What to steer, how, and within which limits."""

    target_ref: TargetRef = field(metadata=doc("The object whose weights are steered."))
    routes: Annotated[tuple[Name, ...], Len(0, 100)] = field(
        default=(), metadata=doc("Names of the routes in it that are steered; empty means all.")
    )
    steering: Steering = field(
        default_factory=Steering,
        metadata=doc("Where the weights stand, if targetRef names an object that has none."),
    )
    mode: Mode = field(
        default=Mode.HOLD,
        metadata=doc("optimise: move to the best split. canary: ramp. hold: watch and judge only."),
    )
    targets: Annotated[tuple[TargetPolicy, ...], Len(0, 100)] = field(
        default=(), metadata=doc("Roles and bounds; a target not listed has none.")
    )
    canary: CanaryPlan = field(default_factory=CanaryPlan, metadata=doc("The plan of mode canary."))
    abort: AbortRules = field(default_factory=AbortRules, metadata=doc("What is bad."))
    objective: Objective = field(
        default_factory=Objective, metadata=doc("What mode optimise optimises.")
    )
    rails: Rails = field(default_factory=Rails, metadata=doc("Limits on every move."))
    dry_run: bool = field(
        default=False, metadata=doc("Decide, tell and log, but write nothing (shadow mode).")
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """A WeightPolicy as read: where it stands is its name, ``namespace`` that of its targetRef."""

    name: str
    namespace: str
    spec: PolicySpec

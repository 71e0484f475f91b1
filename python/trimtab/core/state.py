"""What the core remembers between two ticks. A value: ``decide`` returns the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.core import ramp as ramps
from trimtab.core.evidence import Evidence
from trimtab.core.model import ObjectRef
from trimtab.core.policy import Mode, Policy
from trimtab.core.ramp import Ramp
from trimtab.core.steering import Way


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Memory of one policy. A policy whose ``identity`` changed starts anew."""

    identity: str
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    ramp: Ramp = Ramp()
    moved_at: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    policies: Mapping[ObjectRef, PolicyState] = field(default_factory=dict)


def identity(policy: Policy) -> str:
    """What a policy steers and for which release. Bounds and limits may change under way."""
    spec = policy.spec
    ref = spec.target_ref
    parts = [str(spec.mode), ref.group, ref.kind, ref.name, *sorted(spec.routes)]
    if spec.steering.way is not Way.RESOLVE:
        parts += [f"way={spec.steering.way}", *spec.steering.services]
        parts += [repr(spec.steering.match)] if spec.steering.way is Way.LANE else []
    if spec.mode is Mode.CANARY:
        roles = sorted(f"{t.role}={t.name}" for t in spec.targets)
        parts += [*roles, f"revision={spec.canary.revision}"]
    parts.append("dry-run" if spec.dry_run else "live")
    return "|".join(parts)


def to_status(state: PolicyState) -> dict[str, Any]:
    """The part that must survive a restart: averages may be lost, an abort may not."""
    return {"identity": state.identity, "ramp": ramps.to_status(state.ramp)}


def from_status(status: Mapping[str, Any]) -> PolicyState:
    """Inverse of ``to_status``. Raises KeyError, ValueError or TypeError when it is not one."""
    return PolicyState(str(status["identity"]), ramp=ramps.from_status(status["ramp"]))

"""What a mode answers for one policy, before it becomes a Decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.core.model import Action, Reason, Route, Shift
from trimtab.core.state import PolicyState


@dataclass(frozen=True, slots=True)
class Answer:
    """``phase`` and ``state`` are None where the mode has nothing to say about them."""

    action: Action
    shifts: tuple[Shift, ...]
    reasons: tuple[Reason, ...]
    phase: str | None = None
    state: PolicyState | None = None


def stay(route: Route) -> Shift:
    """The weights of a route as they are."""
    total = route.total
    wanted = tuple(w / total if total else 0.0 for w in route.weights)
    return Shift(route, wanted, route.weights)


def hold(routes: Sequence[Route], *reasons: Reason) -> Answer:
    return Answer(Action.HOLD, tuple(stay(r) for r in routes), reasons)

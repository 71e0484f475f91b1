"""What is asked of a router and what it answers, in the words of no mesh in particular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class MatchQuery:
    """A request and the door by which it enters.

    ``path`` begins with ``/`` and holds the query, if there is one. ``headers`` keep their
    order and may repeat. ``random`` is taken modulo the sum of the weights, as Envoy does;
    None asks for no target. ``gateway`` and ``service`` are names or ``namespace/name``; at
    most one is given, and neither means the one gateway that there is.
    """

    path: str
    host: str = ""
    method: str = "GET"
    scheme: str = "http"
    port: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    random: int | None = None
    gateway: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class RuleQuery:
    """One weighted rule by its name: the object that holds it (``namespace/name``), its name there."""

    router: str
    rule: str
    random: int | None = None


class TargetWeight(NamedTuple):
    """A target of a rule with its weight, in the units of its provider."""

    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class MatchAnswer:
    """The way of a request: None for what it did not reach.

    ``route`` (at the gateway), ``service`` and ``router`` are ``namespace/name``. Without
    ``targets`` the data plane answers 404 itself. ``target`` is the picked one: None without a
    random number in the query, or where no target has a weight.
    """

    route: str | None = None
    service: str | None = None
    router: str | None = None
    rule: str | None = None
    targets: tuple[TargetWeight, ...] = ()
    target: str | None = None

"""What is played: the services with their backends and users, and the four acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

STEERED = "steered"
ALONE = "left-alone"
ARMS = (STEERED, ALONE)  # each also names its namespace

TICK_S = 1.0
TIMEOUT_S = 3.0  # after this a user has given up


@dataclass(frozen=True, slots=True)
class Target:
    """A backend of a service; ``weights`` are those it starts with, by arm."""

    name: str
    workers: int
    service_ms: float
    weights: dict[str, int]


@dataclass(frozen=True, slots=True)
class Service:
    """A service: ``rate`` requests a second from users of each arm."""

    name: str
    rate: float
    targets: tuple[Target, ...]


QUEUE = 40  # requests that wait before a backend refuses more

SHOP = Service(
    "shop",
    rate=260,
    targets=(
        Target("shop-a", workers=2, service_ms=4, weights={STEERED: 34, ALONE: 34}),
        Target("shop-b", workers=2, service_ms=8, weights={STEERED: 33, ALONE: 33}),
        Target("shop-c", workers=2, service_ms=22, weights={STEERED: 33, ALONE: 33}),
    ),
)
# A release that nobody steers is a release made by hand: half of the traffic, at once.
PAY = Service(
    "pay",
    rate=150,
    targets=(
        Target("pay-stable", workers=8, service_ms=15, weights={STEERED: 100, ALONE: 50}),
        Target("pay-canary", workers=8, service_ms=12, weights={STEERED: 0, ALONE: 50}),
    ),
)
SERVICES = (SHOP, PAY)


class Levers(Protocol):
    """What the script of an act may pull."""

    def fault(self, backend: str, *, slow: float = 1.0, errors: float = 0.0) -> None:
        """From now on a backend, in both arms, is ``slow`` times slower and fails a share."""

    def apply(self, policy: str, **values: str) -> None:
        """Apply a WeightPolicy from the manifests, as a user would."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Something that happens ``at`` seconds after its act began, and names the ``phase`` after."""

    at: float
    phase: str
    says: str
    do: Callable[[Levers], None]


@dataclass(frozen=True, slots=True)
class Act:
    """A part of the demo with what it claims; the claims are checked in ``claims``."""

    number: int
    short: str
    title: str
    service: Service
    seconds: float
    cues: tuple[Cue, ...]


ACTS = (
    Act(
        1,
        "weights find their level",
        "unequal backends: weights find their level",
        SHOP,
        22,
        (
            Cue(
                4,
                "with the policy",
                "the policy of shop is applied",
                lambda to: to.apply("policy-shop"),
            ),
        ),
    ),
    Act(
        2,
        "a slow backend",
        "a backend turns slow, loses weight, and comes back",
        SHOP,
        36,
        (
            Cue(
                0,
                "shop-b slow",
                "shop-b turns four times slower",
                lambda to: to.fault("shop-b", slow=4),
            ),
            Cue(14, "shop-b well", "shop-b is well again", lambda to: to.fault("shop-b")),
        ),
    ),
    Act(
        3,
        "a bad canary",
        "a bad canary is ramped, aborted, and stays at zero",
        PAY,
        12,
        (
            Cue(
                0,
                "release r1",
                "release r1 of pay fails one request in five",
                lambda to: to.fault("pay-canary", errors=0.2),
            ),
            Cue(
                0,
                "release r1",
                "the policy of pay starts r1",
                lambda to: to.apply("policy-pay", revision="r1"),
            ),
        ),
    ),
    Act(
        4,
        "a good canary",
        "a good canary is promoted",
        PAY,
        18,
        (
            Cue(0, "release r2", "release r2 of pay is sound", lambda to: to.fault("pay-canary")),
            Cue(
                0,
                "release r2",
                "the policy of pay starts r2",
                lambda to: to.apply("policy-pay", revision="r2"),
            ),
        ),
    ),
)
TOTAL_S = sum(act.seconds for act in ACTS)

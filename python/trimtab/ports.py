"""The doors between the rooms. Edges and providers implement them; the app introduces them.

Each port has one contract suite in tests/contract, run on every implementation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from trimtab.core import policy
from trimtab.core.model import (
    Change,
    Decision,
    Diagnostic,
    MetricFamilies,
    Object,
    ObjectRef,
    Objects,
    Report,
    Route,
    Telemetry,
)
from trimtab.core.steering import Steering


class Clock(Protocol):
    def now(self) -> float:
        """Epoch seconds."""

    async def sleep(self, seconds: float) -> None: ...


class MetricSource(Protocol):
    async def read(self, now: float) -> Telemetry:
        """The windows since the previous read. Never raises for a source that is down:
        that is ``Telemetry.down``. Consecutive windows add up without hole or overlap; after a
        failed read the next window starts where the last good one ended."""

    async def close(self) -> None: ...


class RouteStore(Protocol):
    """The objects of the kinds that it was made for, wherever they stand."""

    async def read(self, fresh: ObjectRef | None = None) -> Objects:
        """All objects, from a cache kept current by watching; ``fresh`` is re-read past the cache.

        Raises Unavailable before the first full list has arrived."""

    def watch(self) -> AsyncIterator[Objects]:
        """Yields the objects now, and again after every change, the newest only."""

    async def apply(self, change: Change) -> Object:
        """Apply all of a Change or nothing, and return the object as it stands then, a deleted one
        as it stood.

        Raises Conflict when a ``test`` failed, Refused when the store rejects the values,
        Unavailable when it did not answer."""


class PolicyStore(Protocol):
    """WeightPolicy documents and what Trimtab remembers about each (``status``)."""

    async def read(self) -> Objects:
        """All policies; ``body["status"]`` is what was last saved."""

    async def save(self, ref: ObjectRef, status: Mapping[str, Any]) -> None:
        """Durable when it returns. Raises Unavailable or Conflict."""


class Listener(Protocol):
    def tell(self, report: Report) -> None:
        """Told of every Decision once its outcome is known; must not block or raise."""

    def retain(self, policies: Collection[ObjectRef]) -> None:
        """Told once a cycle which policies there are: what concerns others can go."""


class Verifier(Protocol):
    async def verify(self, decision: Decision) -> str | None:
        """Wait, for a bounded time, until a written Decision has taken effect; None when it has,
        else what is missing."""


class Kind(NamedTuple):
    """One kind of a Kubernetes API, as a store needs it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool


POLICY_KIND = Kind(policy.GROUP, policy.VERSION, "weightpolicies", policy.KIND, namespaced=True)


class Resolution(NamedTuple):
    """The weighted routes behind a reference, and why some could not be had."""

    routes: tuple[Route, ...]
    problems: tuple[str, ...]


class Asked(NamedTuple):
    """What a policy asks to steer, and in which way."""

    target: ObjectRef
    steering: Steering


class Provider(Protocol):
    """One system whose routes we read, patch and measure; pure translation, no input or output."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> Sequence[Kind]: ...

    @property
    def families(self) -> MetricFamilies: ...

    def load(self, objects: Objects) -> Reading:
        """Typed view of the objects; incremental: unchanged objects cost nothing again."""

    def changes(self, reading: Reading, decision: Decision) -> Iterable[Change]:
        """The patches that make the cluster as the Decision says; none when it is already right."""

    def leftovers(
        self, reading: Reading, asked: Mapping[ObjectRef, Asked | None]
    ) -> Iterable[Change]:
        """The deletion of every object of our own that no policy asks for any more. ``asked`` holds
        all policies, None for one whose objects are to be left alone."""


class Reading(Protocol):
    """A provider's typed view of the objects of one instant."""

    @property
    def diagnostics(self) -> Sequence[Diagnostic]: ...

    def resolve(
        self, target: ObjectRef, rules: Sequence[str], steering: Steering | None = None
    ) -> Resolution:
        """The routes behind ``target``; ``rules`` names some of them, empty means all. ``steering``
        says in which way a ``target`` without weights is steered, None: by what is behind it."""

    def shared(self, routes: Sequence[Route]) -> Sequence[str]:
        """A sentence for each target of ``routes`` whose telemetry counts requests that came by
        something else than these routes."""

"""The newest Reports of each policy, kept in memory for those who ask later or wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from trimtab.core.model import ObjectRef, Report


def policy_name(policy: ObjectRef) -> str:
    """``namespace/name``, or the name alone where there are no namespaces."""
    return f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name


class News(NamedTuple):
    """A Report that a Subscription received, and how many it lost just before."""

    report: Report
    dropped: int


class Subscription:
    """The Reports since its start, oldest first, for one reader; iterate over it with ``async for``.

    A reader who is ``size`` Reports behind loses the oldest: the loop that decides never waits
    for a reader. The iteration ends after ``close``, once what was received has been read.
    """

    def __init__(self, wanted: Callable[[Report], bool], size: int) -> None:
        self._wanted = wanted
        self._size = size
        self._waiting: deque[Report] = deque()
        self._dropped = 0
        self._closed = False
        self._wake = asyncio.Event()

    def offer(self, report: Report) -> None:
        if not self._wanted(report):
            return
        if len(self._waiting) == self._size:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(report)
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[News]:
        return self

    async def __anext__(self) -> News:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        news = News(self._waiting.popleft(), self._dropped)
        self._dropped = 0
        return news


class History:
    """A Listener that keeps the last Reports of each policy, and hands on what is new.

    ``per_policy`` bounds what one policy may keep, ``total`` what all keep together: with more
    policies each keeps fewer, but always its newest. All calls are made from the thread of the
    event loop, but ``newest``, which may be called from any.
    """

    def __init__(self, per_policy: int = 100, total: int = 20_000) -> None:
        self._per_policy = per_policy
        self._total = total
        self._rings: dict[ObjectRef, deque[Report]] = {}
        self._newest: dict[ObjectRef, Report] = {}
        self._subscriptions: set[Subscription] = set()

    def tell(self, report: Report) -> None:
        policy = report.decision.policy
        ring = self._rings.setdefault(policy, deque())
        ring.appendleft(report)
        limit = max(1, min(self._per_policy, self._total // len(self._rings)))
        while len(ring) > limit:
            ring.pop()
        self._newest[policy] = report
        for subscription in self._subscriptions:
            subscription.offer(report)

    def retain(self, policies: Collection[ObjectRef]) -> None:
        """Forget all policies but these: the others are no more."""
        for policy in self._rings.keys() - set(policies):
            del self._rings[policy]
            del self._newest[policy]

    def newest(self) -> tuple[Report, ...]:
        """The newest Report of each policy."""
        # One call into C, which no other thread interrupts: the dict may be written meanwhile.
        return tuple(self._newest.values())

    def policies(self) -> tuple[ObjectRef, ...]:
        return tuple(self._rings)

    def of(self, policy: ObjectRef) -> tuple[Report, ...]:
        """The Reports of one policy, newest first; empty when there is none."""
        return tuple(self._rings.get(policy, ()))

    @contextmanager
    def subscribe(
        self, wanted: Callable[[Report], bool] = lambda _: True, size: int = 256
    ) -> Iterator[Subscription]:
        """Whatever is told from now on and is ``wanted``, until the block ends."""
        subscription = Subscription(wanted, size)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

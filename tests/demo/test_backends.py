"""The demo's backends: worker limits, the queue before them, and the fault switch."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

import pytest
import requests

from trimtab.demo.backends import Backend, BackendPlan, BackendsPlan, serve
from trimtab.testbed.processes import free_port


class VirtualLoop:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def call_later(self, delay: float, do: Callable[..., None], *args: object) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._count), lambda: do(*args)))

    def run(self) -> None:
        while self._due:
            self.now, _, do = heapq.heappop(self._due)
            do()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualLoop:
    loop = VirtualLoop()
    monkeypatch.setattr("asyncio.get_running_loop", lambda: loop)
    return loop


def plan(workers: int = 2, queue: int = 5, service_ms: float = 10, port: int = 1) -> BackendPlan:
    return BackendPlan("b", port, workers, service_ms, queue, seed=1)


def test_what_neither_worker_nor_queue_can_hold_is_refused_at_once(clock: VirtualLoop) -> None:
    """Ten requests at once to 2 workers with a queue of 5: three are refused, seven served."""
    backend = Backend(plan())
    got: list[int] = []
    for _ in range(10):
        backend.submit(got.append)
    assert got == [503, 503, 503]
    clock.run()
    assert got == [503] * 3 + [200] * 7


def test_one_worker_serves_in_the_order_of_arrival(clock: VirtualLoop) -> None:
    """The queue is first in, first out."""
    backend = Backend(plan(workers=1, queue=9))
    got: list[int] = []
    for i in range(10):

        def reply(_: int, i: int = i) -> None:
            got.append(i)

        backend.submit(reply)
    clock.run()
    assert got == list(range(10))


@pytest.mark.parametrize(("workers", "slow"), [(1, 1), (4, 1), (4, 4)])
def test_a_full_backend_serves_its_capacity(clock: VirtualLoop, workers: int, slow: float) -> None:
    """Throughput under a standing queue is workers over service time, by the fault slower."""
    backend = Backend(plan(workers=workers, queue=4000))
    got: list[int] = []
    backend.slow = slow
    for _ in range(4000):
        backend.submit(got.append)
    clock.run()
    assert len(got) / clock.now == pytest.approx(backend.plan.capacity / slow, rel=0.05)


def test_the_share_of_errors_is_as_switched(clock: VirtualLoop) -> None:
    """A fault of 20 % errors fails 20 % of the requests, and none once it is over."""
    backend = Backend(plan(queue=4000))
    got: list[int] = []
    backend.errors = 0.2
    for _ in range(4000):
        backend.submit(got.append)
    clock.run()
    assert got.count(500) / len(got) == pytest.approx(0.2, abs=0.02)
    backend.errors = 0.0
    got.clear()
    backend.submit(got.append)
    clock.run()
    assert got == [200]


async def test_the_switch_reaches_both_arms_and_refuses_nonsense() -> None:
    """The switch sets all backends of a name, answers 404 for none and 400 for no number."""
    plans = tuple(plan(port=free_port()) for _ in range(2))
    control = free_port()
    servers = await serve(BackendsPlan(plans, control))

    def get(port: int, path: str = "/", session: requests.Session | None = None) -> int:
        url = f"http://127.0.0.1:{port}{path}"
        if session is not None:
            return session.get(url, timeout=5).status_code
        return requests.get(url, timeout=5, headers={"connection": "close"}).status_code

    def talk() -> list[int]:
        with requests.Session() as session:  # one connection carries several requests
            before = [get(plans[0].port, session=session) for _ in range(3)]
        assert get(control, "/fault?backend=b&errors=1") == 200
        during = [get(p.port) for p in plans]
        assert get(control, "/fault?backend=b") == 200
        after = [get(p.port) for p in plans]
        nonsense = [get(control, "/fault?backend=x"), get(control, "/fault?backend=b&slow=very")]
        return [*before, *during, *after, *nonsense]

    try:
        assert await asyncio.to_thread(talk) == [200] * 3 + [500] * 2 + [200] * 2 + [404, 400]
    finally:
        for server in servers:
            server.close()

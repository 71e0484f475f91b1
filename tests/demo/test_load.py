"""The demo's load generator: Poisson, open loop, latency from the intended start."""

from __future__ import annotations

import asyncio
import contextlib
import io
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from trimtab.demo.backends import BackendPlan, BackendsPlan
from trimtab.demo.load import BROKEN, TIMEOUT, Generator, LoadPlan, Request, ServicePlan, arrivals
from trimtab.testbed.processes import Process, answers, free_port


def service(rate: float = 200, seed: int = 1) -> ServicePlan:
    return ServicePlan("shop", "/shop/", rate, seed)


@contextlib.contextmanager
def backends(directory: Path, *plans: BackendPlan) -> Iterator[None]:
    """Backends in a process of their own, as in the demo."""
    plan = BackendsPlan(plans, free_port())
    file = str(plan.save(directory / "plan.json"))
    command = [sys.executable, "-m", "trimtab.demo.backends", file]
    with Process("backends", command, directory / "log") as process:
        process.await_ready(lambda: answers(f"http://127.0.0.1:{plan.control_port}/"), 15)
        yield


async def played(
    arms: dict[str, int], rate: float = 100, seconds: float = 1.0, timeout_s: float = 2.0
) -> list[Request]:
    """What a generator wrote down."""
    output = io.StringIO()
    start = time.monotonic() + 0.05
    await Generator(LoadPlan((service(rate),), arms, start, seconds, timeout_s, ""), output).run()
    return [Request.parse(line) for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("seed", range(5))
def test_arrivals_are_a_poisson_process(seed: int) -> None:
    """The count is within four standard deviations, and gaps vary as much as they last."""
    due = list(arrivals(service(rate=300, seed=seed), 100))
    assert abs(len(due) - 30_000) < 4 * 30_000**0.5
    gaps = [b - a for a, b in pairwise(due)]
    assert min(gaps) >= 0
    assert statistics.pstdev(gaps) / statistics.mean(gaps) == pytest.approx(1, abs=0.05)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    """A run can be repeated."""
    assert list(arrivals(service(), 5)) == list(arrivals(service(), 5))
    assert list(arrivals(service(), 5)) != list(arrivals(service(seed=2), 5))


async def test_both_arms_get_every_arrival(tmp_path: Path) -> None:
    """Each arm is asked at each instant that is due, and every request has one outcome."""
    plans = tuple(BackendPlan("b", free_port(), 50, 5, 100, seed=1) for _ in range(2))
    with backends(tmp_path, *plans):
        got = await played({"x": plans[0].port, "y": plans[1].port})
    wanted = [round(due, 4) for due in arrivals(service(100), 1.0)]
    for arm in ("x", "y"):
        assert sorted(r.due_s for r in got if r.arm == arm) == wanted
    assert {r.outcome for r in got} == {"200"}


async def test_a_silent_server_costs_the_timeout() -> None:
    """What is never answered counts as a timeout, with at least that latency; users do not wait
    for each other: all arrivals are sent although nothing is answered."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, w: held.append(w), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    got = await played({"x": port}, seconds=0.5, timeout_s=0.2)
    for writer in held:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    server.close()
    assert len(got) == len(list(arrivals(service(100), 0.5)))
    assert {r.outcome for r in got} == {TIMEOUT}
    assert min(r.latency_ms for r in got) >= 200


async def test_no_server_is_told_as_broken() -> None:
    """A connection that is refused, or closed before the answer, is an outcome, not a crash."""
    assert {r.outcome for r in await played({"x": free_port()}, seconds=0.1)} == {BROKEN}
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert {r.outcome for r in await played({"x": port}, seconds=0.1)} == {BROKEN}
    server.close()


async def test_latency_counts_from_the_intended_start(tmp_path: Path) -> None:
    """A generator that was held up tells so, and what it sent late has that in its latency."""
    backend = BackendPlan("b", free_port(), 100, 1, 1000, seed=1)
    with backends(tmp_path, backend):
        running = asyncio.create_task(played({"x": backend.port}, rate=500, seconds=0.8))
        await asyncio.sleep(0.2)
        time.sleep(0.4)  # noqa: ASYNC251 - holds up the whole loop, on purpose
        got = await running
    assert all(r.latency_ms >= r.late_ms for r in got)
    held_up = [r for r in got if r.late_ms > 100]
    # Those due in the first three quarters of the pause: 500 a second over 0.3 s, four sigma.
    assert len(held_up) > 150 - 4 * 150**0.5
    assert max(r.latency_ms for r in held_up) > 350

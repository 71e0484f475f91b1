"""The users of the demo: an open loop of Poisson arrivals, each sent to both arms at once.

A process of its own: ``python -m trimtab.demo.load PLAN.json``. An arrival does not wait for
earlier answers, as users do not; its latency counts from the instant at which it was due, so
that neither a slow server nor a late generator hides what it costs. How late the generator
was is recorded with each request.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

TIMEOUT = "timeout"
BROKEN = "broken"
FLUSH_S = 0.5


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service that users ask for ``path`` of, ``rate`` times a second on average."""

    name: str
    path: str
    rate: float
    seed: int


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Who is asked for what. ``arms`` are ports on loopback by name, ``start`` is a monotonic
    instant, and ``output`` the file that gets a line for each request."""

    services: tuple[ServicePlan, ...]
    arms: dict[str, int]
    start: float
    seconds: float
    timeout_s: float
    output: str

    def save(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self), indent=1))
        return path

    @classmethod
    def load(cls, path: Path) -> LoadPlan:
        document = json.loads(path.read_text())
        services = tuple(ServicePlan(**service) for service in document.pop("services"))
        return cls(services=services, **document)


class Request(NamedTuple):
    """What one request came to. ``due_s`` counts from the start of the load, ``outcome`` is a
    status, "timeout" or "broken", ``late_ms`` how late the generator sent it."""

    due_s: float
    service: str
    arm: str
    outcome: str
    latency_ms: float
    late_ms: float

    @property
    def failed(self) -> bool:
        return not self.outcome.startswith("2")

    def line(self) -> str:
        return (
            f"{self.due_s:.4f},{self.service},{self.arm},{self.outcome},"
            f"{self.latency_ms:.2f},{self.late_ms:.2f}\n"
        )

    @classmethod
    def parse(cls, line: str) -> Request:
        due, service, arm, outcome, latency, late = line.rstrip("\n").split(",")
        return cls(float(due), service, arm, outcome, float(latency), float(late))


def arrivals(service: ServicePlan, seconds: float) -> Iterator[float]:
    """The instants at which requests are due, in seconds from the start: a Poisson process."""
    chance = random.Random(service.seed)  # noqa: S311 - repeatable, not secret
    due = chance.expovariate(service.rate)
    while due < seconds:
        yield due
        due += chance.expovariate(service.rate)


class Connection(asyncio.Protocol):
    """A keep-alive connection that carries one request at a time."""

    def __init__(self, idle: list[Connection]) -> None:
        self._idle = idle
        self._done: Callable[[str], None] | None = None
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def send(self, request: bytes, done: Callable[[str], None]) -> None:
        """Ask; ``done`` is called once with the outcome, unless ``close`` comes first."""
        assert self._transport is not None
        self._done = done
        self._transport.write(request)

    def close(self) -> None:
        self._done = None
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._buffer = b""
        done, self._done = self._done, None
        if b"connection: close" in head.lower():
            self.close()
        else:
            self._idle.append(self)
        if done is not None:
            done(head[9:12].decode("latin-1"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.closed = True
        done, self._done = self._done, None
        if done is not None:
            done(BROKEN)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class Arm:
    """One Envoy and the connections to it; as many as there are requests under way."""

    def __init__(self, name: str, port: int, timeout_s: float) -> None:
        self.name = name
        self._port = port
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []

    async def ask(self, request: bytes) -> str:
        """The outcome of one request. Never raises for what the network does."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connection()
                answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                connection.send(request, lambda o: None if answer.done() else answer.set_result(o))
                return await answer
        except TimeoutError:
            if connection is not None:
                connection.close()
            return TIMEOUT
        except OSError:
            return BROKEN

    def close(self) -> None:
        """Close what is idle; what is under way belongs to its request."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            lambda: Connection(self._idle), "127.0.0.1", self._port
        )
        return made


class Generator:
    """Sends every arrival of every service to every arm, and writes down what came of it."""

    def __init__(self, plan: LoadPlan, output: TextIO) -> None:
        self._plan = plan
        self._output = output
        self._arms = [Arm(name, port, plan.timeout_s) for name, port in plan.arms.items()]
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the plan is through and each request has its outcome."""
        async with asyncio.TaskGroup() as group:
            flushing = group.create_task(self._flush())
            services = [group.create_task(self._drive(s)) for s in self._plan.services]
            await asyncio.wait(services)
            if self._tasks:
                await asyncio.wait(self._tasks)
            flushing.cancel()
        for arm in self._arms:
            arm.close()
        self._output.flush()

    async def _drive(self, service: ServicePlan) -> None:
        request = f"GET {service.path} HTTP/1.1\r\nhost: {service.name}\r\n\r\n".encode()
        for due in arrivals(service, self._plan.seconds):
            wait = self._plan.start + due - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            for arm in self._arms:
                task = asyncio.create_task(self._one(arm, service.name, request, due))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _one(self, arm: Arm, service: str, request: bytes, due: float) -> None:
        loop = asyncio.get_running_loop()
        late_s = loop.time() - self._plan.start - due
        outcome = await arm.ask(request)
        latency_s = loop.time() - self._plan.start - due
        told = Request(due, service, arm.name, outcome, latency_s * 1000, late_s * 1000)
        self._output.write(told.line())

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._output.flush()


async def play(plan: LoadPlan, output: TextIO) -> None:
    """Play the plan; a SIGTERM ends it early with what was written down."""
    run = asyncio.create_task(Generator(plan, output).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.cancel)
    await asyncio.wait([run])
    if not run.cancelled():
        run.result()


def main(plan: LoadPlan) -> None:
    with Path(plan.output).open("w") as output:
        asyncio.run(play(plan, output))


if __name__ == "__main__":
    main(LoadPlan.load(Path(sys.argv[1])))

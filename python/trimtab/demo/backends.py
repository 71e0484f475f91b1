"""The services of the demo: backends with worker limits, and a fault switch.

A process of its own: ``python -m trimtab.demo.backends PLAN.json``. Each backend has some
workers, a first-in-first-out queue before them, and refuses with 503 what the queue cannot
hold. Work is waited for, not computed: hundreds of requests a second cost a few percent of a
processor. Speaks as much HTTP/1.1 as Envoy and the load generator need: GET, keep-alive.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SPREAD = 0.4  # sigma of the log-normal service time: the slowest percent takes 2.3 times the mean
_WORDS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Error", 503: "Full"}


@dataclass(frozen=True, slots=True)
class BackendPlan:
    """One backend: ``workers`` requests at a time, each some ``service_ms``, ``queue`` waiting."""

    name: str
    port: int
    workers: int
    service_ms: float
    queue: int
    seed: int

    @property
    def capacity(self) -> float:
        """Requests per second at which all workers are busy."""
        return self.workers * 1000 / self.service_ms


@dataclass(frozen=True, slots=True)
class BackendsPlan:
    """All backends, and the port at which their faults are switched."""

    backends: tuple[BackendPlan, ...]
    control_port: int

    def save(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self), indent=1))
        return path

    @classmethod
    def load(cls, path: Path) -> BackendsPlan:
        document = json.loads(path.read_text())
        plans = tuple(BackendPlan(**plan) for plan in document["backends"])
        return cls(plans, document["control_port"])


class Backend:
    """Workers behind a queue. ``slow`` stretches the service time, ``errors`` is a share of 500s."""

    def __init__(self, plan: BackendPlan) -> None:
        self.plan = plan
        self.slow = 1.0
        self.errors = 0.0
        self._busy = 0
        self._waiting: deque[Callable[[int], None]] = deque()
        self._chance = random.Random(plan.seed)  # noqa: S311 - repeatable, not secret

    def submit(self, reply: Callable[[int], None]) -> None:
        """Serve one request; ``reply`` is called once, with its status."""
        if self._busy < self.plan.workers:
            self._begin(reply)
        elif len(self._waiting) < self.plan.queue:
            self._waiting.append(reply)
        else:
            reply(503)

    def _begin(self, reply: Callable[[int], None]) -> None:
        self._busy += 1
        mean_s = self.plan.service_ms * self.slow / 1000
        # The mean of a log-normal is exp(mu + sigma²/2).
        seconds = self._chance.lognormvariate(math.log(mean_s) - SPREAD**2 / 2, SPREAD)
        asyncio.get_running_loop().call_later(seconds, self._end, reply)

    def _end(self, reply: Callable[[int], None]) -> None:
        self._busy -= 1
        if self._waiting:
            self._begin(self._waiting.popleft())
        reply(500 if self._chance.random() < self.errors else 200)


class Connection(asyncio.Protocol):
    """One connection of a client: hands each request line to ``serve``, one at a time."""

    def __init__(self, serve: Callable[[str, Callable[[int], None]], None]) -> None:
        self._serve = serve
        self._buffer = b""
        self._serving = False
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    def _next(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if end and not self._serving:
            self._buffer = rest
            self._serving = True
            self._serve(head.split(b"\r\n", 1)[0].decode("latin-1"), self._reply)

    def _reply(self, status: int) -> None:
        self._serving = False
        if self._transport is None:  # the client did not wait for it
            return
        word = _WORDS[status]
        self._transport.write(
            f"HTTP/1.1 {status} {word}\r\ncontent-length: {len(word)}\r\n\r\n{word}".encode()
        )
        self._next()


class Switch:
    """The fault switch: ``/fault?backend=NAME&slow=FACTOR&errors=RATIO``.

    ``NAME`` is the name of one or several backends (the same one of both arms); what is not
    given goes back to normal.
    """

    def __init__(self, backends: tuple[Backend, ...]) -> None:
        self._backends = backends

    def serve(self, line: str, reply: Callable[[int], None]) -> None:
        url = urlsplit(line.split(" ")[1])
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        reply(self._set(query) if url.path == "/fault" else 200)

    def _set(self, query: Mapping[str, str]) -> int:
        chosen = [b for b in self._backends if b.plan.name == query.get("backend")]
        try:
            slow, errors = float(query.get("slow", 1)), float(query.get("errors", 0))
        except ValueError:
            return 400
        for backend in chosen:
            backend.slow, backend.errors = slow, errors
        return 200 if chosen else 404


async def serve(plan: BackendsPlan) -> list[asyncio.Server]:
    """Listen for all backends and for the switch, on loopback."""
    loop = asyncio.get_running_loop()
    backends = tuple(Backend(p) for p in plan.backends)
    servers = []
    for backend in backends:

        def connection(backend: Backend = backend) -> Connection:
            return Connection(lambda _, reply: backend.submit(reply))

        servers.append(await loop.create_server(connection, "127.0.0.1", backend.plan.port))
    switch = Switch(backends)
    servers.append(
        await loop.create_server(lambda: Connection(switch.serve), "127.0.0.1", plan.control_port)
    )
    return servers


async def main(plan: BackendsPlan) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(plan)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(BackendsPlan.load(Path(sys.argv[1]))))

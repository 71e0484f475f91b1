"""How long from a decided weight to Envoy's acknowledgement, and what requests feel of it.

    python bench/xds_ack.py [--changes 500] [--services 1] [--load 4] [--json]

Each change is a new document of a VirtualRouter with other weights; the clock runs from the
document in hand until the real Envoy has acknowledged the route configuration: reading,
translation, xDS and Envoy are in it. ``--services`` is the size of the mesh; ``--load`` the
number of connections that ask without a pause meanwhile, 0 for none: they and the two
applications are in a process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from xds_harness.documents import (
    Document,
    gateway,
    gateway_route,
    mesh,
    node,
    router,
    rule,
    service,
    weigh,
)
from xds_harness.world import Load, Plane, applications, control_plane, envoy_of

from trimtab.edges.xds.snapshot import ROUTE
from trimtab.testbed.processes import free_port


def documents(services: int, port: int, ports: dict[str, int]) -> list[Document]:
    """A gateway to ``services`` VirtualServices, each split over the two applications."""
    made: list[Document] = [mesh(), gateway(port)]
    for i in range(services):
        name = f"s{i}"
        nodes = {f"{name}-{app}": port for app, port in ports.items()}
        made += [node(n, p) for n, p in nodes.items()]
        made += [
            gateway_route(name, {"prefix": f"/{name}/"}, name),
            service(name, router=name),
            router(name, rule("all", dict.fromkeys(nodes, 50))),
        ]
    return made


async def change(plane: Plane, changes: int) -> list[float]:
    """The times from document to acknowledgement, in milliseconds."""
    times: list[float] = []
    body = plane.store.get("VirtualRouter", "s0")
    for i in range(changes):
        first = 1 + i % 99
        body = weigh(body, [first, 100 - first])
        begin = time.perf_counter()
        missing = await plane.apply(body, deadline_s=10.0)
        times.append((time.perf_counter() - begin) * 1000)
        if missing:
            raise SystemExit(f"not acknowledged: {missing}")
    return times


def other_process(pipe: Connection, port: int, load: int) -> None:
    """The applications, and on demand the load: what is measured does not wait for them."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with applications("a", "b") as apps:
            pipe.send({app.name: app.port for app in apps})
            await loop.run_in_executor(None, pipe.recv)
            async with Load(port, ["/s0/"], load) as traffic:
                if load:
                    await traffic.more(1)
                pipe.send("it runs")
                await loop.run_in_executor(None, pipe.recv)
            pipe.send((traffic.good, traffic.failures))

    asyncio.run(run())


async def measure(changes: int, services: int, load: int) -> dict[str, Any]:
    port = free_port()
    spawn = multiprocessing.get_context("spawn")
    pipe, theirs = spawn.Pipe()
    process = spawn.Process(target=other_process, args=(theirs, port, load), daemon=True)
    process.start()
    made = documents(services, port, pipe.recv())
    with tempfile.TemporaryDirectory() as directory:
        async with control_plane(*made) as plane, envoy_of(plane, Path(directory)):
            await change(plane, 10)
            before = plane.server.status()[0]
            pipe.send("go")
            await asyncio.to_thread(pipe.recv)
            times = await change(plane, changes)
            after = plane.server.status()[0]
            pipe.send("stop")
            good, failures = await asyncio.to_thread(pipe.recv)
            resources = plane.translator.resources(plane.reading, after.node) or {}
    process.join()
    cuts = statistics.quantiles(times, n=100)
    return {
        "changes": changes,
        "services": services,
        "connections": load,
        "p50_ms": round(cuts[49], 3),
        "p99_ms": round(cuts[98], 3),
        "max_ms": round(max(times), 3),
        "responses": after.pushed - before.pushed,
        "refused": after.refused,
        "route_bytes": sum(len(body) for body in resources[ROUTE].values()),
        "requests": good + len(failures),
        "failures": len(failures),
        "failed": failures[:5],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--services", type=int, default=1)
    parser.add_argument("--load", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.changes, arguments.services, arguments.load))
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:12} {value}")
    if found["failures"] or found["refused"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""How long from a Decision until the weights are written, read back and acknowledged by Envoy.

    python bench/decided_ack.py [--changes 500] [--cluster] [--json]

The whole path of the product: JSON Patch, store (a file with fsync, or with ``--cluster`` a real
kube-apiserver), translation, xDS, one real Envoy. Change after change, in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import yaml
from app.running import MESH, NODE
from app.test_cli import GATEWAY

from trimtab import app
from trimtab.clock import SystemClock
from trimtab.core.model import Action, Decision, ObjectRef, Shift
from trimtab.edges.xds.bootstrap import bootstrap
from trimtab.edges.xds.server import XdsServer
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.envoy import Translator
from trimtab.settings import load_settings
from trimtab.testbed.processes import Cluster, Envoy, free_port
from trimtab.verify import Acknowledged, ReadBack

ROUTER = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "pay")
POLICY = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "pay")
NODE_ID = "mesh/m/virtualGateway/door_shop"


def documents() -> str:
    nodes = "".join(NODE.format(name=name) for name in ("pay-v1", "pay-v2"))
    return MESH + nodes + GATEWAY.replace("8088", str(free_port()))


async def measure(
    flags: dict[str, object], changes: int, directory: Path
) -> list[tuple[float, float]]:
    """For each change the milliseconds until Envoy's ACK, and until all of it was verified."""
    settings, clock, provider = load_settings(None, flags), SystemClock(), AppMesh()
    served, translator = app.Served(provider), Translator()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(app.open_stores(settings, clock))
        server = XdsServer(lambda node: translator.resources(served.reading, node), clock=clock)
        served.on_change(server.publish)
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.stop)
        served.refresh(await stores.routes.read())
        envoy = await asyncio.to_thread(
            Envoy.start, bootstrap(NODE_ID, f"127.0.0.1:{port}"), directory / "envoy"
        )
        stack.callback(envoy.stop)
        await asyncio.to_thread(envoy.await_live)
        back = ReadBack(stores.routes, provider)
        acknowledged = Acknowledged(stores.routes, served.refresh, server.acknowledged, 2.0)
        times = []
        for i in range(changes):
            reading = provider.load(await stores.routes.read())
            (route,) = reading.resolve(ROUTER, ()).routes
            granted = (99 - i % 50, 1 + i % 50)
            decision = Decision(
                policy=POLICY,
                at=clock.now(),
                mode="canary",
                action=Action.RAMP,
                phase="",
                shifts=(Shift(route, (), granted),),
                judgements=(),
                reasons=(),
                inputs={},
            )
            start = time.perf_counter()
            (change,) = provider.changes(reading, decision)
            await stores.routes.apply(change)

            until, problem = await asyncio.gather(
                seen(acknowledged, decision), back.verify(decision)
            )
            assert problem is None, problem
            times.append(((until - start) * 1e3, (time.perf_counter() - start) * 1e3))
        return times


async def seen(acknowledged: Acknowledged, decision: Decision) -> float:
    """When the Envoy had it."""
    problem = await acknowledged.verify(decision)
    assert problem is None, problem
    return time.perf_counter()


def figures(times: list[tuple[float, float]]) -> dict[str, float]:
    found: dict[str, float] = {"changes": len(times)}
    for name, column in (("ack", 0), ("verified", 1)):
        ms = [row[column] for row in times]
        cuts = statistics.quantiles(ms, n=100)
        found |= {f"{name}_p50_ms": cuts[49], f"{name}_p99_ms": cuts[98], f"{name}_max_ms": max(ms)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _world(arguments.cluster, Path(name)) as world:
        found = figures(asyncio.run(measure(world, arguments.changes, Path(name))))
    if arguments.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{key:<16}{value:.3f}" for key, value in found.items()))


class _world:  # noqa: N801 - a context, used like a function
    """The flags of a mesh in files, or in a real cluster."""

    def __init__(self, cluster: bool, directory: Path) -> None:
        self._directory = directory
        self._cluster = Cluster.start(directory / "cluster") if cluster else None

    def __enter__(self) -> dict[str, object]:
        if self._cluster is None:
            mesh = self._directory / "mesh"
            mesh.mkdir()
            (mesh / "mesh.yaml").write_text(documents())
            return {"manifests": (mesh,)}
        from trimtab.testbed.processes import CRDS

        self._cluster.apply_all(CRDS)
        self._cluster.apply_all(Path(__file__).parent.parent / "deploy" / "crds")
        self._cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for document in yaml.safe_load_all(documents()):
            self._cluster.apply(document)
        return {"kubeconfig": self._cluster.kubeconfig()}

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            self._cluster.stop()


if __name__ == "__main__":
    main()

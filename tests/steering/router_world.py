"""A VirtualRouter on a real API server, steered tick by tick, and served by a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edges.prometheus.exporter import Exporter
from xds_harness import documents as docs
from xds_harness.tcp import redirected
from xds_harness.traffic import Ask, asking, backends
from xds_harness.world import LoopClock, Resources

from trimtab import app
from trimtab.clock import SystemClock
from trimtab.controller import Controller, Parts
from trimtab.core.model import Objects, Report
from trimtab.edges.xds.bootstrap import bootstrap
from trimtab.edges.xds.server import XdsServer
from trimtab.policies import read_policy
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.envoy import Ports, Translator
from trimtab.settings import load_settings
from trimtab.testbed.processes import Cluster, Envoy, free_port
from trimtab.verify import Acknowledged, ReadBack

ROUTER_PORT = 8080


@dataclass
class RouterWorld:
    """What a test sees of the router, and the ticks of the controller."""

    cluster: Cluster
    namespace: str
    exporter: Exporter
    controller: Controller
    ask: Ask
    ports: Mapping[str, int]  # of the applications
    now: float

    def weights(self) -> dict[str, list[int]]:
        """Of every rule, as the API server has them."""
        path = f"/apis/{docs.GROUP}/v1beta2/namespaces/{self.namespace}/virtualrouters/pay"
        found = {}
        for rule in self.cluster.request("GET", path)["spec"]["routes"]:
            form = next(key for key in rule if key.endswith("Route"))
            found[rule["name"]] = [w["weight"] for w in rule[form]["action"]["weightedTargets"]]
        return found

    async def tick(self, counted: Mapping[str, Mapping[int, int]]) -> Report:
        """Once: these requests were counted meanwhile. An applied report is one that every Envoy
        has acknowledged."""
        for target, classes in counted.items():
            self.exporter.count(target, classes, latencies_ms=[20] * sum(classes.values()))
        self.now += 1.0
        (report,) = await self.controller.run_once(self.now)
        return report


class Served:
    """The control plane of the Envoy: the objects as the controller last published them."""

    def __init__(self, provider: AppMesh, ports: Ports) -> None:
        self._provider = provider
        self._translator = Translator(ports)
        self._reading = provider.load({})
        self.server = XdsServer(self._resources, clock=LoopClock())

    def publish(self, objects: Objects) -> None:
        self._reading = self._provider.load(objects)
        self.server.publish()

    def _resources(self, node: str) -> Resources | None:
        found = self._translator.resources(self._reading, node)
        return None if found is None else redirected(found)


def mesh_documents(
    wire: str, rules: Sequence[docs.Document], more: Sequence[docs.Document], door: int
) -> list[docs.Document]:
    """A way in that leads to the VirtualService pay: a gateway, or for tcp the proxy of a caller."""
    found = [docs.mesh(), docs.service("pay", router="pay"), *more]
    found.append(docs.router("pay", *rules, ports={ROUTER_PORT: wire}))
    if wire == "tcp":
        return [*found, docs.node("caller", 80, backends=["pay"])]
    gateway = docs.gateway(door, protocol=wire)
    return [*found, gateway, docs.gateway_route("door", {"prefix": "/"}, "pay")]


@asynccontextmanager
async def router_world(
    cluster: Cluster,
    spaces: tuple[str, str],
    directory: Path,
    wire: str,
    rules: Sequence[docs.Document],
    nodes: Mapping[str, str],
    policy: Mapping[str, Any],
    more: Sequence[docs.Document] = (),
) -> AsyncIterator[RouterWorld]:
    """``nodes`` maps each application to the namespace of its node."""
    namespace, door = spaces[0], free_port()
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(backends(wire, nodes))
        documents = mesh_documents(wire, rules, more, door)
        for document in documents:
            if document["kind"] != "Mesh":
                document["metadata"]["namespace"] = namespace
        for name, space in nodes.items():
            node = docs.node(name, ports[name], wire)
            node["metadata"]["namespace"] = space
            documents.append(node)
        for document in (*documents, policy):
            await asyncio.to_thread(cluster.apply, document)
        exporter = stack.enter_context(Exporter())
        flags = {
            "kubeconfig": cluster.kubeconfig(),
            "namespaces": spaces,
            "scrape": (exporter.url,),
        }
        settings, clock, provider = load_settings(None, flags), SystemClock(), AppMesh()
        stores = await stack.enter_async_context(app.open_stores(settings, clock))
        served = Served(provider, Ports(free_port(), door))
        address = await served.server.start("127.0.0.1:0")
        stack.push_async_callback(served.server.stop, 0.2)
        served.publish(await stores.routes.read())
        kind = "virtualNode/caller" if wire == "tcp" else "virtualGateway/gw"
        start = bootstrap(f"mesh/m/{kind}_{namespace}", f"127.0.0.1:{address}")
        envoy = await asyncio.to_thread(Envoy.start, start, directory / "envoy")
        stack.push_async_callback(asyncio.to_thread, envoy.stop)
        await asyncio.to_thread(envoy.await_live)
        source = app.metric_source(settings, provider.families)
        stack.push_async_callback(source.close)
        parts = Parts(
            metrics=source,
            routes=stores.routes,
            policies=stores.policies,
            provider=provider,
            verifiers=(
                ReadBack(stores.routes, provider),
                Acknowledged(stores.routes, served.publish, served.server.acknowledged, 10.0),
            ),
            listeners=(),
            read_policy=read_policy,
            cycled=lambda _telemetry, _took_s: None,
            clock=clock,
        )
        ask = await stack.enter_async_context(asking(wire, door, ROUTER_PORT))
        controller = Controller(parts, tick_s=1)
        yield RouterWorld(cluster, namespace, exporter, controller, ask, ports, clock.now())

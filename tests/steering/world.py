"""A GatewayRoute on a real API server, steered by a real ``trimtab run``, served by a real Envoy."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import requests
import yaml
from app.running import Running
from edges.prometheus.exporter import Exporter
from xds_harness import documents as docs
from xds_harness.world import Application, Client, applications

from trimtab.edges.xds.bootstrap import bootstrap
from trimtab.testbed.process import free_port, poll
from trimtab.testbed.processes import Cluster, Envoy

GROUP = "appmesh.k8s.aws/v1beta2"

POLICY = """\
apiVersion: trimtab.dev/v1alpha1
kind: WeightPolicy
metadata: {{name: pay, namespace: {namespace}}}
spec:
  targetRef: {{group: appmesh.k8s.aws, kind: GatewayRoute, name: door}}
  mode: canary
  steering: {steering}
  targets:
    - {{name: pay-v1, role: stable}}
    - {{name: pay-v2, role: canary}}
  canary: {{steps: [25, 100], stepSeconds: {step_seconds}, minRequests: 20, revision: {revision}}}
  abort: {{maxErrorRatio: 0.05, minRequests: 20, windowSeconds: 5}}
  rails: {{staleSeconds: 5}}
"""


class World:
    """What a test does to the mesh, and what it sees of it."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        exporter: Exporter,
        apps: Sequence[Application],
        port: int,
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._exporter = exporter
        self._apps = apps
        self.port = port
        self.running: Running

    def path(self, plural: str, name: str = "", group: str = GROUP) -> str:
        return f"/apis/{group}/namespaces/{self.namespace}/{plural}{name and '/'}{name}"

    def get(self, plural: str, name: str) -> dict[str, Any]:
        return dict(self.cluster.request("GET", self.path(plural, name)))

    def names(self, plural: str) -> set[str]:
        items = self.cluster.request("GET", self.path(plural))["items"]
        return {item["metadata"]["name"] for item in items}

    def leads_to(self, name: str = "door") -> str:
        action = self.get("gatewayroutes", name)["spec"]["httpRoute"]["action"]
        return str(action["target"]["virtualService"]["virtualServiceRef"]["name"])

    def ask_for(self, steering: str, revision: str = "r1", step_seconds: float = 0.5) -> None:
        text = POLICY.format(
            namespace=self.namespace,
            steering=steering,
            revision=revision,
            step_seconds=step_seconds,
        )
        self.cluster.apply(yaml.safe_load(text))

    def drop_policy(self) -> None:
        path = self.path("weightpolicies", "pay", "trimtab.dev/v1alpha1")
        self.cluster.request("DELETE", path)

    def phase(self) -> str:
        path = self.path("weightpolicies", "pay", "trimtab.dev/v1alpha1")
        return str((self.cluster.request("GET", path).get("status") or {}).get("phase"))

    def count(self, version: int, *, errors: int = 0) -> None:
        """Twenty more requests of one version in the metrics."""
        name = f"cds_egress_m_pay-v{version}_{self.namespace}_http_{self._apps[version - 1].port}"
        good = 20 - errors
        classes = {2: good, **({5: errors} if errors else {})}
        self._exporter.count(name, classes, latencies_ms=[20] * 20)

    async def until(
        self, true: Callable[[], bool], what: str, *, errors: int = 0, deadline_s: float = 40.0
    ) -> None:
        """Traffic in the metrics, until something is true."""

        def counted() -> bool:
            self.count(1)
            self.count(2, errors=errors)
            return true()

        arrived = await asyncio.to_thread(poll, counted, deadline_s)
        assert arrived, f"not {what}; log:\n{self.running.log()[-3000:]}"

    async def serves(self, shares: Mapping[str, int], requests: int, **how: Any) -> bool:
        """Whether that many requests are answered by just those applications, within the band that
        99.9 % of honest splits lie in."""
        found: Counter[str] = Counter()
        async with Client(self.port) as client:
            for _ in range(requests):
                answer = await client.ask(**{"path": "/pay", **how})
                found[answer.seen["backend"] if answer.status == 200 else str(answer.status)] += 1
        total = sum(shares.values())
        for name, weight in shares.items():
            share = weight / total
            band = 3.29 * (requests * share * (1 - share)) ** 0.5
            if abs(found[name] - share * requests) > band:
                return False
        return sum(found[name] for name, weight in shares.items() if weight) == requests

    async def await_served(self, shares: Mapping[str, int], requests: int, **how: Any) -> None:
        """Once a few requests go the right way, all of the next ``requests`` have to."""
        async with asyncio.timeout(20):
            while not await self.serves(shares, 40, **how):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        assert await self.serves(shares, requests, **how)


def backing(app: Application) -> list[docs.Document]:
    name = app.name
    node = docs.node(name, app.port)
    return [docs.service(name, router=name), docs.router(name, docs.rule("all", {name: 1})), node]


@asynccontextmanager
async def world(
    cluster: Cluster, namespace: str, directory: Path, *arguments: str, xds: bool = True
) -> AsyncIterator[World]:
    """The services pay-v1 and pay-v2, each with an application of its own, and a GatewayRoute to
    the first; Trimtab runs, and an Envoy asks it what to do."""
    port, door = free_port(), free_port()
    async with applications("pay-v1", "pay-v2") as apps:
        documents = [docs.mesh(), docs.gateway(door)]
        documents += [docs.gateway_route("door", {"prefix": "/pay"}, "pay-v1")]
        documents += [d for app in apps for d in backing(app)]
        for document in documents:
            if document["kind"] != "Mesh":
                document["metadata"]["namespace"] = namespace
            await asyncio.to_thread(cluster.apply, document)
        node, served = f"mesh/m/virtualGateway/gw_{namespace}", f"127.0.0.1:{port}"
        with Exporter() as exporter, contextlib.ExitStack() as stack:
            found = World(cluster, namespace, exporter, apps, door)
            arguments = (
                *("--kubeconfig", str(cluster.kubeconfig()), "--namespace", namespace),
                *("--scrape", exporter.url, "--tick-seconds", "0.2", *arguments),
                *(("--xds", served) if xds else ()),
            )
            found.running = stack.enter_context(Running(directory, arguments))
            if xds:
                start = Envoy.start, bootstrap(node, served), directory / "envoy"
                envoy = stack.enter_context(await asyncio.to_thread(*start))
                await asyncio.to_thread(envoy.await_live, 60.0)
            yield found


def gone(call: Callable[[], object]) -> bool:
    """Whether the API server says that there is no such thing."""
    try:
        call()
    except requests.HTTPError as error:
        return error.response is not None and error.response.status_code == 404
    return False

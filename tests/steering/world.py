"""A GatewayRoute on a real API server, steered by a real ``trimtab run``, served by a real Envoy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from app.running import Running
from edges.prometheus.exporter import Exporter
from xds_harness import documents as docs
from xds_harness.traffic import WIRES, Ask, answers, asking, backends, divided

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
        form: str,
        ports: Mapping[str, int],
        door: int,
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.form = form
        self.port = door
        self._exporter = exporter
        self._ports = ports  # of the applications
        self.running: Running

    def path(self, plural: str, name: str = "", group: str = GROUP) -> str:
        return f"/apis/{group}/namespaces/{self.namespace}/{plural}{name and '/'}{name}"

    def get(self, plural: str, name: str) -> dict[str, Any]:
        return dict(self.cluster.request("GET", self.path(plural, name)))

    def names(self, plural: str) -> set[str]:
        items = self.cluster.request("GET", self.path(plural))["items"]
        return {item["metadata"]["name"] for item in items}

    def uid(self, plural: str, name: str) -> str | None:
        """Of the object that bears a name now, if there is one."""
        items = self.cluster.request("GET", self.path(plural))["items"]
        found = {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}
        return found.get(name)

    def leads_to(self, name: str = "door") -> str:
        action = self.get("gatewayroutes", name)["spec"][self.form]["action"]
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

    def verified(self, *granted: int) -> bool:
        """Whether such weights were written, read back, and acknowledged by every Envoy."""
        return any(
            report["outcome"] == "applied" and shift["granted"] == list(granted)
            for report in self.running.reports()
            for shift in report["decision"]["shifts"]
        )

    def phase(self) -> str:
        path = self.path("weightpolicies", "pay", "trimtab.dev/v1alpha1")
        return str((self.cluster.request("GET", path).get("status") or {}).get("phase"))

    def weights(self, router: str = "pay") -> list[int]:
        (rule,) = self.get("virtualrouters", router)["spec"]["routes"]
        return [t["weight"] for t in rule[self.form]["action"]["weightedTargets"]]

    def count(self, version: int, *, errors: int = 0) -> None:
        """Twenty more requests of one version in the metrics."""
        name, wire = f"pay-v{version}", WIRES[self.form]
        target = f"cds_egress_m_{name}_{self.namespace}_{wire}_{self._ports[name]}"
        classes = {2: 20 - errors, **({5: errors} if errors else {})}
        self._exporter.count(target, classes, latencies_ms=[20] * 20)

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
        async with self._asking() as ask:
            return divided(await answers(ask, requests, **{"path": PATH, **how}), shares)

    async def await_served(self, shares: Mapping[str, int], requests: int, **how: Any) -> None:
        """Once a few requests go the right way, all of the next ``requests`` have to. An honest
        split lies outside of the band once in a thousand times, so it is given a second chance."""
        async with asyncio.timeout(20):
            while not await self.serves(shares, 40, **how):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        again = await self.serves(shares, requests, **how)
        assert again or await self.serves(shares, requests, **how)

    def _asking(self) -> contextlib.AbstractAsyncContextManager[Ask]:
        return asking(WIRES[self.form], self.port)


PATH = "/pay.Pay/Ask"  # for a grpcRoute the method Ask of the service pay.Pay
MATCHES = {"grpcRoute": {"serviceName": "pay.Pay"}}


def mesh_documents(form: str, ports: Mapping[str, int], door: int) -> list[docs.Document]:
    """A GatewayRoute to the service of the first application; each has a service and a router, and
    the service pay leads to either."""
    wire = WIRES[form]
    found = [docs.mesh(), docs.gateway(door, protocol=wire)]
    match = MATCHES.get(form, {"prefix": "/pay"})
    found += [docs.gateway_route("door", match, next(iter(ports)), form=form)]
    everything = MATCHES.get(form)
    for name, port in ports.items():
        rule = docs.rule("all", {name: 1}, everything, form=form)
        found += [docs.service(name, router=name), docs.node(name, port, wire)]
        found += [docs.router(name, rule, ports={8080: wire})]
    split = docs.rule("all", dict(zip(ports, (100, 0), strict=True)), everything, form=form)
    found += [docs.service("pay", router="pay"), docs.router("pay", split, ports={8080: wire})]
    return found


@asynccontextmanager
async def world(
    cluster: Cluster,
    namespace: str,
    directory: Path,
    *arguments: str,
    xds: bool = True,
    form: str = "httpRoute",
    leads_to: str = "pay-v1",
    kubeconfig: Path | None = None,
) -> AsyncIterator[World]:
    """The applications pay-v1 and pay-v2, and a GatewayRoute of any form to the service of the
    first, or to pay, which divides; Trimtab runs, and an Envoy asks it what to do."""
    port, door = free_port(), free_port()
    async with backends(WIRES[form], ("pay-v1", "pay-v2")) as ports:
        for document in mesh_documents(form, ports, door):
            if document["kind"] != "Mesh":
                document["metadata"]["namespace"] = namespace
            if document["kind"] == "GatewayRoute":
                target = document["spec"][form]["action"]["target"]["virtualService"]
                target["virtualServiceRef"]["name"] = leads_to
            await asyncio.to_thread(cluster.apply, document)
        node, served = f"mesh/m/virtualGateway/gw_{namespace}", f"127.0.0.1:{port}"
        with Exporter() as exporter, contextlib.ExitStack() as stack:
            found = World(cluster, namespace, exporter, form, ports, door)
            arguments = (
                *("--kubeconfig", str(kubeconfig or cluster.kubeconfig())),
                *("--namespace", namespace),
                *("--scrape", exporter.url, "--tick-seconds", "0.2", *arguments),
                *(("--xds", served) if xds else ()),
            )
            found.running = stack.enter_context(Running(directory, arguments))
            if xds:
                start = Envoy.start, bootstrap(node, served), directory / "envoy"
                envoy = stack.enter_context(await asyncio.to_thread(*start))
                await asyncio.to_thread(envoy.await_live, 60.0)
            yield found

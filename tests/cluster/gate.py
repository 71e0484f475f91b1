"""A door before the real API server, at which the faults of a network and of a server are made."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml
from aiohttp import web

from trimtab.edges.kubernetes import Client, KubernetesStore
from trimtab.ports import Kind
from trimtab.testbed.processes import Cluster

GROUP = "appmesh.k8s.aws"
ROUTER = Kind(GROUP, "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)


class Lost(NamedTuple):
    """A write of which nobody hears again: what is asked, a part of its path, and whether the API
    server got it."""

    what: str
    path: str
    arrived: bool


class Gate:
    """Hands requests on to the API server, and notes them.

    ``faults`` are answers given instead, first come first served, by what is asked ("list",
    "watch", "get", "patch"). ``shut`` cuts every connection. ``halve`` sends half of the next
    event of a watch and cuts. ``watch_s`` is how long watches may last. ``lost`` is a write whose
    answer never comes; ``missed`` is set when there was one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.faults: dict[str, list[web.Response]] = {}
        self.shut = False
        self.halve = False
        self.watch_s: int | None = None
        self.lost: Lost | None = None
        self.missed = asyncio.Event()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._cluster = cluster
        self._watches: set[asyncio.BaseTransport] = set()

    def cut(self) -> None:
        """End all watches without a word."""
        for transport in self._watches:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    async def watched(self) -> None:
        """Until a watch is open, within a deadline."""
        async with asyncio.timeout(30):
            while not self._watches:  # noqa: ASYNC110 - polled, the server has no such event
                await asyncio.sleep(0.01)

    def count(self, what: str) -> int:
        return sum(1 for asked, _ in self.asked if asked == what)

    def last(self, what: str) -> dict[str, str]:
        """The query of the newest request of a sort."""
        return next(query for asked, query in reversed(self.asked) if asked == what)

    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[Path]:
        """A kubeconfig that leads through the gate."""
        trust = ssl.create_default_context(cafile=str(self._cluster.ca_file))
        connector = aiohttp.TCPConnector(ssl=trust)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                yield self._kubeconfig(folder, runner.addresses[0][1])
            finally:
                self.cut()
                await runner.cleanup()
        # Calls that were broken off say goodbye by TLS in the background, as in trimtab's client
        # (aiohttp: Graceful Shutdown); no event tells of its end.
        await asyncio.sleep(0.25)

    def _kubeconfig(self, folder: Path, port: int) -> Path:
        config = yaml.safe_load(self._cluster.kubeconfig().read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        query = dict(request.query)
        what = (
            "watch" if "watch" in query else "list" if "limit" in query else request.method.lower()
        )
        self.asked.append((what, query))
        if self.shut:
            request.transport.abort()
            return web.Response()
        if self.faults.get(what):
            return self.faults[what].pop(0)
        lost = self.lost
        if lost is not None and (lost.what != what or lost.path not in request.path):
            lost = None
        if lost is not None and not lost.arrived:
            await self._lose()
        if what == "watch" and self.watch_s is not None:
            query["timeoutSeconds"] = str(self.watch_s)
        passed = {
            k: request.headers[k] for k in ("Authorization", "Content-Type") if k in request.headers
        }
        async with self._session.request(
            request.method,
            self._cluster.url + request.path,
            params=query,
            data=await request.read(),
            headers=passed,
        ) as answer:
            if lost is not None:
                await self._lose()
            return await self._hand_on(request, answer, watched=what == "watch")

    async def _lose(self) -> None:
        """Until the caller is gone."""
        self.missed.set()
        await asyncio.Event().wait()

    async def _hand_on(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, *, watched: bool
    ) -> web.StreamResponse:
        assert request.transport is not None
        kept = {"Content-Type": answer.headers.get("Content-Type", "")}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        if watched:
            self._watches.add(request.transport)
        try:
            async for line in answer.content:
                if watched and self.halve:
                    self.halve = False
                    await response.write(line[: len(line) // 2])
                    request.transport.abort()
                    return response
                await response.write(line)
        finally:
            self._watches.discard(request.transport)
        await response.write_eof()
        return response


class Mirrored:
    """A store behind a gate; pauses are noted and cut short."""

    def __init__(self, client: Client, kinds: list[Kind], namespace: str) -> None:
        self.pauses: list[float] = []
        self.store = KubernetesStore(
            client, kinds, [namespace], chance=lambda: 0.5, sleep=self._sleep
        )
        self.reflector = next(iter(self.store._reflectors.values()))

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(min(seconds, 0.05))


@asynccontextmanager
async def mirrored(
    gate: Gate, folder: Path, namespace: str, kinds: list[Kind] | None = None
) -> AsyncIterator[Mirrored]:
    async with gate.open(folder) as kubeconfig, await Client.connect(kubeconfig) as client:
        behind = Mirrored(client, kinds or [ROUTER], namespace)
        async with behind.store:
            yield behind


def router(namespace: str, name: str = "web", **labels: str) -> dict[str, Any]:
    action = {"weightedTargets": [{"virtualNodeRef": {"name": "v1"}, "weight": 100}]}
    return {
        "apiVersion": f"{GROUP}/v1beta2",
        "kind": "VirtualRouter",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"routes": [{"name": "main", "httpRoute": {"action": action}}]},
    }


async def labelled(store: KubernetesStore, **labels: str) -> None:
    """Until the one router carries these labels, within a deadline."""
    async with asyncio.timeout(30):
        async for objects in store.watch():
            if [o.body["metadata"].get("labels") for o in objects.values()] == [labels]:
                return

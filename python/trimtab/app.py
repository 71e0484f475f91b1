"""The composition root: settings in, running objects out. The only file that names concrete edges."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab import __version__
from trimtab.clock import SystemClock
from trimtab.controller import Controller, Parts
from trimtab.core.model import MetricFamilies, Object, Objects, Report, Telemetry
from trimtab.core.policy import Policy
from trimtab.history import History
from trimtab.policies import read_policy
from trimtab.ports import Listener, MetricSource, PolicyStore, RouteStore, Verifier
from trimtab.providers.appmesh import AppMesh
from trimtab.router import Router, Table
from trimtab.serving import Address, Tls
from trimtab.settings import Settings
from trimtab.verify import Acknowledged, ReadBack

if TYPE_CHECKING:
    from trimtab.edges.telemetry import Metrics, Probe
    from trimtab.edges.xds.server import NodeStatus, XdsServer
    from trimtab.providers.appmesh.reading import AppMeshReading


# How long a first list of all kinds may take before a start is given up, to be tried again by
# whoever started us.
_SYNC_S = 60.0


@dataclass(frozen=True, slots=True)
class Stores:
    routes: RouteStore
    policies: PolicyStore


class NoSource:
    """Stands where no metric source was given: everything is held, and says why."""

    async def read(self, now: float) -> Telemetry:
        return Telemetry(now, down="no metric source: give --scrape or --prometheus")

    async def close(self) -> None:
        return


@asynccontextmanager
async def open_stores(settings: Settings, clock: SystemClock) -> AsyncIterator[Stores]:
    """The stores that the settings name, started and filled; closed at the end."""
    async with AsyncExitStack() as stack:
        if settings.manifests:
            yield _manifest_stores(settings, clock)
        else:
            yield await _cluster_stores(settings, clock, stack)


def _manifest_stores(settings: Settings, clock: SystemClock) -> Stores:
    from trimtab.edges.manifests import ManifestPolicyStore, ManifestStore

    where = settings.policies or settings.manifests
    return Stores(
        ManifestStore(settings.manifests, AppMesh().kinds, clock),
        ManifestPolicyStore(where, settings.state or _state_file(where), clock),
    )


async def _cluster_stores(settings: Settings, clock: SystemClock, stack: AsyncExitStack) -> Stores:
    from trimtab.edges.kubernetes import Client, KubernetesPolicyStore, KubernetesStore
    from trimtab.edges.manifests import ManifestPolicyStore

    # In a pod the service account is meant, whatever KUBECONFIG says.
    environ = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    client = await Client.connect(settings.kubeconfig, environ=environ)
    stack.push_async_callback(client.close)
    namespaces = settings.namespaces or None
    routes = KubernetesStore(client, AppMesh().kinds, namespaces)
    await stack.enter_async_context(routes)
    await routes.wait_synced(_SYNC_S)
    if settings.policies:
        state = settings.state or _state_file(settings.policies)
        return Stores(routes, ManifestPolicyStore(settings.policies, state, clock))
    policies = KubernetesPolicyStore(client, namespaces)
    await stack.enter_async_context(policies)
    await policies.wait_synced(_SYNC_S)
    return Stores(routes, policies)


def _state_file(paths: Sequence[Path]) -> Path:
    """Beside the first policies: found again by the next start from the same arguments."""
    first = paths[0]
    return (first if first.is_dir() else first.parent) / ".trimtab-state.json"


def metric_source(settings: Settings, families: MetricFamilies) -> MetricSource:
    """The metric source that the settings name. Raises InvalidDocument for what it cannot be."""
    timeout_s = settings.source_timeout_seconds
    if settings.prometheus:
        from trimtab.edges.prometheus import PrometheusSource

        ca = settings.prometheus_ca_file
        return PrometheusSource(
            settings.prometheus,
            families,
            timeout_s=timeout_s,
            settle_s=settings.prometheus_settle_seconds,
            up_selector=settings.prometheus_up_selector,
            token_file=settings.prometheus_token_file,
            verify=str(ca) if ca else True,
        )
    if settings.scrape:
        from trimtab.edges.scrape import ScrapeSource

        return ScrapeSource(settings.scrape, families, timeout_s=timeout_s)
    return NoSource()


def policy_reader(settings: Settings) -> Callable[[Object], Policy]:
    """Reads policies as written, or all of them as dry runs in shadow mode."""
    if not settings.dry_run:
        return read_policy

    def shadowed(obj: Object) -> Policy:
        policy = read_policy(obj)
        return replace(policy, spec=replace(policy.spec, dry_run=True))

    return shadowed


def server_tls(settings: Settings) -> Tls | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


class Served:
    """What follows from the objects: the route table and the xDS snapshots, kept in step."""

    def __init__(self, provider: AppMesh) -> None:
        self._provider = provider
        self._objects: Objects | None = None
        self._publish: list[Callable[[], None]] = []
        self.router = Router()
        self.reading = provider.load({})

    def on_change(self, publish: Callable[[], None]) -> None:
        self._publish.append(publish)

    def refresh(self, objects: Objects) -> None:
        """Serve ``objects`` from now on; nothing happens when they are served already."""
        if objects is self._objects:
            return
        self._objects = objects
        reading = self.reading = self._provider.load(objects)
        self.router.swap(lambda: _table(reading))
        for publish in self._publish:
            publish()

    async def follow(self, routes: RouteStore) -> None:
        async for objects in routes.watch():
            self.refresh(objects)


async def run(settings: Settings) -> None:
    """Everything, until SIGTERM or SIGINT: then no more decisions, calls end, weights stay."""
    from trimtab.edges.telemetry import DecisionLog, Metrics, configure_logging

    json_log = settings.log_json if settings.log_json is not None else not sys.stderr.isatty()
    configure_logging(json=json_log, level=settings.log_level)
    clock, history = SystemClock(), History()
    provider = AppMesh(serves_xds=bool(settings.xds))
    served = Served(provider)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, clock))
        await asyncio.gather(stores.routes.read(), stores.policies.read())  # fails early, if at all
        source = metric_source(settings, provider.families)
        stack.push_async_callback(source.close)
        verifiers: list[Verifier] = [ReadBack(stores.routes, provider)]
        probes: list[Probe] = []
        status: dict[str, Callable[[], Any]] = {}
        if settings.xds:
            xds = await _serve_xds(settings, served, clock, stack)
            verifiers.append(
                Acknowledged(
                    stores.routes, served.refresh, xds.acknowledged, settings.verify_seconds
                )
            )
            probes, status["xds"] = xds_probes(xds), lambda: xds_status(xds)
        metrics = Metrics(__version__, probes)
        listeners: list[Listener] = [history, metrics, DecisionLog()]
        if settings.decisions:
            from trimtab.edges.records import FileRecorder

            recorder = FileRecorder(settings.decisions)
            stack.callback(recorder.close)
            listeners.append(recorder)
        controller = Controller(
            Parts(
                metrics=source,
                routes=stores.routes,
                policies=stores.policies,
                provider=provider,
                verifiers=verifiers,
                listeners=listeners,
                read_policy=policy_reader(settings),
                cycled=metrics.cycle,
                clock=clock,
                sweeps=not settings.dry_run,
            ),
            tick_s=settings.tick_seconds,
        )
        status["leftovers"] = lambda: list(controller.leftovers)
        status["invalidPolicies"] = lambda: list(controller.invalid)
        status["problems"] = lambda: list(controller.problems)
        await _serve_http(settings, metrics, history, controller, status, stack)
        serve = await _serve_grpc(settings, served, history, stack)
        async with asyncio.TaskGroup() as tasks:
            announcing = tasks.create_task(_announce(controller, serve))
            following = tasks.create_task(served.follow(stores.routes))
            steering = tasks.create_task(controller.run(stop))
            await stop.wait()
            await steering
            following.cancel()
            announcing.cancel()


async def _announce(controller: Controller, serve: Callable[[], Awaitable[None]]) -> None:
    """Say SERVING when the first cycle is over: before it nothing could be answered."""
    await controller.ready.wait()
    await serve()


async def _serve_xds(
    settings: Settings, served: Served, clock: SystemClock, stack: AsyncExitStack
) -> XdsServer:
    from trimtab.edges.xds.server import XdsServer
    from trimtab.providers.appmesh.envoy import Translator

    translator = Translator()
    server = XdsServer(
        lambda node: translator.resources(served.reading, node),
        clock=clock,
        tls=server_tls(settings),
        plaintext_anywhere=settings.insecure,
    )
    served.on_change(server.publish)
    await server.start(settings.xds or "")
    stack.push_async_callback(server.stop, settings.grace_seconds)
    return server


async def _serve_http(
    settings: Settings,
    metrics: Metrics,
    history: History,
    controller: Controller,
    status: Mapping[str, Callable[[], Any]],
    stack: AsyncExitStack,
) -> None:
    if not settings.http:
        return
    from trimtab.edges.records import to_json
    from trimtab.edges.web import Sources, Web

    sources = Sources(
        metrics=metrics.registry,
        not_ready=lambda: controller.problems,
        decisions=lambda: [to_json(report) for report in history.newest()],
        status=lambda: {name: read() for name, read in status.items()},
    )
    address = Address.parse(settings.http, "http")
    web = Web(sources, address, tls=server_tls(settings), insecure=settings.insecure)
    await web.start()
    stack.push_async_callback(web.stop, settings.grace_seconds)


async def _serve_grpc(
    settings: Settings, served: Served, history: History, stack: AsyncExitStack
) -> Callable[[], Awaitable[None]]:
    """Start the gRPC server; what to call once it can answer."""
    if not settings.grpc:
        return _nothing
    from trimtab.edges.grpc_server import Server, Service

    chance = random.SystemRandom()
    service = Service(
        served.router.match, served.router.pick, history, lambda: chance.getrandbits(64)
    )
    address = Address.parse(settings.grpc, "grpc")
    server = Server(service, address, tls=server_tls(settings), insecure=settings.insecure)
    await server.start()
    stack.push_async_callback(server.stop, settings.grace_seconds)
    return lambda: server.set_serving(serving=True)


async def _nothing() -> None:
    return


async def plan(settings: Settings, window_s: float) -> tuple[tuple[Report, ...], tuple[str, ...]]:
    """The Reports of one dry cycle over ``window_s`` seconds of traffic, and what went wrong.

    A source that keeps history (Prometheus) is asked about the past; others are waited for.
    """
    clock, provider = SystemClock(), AppMesh(serves_xds=bool(settings.xds))
    async with open_stores(settings, clock) as stores:
        source = metric_source(settings, provider.families)
        try:
            parts = Parts(
                metrics=source,
                routes=stores.routes,
                policies=stores.policies,
                provider=provider,
                verifiers=(),
                listeners=(),
                read_policy=policy_reader(settings),
                cycled=lambda _telemetry, _took_s: None,
                clock=clock,
                sweeps=False,
            )
            controller = Controller(parts, tick_s=window_s)
            if settings.prometheus:
                await source.read(clock.now() - window_s)
            elif settings.scrape:
                await source.read(clock.now())
                await clock.sleep(window_s)
            reports = await controller.run_once(clock.now())
        finally:
            await source.close()
    return reports, (*controller.problems, *controller.invalid)


def xds_status(server: XdsServer) -> list[dict[str, Any]]:
    """What ``/status`` shows of the Envoys."""
    return [asdict(node) for node in server.status()]


def xds_probes(server: XdsServer) -> list[Probe]:
    """The gauges and counters of the xDS server, read when they are scraped."""
    from trimtab.edges.telemetry import Probe

    def by_node(
        read: Callable[[NodeStatus], float],
    ) -> Callable[[], Mapping[tuple[str, ...], float]]:
        return lambda: {(node.node,): read(node) for node in server.status()}

    return [
        Probe(
            "trimtab_xds_connections",
            "Envoys connected.",
            ("node",),
            by_node(lambda n: len(n.connections)),
        ),
        Probe(
            "trimtab_xds_pushes",
            "Resources pushed.",
            ("node",),
            by_node(lambda n: n.pushed),
            counter=True,
        ),
        Probe(
            "trimtab_xds_acks",
            "Pushes acknowledged.",
            ("node",),
            by_node(lambda n: n.acknowledged),
            counter=True,
        ),
        Probe(
            "trimtab_xds_nacks",
            "Pushes refused.",
            ("node",),
            by_node(lambda n: n.refused),
            counter=True,
        ),
    ]


def _table(reading: AppMeshReading) -> Table:
    from trimtab.providers.appmesh.rules import MeshTable

    return MeshTable(reading)

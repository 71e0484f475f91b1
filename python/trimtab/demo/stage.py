"""Sets the stage: backends, a world, two Envoys and Trimtab itself, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests

from trimtab.demo import plot
from trimtab.demo.backends import BackendPlan, BackendsPlan
from trimtab.demo.load import LoadPlan, ServicePlan
from trimtab.demo.plot import ARMS, SERVICES, STEERED
from trimtab.demo.world import Api, Files, World, manifests, render
from trimtab.errors import Unavailable
from trimtab.testbed.processes import Envoy, Process, answers, free_port

Tell = Callable[[str], None]
LEAD_S = 1.0  # the load process starts before its first request is due


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs. ``start`` is the monotonic instant from which the demo counts."""

    directory: Path
    world: World
    envoys: Mapping[str, Envoy]
    trimtab: Process
    load: Process
    backends: Process
    control_port: int
    start: float

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def epoch(self) -> float:
        """The start by the clock on the wall."""
        return datetime.now(UTC).timestamp() - self.now()

    def fault(self, backend: str, *, slow: float = 1.0, errors: float = 0.0) -> None:
        requests.get(
            f"http://127.0.0.1:{self.control_port}/fault",
            params={"backend": backend, "slow": str(slow), "errors": str(errors)},
            timeout=5,
        ).raise_for_status()

    def apply(self, policy: str, **values: str) -> None:
        self.world.put(policy, render(policy, {"namespace": STEERED, **values}))

    def served(self, arm: str) -> dict[str, dict[str, int]]:
        """Requests that the Envoy of an arm has sent: by service, by target."""
        text = self.envoys[arm].admin(r"/stats?filter=^cluster\.cds_egress.*\.upstream_rq_total$")
        counts = {
            name: int(value) for name, _, value in (x.partition(": ") for x in text.splitlines())
        }
        return {
            service.name: {
                target.name: sum(n for k, n in counts.items() if f"_{target.name}_{arm}_" in k)
                for target in service.targets
            }
            for service in SERVICES
        }

    def check(self) -> None:
        """Raises Unavailable with the end of its log if a process has ended before its time."""
        for process in (self.trimtab, self.load, self.backends, *self.envoys.values()):
            if not process.running:
                tail = "\n".join(process.log().splitlines()[-20:])
                raise Unavailable(f"{process.name} has ended. Its last words:\n{tail}")


@contextmanager
def set_stage(directory: Path, *, cluster: bool, tell: Tell) -> Iterator[Stage]:
    """Start everything, wait until requests get through both arms, and end everything after."""
    with ExitStack() as stack:
        tell("backends: five, twice: once to be steered, once with the weights left alone")
        backends, control_port, ports = _start_backends(stack, directory)
        if cluster:
            tell("etcd and kube-apiserver")
        world: World = Api(directory) if cluster else Files(directory)
        stack.enter_context(closing(world))
        gateways = {arm: free_port() for arm in ARMS}
        world.put("mesh", render("mesh", {}))
        for arm in ARMS:
            for name, text in manifests(arm, gateways[arm], ports[arm]):
                world.put(name, text)
        tell("Envoy, once for each arm")
        xds = f"127.0.0.1:{free_port()}"
        envoys = {arm: _start_envoy(stack, directory / arm, arm, xds) for arm in ARMS}
        tell("trimtab run" + (" with the API server and Prometheus" if cluster else ""))
        trimtab = _start_trimtab(stack, directory, world, envoys[STEERED], xds)
        for envoy in envoys.values():
            envoy.await_live(30)
        for port in gateways.values():
            for service in SERVICES:
                url = f"http://127.0.0.1:{port}/{service.name}/"
                trimtab.await_ready(lambda url=url: answers(url), 20)  # type: ignore[misc]
        load, start = _start_load(stack, directory, gateways)
        yield Stage(directory, world, envoys, trimtab, load, backends, control_port, start)


def _start_backends(
    stack: ExitStack, directory: Path
) -> tuple[Process, int, dict[str, dict[str, int]]]:
    targets = [target for service in SERVICES for target in service.targets]
    ports = {arm: {target.name: free_port() for target in targets} for arm in ARMS}
    plans = tuple(
        BackendPlan(
            target.name,
            ports[arm][target.name],
            target.workers,
            target.service_ms,
            plot.QUEUE,
            seed,
        )
        for arm in ARMS
        for seed, target in enumerate(targets)  # the same chance in both arms
    )
    plan = BackendsPlan(plans, free_port())
    command = _python("trimtab.demo.backends", plan.save(directory / "backends.json"))
    process = stack.enter_context(Process("backends", command, directory / "backends.log"))
    process.await_ready(lambda: answers(f"http://127.0.0.1:{plan.control_port}/"), 15)
    return process, plan.control_port, ports


def _start_envoy(stack: ExitStack, directory: Path, arm: str, xds: str) -> Envoy:
    node = f"mesh/demo/virtualGateway/gateway_{arm}"
    command = _python("trimtab.cli", "envoy-bootstrap", f"--node={node}", f"--xds={xds}")
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise Unavailable(f"trimtab envoy-bootstrap failed: {answer.stderr}")
    return stack.enter_context(Envoy.start(answer.stdout, directory))


def _start_trimtab(
    stack: ExitStack, directory: Path, world: World, envoy: Envoy, xds: str
) -> Process:
    http = f"127.0.0.1:{free_port()}"
    command = _python(
        "trimtab.cli",
        "run",
        *world.flags(directory, f"127.0.0.1:{envoy.admin_port}"),
        f"--tick-seconds={plot.TICK_S}",
        f"--xds={xds}",
        f"--http={http}",
        f"--grpc=127.0.0.1:{free_port()}",
        f"--decisions={directory / 'decisions.jsonl'}",
    )
    # A variable of the user's own TRIMTAB_… settings is not meant for the demo.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRIMTAB_")}
    process = Process("trimtab", command, directory / "trimtab.log", environment)
    stack.enter_context(process)
    process.await_ready(lambda: answers(f"http://{http}/readyz"), 30)
    return process


def _start_load(
    stack: ExitStack, directory: Path, gateways: Mapping[str, int]
) -> tuple[Process, float]:
    start = time.monotonic() + LEAD_S
    plan = LoadPlan(
        services=tuple(
            ServicePlan(service.name, f"/{service.name}/", service.rate, seed)
            for seed, service in enumerate(SERVICES)
        ),
        arms=dict(gateways),
        start=start,
        seconds=plot.TOTAL_S,
        timeout_s=plot.TIMEOUT_S,
        output=str(directory / "requests.csv"),
    )
    command = _python("trimtab.demo.load", plan.save(directory / "load.json"))
    return stack.enter_context(Process("load", command, directory / "load.log")), start


def _python(module: str, *arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", module, *arguments]

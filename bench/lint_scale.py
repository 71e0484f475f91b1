"""What reading, linting and resolving a mesh costs, and what one change costs after that.

    python bench/lint_scale.py [--resources 5000] [--changes 100] [--layout many|one] [--json]

The mesh is written as manifests: a file for each service with its router, nodes and GatewayRoute
(``many``), or one file for all (``one``). A change is new weights in one router: as a watch of a
cluster brings it (``event``), and as a person writes it into the file (``file``): until the
diagnostics are complete again and the router is resolved. Each layout runs in a process of its
own, so that the memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from trimtab.clock import SystemClock
from trimtab.core.model import Object, ObjectRef, Objects
from trimtab.edges.manifests import ManifestStore
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.documents import KINDS

GROUP = "appmesh.k8s.aws"
HEAD = f"""apiVersion: {GROUP}/v1beta2
kind: Mesh
metadata: {{name: m}}
spec: {{namespaceSelector: {{}}}}
---
apiVersion: {GROUP}/v1beta2
kind: VirtualGateway
metadata: {{name: door, namespace: shop}}
spec: {{namespaceSelector: {{}}, listeners: [{{portMapping: {{port: 8088, protocol: http}}}}]}}
"""
SERVICE = f"""---
apiVersion: {GROUP}/v1beta2
kind: VirtualService
metadata:
  name: NAME
  namespace: shop
spec:
  provider:
    virtualRouter:
      virtualRouterRef:
        name: NAME
---
apiVersion: {GROUP}/v1beta2
kind: VirtualRouter
metadata:
  name: NAME
  namespace: shop
spec:
  listeners:
    - portMapping:
        port: 8080
        protocol: http
  routes:
    - name: main
      httpRoute:
        match:
          prefix: /
        action:
          weightedTargets:
            - virtualNodeRef:
                name: NAME-a
              weight: FIRST
            - virtualNodeRef:
                name: NAME-b
              weight: 10
---
apiVersion: {GROUP}/v1beta2
kind: GatewayRoute
metadata:
  name: NAME
  namespace: shop
spec:
  httpRoute:
    match:
      prefix: /NAME/
    action:
      target:
        virtualService:
          virtualServiceRef:
            name: NAME
"""
NODE = f"""---
apiVersion: {GROUP}/v1beta2
kind: VirtualNode
metadata:
  name: NAME
  namespace: shop
spec:
  podSelector:
    matchLabels:
      app: NAME
  listeners:
    - portMapping:
        port: 8080
        protocol: http
  serviceDiscovery:
    dns:
      hostname: NAME.shop.svc.cluster.local
"""
PER_SERVICE = 5  # resources


def service(name: str, first: int = 90) -> str:
    """A service with its router, GatewayRoute and two nodes."""
    text = SERVICE.replace("NAME", name).replace("FIRST", str(first))
    return text + NODE.replace("NAME", f"{name}-a") + NODE.replace("NAME", f"{name}-b")


def write_mesh(folder: Path, resources: int, layout: str) -> Callable[[int], None]:
    """Write the mesh; the answer writes the first service again, with another weight."""
    names = [f"s{i}" for i in range(resources // PER_SERVICE)]
    if layout == "many":
        (folder / "mesh.yaml").write_text(HEAD)
        for name in names:
            (folder / f"{name}.yaml").write_text(service(name))
        return lambda first: _write(folder / "s0.yaml", service("s0", first))
    rest = "".join(map(service, names[1:]))
    write = lambda first: _write(folder / "mesh.yaml", HEAD + service("s0", first) + rest)  # noqa: E731
    write(90)
    return write


def _write(path: Path, text: str) -> None:
    path.write_text(text)


class Mesh:
    """The parts of a running program that a change of a resource passes through."""

    def __init__(self, folder: Path) -> None:
        self.store = ManifestStore([folder], KINDS, SystemClock())
        self.provider = AppMesh()
        self.objects: Objects = {}

    async def read(self) -> None:
        self.objects = await self.store.read()

    def lint(self) -> int:
        self.reading = self.provider.load(self.objects)
        return len(self.reading.diagnostics)

    def resolve(self) -> int:
        kinds = ("VirtualRouter", "GatewayRoute")
        return sum(
            len(self.reading.resolve(ref, ()).routes) for ref in self.objects if ref.kind in kinds
        )

    def resolve_one(self, first: int) -> None:
        (route,) = self.reading.resolve(ROUTER, ()).routes
        if route.weights[0] != first:
            raise SystemExit(f"weight {first} was written, {route.weights[0]} is read")


ROUTER = ObjectRef(GROUP, "VirtualRouter", "shop", "s0")


def event(objects: Objects, first: int) -> Objects:
    """The objects after a watch has brought the first router with another weight."""
    old = objects[ROUTER]
    body = json.loads(json.dumps(old.body))
    body["metadata"]["resourceVersion"] = f"event-{first}"
    body["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = first
    return {**objects, ROUTER: Object(ROUTER, f"event-{first}", body)}


def memory_mib() -> float:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(resources: int, changes: int, layout: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        rewrite = write_mesh(Path(directory), resources, layout)
        mesh = Mesh(Path(directory))
        marks, cpu = [time.perf_counter()], time.process_time()
        await mesh.read()
        marks.append(time.perf_counter())
        found = mesh.lint()
        marks.append(time.perf_counter())
        routes = mesh.resolve()
        marks.append(time.perf_counter())
        cpu = time.process_time() - cpu
        peak = memory_mib()
        events, files = [], []
        for i in range(changes):
            first = i % 90
            mesh.objects = event(mesh.objects, first)
            begin = time.perf_counter()
            mesh.lint()
            mesh.resolve_one(first)
            events.append((time.perf_counter() - begin) * 1000)
        await mesh.read()
        mesh.lint()
        for i in range(changes):
            first = i % 90
            rewrite(first)
            begin = time.perf_counter()
            await mesh.read()
            mesh.lint()
            mesh.resolve_one(first)
            files.append((time.perf_counter() - begin) * 1000)
    read_s, lint_s, resolve_s = (b - a for a, b in pairwise(marks))
    return {
        "layout": layout,
        "resources": len(mesh.objects),
        "diagnostics": found,
        "routes": routes,
        "read_s": round(read_s, 3),
        "lint_s": round(lint_s, 3),
        "resolve_s": round(resolve_s, 3),
        "total_s": round(marks[-1] - marks[0], 3),
        "cpu_s": round(cpu, 3),
        "peak_mib": round(peak, 1),
        "event_p50_ms": round(statistics.median(events), 2),
        "event_p99_ms": round(statistics.quantiles(events, n=100)[98], 2),
        "file_p50_ms": round(statistics.median(files), 2),
        "file_p99_ms": round(statistics.quantiles(files, n=100)[98], 2),
    }


def in_a_process(resources: int, changes: int, layout: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--inside", "--layout", layout]
    command += ["--resources", str(resources), "--changes", str(changes)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return dict(json.loads(told.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--resources", type=int, default=5000)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--layout", choices=("many", "one"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(asyncio.run(measure(given.resources, given.changes, given.layout))))
        return
    layouts = [given.layout] if given.layout else ["many", "one"]
    found = [in_a_process(given.resources, given.changes, layout) for layout in layouts]
    if given.json:
        print(json.dumps(found))
        return
    for name in found[0]:
        print(f"{name:14}" + "".join(f"{one[name]!s:>10}" for one in found))


if __name__ == "__main__":
    main()

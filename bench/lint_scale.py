"""What reading, linting and resolving a mesh costs, and what one change costs after that.

    python bench/lint_scale.py [--resources 5000] [--changes 40] [--layout many|one] [--json]

The mesh is written as manifests: a file for each service with its router, nodes and GatewayRoute
(``many``), or one file for all (``one``). A change concerns one resource and is made and undone in
turns; it costs what passes until the diagnostics are complete again and a router is resolved: from
new objects as a watch of a cluster brings them (``event``), or from the written file (``file``).
Each layout runs in a process of its own, so that the memory is its own.
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
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from trimtab.clock import SystemClock
from trimtab.core.model import ObjectRef, Objects
from trimtab.edges.manifests import ManifestStore
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.documents import KINDS

GROUP = "appmesh.k8s.aws"
HEAD = f"""apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{mesh: m}}}}
---
apiVersion: {GROUP}/v1beta2
kind: Mesh
metadata: {{name: m}}
spec: {{namespaceSelector: {{matchLabels: {{mesh: m}}}}}}
---
apiVersion: {GROUP}/v1beta2
kind: VirtualGateway
metadata: {{name: door, namespace: shop}}
spec:
  namespaceSelector: {{matchLabels: {{mesh: m}}}}
  gatewayRouteSelector: {{matchLabels: {{door: front}}}}
  listeners: [{{portMapping: {{port: 8088, protocol: http}}}}]
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
  labels: {{door: front}}
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


class Files:
    """The manifests: a head, and a part for each service, in a file each or all in one."""

    def __init__(self, folder: Path, resources: int, layout: str) -> None:
        self._folder, self._layout = folder, layout
        self.parts = {"mesh": HEAD}
        self.parts |= {f"s{i}": service(f"s{i}") for i in range(resources // PER_SERVICE)}
        for name in self.parts if layout == "many" else ("mesh",):
            self._write(name)
            os.utime(folder / f"{name}.yaml", (1, 1))  # it stands there since long ago

    def put(self, name: str, text: str) -> None:
        """One part written anew; a part without text is taken away."""
        if text:
            self.parts[name] = text
        else:
            self.parts.pop(name, None)
        self._write(name if self._layout == "many" else "mesh")

    def _write(self, name: str) -> None:
        path = self._folder / f"{name}.yaml"
        if self._layout == "one":
            path.write_text("".join(self.parts.values()))
        elif name in self.parts:
            path.write_text(self.parts[name])
        else:
            path.unlink(missing_ok=True)


class Edit(NamedTuple):
    """One kind of change, made in turns: ``old`` becomes ``new`` in a part, and ``old`` again."""

    part: str
    old: str
    new: str

    def text(self, turn: int) -> str:
        whole = HEAD if self.part == "mesh" else service(self.part)
        if self.old not in whole:
            raise SystemExit(f"{self.old!r} is not in {self.part}")
        return whole if turn % 2 else whole.replace(self.old, self.new, 1)


_NODE = NODE.replace("NAME", "s0-a")
_CALLS = "spec:\n  backends: [{virtualService: {virtualServiceRef: {name: s1}}}]"
_SELECTS = "spec: {namespaceSelector: {matchLabels: {mesh: m}}"
# One resource each, of every kind and in every way that concerns others.
EDITS = {
    "weights": Edit("s0", "weight: 90", "weight: 50"),
    "router match": Edit("s0", "prefix: /\n", "prefix: /v1\n"),
    "service name": Edit("s0", "spec:\n", "spec:\n  awsName: s1.shop\n"),
    "service target": Edit("s0", "Ref:\n        name: s0", "Ref:\n        name: s1"),
    "route match": Edit("s0", "prefix: /s0/", "prefix: /s1/"),
    "route match all": Edit("s0", "prefix: /s0/", "prefix: /"),
    "route label": Edit("s0", "{door: front}", "{door: back}"),
    "node backend": Edit("s0", _NODE, _NODE.replace("spec:", _CALLS)),
    "node deleted": Edit("s0", _NODE, ""),
    "mesh egress": Edit("mesh", _SELECTS, f"{_SELECTS}, egressFilter: {{type: ALLOW_ALL}}"),
    "mesh selector": Edit("mesh", _SELECTS, _SELECTS.replace("mesh: m", "mesh: x")),
    "namespace labels": Edit("mesh", "labels: {mesh: m}", "labels: {mesh: x}"),
    "gateway port": Edit("mesh", "port: 8088", "port: 8089"),
    "gateway selector": Edit("mesh", "{door: front}", "{door: back}"),
    "comment above": Edit("mesh", "apiVersion: v1\n", "# shifts all lines\napiVersion: v1\n"),
}


ROUTER = ObjectRef(GROUP, "VirtualRouter", "shop", "s0")


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


def memory_mib() -> float:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(folder: Path, resources: int, layout: str) -> tuple[Files, Mesh]:
    return Files(folder, resources, layout), Mesh(folder)


async def measure(resources: int, changes: int, layout: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        files, mesh = prepare(Path(directory), resources, layout)
        marks, cpu = [time.perf_counter()], time.process_time()
        await mesh.read()
        marks.append(time.perf_counter())
        found = mesh.lint()
        marks.append(time.perf_counter())
        routes = mesh.resolve()
        marks.append(time.perf_counter())
        cpu = time.process_time() - cpu
        peak, count = memory_mib(), len(mesh.objects)
        costs = {}
        for name, edit in EDITS.items():
            costs[name] = [await change(files, mesh, edit, turn) for turn in range(changes)]
            await change(files, mesh, edit, 1)  # as it was
    read_s, lint_s, resolve_s = (b - a for a, b in pairwise(marks))
    return {
        "layout": layout,
        "resources": count,
        "diagnostics": found,
        "routes": routes,
        "read_s": round(read_s, 3),
        "lint_s": round(lint_s, 3),
        "resolve_s": round(resolve_s, 3),
        "total_s": round(marks[-1] - marks[0], 3),
        "cpu_s": round(cpu, 3),
        "peak_mib": round(peak, 1),
        "changes": {name: summary(taken) for name, taken in costs.items()},
    }


async def change(files: Files, mesh: Mesh, edit: Edit, turn: int) -> tuple[float, float]:
    """Milliseconds from the written file to new objects, and from there to all diagnostics."""
    files.put(edit.part, edit.text(turn))
    begin = time.perf_counter()
    await mesh.read()
    read = time.perf_counter()
    mesh.lint()
    mesh.reading.resolve(ROUTER, ())
    return (read - begin) * 1000, (time.perf_counter() - read) * 1000


def summary(taken: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Of the changes of one kind: as a watch brings them (event), and with the file (file)."""
    event = sorted(lint for _, lint in taken)
    file = sorted(read + lint for read, lint in taken)
    figures: dict[str, float] = {}
    for what, values in (("event", event), ("file", file)):
        figures |= {
            f"{what}_min": values[0],
            f"{what}_p50": statistics.median(values),
            f"{what}_max": values[-1],
        }
    return {name: round(value, 2) for name, value in figures.items()}


def in_a_process(resources: int, changes: int, layout: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--inside", "--layout", layout]
    command += ["--resources", str(resources), "--changes", str(changes)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return dict(json.loads(told.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--resources", type=int, default=5000)
    parser.add_argument("--changes", type=int, default=40)
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
    show(found)


def show(found: Sequence[dict[str, Any]]) -> None:
    for name in found[0]:
        if name != "changes":
            print(f"{name:14}" + "".join(f"{one[name]!s:>12}" for one in found))
    for one in found:
        print(
            f"\n{one['layout']}: one change, ms   "
            + "".join(f"{k:>11}" for k in one["changes"]["weights"])
        )
        for name, figures in one["changes"].items():
            print(f"  {name:20}      " + "".join(f"{value:11.2f}" for value in figures.values()))


if __name__ == "__main__":
    main()

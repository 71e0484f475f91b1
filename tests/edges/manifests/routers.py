"""Routers in the styles in which people write them, and a store over them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from trimtab.core.model import Change, Object, ObjectRef, PatchOp
from trimtab.edges.manifests import ManifestStore
from trimtab.ports import Kind

GROUP = "appmesh.k8s.aws"
ROUTER = Kind(GROUP, "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)
MESH = Kind(GROUP, "v1beta2", "meshes", "Mesh", namespaced=False)
TARGETS = "/spec/routes/0/httpRoute/action/weightedTargets"

# One router in the ways in which people write one; NAME, A and B are filled in.
STYLES = {
    "block": """apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata:
  name: NAME
  namespace: shop
spec:
  routes:
    - name: main   # the only one
      httpRoute:
        match: {prefix: /}
        action:
          weightedTargets:
            - weight: A      # the old one
              virtualNodeRef: {name: v1}
            - virtualNodeRef:
                name: "v2"

              weight:   B
""",
    "flow": """{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualRouter, metadata: {name: NAME, namespace: shop},
  spec: {routes: [{name: main, httpRoute: {match: {prefix: /}, action: {weightedTargets: [
    {virtualNodeRef: {name: v1}, weight: A}, # one
    {weight: B, virtualNodeRef: {name: v2}}]}}}]}}
""",
    "anchors": """apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: NAME, namespace: shop, labels: &labels {app: "A B"}}
spec:
  note: *labels
  routes:
  - name: main
    httpRoute:
      match: &match {prefix: "/"}
      action:
        weightedTargets:
        - {virtualNodeRef: {name: v1}, weight: A}
        - {virtualNodeRef: {name: v2}, weight: B}
  - name: more
    httpRoute: {match: {<<: *match}}
""",
    "json": """{
\t"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualRouter",
\t"metadata": {"name": "NAME", "namespace": "shop", "annotations": {"q": "\\u00e9 \\"A\\" \\ud83d\\ude00"}},
\t"spec": {"routes": [{"name": "main", "httpRoute": {"action": {"weightedTargets": [
\t\t{"weight":A, "virtualNodeRef": {"name": "v1"}}, {"virtualNodeRef": {"name": "v2"}, "weight" : B }
\t]}}}]}
}
""",
}
NOISE = [
    "",
    "# a comment \N{GRINNING FACE}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  text: |\n    kind: VirtualRouter\n    weight: 7\n",
    "kind: VirtualRouter\nbroken: [\n",
    "just text\n",
    "# only a comment\n\n",
]


def fill(style: str, name: str, a: int, b: int) -> str:
    text = STYLES[style].replace("NAME", name)
    for word, weight in (("weight: A", a), ("weight:   B", b), ("weight: B", b)):
        text = text.replace(word, word[:-1] + str(weight))
    return text.replace('"weight":A', f'"weight":{a}').replace('"weight" : B', f'"weight" : {b}')


class Wall:
    now = staticmethod(time.time)  # noqa: TID251 - files carry the times of the real clock
    sleep = staticmethod(asyncio.sleep)


def opened(*paths: Path, **options: Any) -> ManifestStore:
    return ManifestStore(paths, [ROUTER, MESH], Wall(), **options)


def ref(name: str = "web", namespace: str = "shop") -> ObjectRef:
    return ObjectRef(GROUP, "VirtualRouter", namespace, name)


def move(found: Object, a: int, b: int) -> Change:
    guard = PatchOp("test", "/metadata/resourceVersion", found.version)
    ops = [PatchOp("replace", f"{TARGETS}/{i}/weight", w) for i, w in enumerate((a, b))]
    return Change(found.ref, (guard, *ops))


def weights(found: Object) -> list[int]:
    targets = found.body["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    return [target["weight"] for target in targets]


def names(folder: Path) -> list[str]:
    """The names of all that is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())

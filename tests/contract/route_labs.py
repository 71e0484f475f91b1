"""Where the contract of RouteStore is tried: a store, and another writer's hands behind it."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from pathlib import Path
from typing import Any, Protocol

import yaml

from trimtab.core.model import Change, Object, PatchOp
from trimtab.edges.kubernetes import KubernetesStore
from trimtab.edges.manifests import ManifestStore
from trimtab.ports import Kind, RouteStore

GROUP = "appmesh.k8s.aws"
ROUTER = Kind(GROUP, "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)
MESH = Kind(GROUP, "v1beta2", "meshes", "Mesh", namespaced=False)
TARGETS = "/spec/routes/0/httpRoute/action/weightedTargets"


def router(
    namespace: str, name: str = "web", weights: tuple[int, int] = (90, 10)
) -> dict[str, Any]:
    """A router with all that a store must leave alone: labels, annotations, a foreign target, a
    second route, and fields that nobody knows."""
    return {
        "apiVersion": f"{GROUP}/v1beta2",
        "kind": "VirtualRouter",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"team": "shop"},
            "annotations": {"note": "no. 1: \N{SNOWMAN} 'quoted' \"twice\""},
        },
        "spec": {
            "awsName": f"{name}_{namespace}",
            "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
            "unknownField": {"kept": [1, 2.5, None, True, "yes"]},
            "routes": [
                {
                    "name": "main",
                    "httpRoute": {
                        "match": {"prefix": "/"},
                        "action": {
                            "weightedTargets": [
                                {"virtualNodeRef": {"name": "v1"}, "weight": weights[0]},
                                {"virtualNodeRef": {"name": "v2"}, "weight": weights[1]},
                                {"virtualNodeARN": "arn:aws:appmesh:x", "weight": 0, "port": 7},
                            ]
                        },
                    },
                },
                {
                    "name": "other",
                    "httpRoute": {
                        "match": {"prefix": "/other"},
                        "action": {
                            "weightedTargets": [{"virtualNodeRef": {"name": "v1"}, "weight": 1}]
                        },
                    },
                },
            ],
        },
    }


def weights(body: Any) -> list[int]:
    targets = body["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    return [target["weight"] for target in targets]


def without_weights(body: Any) -> dict[str, Any]:
    """An object but for the steered weights, and for what an API server keeps about writes."""
    rest = copy.deepcopy(dict(body))
    for field in ("resourceVersion", "generation", "managedFields"):
        rest["metadata"].pop(field, None)
    for target in rest["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][:2]:
        del target["weight"]
    return rest


def move(obj: Object, first: Any, second: Any, *more: PatchOp) -> Change:
    """A guarded change of the two weights, as providers make it."""
    return Change(
        obj.ref,
        (
            PatchOp("test", "/metadata/resourceVersion", obj.version),
            PatchOp("test", f"{TARGETS}/0/virtualNodeRef/name", "v1"),
            PatchOp("replace", f"{TARGETS}/0/weight", first),
            PatchOp("test", f"{TARGETS}/1/virtualNodeRef/name", "v2"),
            PatchOp("replace", f"{TARGETS}/1/weight", second),
            *more,
        ),
    )


class Lab(Protocol):
    """A store, and another writer's hands on what lies behind it."""

    namespace: str
    store: RouteStore

    async def put(self, document: dict[str, Any]) -> None:
        """Create, or replace as a whole."""

    async def delete(self, name: str) -> None: ...

    async def look(self, name: str) -> dict[str, Any]:
        """What really stands there, not through the store."""


class ClusterLab:
    def __init__(self, cluster: Any, namespace: str, store: KubernetesStore) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self.store: RouteStore = store

    async def put(self, document: dict[str, Any]) -> None:
        await asyncio.to_thread(self._cluster.apply, document)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._cluster.request, "DELETE", self._path(name))

    async def look(self, name: str) -> dict[str, Any]:
        return dict(await asyncio.to_thread(self._cluster.request, "GET", self._path(name)))

    def _path(self, name: str) -> str:
        return f"/apis/{GROUP}/v1beta2/namespaces/{self.namespace}/virtualrouters/{name}"


class FolderLab:
    """One YAML file an object. The store looks at them every 10 ms."""

    namespace = "shop"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.store: RouteStore = ManifestStore([folder], [ROUTER, MESH], Wall(), interval_s=0.01)

    async def put(self, document: dict[str, Any]) -> None:
        self._write(self._file(document["metadata"]["name"]), as_yaml(document))

    async def delete(self, name: str) -> None:
        self._file(name).unlink()

    async def look(self, name: str) -> dict[str, Any]:
        return dict(yaml.safe_load(self._file(name).read_text()))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.yaml"

    def _write(self, file: Path, text: str) -> None:
        temporary = self._folder / ".new"
        temporary.write_text(text)
        temporary.rename(file)


class OneFileLab(FolderLab):
    """All objects as the documents of one YAML file."""

    async def put(self, document: dict[str, Any]) -> None:
        name = document["metadata"]["name"]
        self._save([*(d for d in self._all() if d["metadata"]["name"] != name), document])

    async def delete(self, name: str) -> None:
        self._save([d for d in self._all() if d["metadata"]["name"] != name])

    async def look(self, name: str) -> dict[str, Any]:
        return next(d for d in self._all() if d["metadata"]["name"] == name)

    def _all(self) -> list[dict[str, Any]]:
        file = self._file("all")
        return list(yaml.safe_load_all(file.read_text())) if file.exists() else []

    def _save(self, documents: list[dict[str, Any]]) -> None:
        self._write(self._file("all"), "---\n".join(["# all\n", *map(as_yaml, documents)]))


class JsonListLab(OneFileLab):
    """All objects as the items of a list in a JSON file, as kubectl prints one."""

    def _all(self) -> list[dict[str, Any]]:
        file = self._file("all")
        return list(json.loads(file.read_text())["items"]) if file.exists() else []

    def _save(self, documents: list[dict[str, Any]]) -> None:
        whole = {"apiVersion": "v1", "kind": "List", "items": documents}
        self._write(self._file("all"), json.dumps(whole, indent="\t"))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def as_yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


LABS = {"files": FolderLab, "one file": OneFileLab, "json list": JsonListLab}


class Wall:
    now = staticmethod(time.time)  # noqa: TID251 - files carry the times of the real clock
    sleep = staticmethod(asyncio.sleep)

"""Where the objects of the demo stand: a directory of manifests, or a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Protocol

import yaml

from trimtab.crds import crd
from trimtab.demo.plot import SERVICES, STEERED
from trimtab.testbed.processes import CRDS, Cluster, Prometheus

ROUTERS = "/apis/appmesh.k8s.aws/v1beta2/namespaces/{}/virtualrouters"


def render(name: str, values: Mapping[str, object]) -> str:
    """A manifest of the package with its placeholders filled in."""
    text = (resources.files("trimtab.demo") / "manifests" / f"{name}.yaml").read_text()
    return Template(text).substitute(values)


def manifests(arm: str, gateway_port: int, ports: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Names and texts of the manifests of one arm, ``ports`` by backend."""
    values: dict[str, object] = {"namespace": arm, "gateway_port": gateway_port}
    for service in SERVICES:
        for target in service.targets:
            key = target.name.replace("-", "_")
            values |= {f"{key}_port": ports[target.name], f"{key}_weight": target.weights[arm]}
    for name in ("gateway", *(service.name for service in SERVICES)):
        yield f"{arm}-{name}", render(name, values)


class World(Protocol):
    """The store that the controller steers, and the source that it reads."""

    @property
    def name(self) -> str: ...

    def put(self, name: str, text: str) -> None:
        """Create or replace the objects of a manifest."""

    def weights(self) -> dict[str, dict[str, int]]:
        """The weights of the steered routers as they stand: by service, by target."""

    def flags(self, directory: Path, admin: str) -> list[str]:
        """The flags that point ``trimtab run`` at this store, and at what measures ``admin``."""

    def close(self) -> None: ...


class Files:
    """A directory of manifests, read and written in place; Envoy itself is scraped."""

    name: str = "files"

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "mesh"
        self._directory.mkdir()

    def put(self, name: str, text: str) -> None:
        path = self._directory / f"{name}.yaml"
        unfinished = path.with_suffix(".new")
        unfinished.write_text(text)
        unfinished.replace(path)

    def weights(self) -> dict[str, dict[str, int]]:
        files = (self._directory / f"{STEERED}-{service.name}.yaml" for service in SERVICES)
        documents = (d for f in files for d in yaml.load_all(f.read_text(), yaml.CSafeLoader))
        return _weights(d for d in documents if d["kind"] == "VirtualRouter")

    def flags(self, directory: Path, admin: str) -> list[str]:
        state = directory / "state.json"
        return [f"--manifests={self._directory}", f"--state={state}", f"--scrape=http://{admin}"]

    def close(self) -> None:
        pass


class Api:
    """A real API server; a real Prometheus scrapes Envoy every second."""

    name: str = "cluster"

    def __init__(self, directory: Path) -> None:
        self._cluster = Cluster.start(directory / "cluster")
        self._prometheus: Prometheus | None = None
        try:
            self._cluster.apply_all(CRDS)
            self._cluster.apply(crd())
        except BaseException:
            self._cluster.stop()
            raise

    def put(self, name: str, text: str) -> None:
        del name
        for document in yaml.safe_load_all(text):
            self._cluster.apply(document)

    def weights(self) -> dict[str, dict[str, int]]:
        return _weights(self._cluster.request("GET", ROUTERS.format(STEERED))["items"])

    def flags(self, directory: Path, admin: str) -> list[str]:
        self._prometheus = Prometheus.start(directory / "prometheus", [admin])
        config = self._cluster.kubeconfig()
        return [f"--kubeconfig={config}", f"--prometheus={self._prometheus.url}"]

    def close(self) -> None:
        if self._prometheus is not None:
            self._prometheus.stop()
        self._cluster.stop()


def _weights(routers: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {
        router["metadata"]["name"]: {
            target["virtualNodeRef"]["name"]: target["weight"]
            for target in router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
        }
        for router in routers
    }

"""What every test may ask for: the real tools, a real cluster, a namespace of one's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.errors import MissingTool
from trimtab.testbed.processes import CRDS, Cluster
from trimtab.testbed.tools import find

ROOT = Path(__file__).parent.parent
NEEDS = {
    "envoy_binary": ("envoy",),
    "prometheus_binary": ("prometheus",),
    "cluster": ("etcd", "kube-apiserver"),
}
_tools: dict[str, Path | MissingTool] = {}


def _look(name: str) -> Path | MissingTool:
    if name not in _tools:
        try:
            _tools[name] = find(name)
        except MissingTool as error:
            _tools[name] = error
    return _tools[name]


def _tool(name: str) -> Path:
    """A tool's path. Where it cannot be had, the test is skipped with the remedy; on CI it fails."""
    tool = _look(name)
    if isinstance(tool, MissingTool):
        if os.environ.get("CI") == "true":
            pytest.fail(str(tool))
        pytest.skip(str(tool))
    return tool


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install what the chosen tests need before the first of them: a build outlasts a timeout."""
    if session.config.option.collectonly:
        return
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    for fixture in NEEDS.keys() & fixtures:
        for name in NEEDS[fixture]:
            _look(name)


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    return _tool("envoy")


@pytest.fixture(scope="session")
def prometheus_binary() -> Path:
    return _tool("prometheus")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One etcd and API server for the whole run, with our CRDs."""
    for name in NEEDS["cluster"]:
        _tool(name)
    with Cluster.start(tmp_path_factory.mktemp("cluster")) as running:
        running.apply_all(CRDS)
        running.apply_all(ROOT / "deploy" / "crds")
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A fresh namespace in the cluster, so that tests do not see each other's objects."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture(scope="session")
def shared() -> Path:
    """The upstream CRDs and manifests that may stand beside the checkout."""
    path = Path(os.environ.get("TRIMTAB_SHARED") or ROOT.parent / "shared").resolve()
    if not path.is_dir():
        pytest.skip(f"upstream's documents are not at {path}; name their folder in TRIMTAB_SHARED")
    return path

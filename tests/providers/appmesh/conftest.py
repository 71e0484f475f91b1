"""Documents for the App Mesh tests, as a store would hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab.core.model import Object, ObjectRef, Objects

FIXTURES = Path(__file__).parents[2] / "fixtures" / "appmesh"
CLUSTER_SCOPED = ("Mesh", "Namespace")

Load = Callable[..., Objects]


def as_object(body: dict[str, Any], file: str | None = None, version: str = "1") -> Object:
    group, _, _ = str(body["apiVersion"]).rpartition("/")
    metadata = {"namespace": "default", **body["metadata"], "resourceVersion": version}
    if body["kind"] in CLUSTER_SCOPED:
        del metadata["namespace"]
    ref = ObjectRef(group, body["kind"], metadata.get("namespace", ""), metadata["name"])
    return Object(ref, version, {**body, "metadata": metadata}, file)


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture
def load() -> Load:
    """``load(text, ..., file=None)``: the objects in YAML texts; later ones replace earlier ones."""

    def load(*texts: str | Path, file: str | None = None) -> Objects:
        objects: dict[ObjectRef, Object] = {}
        for text in texts:
            content = text.read_text() if isinstance(text, Path) else text
            for body in yaml.safe_load_all(content):
                if body is not None:
                    obj = as_object(body, file)
                    objects[obj.ref] = obj
        return objects

    return load


@pytest.fixture
def base() -> Path:
    """The mesh of fixtures/appmesh/base.yaml."""
    return FIXTURES / "base.yaml"

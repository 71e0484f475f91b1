"""What upgraders share: the form that they build, and an index of what stands beside a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab.core.model import Object, ObjectRef, Objects
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.values import API_VERSION, GROUP

_DNS_TAIL = ".svc.cluster.local"
_KEPT_METADATA = ("labels", "annotations")


class Form:
    """The v1beta2 documents that a document of another shape means, and what is to be said."""

    def __init__(self, obj: Object) -> None:
        self._obj = obj
        self.documents: list[dict[str, Any]] = []
        self.problems: list[Problem] = []
        self.complete = True  # False when a part of the source has no v1beta2 form

    def say(self, problem: Problem) -> None:
        self.problems.append(problem)

    def dropped(self, field: str, why: str) -> None:
        """A field that has no place in v1beta2."""
        self.say(Problem(codes.LEFT_OUT, field, f"is left out of the v1beta2 form: {why}."))

    def lost(self, field: str, why: str) -> None:
        """A part that means something and has no v1beta2 form: the form must not take its place."""
        self.say(
            Problem(codes.NEVER_EXISTED, field, f"has no v1beta2 form: {why}.", "Write it anew.")
        )
        self.complete = False

    def add(self, kind: str, name: str, spec: Any, labels: Mapping[str, str] | None = None) -> None:
        """A document of the same namespace, labels and annotations as the source."""
        source = self._obj.body.get("metadata")
        kept = {
            key: dict(source[key])
            for key in _KEPT_METADATA
            if isinstance(source, Mapping) and isinstance(source.get(key), Mapping) and source[key]
        }
        if labels:
            kept["labels"] = {**kept.get("labels", {}), **labels}
        metadata: dict[str, Any] = {"name": name}
        stated = source.get("namespace") if isinstance(source, Mapping) else None
        if kind != "Mesh" and stated:  # who left it to kubectl -n goes on doing so
            metadata["namespace"] = stated
        document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {**metadata, **kept}}
        self.documents.append(document | ({} if spec is None else {"spec": spec}))


class Index:
    """Where names in older documents lead: they name things by awsName, and meshes by name."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._services: dict[str, ObjectRef] = {}
        self.namespaces_of_mesh: dict[str, set[str]] = {}
        for ref, obj in objects.items():
            if ref.group == GROUP:
                self._take(ref, obj)

    def _take(self, ref: ObjectRef, obj: Object) -> None:
        spec = as_mapping(obj.body.get("spec"))
        if ref.kind == "VirtualService":
            stated = spec.get("awsName")
            for name in (stated, ref.name, f"{ref.name}.{ref.namespace}"):
                if isinstance(name, str):
                    self._services.setdefault(name.removesuffix(_DNS_TAIL), ref)
        mesh = spec.get("meshName")
        if isinstance(mesh, str):
            self.namespaces_of_mesh.setdefault(mesh, set()).add(ref.namespace)

    def service(self, name: str, namespace: str) -> dict[str, str]:
        """A v1beta2 reference for the name of a virtual service; a guess where none is known."""
        short = name.removesuffix(_DNS_TAIL)
        found = self._services.get(f"{short}.{namespace}") or self._services.get(short)
        if found is not None:
            return reference(found.name, found.namespace, namespace)
        first, _, rest = short.partition(".")
        return reference(first, rest if rest and "." not in rest else namespace, namespace)

    def node(self, name: str, namespace: str) -> dict[str, str]:
        """A v1beta2 reference for ``node`` or ``node.namespace``."""
        if ObjectRef(GROUP, "VirtualNode", namespace, name) not in self._objects:
            first, _, rest = name.rpartition(".")
            if first and ObjectRef(GROUP, "VirtualNode", rest, first) in self._objects:
                return reference(first, rest, namespace)
        return {"name": name}

    def has(self, kind: str, namespace: str, name: str) -> bool:
        return ObjectRef(GROUP, kind, namespace, name) in self._objects


def reference(name: str, namespace: str, here: str) -> dict[str, str]:
    return {"name": name} if namespace == here else {"name": name, "namespace": namespace}


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value, where it is an object; else an empty one: its absence is diagnosed later."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

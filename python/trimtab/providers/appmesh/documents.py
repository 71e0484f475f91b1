"""Documents into typed resources: what each says, and everything that is wrong with it.

A document with a fatal problem has no ``resource``: it is used for nothing, and whatever
refers to it says so. Other documents are not touched by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.core.model import Diagnostic, Object
from trimtab.ports import Kind
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.model import (
    BackendGroupSpec,
    MeshSpec,
    NamespaceSpec,
    Resource,
    VirtualGatewaySpec,
    VirtualNodeSpec,
    VirtualServiceSpec,
)
from trimtab.providers.appmesh.reader import (
    is_unicode,
    keys_of,
    nearest,
    read,
    read_text,
    word_for,
)
from trimtab.providers.appmesh.routing import GatewayRouteSpec, VirtualRouterSpec
from trimtab.providers.appmesh.validate import problems_of
from trimtab.providers.appmesh.values import GROUP, VERSION

SPECS: Mapping[str, type[Any]] = {
    "Mesh": MeshSpec,
    "VirtualGateway": VirtualGatewaySpec,
    "GatewayRoute": GatewayRouteSpec,
    "VirtualService": VirtualServiceSpec,
    "VirtualRouter": VirtualRouterSpec,
    "VirtualNode": VirtualNodeSpec,
    "BackendGroup": BackendGroupSpec,
}
NAMESPACES = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
KINDS: tuple[Kind, ...] = (
    NAMESPACES,
    Kind(GROUP, VERSION, "meshes", "Mesh", namespaced=False),
    Kind(GROUP, VERSION, "virtualgateways", "VirtualGateway", namespaced=True),
    Kind(GROUP, VERSION, "gatewayroutes", "GatewayRoute", namespaced=True),
    Kind(GROUP, VERSION, "virtualservices", "VirtualService", namespaced=True),
    Kind(GROUP, VERSION, "virtualrouters", "VirtualRouter", namespaced=True),
    Kind(GROUP, VERSION, "virtualnodes", "VirtualNode", namespaced=True),
    Kind(GROUP, VERSION, "backendgroups", "BackendGroup", namespaced=True),
)
_ENVELOPE = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True)
class Document:
    """One object as read. ``resource`` is None when it is not ours, or has a fatal problem."""

    object: Object
    resource: Resource[Any] | None
    diagnostics: tuple[Diagnostic, ...]


def read_document(obj: Object) -> Document:
    """Never raises for what a document says; it becomes diagnostics."""
    ref = obj.ref
    if (ref.group, ref.kind) == ("", "Namespace"):
        labels = _labels(obj.body, "labels", [])
        labels.setdefault("kubernetes.io/metadata.name", ref.name)  # as the API server does
        return Document(obj, Resource(obj, labels, {}, NamespaceSpec()), ())
    if ref.group != GROUP or ref.kind not in SPECS:
        return Document(obj, None, ())
    problems: list[Problem] = []
    resource = _read(obj, problems)
    if not (is_unicode(ref.name) and is_unicode(ref.namespace)):
        problems.append(Problem(codes.WRONG_TYPE, "metadata.name", f"{ref.name!r} is no text."))
    diagnostics = tuple(diagnostic(p, obj) for p in problems)
    if any(p.code.fatal for p in problems):
        resource = None
    return Document(obj, resource, diagnostics)


def _read(obj: Object, problems: list[Problem]) -> Resource[Any] | None:
    body = obj.body
    version = body.get("apiVersion")
    if version != f"{GROUP}/{VERSION}":
        message = f"{version!r} is not read; the App Mesh resources are {GROUP}/{VERSION}."
        remedy = f"Write the document as {GROUP}/{VERSION}."
        problems.append(Problem(codes.WRONG_VERSION, "apiVersion", message, remedy))
        return None
    for key in body:
        if key not in _ENVELOPE:
            message = "is not a field of a Kubernetes object; the API server drops it."
            remedy = (
                "Indent it below spec."
                if key in keys_of(SPECS[obj.ref.kind])
                else nearest(key, _ENVELOPE)
            )
            problems.append(Problem(codes.UNKNOWN_FIELD, str(key), message, remedy))
    labels = _labels(body, "labels", problems)
    annotations = _labels(body, "annotations", problems)
    raw = body.get("spec")
    if raw is None:
        raw = {}
        problems.append(Problem(codes.EMPTY_SPEC, "spec", "is empty; the object says nothing."))
    if not isinstance(raw, dict):
        message = f"is {word_for(raw)}, not an object."
        problems.append(Problem(codes.WRONG_TYPE, "spec", message, "Check the indentation."))
        return None
    problems.extend(_weights_of_gateway_route(obj.ref.kind, raw))
    spec = read(SPECS[obj.ref.kind], raw, "spec", problems)
    if spec is None:
        return None
    if not any(p.code is codes.ONE_OF for p in problems):  # else it is not clear what is meant
        problems.extend(problems_of(spec, by_hand=obj.file is not None))
    return Resource(obj, labels, annotations, spec)


def _weights_of_gateway_route(kind: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    """What people look for first in a GatewayRoute, and what it never had."""
    for form, route in spec.items() if kind == "GatewayRoute" else ():
        action = route.get("action") if isinstance(route, Mapping) else None
        if isinstance(action, Mapping) and "weightedTargets" in action:
            message = "a GatewayRoute has exactly one target and no weights."
            remedy = "Lead it to one VirtualService, and weigh in the weightedTargets of its VirtualRouter."
            field = f"spec.{form}.action.weightedTargets"
            yield Problem(codes.WEIGHTS_AT_GATEWAY, field, message, remedy)


def _labels(body: Mapping[str, Any], what: str, problems: list[Problem]) -> dict[str, str]:
    """``metadata.labels`` or ``metadata.annotations``; what is not text is reported and left out."""
    metadata = body.get("metadata")
    raw = metadata.get(what) if isinstance(metadata, Mapping) else None
    if raw is None:
        return {}
    field = f"metadata.{what}"
    if not isinstance(raw, Mapping):
        problems.append(Problem(codes.WRONG_TYPE, field, f"is {word_for(raw)}, not an object."))
        return {}
    labels: dict[str, str] = {}
    for key, value in raw.items():
        text = read_text(value, ((None, field), str(key)), problems)
        if text is not None:
            labels[str(key)] = text
    return labels

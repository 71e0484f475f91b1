"""Older and wrong shapes of App Mesh documents, and what each would be as v1beta2.

Upgrading is for looking (lint, explain, offline matching) and for writing a document anew. It
is a pass of its own before reading, and nothing that writes to a cluster uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.core.model import Diagnostic, Object, ObjectRef, Objects
from trimtab.ports import Kind
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.documents import KINDS
from trimtab.providers.appmesh.legacy import guides, v1beta1
from trimtab.providers.appmesh.legacy.forms import Form, Index
from trimtab.providers.appmesh.values import API_VERSION, GROUP, VERSION

OLD_VERSION = "v1beta1"
# What a store has to be asked for, beyond KINDS, so that upgrade() sees it.
LEGACY_KINDS: tuple[Kind, ...] = (
    *(k._replace(version=OLD_VERSION) for k in KINDS if k.group == GROUP),
    Kind(GROUP, OLD_VERSION, "gateways", "Gateway", namespaced=True),
    Kind(GROUP, VERSION, "gateways", "Gateway", namespaced=True),
)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """Objects of which the older ones are replaced by their v1beta2 forms.

    ``forms`` holds, for each object that was upgraded, the documents that it means; none when
    there is no honest form of it, and a diagnostic says why. They may be written in its place but
    for those that are ``partial``: something of these objects would be lost. ``sources`` tells of
    each object that is such a document which one it stands for.
    """

    objects: Objects
    forms: Mapping[ObjectRef, tuple[Mapping[str, Any], ...]]
    diagnostics: tuple[Diagnostic, ...]
    partial: frozenset[ObjectRef] = frozenset()
    sources: Mapping[ObjectRef, ObjectRef] = field(default_factory=dict)


def upgrade(objects: Objects) -> Upgraded:
    """What the objects mean. Objects that are v1beta2 already are passed on as they are."""
    index = Index(objects)
    found: dict[ObjectRef, Object] = {}
    forms: dict[ObjectRef, tuple[Mapping[str, Any], ...]] = {}
    diagnostics: list[Diagnostic] = []
    partial: set[ObjectRef] = set()
    sources: dict[ObjectRef, ObjectRef] = {}
    for ref, obj in objects.items():
        form = _form_of(obj, index)
        if form is None:
            found[ref] = obj
            continue
        forms[ref] = tuple(form.documents)
        if not form.complete:
            partial.add(ref)
        diagnostics += [diagnostic(problem, obj) for problem in form.problems]
        for document in form.documents:
            new = _as_object(document, obj)
            if found.setdefault(new.ref, new) is new:
                sources[new.ref] = ref
    return Upgraded(found, forms, tuple(diagnostics), frozenset(partial), sources)


def about(api_version: str, kind: str, words: frozenset[str]) -> str:
    """What is known of a document of which only the words can be read: a sentence, or nothing."""
    group, _, version = api_version.rpartition("/")
    if group != GROUP:
        return ""
    if kind == "Gateway":
        return guides.NO_GATEWAY
    if kind == "GatewayRoute" and words & {"gatewayName", "destination", "virtualServiceName"}:
        return guides.NO_SUCH_ROUTE
    if version == OLD_VERSION and kind in v1beta1.UPGRADERS:
        return v1beta1.UNREAD
    if version == OLD_VERSION:
        return _never_had(kind)
    return ""


def _never_had(kind: str) -> str:
    return f"{OLD_VERSION} never had a {kind}; App Mesh refuses the document."


def _form_of(obj: Object, index: Index) -> Form | None:
    if obj.ref.group != GROUP:
        return None
    version = str(obj.body.get("apiVersion", "")).rpartition("/")[2]
    if obj.ref.kind == "Gateway":
        return guides.gateway(obj)
    if obj.ref.kind == "GatewayRoute" and guides.is_guide_route(obj):
        return guides.gateway_route(obj, index)
    if version != OLD_VERSION:
        return None
    upgrader = v1beta1.UPGRADERS.get(obj.ref.kind)
    if upgrader is not None:
        return upgrader(obj, index)
    form = Form(obj)
    message, remedy = _never_had(obj.ref.kind), f"Write {API_VERSION}."
    form.say(Problem(codes.NO_SUCH_KIND, "apiVersion", message, remedy))
    form.add(obj.ref.kind, obj.ref.name, obj.body.get("spec"))
    return form


def _as_object(document: Mapping[str, Any], source: Object) -> Object:
    """A form as an object that stands where its source does."""
    metadata, kind = document["metadata"], document["kind"]
    namespace = "" if kind == "Mesh" else source.ref.namespace
    ref = ObjectRef(GROUP, kind, namespace, metadata["name"])
    body = {**document, "metadata": {**metadata, "resourceVersion": source.version}}
    return Object(ref, source.version, body, source.file)

"""App Mesh documents in few words, and the objects of a store that can be changed."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from trimtab.core.model import Object, ObjectRef

GROUP = "appmesh.k8s.aws"
NAMESPACE = "shop"
GATEWAY_ID = "mesh/m/virtualGateway/gw_shop"

Document = dict[str, Any]


def document(kind: str, name: str, spec: Mapping[str, Any], namespace: str = NAMESPACE) -> Document:
    metadata = {"name": name} if kind == "Mesh" else {"name": name, "namespace": namespace}
    return {
        "apiVersion": f"{GROUP}/v1beta2",
        "kind": kind,
        "metadata": metadata,
        "spec": dict(spec),
    }


def mesh(name: str = "m", **spec: Any) -> Document:
    return document("Mesh", name, {"namespaceSelector": {}, **spec})


def gateway(
    port: int,
    name: str = "gw",
    more_ports: Iterable[int] = (),
    protocol: str = "http",
    **listener: Any,
) -> Document:
    listeners = [
        {"portMapping": {"port": p, "protocol": protocol}, **listener} for p in (port, *more_ports)
    ]
    return document("VirtualGateway", name, {"namespaceSelector": {}, "listeners": listeners})


def gateway_route(
    name: str,
    match: Mapping[str, Any],
    service: str,
    *,
    form: str = "httpRoute",
    rewrite: Mapping[str, Any] | None = None,
    port: int | None = None,
    priority: int | None = None,
) -> Document:
    target: Document = {"virtualService": {"virtualServiceRef": {"name": service}}}
    if port is not None:
        target["port"] = port
    action: Document = {"target": target}
    if rewrite is not None:
        action["rewrite"] = rewrite
    spec: Document = {form: {"match": dict(match), "action": action}}
    if priority is not None:
        spec["priority"] = priority
    return document("GatewayRoute", name, spec)


def service(name: str, *, router: str | None = None, node: str | None = None) -> Document:
    provider: Document = {}
    if router:
        provider = {"provider": {"virtualRouter": {"virtualRouterRef": {"name": router}}}}
    if node:
        provider = {"provider": {"virtualNode": {"virtualNodeRef": {"name": node}}}}
    return document("VirtualService", name, provider)


def rule(
    name: str,
    targets: Mapping[str, int],
    match: Mapping[str, Any] | None = None,
    *,
    form: str = "httpRoute",
    priority: int | None = None,
) -> Document:
    default = {} if form in ("tcpRoute", "grpcRoute") else {"prefix": "/"}
    weighted = [{"virtualNodeRef": {"name": n}, "weight": w} for n, w in targets.items()]
    found: Document = {
        "name": name,
        form: {"match": dict(match or default), "action": {"weightedTargets": weighted}},
    }
    if priority is not None:
        found["priority"] = priority
    return found


def router(name: str, *rules: Document, ports: Mapping[int, str] | None = None) -> Document:
    listeners = [
        {"portMapping": {"port": p, "protocol": protocol}}
        for p, protocol in (ports or {8080: "http"}).items()
    ]
    return document("VirtualRouter", name, {"listeners": listeners, "routes": list(rules)})


def node(
    name: str,
    port: int | Mapping[int, str],
    protocol: str = "http",
    *,
    hostname: str = "127.0.0.1",
    backends: Iterable[str] = (),
    endpoints: bool = False,
) -> Document:
    ports = {port: protocol} if isinstance(port, int) else port
    dns = {"hostname": hostname, **({"responseType": "ENDPOINTS"} if endpoints else {})}
    spec: Document = {
        "listeners": [{"portMapping": {"port": p, "protocol": kind}} for p, kind in ports.items()],
        "serviceDiscovery": {"dns": dns},
    }
    called = [{"virtualService": {"virtualServiceRef": {"name": b}}} for b in backends]
    if called:
        spec["backends"] = called
    return document("VirtualNode", name, spec)


def annotated(body: Document, weights: str) -> Document:
    """The same GatewayRoute with weights in an annotation."""
    changed = copy.deepcopy(body)
    changed["metadata"]["annotations"] = {"trimtab.dev/weights": weights}
    return changed


class Store:
    """Objects by reference. A put object has a new version; an equal one is left as it is."""

    def __init__(self, *documents: Document) -> None:
        self.objects: dict[ObjectRef, Object] = {}
        self._writes = 0
        self.put(*documents)

    def put(self, *documents: Document) -> None:
        changed = dict(self.objects)
        for body in documents:
            ref = reference(body)
            known = changed.get(ref)
            if known is not None and _said(known.body) == _said(body):
                continue
            self._writes += 1
            fresh = copy.deepcopy(body)
            fresh["metadata"]["resourceVersion"] = str(self._writes)
            changed[ref] = Object(ref, str(self._writes), fresh)
        self.objects = changed

    def remove(self, kind: str, name: str) -> None:
        self.objects = {r: o for r, o in self.objects.items() if (r.kind, r.name) != (kind, name)}

    def get(self, kind: str, name: str) -> Document:
        """A copy of a document, to be changed and put."""
        body = next(o.body for r, o in self.objects.items() if (r.kind, r.name) == (kind, name))
        return copy.deepcopy(dict(body))


def _said(body: Mapping[str, Any]) -> tuple[object, object]:
    return body["spec"], body["metadata"].get("annotations")


def reference(body: Document) -> ObjectRef:
    metadata = body["metadata"]
    return ObjectRef(GROUP, body["kind"], metadata.get("namespace", ""), metadata["name"])


def weigh(body: Document, weights: Iterable[int], index: int = 0) -> Document:
    """The same router with other weights in one of its rules."""
    changed = copy.deepcopy(body)
    found = changed["spec"]["routes"][index]
    form = next(key for key in found if key.endswith("Route"))
    targets = found[form]["action"]["weightedTargets"]
    for target, weight in zip(targets, weights, strict=True):
        target["weight"] = weight
    return changed

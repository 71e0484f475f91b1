"""v1beta1: Mesh, VirtualNode and VirtualService with its router and routes inside.

What was the same in both versions is passed on untouched and judged by the reader of v1beta2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trimtab.core.model import Object
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.legacy.forms import Form, Index, as_list, as_mapping

_ROUTE_FORMS = {"http": "httpRoute", "http2": "http2Route", "grpc": "grpcRoute", "tcp": "tcpRoute"}
_RETRY_EVENTS = {
    "httpRetryPolicyEvents": "httpRetryEvents",
    "tcpRetryPolicyEvents": "tcpRetryEvents",
    "grpcRetryPolicyEvents": "grpcRetryEvents",
}
UNREAD = "v1beta1 is read by no controller since 1.0."
_NAME_LABEL = "kubernetes.io/metadata.name"


def _say_old(form: Form, becomes: str) -> None:
    message = f"{UNREAD[:-1]}; as v1beta2 the document is {becomes}."
    remedy = "Write the v1beta2 form instead."
    form.say(Problem(codes.OLD_SHAPE, "apiVersion", message, remedy))


def mesh(obj: Object, index: Index) -> Form:
    """Members named their mesh; now the mesh selects the namespaces of its members."""
    form = Form(obj)
    _say_old(form, "a Mesh that selects the namespaces of its members")
    spec = dict(as_mapping(obj.body.get("spec")))
    if spec.pop("serviceDiscoveryType", None) is not None:
        form.dropped("spec.serviceDiscoveryType", "each VirtualNode says how it is discovered")
    members = sorted(index.namespaces_of_mesh.get(obj.ref.name, ()))
    if members:
        wanted = {"key": _NAME_LABEL, "operator": "In", "values": members}
        spec.setdefault("namespaceSelector", {"matchExpressions": [wanted]})
    else:
        spec.setdefault("namespaceSelector", {"matchLabels": {"mesh": obj.ref.name}})
    form.add("Mesh", obj.ref.name, spec)
    return form


def virtual_node(obj: Object, index: Index) -> Form:
    form = Form(obj)
    _say_old(form, "a VirtualNode whose Mesh selects its namespace")
    spec = dict(as_mapping(obj.body.get("spec")))
    spec.pop("meshName", None)
    discovery = dict(as_mapping(spec.get("serviceDiscovery")))
    if "cloudMap" in discovery:
        discovery["awsCloudMap"] = discovery.pop("cloudMap")
    dns = as_mapping(discovery.get("dns"))
    if "hostName" in dns:
        rest = {k: v for k, v in dns.items() if k != "hostName"}
        discovery["dns"] = {"hostname": dns["hostName"], **rest}
    if discovery:
        spec["serviceDiscovery"] = discovery
    if isinstance(spec.get("backends"), list):
        spec["backends"] = [_backend(b, obj.ref.namespace, index) for b in spec["backends"]]
    if "podSelector" not in spec:
        message = "the pods of a node are chosen by its podSelector in v1beta2; the form has none."
        form.say(Problem(codes.LEFT_OUT, "spec.podSelector", message, "Add podSelector."))
    form.add("VirtualNode", obj.ref.name, spec)
    return form


def _backend(backend: Any, namespace: str, index: Index) -> Any:
    service = as_mapping(as_mapping(backend).get("virtualService"))
    name = service.get("virtualServiceName") or as_mapping(
        as_mapping(backend).get("backendService")
    ).get("name")
    if not isinstance(name, str):
        return backend
    rest = {k: v for k, v in service.items() if k != "virtualServiceName"}
    return {"virtualService": {"virtualServiceRef": index.service(name, namespace), **rest}}


def virtual_service(obj: Object, index: Index) -> Form:
    """Two documents: the service under the name that callers use, and its router."""
    form = Form(obj)
    spec = as_mapping(obj.body.get("spec"))
    inside = as_mapping(spec.get("virtualRouter"))
    stated = inside.get("name")
    name = stated if isinstance(stated, str) and stated else f"{obj.ref.name.split('.')[0]}-router"
    _say_old(form, f"a VirtualService and a VirtualRouter {name}")
    for key in spec:
        if key not in ("meshName", "virtualRouter", "routes"):
            form.dropped(f"spec.{key}", "a VirtualService has no such field")
    provider = {"virtualRouter": {"virtualRouterRef": {"name": name}}}
    form.add("VirtualService", obj.ref.name, {"awsName": obj.ref.name, "provider": provider})
    router: dict[str, Any] = {}
    if isinstance(inside.get("listeners"), list):
        router["listeners"] = inside["listeners"]
    routes = as_list(spec.get("routes"))
    router["routes"] = [_route(r, i, obj.ref.namespace, index) for i, r in enumerate(routes)]
    form.add("VirtualRouter", name, router)
    return form


def _route(raw: Any, place: int, namespace: str, index: Index) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    route: dict[str, Any] = {"name": raw.get("name", f"route-{place}")}
    for key, value in raw.items():
        if key in _ROUTE_FORMS:
            route[_ROUTE_FORMS[key]] = _route_body(value, namespace, index)
        elif key != "name":
            route[key] = value
    return route


def _route_body(raw: Any, namespace: str, index: Index) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    body = dict(raw)
    action = dict(as_mapping(body.get("action")))
    if isinstance(action.get("weightedTargets"), list):
        action["weightedTargets"] = [
            _target(t, namespace, index) for t in action["weightedTargets"]
        ]
        body["action"] = action
    if isinstance(body.get("retryPolicy"), Mapping):
        body["retryPolicy"] = _retries(body["retryPolicy"])
    return body


def _target(raw: Any, namespace: str, index: Index) -> Any:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("virtualNodeName"), str):
        return raw
    rest = {k: v for k, v in raw.items() if k != "virtualNodeName"}
    return {"virtualNodeRef": index.node(raw["virtualNodeName"], namespace), **rest}


def _retries(raw: Mapping[str, Any]) -> dict[str, Any]:
    policy = {_RETRY_EVENTS.get(key, key): value for key, value in raw.items()}
    if "perRetryTimeoutMillis" in policy:
        value = policy.pop("perRetryTimeoutMillis")
        policy["perRetryTimeout"] = {"unit": "ms", "value": value}
    return policy


UPGRADERS: Mapping[str, Callable[[Object, Index], Form]] = {
    "Mesh": mesh,
    "VirtualNode": virtual_node,
    "VirtualService": virtual_service,
}

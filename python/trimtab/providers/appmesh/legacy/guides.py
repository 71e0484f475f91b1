"""Shapes that stand in guides and never existed: kind Gateway, and GatewayRoutes like Istio's.

App Mesh never accepted them. What they mean is plain in most cases, and said with the v1beta2
form; where it is not (weights at a gateway) there is no form, and the way it is done is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trimtab.core.model import Object
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.legacy.forms import Form, Index, as_list, as_mapping

_PROTOCOLS = {"http": "http", "https": "http", "http2": "http2", "grpc": "grpc"}
_LABEL = "gateway"
_MATCH_FIELDS = ("prefix", "path", "hostname", "method", "headers", "queryParameters", "port")

_NOT_AT_GATEWAYS = (
    "a GatewayRoute has no such field; retries and timeouts stand in the routes of a VirtualRouter"
)

NO_GATEWAY = (
    "App Mesh has no kind Gateway and never had; what stands before the mesh is a VirtualGateway "
    "with listeners, chosen by selectors."
)
NO_SUCH_ROUTE = (
    "App Mesh never had GatewayRoutes of this shape: one GatewayRoute holds one httpRoute with a "
    "match and one target, and a VirtualGateway chooses it by selectors."
)


# --- Gateway ------------------------------------------------------------------------------------


def gateway(obj: Object) -> Form:
    """A VirtualGateway that takes the routes which name it."""
    form = Form(obj)
    message = NO_GATEWAY
    remedy = "Write the v1beta2 form, and put a Kubernetes Service before the gateway's pods."
    form.say(Problem(codes.NO_SUCH_KIND, "kind", message, remedy))
    spec = as_mapping(obj.body.get("spec"))
    inside = as_mapping(spec.get("gatewayRoute"))
    listeners = [
        _listener(form, protocol, as_mapping(settings), f"spec.gatewayRoute.{protocol}")
        for protocol, settings in inside.items()
        if protocol in _PROTOCOLS
    ]
    for protocol in inside:
        if protocol not in _PROTOCOLS:
            form.dropped(f"spec.gatewayRoute.{protocol}", "a gateway speaks http, http2 or grpc")
    for key in spec:
        if key not in ("gatewayRoute", "listeners"):
            form.dropped(f"spec.{key}", "a VirtualGateway has no such field")
    selector = {"matchLabels": {"kubernetes.io/metadata.name": obj.ref.namespace}}
    routes = {"matchLabels": {_LABEL: obj.ref.name}}
    form.add(
        "VirtualGateway",
        obj.ref.name,
        {
            "namespaceSelector": selector,
            "gatewayRouteSelector": routes,
            "listeners": listeners or as_list(spec.get("listeners")),
        },
    )
    return form


def _listener(form: Form, protocol: str, settings: Mapping[str, Any], field: str) -> dict[str, Any]:
    port = settings.get("port", 443 if protocol == "https" else 80)
    if protocol == "https":
        message = (
            "App Mesh has no protocol https: it is http with tls, and tls needs a certificate, which "
            "the document does not name."
        )
        remedy = "Add tls with mode STRICT and a certificate to the listener."
        form.say(Problem(codes.TLS_MISSING, field, message, remedy))
    if "service" in settings:
        form.dropped(f"{field}.service", "a Kubernetes Service stands before the gateway's pods")
    return {"portMapping": {"port": port, "protocol": _PROTOCOLS[protocol]}}


# --- GatewayRoute -------------------------------------------------------------------------------


def is_guide_route(obj: Object) -> bool:
    spec = as_mapping(obj.body.get("spec"))
    return "gatewayName" in spec or isinstance(spec.get("http"), list | Mapping)


def gateway_route(obj: Object, index: Index) -> Form:
    """One GatewayRoute for each entry; each has one match and one target."""
    form = Form(obj)
    form.say(Problem(codes.NEVER_EXISTED, "spec", NO_SUCH_ROUTE, "Write the v1beta2 form."))
    spec = as_mapping(obj.body.get("spec"))
    labels = _chosen(form, spec.get("gatewayName"), obj, index)
    listed = spec.get("http")
    entries = [listed] if isinstance(listed, Mapping) else as_list(listed)
    for key in spec:
        if key not in ("gatewayName", "http"):
            form.lost(f"spec.{key}", "only what stands under http is understood")
    if not entries:
        form.lost("spec.http", "it holds no entry with a match and a route")
    for i, entry in enumerate(entries):
        name = obj.ref.name if len(entries) == 1 else f"{obj.ref.name}-{i}"
        for suffix, route in _routes(form, entry, f"spec.http[{i}]", obj.ref.namespace, index):
            form.add("GatewayRoute", name + suffix, {"httpRoute": route}, labels)
    return form


def _chosen(form: Form, name: Any, obj: Object, index: Index) -> dict[str, str] | None:
    """The label by which the gateway of the same name takes a route."""
    if not isinstance(name, str):
        return None
    known = index.has("Gateway", obj.ref.namespace, name)
    there = "" if known else f" Give the VirtualGateway {name} a gatewayRouteSelector for it."
    message = f"a route does not name its gateway; the form has the label {_LABEL}: {name} instead."
    form.say(Problem(codes.LEFT_OUT, "spec.gatewayName", message, there.strip()))
    return {_LABEL: name}


def _routes(
    form: Form, entry: Any, field: str, namespace: str, index: Index
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The routes that one entry means: one for each of its matches."""
    body = as_mapping(entry)
    for key in body:
        if key not in ("match", "route", "rewrite"):
            form.dropped(f"{field}.{key}", _NOT_AT_GATEWAYS)
    target = _target(form, as_list(body.get("route")), f"{field}.route", namespace, index)
    if target is None:
        return
    matches = body.get("match", {})
    listed = matches if isinstance(matches, list) else [matches]
    for k, match in enumerate(listed):
        route: dict[str, Any] = {"match": _match(form, as_mapping(match), f"{field}.match")}
        action: dict[str, Any] = {"target": target}
        rewrite = _rewrite(
            form, as_mapping(body.get("rewrite")), route["match"], f"{field}.rewrite"
        )
        if rewrite:
            action["rewrite"] = rewrite
        yield ("" if len(listed) == 1 else f"-{k}"), route | {"action": action}


def _match(form: Form, raw: Mapping[str, Any], field: str) -> dict[str, Any]:
    match = {key: value for key, value in raw.items() if key in _MATCH_FIELDS}
    uri = as_mapping(raw.get("uri"))
    if "prefix" in uri:
        match["prefix"] = uri["prefix"]
    elif uri:
        match["path"] = {key: value for key, value in uri.items() if key in ("exact", "regex")}
    for key in raw:
        if key not in (*_MATCH_FIELDS, "uri"):
            form.dropped(f"{field}.{key}", "App Mesh matches nothing of that name")
    if not {"prefix", "path", "hostname"} & match.keys():
        match["prefix"] = "/"
    return match


def _target(
    form: Form, route: list[Any], field: str, namespace: str, index: Index
) -> dict[str, Any] | None:
    """The one target of an entry; None where there is not one, which is said."""
    if len(route) != 1 or "weight" in as_mapping(route[0]):
        message = (
            f"has {len(route)} destinations" if len(route) != 1 else "has a weight"
        ) + ", but a GatewayRoute has exactly one target and no weights; there is no v1beta2 form."
        remedy = (
            "Lead the GatewayRoute to one VirtualService, and weigh in the weightedTargets of its "
            "VirtualRouter."
        )
        form.say(Problem(codes.WEIGHTS_AT_GATEWAY, field, message, remedy))
        form.complete = False
        return None
    destination = as_mapping(as_mapping(route[0]).get("destination"))
    service = as_mapping(destination.get("virtualService"))
    name = service.get("virtualServiceName")
    if not isinstance(name, str):
        message = "names no virtualService.virtualServiceName; there is no v1beta2 form."
        form.say(
            Problem(codes.WEIGHTS_AT_GATEWAY, f"{field}[0]", message, "Name the VirtualService.")
        )
        form.complete = False
        return None
    target: dict[str, Any] = {
        "virtualService": {"virtualServiceRef": index.service(name, namespace)}
    }
    if isinstance(destination.get("port"), int):
        target["port"] = destination["port"]
    return target


def _rewrite(
    form: Form, raw: Mapping[str, Any], match: Mapping[str, Any], field: str
) -> dict[str, Any]:
    """Nothing is said of the path in these documents, so it stays; App Mesh would cut the prefix."""
    rewrite: dict[str, Any] = {}
    new = raw.get("prefix", raw.get("uri"))
    if isinstance(new, str) and "prefix" in match:
        rewrite["prefix"] = {"value": f"/{new.strip('/')}/" if new.strip("/") else "/"}
    elif match.get("prefix", "/") != "/":
        rewrite["prefix"] = {"defaultPrefix": "DISABLED"}
        message = (
            "nothing is said of the path, so the form keeps it; without rewrite App Mesh would "
            f"replace {match['prefix']} by /."
        )
        form.say(
            Problem(codes.LEFT_OUT, field, message, "Remove rewrite.prefix to have it replaced.")
        )
    if "hostname" in raw:
        message = (
            f"App Mesh cannot rewrite the host to {raw['hostname']!r}: it is the name of the target "
            "(ENABLED, the default) or stays (DISABLED)."
        )
        remedy = "Give the VirtualService that awsName if its Envoys are to see it."
        form.say(Problem(codes.LITERAL_HOST, f"{field}.hostname", message, remedy))
    return rewrite

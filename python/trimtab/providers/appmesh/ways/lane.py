"""A cohort: a second GatewayRoute, of ours, that takes some requests to the other VirtualService.

The lane is the route itself with a better priority, a narrower match and the other target. It
stands while the switch is on and is deleted when it is off; which policy it belongs to, and to
which route, is written on it, so that one which nobody asks for any more is found and taken away
whatever happened to the process that made it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trimtab.core import policy as policies
from trimtab.core.model import Change, Object, ObjectRef, PatchOp, Shift, Verb
from trimtab.core.steering import Cohort, Pair, Steering, Way
from trimtab.ports import Asked
from trimtab.providers.appmesh import hops
from trimtab.providers.appmesh.documents import read_document
from trimtab.providers.appmesh.hops import Path, PathKind
from trimtab.providers.appmesh.routes import Stop
from trimtab.providers.appmesh.values import API_VERSION, GROUP, UNSET_PRIORITY, Selector
from trimtab.providers.appmesh.ways.services import Choice, choices

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import GatewayRoute
    from trimtab.providers.appmesh.reading import AppMeshReading

MAXIMUM = 1
MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER = "trimtab"
LANE_OF = "trimtab.dev/lane-of"
POLICY = "trimtab.dev/policy"
_SUFFIX = "-trimtab-lane"


def weights(
    reading: AppMeshReading, route: GatewayRoute, found: Sequence[Choice], asked: Steering
) -> tuple[int, ...]:
    """On (1 for the service of the lane) while the lane stands as it is wanted. Raises Stop where it
    could not be made, or would take requests that are not of the cohort's route."""
    wanted = _document(reading, route, found, asked)
    there = reading.documents.get(lane_ref(route.ref))
    if there is not None and not _ours(there.object):
        raise Stop(f"{there.object.ref} is not Trimtab's: rename it, its name is that of the lane.")
    _check(reading, route, wanted)
    on = there is not None and _same(there.object.body, wanted)
    return tuple(int(choice.taken != on) for choice in found)


def change(reading: AppMeshReading, route: GatewayRoute, shift: Shift, policy: ObjectRef) -> Change:
    """Create the lane, or delete it."""
    asked = shift.route.steering
    if asked is None:
        raise AssertionError("a route that is not steered in a way of its own")
    found = choices(reading, route, asked)
    ref = lane_ref(route.ref)
    if next(choice.taken for choice, w in zip(found, shift.granted, strict=True) if w):
        return _deletion(reading.documents[ref].object)
    body = _document(reading, route, found, asked)
    body["metadata"]["annotations"][POLICY] = f"{policy.namespace}/{policy.name}"
    return Change(ref, verb=Verb.CREATE, body=body, beside=route.ref)


def leftovers(reading: AppMeshReading, asked: Mapping[ObjectRef, Asked | None]) -> Iterator[Change]:
    """The deletion of every lane that no policy asks for as it stands. ``asked`` holds every policy
    there is, None for one whose lanes are to be left alone."""
    for document in reading.documents.values():
        lane = document.object
        if lane.ref.kind != "GatewayRoute" or not _ours(lane):
            continue
        space, _, name = str(_annotations(lane).get(POLICY)).partition("/")
        owner = ObjectRef(policies.GROUP, policies.KIND, space, name)
        if owner not in asked or (
            (wish := asked[owner]) is not None and not _wished(reading, lane, wish)
        ):
            yield _deletion(lane)


def lane_ref(route: ObjectRef) -> ObjectRef:
    return route._replace(name=f"{route.name}{_SUFFIX}")


def _wished(reading: AppMeshReading, lane: Object, wish: Asked) -> bool:
    if wish.steering.way is not Way.LANE or lane_ref(wish.target) != lane.ref:
        return False
    route = reading.gateway_routes.get(wish.target)
    if route is None:  # broken for the moment is not gone
        return wish.target in reading.documents
    try:
        found = choices(reading, route, wish.steering)
        return _same(lane.body, _document(reading, route, found, wish.steering))
    except Stop:
        return True  # told as a problem of the policy, which is held as it is


def _deletion(lane: Object) -> Change:
    version = PatchOp("test", "/metadata/resourceVersion", lane.version)
    return Change(lane.ref, (version,), Verb.DELETE)


def _ours(found: Object) -> bool:
    labels = found.body["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY) == OWNER and LANE_OF in _annotations(found)


def _annotations(found: Object) -> Mapping[str, Any]:
    return found.body["metadata"].get("annotations") or {}


def _same(body: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a lane says all that is wanted. What others filled in (awsName) does not count."""
    spec = body["spec"]
    return all(spec.get(key) == value for key, value in wanted["spec"].items())


# --- the document -------------------------------------------------------------------------------


def _document(
    reading: AppMeshReading, route: GatewayRoute, found: Sequence[Choice], asked: Steering
) -> dict[str, Any]:
    priority = UNSET_PRIORITY if route.spec.priority is None else route.spec.priority
    if priority == 0:
        raise Stop(
            f"{route.ref} has priority 0, so that no better one is left for a lane: raise it."
        )
    form = f"{route.spec.protocol}Route"
    spec = copy.deepcopy(dict(route.object.body["spec"]))
    spec.pop("awsName", None)
    spec["priority"] = priority - 1
    service = next(choice.service for choice in found if not choice.taken)
    reference = {"name": service.name}
    if service.namespace != route.namespace:
        reference["namespace"] = service.namespace
    spec[form]["action"]["target"]["virtualService"] = {"virtualServiceRef": reference}
    _narrow(spec[form].setdefault("match", {}), asked.match, route)
    ref = lane_ref(route.ref)
    metadata: dict[str, Any] = {
        "name": ref.name,
        "namespace": ref.namespace,
        "labels": {**_selected(reading, route), MANAGED_BY: OWNER},
        "annotations": {LANE_OF: route.name},
    }
    uid = route.object.body["metadata"].get("uid")
    if uid is not None:
        owner = {"apiVersion": API_VERSION, "kind": "GatewayRoute", "name": route.name, "uid": uid}
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": API_VERSION,
        "kind": "GatewayRoute",
        "metadata": metadata,
        "spec": spec,
    }


def _selected(reading: AppMeshReading, route: GatewayRoute) -> dict[str, str]:
    """The labels by which the gateway chooses its routes. Others may make another tool think that
    the lane is its own."""
    gateway = reading.gateway_of(route)
    selector: Selector | None = gateway.spec.gateway_route_selector if gateway else None
    if selector is None:
        return {}
    keys = {*selector.match_labels, *(rule.key for rule in selector.match_expressions)}
    return {key: value for key, value in route.labels.items() if key in keys}


def _narrow(match: dict[str, Any], cohort: Cohort, route: GatewayRoute) -> None:
    """Add what the cohort asks for to what the route asks for already."""
    grpc = route.spec.grpc_route is not None
    if grpc and cohort.query:
        raise Stop(f"{route.ref} is a grpcRoute, which knows no query: use headers.")
    headers = [*map(_header, cohort.headers), *map(_cookie, cohort.cookies)]
    if headers:
        field = "metadata" if grpc else "headers"
        match[field] = [*(match.get(field) or ()), *headers]
    if cohort.query:
        asked = [_query(pair) for pair in cohort.query]
        match["queryParameters"] = [*(match.get("queryParameters") or ()), *asked]
    if cohort.host:
        match["hostname"] = {"exact": cohort.host}


def _header(pair: Pair) -> dict[str, Any]:
    return {"name": pair.name} | ({} if pair.value is None else {"match": {"exact": pair.value}})


def _query(pair: Pair) -> dict[str, Any]:
    return {"name": pair.name} | ({} if pair.value is None else {"match": {"exact": pair.value}})


def _cookie(pair: Pair) -> dict[str, Any]:
    value = "[^;]*" if pair.value is None else re.escape(pair.value)
    return {
        "name": "cookie",
        "match": {"regex": rf"(.*;\s*)?{re.escape(pair.name)}={value}(\s*;.*)?"},
    }


# --- preconditions ------------------------------------------------------------------------------


def _check(reading: AppMeshReading, route: GatewayRoute, wanted: dict[str, Any]) -> None:
    """Raises Stop when App Mesh would not take the lane, or another route would lose requests."""
    metadata = {**wanted["metadata"], "resourceVersion": "0"}
    ref = ObjectRef(GROUP, "GatewayRoute", route.namespace, metadata["name"])
    document = read_document(Object(ref, "0", {**wanted, "metadata": metadata}))
    if document.resource is None:
        wrong = next(d for d in document.diagnostics if d.severity == "error")
        raise Stop(f"spec.steering.match gives no legal route: {wrong.field} {wrong.message}")
    lane: GatewayRoute = document.resource
    gateway = reading.gateway_of(route)
    others = reading.routes_of(gateway) if gateway else ()
    host = _domain(lane)
    for other in others:
        if other.ref in (route.ref, ref) or _domain(other) != host:
            continue
        if _overtakes(reading, route, lane, other):
            raise Stop(
                f"{other.ref} comes before {route.ref} now, and would lose the requests of the "
                f"cohort to the lane: give it a priority of {lane.spec.priority} or better, "
                "or the route a worse one."
            )


def _overtakes(
    reading: AppMeshReading, route: GatewayRoute, lane: GatewayRoute, other: GatewayRoute
) -> bool:
    """Whether the lane comes before a route that the lane's own route comes after."""
    own, ahead = hops.gateway_entries(reading, route), hops.gateway_entries(reading, lane)
    return any(
        hops.gateway_order(its) < hops.gateway_order(mine)
        and hops.gateway_order(new) < hops.gateway_order(its)
        and _may_meet(new.match.path, its.match.path)
        for its in hops.gateway_entries(reading, other)
        for mine, new in zip(own, ahead, strict=True)
    )


def _domain(route: GatewayRoute) -> str:
    """The virtual host that a route stands in."""
    spec = route.spec
    found = spec.http_route or spec.http2_route or spec.grpc_route
    return hops.domain_of(found.match.hostname if found else None)


def _may_meet(one: Path, other: Path) -> bool:
    """Whether a path may pass both tests; True where a regex leaves it open."""
    if PathKind.REGEX in (one.kind, other.kind):
        return True
    if PathKind.EXACT in (one.kind, other.kind) and one.kind is other.kind:
        return one.text == other.text
    short, long = sorted((one, other), key=lambda path: path.kind is PathKind.EXACT)
    if long.kind is PathKind.EXACT:
        return long.text.startswith(short.text)
    return one.text.startswith(other.text) or other.text.startswith(one.text)

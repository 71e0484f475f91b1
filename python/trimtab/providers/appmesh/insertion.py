"""A VirtualRouter put between a VirtualService and its VirtualNode, and taken away again.

Only with a router can a service be weighed. It has the ports of the node and one target, so that
nothing changes for anybody who calls the service. Both ways are two writes, and either half done
is completed by asking again: first the router is made, then the service led to it; first the
service is led back, then the router deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.core.model import Change, Object, ObjectRef, PatchOp, Verb
from trimtab.errors import Refused
from trimtab.providers.appmesh.routes import absent
from trimtab.providers.appmesh.users import callers
from trimtab.providers.appmesh.values import API_VERSION, GROUP, Protocol
from trimtab.providers.appmesh.ways.lane import MANAGED_BY, OWNER

if TYPE_CHECKING:
    from trimtab.providers.appmesh.model import NodeListener, VirtualNode, VirtualService
    from trimtab.providers.appmesh.reading import AppMeshReading

INSERTED_FOR = "trimtab.dev/inserted-for"


class Steps(NamedTuple):
    """The writes in their order, and who else is concerned."""

    changes: tuple[Change, ...]
    callers: tuple[ObjectRef, ...]


def insert(reading: AppMeshReading, ref: ObjectRef) -> Steps:
    """A router of the service's name before its node. Raises Refused where that cannot be."""
    service = _service(reading, ref)
    there = _router(reading, service)
    if there is not None and not _ours(there, service):
        raise Refused(f"{there.ref} is there already and not Trimtab's. Remedy: rename it.")
    at = service.spec.router_ref
    led = reading.target("VirtualRouter", at, service) if at is not None else None
    if there is not None and led == there.ref:
        return Steps((), callers(reading, ref))
    node_ref = service.spec.node_ref
    node = reading.node(node_ref, service) if node_ref else None
    if node is None or not node.spec.listeners:
        raise Refused(
            f"{ref} has no VirtualNode with listeners as its spec.provider. Remedy: insert a "
            "router only where there is a node and no router."
        )
    lead = Change(
        ref,
        (
            PatchOp("test", "/metadata/resourceVersion", service.object.version),
            PatchOp("replace", "/spec/provider", _to_router(service.name)),
        ),
    )
    made = Change(_router_ref(service), verb=Verb.CREATE, body=_document(service, node), beside=ref)
    return Steps((lead,) if there is not None else (made, lead), callers(reading, ref))


def remove(reading: AppMeshReading, ref: ObjectRef) -> Steps:
    """The service led back to its node, and the router that was inserted deleted. Raises Refused
    where the router is not ours, divides requests, or is used by others."""
    service = _service(reading, ref)
    router = _router(reading, service)
    if router is None or not _ours(router, service):
        raise Refused(f"{ref} has no router that Trimtab inserted. Remedy: remove it by hand.")
    version = PatchOp("test", "/metadata/resourceVersion", router.version)
    gone = Change(router.ref, (version,), Verb.DELETE)
    for other in reading.services.values():
        its = other.spec.router_ref
        if other.ref != ref and its and reading.target("VirtualRouter", its, other) == router.ref:
            raise Refused(f"{router.ref} is the provider of {other.ref} too. Remedy: change that.")
    if service.spec.router_ref is None:  # it was led back before
        return Steps((gone,), callers(reading, ref))
    back = Change(
        ref,
        (
            PatchOp("test", "/metadata/resourceVersion", service.object.version),
            PatchOp("replace", "/spec/provider", _to_node(reading, router.ref)),
        ),
    )
    return Steps((back, gone), callers(reading, ref))


def _service(reading: AppMeshReading, ref: ObjectRef) -> VirtualService:
    found = reading.services.get(ref)
    if found is None:
        raise Refused(absent(reading, ref))
    return found


def _router_ref(service: VirtualService) -> ObjectRef:
    return ObjectRef(GROUP, "VirtualRouter", service.namespace, service.name)


def _router(reading: AppMeshReading, service: VirtualService) -> Object | None:
    document = reading.documents.get(_router_ref(service))
    return document.object if document else None


def _ours(router: Object, service: VirtualService) -> bool:
    metadata = router.body["metadata"]
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return labels.get(MANAGED_BY) == OWNER and notes.get(INSERTED_FOR) == service.name


def _to_router(name: str) -> dict[str, Any]:
    return {"virtualRouter": {"virtualRouterRef": {"name": name}}}


def _to_node(reading: AppMeshReading, ref: ObjectRef) -> dict[str, Any]:
    """The provider that does what the router does now."""
    router = reading.routers.get(ref)
    weighted = [t for rule in (router.spec.routes if router else ()) for t in rule.targets]
    nodes = {t.virtual_node_ref for t in weighted if t.weight}
    node = next(iter(nodes), None)
    if len(nodes) != 1 or node is None:
        raise Refused(
            f"{ref} divides its requests among several targets, or sends them nowhere. Remedy: "
            "give all the weight to one VirtualNode."
        )
    space = {"namespace": node.namespace} if node.namespace else {}
    return {"virtualNode": {"virtualNodeRef": {"name": node.name, **space}}}


def _document(service: VirtualService, node: VirtualNode) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": service.name,
        "namespace": service.namespace,
        "labels": {MANAGED_BY: OWNER},
        "annotations": {INSERTED_FOR: service.name},
    }
    said = service.object.body
    if "uid" in said["metadata"]:
        owner = {"apiVersion": API_VERSION, "kind": "VirtualService", "name": service.name}
        metadata["ownerReferences"] = [{**owner, "uid": said["metadata"]["uid"]}]
    listeners = node.spec.listeners
    spec: dict[str, Any] = {
        "listeners": [{"portMapping": _mapping(listener)} for listener in listeners],
        "routes": [
            _route(service, node, listener, several=len(listeners) > 1) for listener in listeners
        ],
    }
    if "meshRef" in said["spec"]:
        spec["meshRef"] = said["spec"]["meshRef"]
    return {
        "apiVersion": API_VERSION,
        "kind": "VirtualRouter",
        "metadata": metadata,
        "spec": spec,
    }


def _mapping(listener: NodeListener) -> dict[str, Any]:
    mapping = listener.port_mapping
    return {"port": mapping.port, "protocol": str(mapping.protocol)}


def _route(
    service: VirtualService, node: VirtualNode, listener: NodeListener, *, several: bool
) -> dict[str, Any]:
    mapping = listener.port_mapping
    reference = {"name": node.name}
    if node.namespace != service.namespace:
        reference["namespace"] = node.namespace
    target: dict[str, Any] = {"virtualNodeRef": reference, "weight": 100}
    match: dict[str, Any] = (
        {"prefix": "/"} if mapping.protocol in (Protocol.HTTP, Protocol.HTTP2) else {}
    )
    if several:
        target["port"] = match["port"] = mapping.port
    form = f"{mapping.protocol}Route"
    action = {"weightedTargets": [target]}
    return {"name": f"port-{mapping.port}", form: {"match": match, "action": action}}

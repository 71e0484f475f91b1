"""Names and defaults that the old controller's webhooks filled in, for clusters without them.

awsName (VirtualService ``name.namespace``, the others ``name_namespace``), the Mesh of a
namespace, the VirtualGateway of a GatewayRoute. A namespace whose Namespace object is not
at hand has unknown labels: a selector then may select it, which is good enough when exactly
one candidate is left, and is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Code, Problem
from trimtab.providers.appmesh.model import (
    Mesh,
    MeshSpec,
    NodeListener,
    Resource,
    VirtualGateway,
    VirtualNode,
    VirtualNodeSpec,
    VirtualServiceSpec,
)
from trimtab.providers.appmesh.values import Selector

R = TypeVar("R", bound=Resource[Any])
Labels = Mapping[str, str] | None  # None: the object that carries them is not at hand
_NAME_LABEL = "kubernetes.io/metadata.name"


class Owner(NamedTuple):
    """The Mesh or VirtualGateway that something belongs to, and what is to be said about it."""

    found: ObjectRef | None
    problem: Problem | None = None


def aws_name(resource: Resource[Any]) -> str:
    """``spec.awsName``, or what the old controller would have put there."""
    spec = resource.spec
    stated: str | None = getattr(spec, "aws_name", None)
    if stated is not None:
        return stated
    if isinstance(spec, MeshSpec):
        return resource.name
    joint = "." if isinstance(spec, VirtualServiceSpec) else "_"
    return f"{resource.name}{joint}{resource.namespace}"


def arn_name(arn: str) -> str:
    """The name of the resource in an ARN: what follows its last slash."""
    return arn.rsplit("/", 1)[-1] or arn


def cluster_name(mesh: str, node: VirtualNode, listener: NodeListener) -> str:
    """The name under which Envoys know a node, and so its telemetry key."""
    mapping = listener.port_mapping
    return f"cds_egress_{mesh}_{aws_name(node)}_{mapping.protocol}_{mapping.port}"


def listener_of(node: VirtualNode, port: int | None) -> NodeListener | None:
    """The listener on ``port``; without a port the first one (App Mesh asks for it if several)."""
    spec: VirtualNodeSpec = node.spec
    if port is None:
        return spec.listeners[0] if spec.listeners else None
    return next((x for x in spec.listeners if x.port_mapping.port == port), None)


# --- who owns what ----------------------------------------------------------------------------


def mesh_of_namespace(namespace: str, labels: Labels, meshes: Sequence[Mesh]) -> Owner:
    judged = [(m, _selects(m.spec.namespace_selector, labels, namespace)) for m in meshes]
    owner = _pick(
        judged,
        f"namespace {namespace}",
        "Mesh",
        (codes.NO_MESH, codes.SEVERAL_MESHES, codes.ASSUMED_MESH),
    )
    if owner.found is None and len(meshes) == 1 and labels is None:
        # One Mesh, and nothing known of the namespace: nothing else can be meant.
        message = (
            f"Mesh {meshes[0].name} selects no namespace {namespace}; taken as it is the only Mesh."
        )
        remedy = "Give the Mesh a namespaceSelector that selects the namespace ({} selects all)."
        return Owner(meshes[0].ref, Problem(codes.ASSUMED_MESH, "", message, remedy))
    return owner


Judged = Sequence[tuple[R, bool | None]]  # candidates, and whether each selects; None: it may


def gateways_of_namespace(
    namespace: str, labels: Labels, gateways: Iterable[VirtualGateway]
) -> Judged[VirtualGateway]:
    """Those of ``gateways`` that select a namespace, or may."""
    judged = [(g, _selects(g.spec.namespace_selector, labels, namespace)) for g in gateways]
    return [(gateway, verdict) for gateway, verdict in judged if verdict is not False]


def gateway_of_route(labels: Mapping[str, str], near: Judged[VirtualGateway]) -> Owner:
    """``labels``: those of the route. ``near``: the gateways of its mesh that select its namespace."""
    judged = [
        (gateway, verdict)
        for gateway, verdict in near
        if (wanted := gateway.spec.gateway_route_selector) is None or wanted.matches(labels)
    ]
    return _pick(
        judged,
        "it",
        "VirtualGateway",
        (codes.NO_GATEWAY, codes.SEVERAL_GATEWAYS, codes.ASSUMED_GATEWAY),
    )


def _selects(selector: Selector | None, labels: Labels, namespace: str) -> bool | None:
    """None: it depends on labels that are not known. No selector selects nothing."""
    if selector is None:
        return False
    if labels is not None:
        return selector.matches(labels)
    implied = {_NAME_LABEL: namespace}  # every namespace has this label
    return selector.matches(implied) if selector.keys <= implied.keys() else None


def _pick(judged: Judged[R], what: str, kind: str, said: tuple[Code, Code, Code]) -> Owner:
    none, several, assumed = said
    sure = [candidate for candidate, verdict in judged if verdict]
    maybe = [candidate for candidate, verdict in judged if verdict is None]
    if len(sure) == 1:
        return Owner(sure[0].ref)
    if not sure and len(maybe) == 1:
        message = (
            f"the labels of the namespace are not known; {kind} {maybe[0].title} is taken to "
            f"select {what}, as no other can."
        )
        return Owner(
            maybe[0].ref, Problem(assumed, "", message, "Add the Namespace with its labels.")
        )
    candidates = sure or maybe
    if candidates:
        names = ", ".join(c.title for c in candidates)
        may = "" if sure else "may "
        verb = "select" if len(candidates) > 1 else "selects"
        message = f"{len(candidates)} {kind} objects {may}{verb} {what}: {names}."
        return Owner(None, Problem(several, "", message, "Change the selectors so that one does."))
    message = f"no {kind} selects {what}."
    remedy = f"Write a {kind} whose selectors select it, or change those of one there is."
    return Owner(None, Problem(none, "", message, remedy))

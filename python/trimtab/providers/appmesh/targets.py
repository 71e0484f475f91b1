"""The weighted destinations of a rule: under which name each is known, and which cluster it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trimtab.providers.appmesh import names
from trimtab.providers.appmesh.model import NodeListener, VirtualNode, VirtualRouter, VirtualService
from trimtab.providers.appmesh.routing import RouterRoute, WeightedTarget
from trimtab.providers.appmesh.values import Reference


@dataclass(frozen=True, slots=True)
class NodeTarget:
    """A weighted destination. ``cluster`` is None for one that nobody here can reach."""

    name: str
    weight: int
    node: VirtualNode | None = None
    listener: NodeListener | None = None
    cluster: str | None = None


class Nodes(Protocol):
    """Where the nodes of targets are found, and the clusters that Envoys know them as."""

    def node(
        self, reference: Reference, referrer: VirtualService | VirtualRouter
    ) -> VirtualNode | None: ...
    def cluster_name(self, node: VirtualNode, listener: NodeListener) -> str | None: ...


def node_targets(mesh: Nodes, router: VirtualRouter, rule: RouterRoute) -> tuple[NodeTarget, ...]:
    """The targets of a rule in order, each under a name of its own within the rule."""
    unique = target_names(rule.targets, router.namespace)
    return tuple(
        _node_target(mesh, router, target, name)
        for target, name in zip(rule.targets, unique, strict=True)
    )


def whole_node(
    mesh: Nodes, service: VirtualService, node: VirtualNode, port: int | None
) -> NodeTarget:
    """The one target of a service whose provider is a node."""
    listener = names.listener_of(node, port) or names.listener_of(node, None)
    cluster = mesh.cluster_name(node, listener) if listener else None
    name = node.name if node.namespace == service.namespace else node.title
    return NodeTarget(name, 1, node, listener, cluster)


def target_names(targets: tuple[WeightedTarget, ...], namespace: str) -> tuple[str, ...]:
    """The node's name, ``namespace/name`` elsewhere; with its port, then with a number, where
    one node stands there several times."""
    plain = [_plain_name(t, namespace) for t in targets]
    named = [
        f"{name}:{t.port}" if t.port is not None and plain.count(name) > 1 else name
        for t, name in zip(targets, plain, strict=True)
    ]
    unique: list[str] = []
    for name in named:
        number, candidate = 1, name
        while candidate in unique:
            number += 1
            candidate = f"{name}#{number}"
        unique.append(candidate)
    return tuple(unique)


def _plain_name(target: WeightedTarget, namespace: str) -> str:
    ref = target.virtual_node_ref
    if ref is None:
        return names.arn_name(target.virtual_node_arn or "")
    elsewhere = ref.namespace is not None and ref.namespace != namespace
    return f"{ref.namespace}/{ref.name}" if elsewhere else ref.name


def _node_target(
    mesh: Nodes, router: VirtualRouter, target: WeightedTarget, name: str
) -> NodeTarget:
    ref = target.virtual_node_ref
    node = mesh.node(ref, router) if ref else None
    listener = names.listener_of(node, target.port) if node else None
    cluster = mesh.cluster_name(node, listener) if node and listener else None
    return NodeTarget(name, target.weight, node, listener, cluster)

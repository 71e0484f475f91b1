"""A mesh as a graph: gateway, GatewayRoute, VirtualService, VirtualRouter, VirtualNode.

Edges from a router carry the route's name and the share of the traffic; a VirtualNode's
backends lead on to VirtualServices. What is named and not there is a node too, and marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh import drawing, hops
from trimtab.providers.appmesh.model import (
    GatewayRoute,
    Resource,
    VirtualRouter,
    VirtualService,
)
from trimtab.providers.appmesh.names import arn_name
from trimtab.providers.appmesh.routing import RouterRoute
from trimtab.providers.appmesh.targets import target_names
from trimtab.providers.appmesh.values import GROUP
from trimtab.providers.appmesh.wording import asked_in_words

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

# From left to right, as a request goes.
LAYERS = ("VirtualGateway", "GatewayRoute", "VirtualService", "VirtualRouter", "VirtualNode")


@dataclass(frozen=True, slots=True)
class Vertex:
    """One object. ``known`` is False when it is named but not there, or named by ARN."""

    ref: ObjectRef
    detail: str = ""
    known: bool = True

    @property
    def title(self) -> str:
        ref = self.ref
        return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


@dataclass(frozen=True, slots=True)
class Edge:
    """A step of a request. From a router to a node it has a weight, a share (of 1), and what the
    route asks of a request, in words."""

    source: ObjectRef
    target: ObjectRef
    label: str = ""
    asked: str = ""
    weight: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "nodes": [
                {
                    "kind": v.ref.kind,
                    "namespace": v.ref.namespace,
                    "name": v.ref.name,
                    "detail": v.detail,
                    "known": v.known,
                }
                for v in self.vertices
            ],
            "edges": [
                {
                    "from": str(e.source),
                    "to": str(e.target),
                    "label": e.label,
                    "asked": e.asked,
                    "weight": e.weight,
                    "share": e.share,
                }
                for e in self.edges
            ],
        }

    def as_text(self) -> str:
        return drawing.text(self)

    def as_dot(self) -> str:
        return drawing.dot(self)

    def as_svg(self) -> str:
        return drawing.svg(self)


def graph_of(reading: AppMeshReading) -> Graph:
    """The graph of everything that can be read: nodes by kind and name, of each node the edges in the
    order in which routes are tried."""
    edges = sorted(_edges(reading), key=lambda e: e.source)
    vertices = {
        resource.ref: Vertex(resource.ref, _detail(resource))
        for resources in (
            reading.gateways,
            reading.gateway_routes,
            reading.services,
            reading.routers,
            reading.nodes,
        )
        for resource in resources.values()
    }
    for edge in edges:
        vertices.setdefault(edge.target, Vertex(edge.target, known=False))
    order = {kind: i for i, kind in enumerate(LAYERS)}
    found = sorted(vertices.values(), key=lambda v: (order[v.ref.kind], v.ref))
    return Graph(tuple(found), tuple(edges))


def _detail(resource: Resource[Any]) -> str:
    """What a person wants to see beside the name."""
    spec = resource.spec
    if resource.ref.kind == "GatewayRoute":
        return _asked(resource)
    if resource.ref.kind in ("VirtualGateway", "VirtualRouter", "VirtualNode"):
        mappings = [listener.port_mapping for listener in spec.listeners or ()]
        return ", ".join(f"{m.protocol} {m.port}" for m in mappings)
    return spec.aws_name or ""


def _asked(route: GatewayRoute) -> str:
    host, port, matches = hops.gateway_matches(route)
    where = [] if host == "*" else [host]
    where += [] if port is None else [f"port {port}"]
    asked = asked_in_words(route.spec.priority, matches[-1])
    return " ".join([*where, asked])


def _edges(reading: AppMeshReading) -> Iterator[Edge]:
    routes = reading.gateway_routes.values()
    for route in sorted(routes, key=_place_at_gateway):
        gateway = reading.gateway_of(route)
        if gateway is not None:
            yield Edge(gateway.ref, route.ref)
        target = route.spec.target.virtual_service
        ref, arn = target.virtual_service_ref, target.virtual_service_arn
        where = (
            reading.target("VirtualService", ref, route) if ref else _foreign("VirtualService", arn)
        )
        yield Edge(route.ref, where)
    for service in reading.services.values():
        yield from _provider(reading, service)
    for router in reading.routers.values():
        yield from _targets(reading, router)
    for node in reading.nodes.values():
        for backend in node.spec.backends:
            ref, arn = (
                backend.virtual_service.virtual_service_ref,
                backend.virtual_service.virtual_service_arn,
            )
            where = (
                reading.target("VirtualService", ref, node)
                if ref
                else _foreign("VirtualService", arn)
            )
            yield Edge(node.ref, where, "backend")


def _provider(reading: AppMeshReading, service: VirtualService) -> Iterator[Edge]:
    provider = service.spec.provider
    if provider is None:
        return
    if provider.virtual_router:
        ref, arn = (
            provider.virtual_router.virtual_router_ref,
            provider.virtual_router.virtual_router_arn,
        )
        kind = "VirtualRouter"
    elif provider.virtual_node:
        ref, arn = provider.virtual_node.virtual_node_ref, provider.virtual_node.virtual_node_arn
        kind = "VirtualNode"
    else:
        return
    yield Edge(service.ref, reading.target(kind, ref, service) if ref else _foreign(kind, arn))


def _targets(reading: AppMeshReading, router: VirtualRouter) -> Iterator[Edge]:
    for rule in sorted(router.spec.routes, key=_place_at_router):
        total = sum(t.weight for t in rule.targets)
        for target, name in zip(
            rule.targets, target_names(rule.targets, router.namespace), strict=True
        ):
            ref = target.virtual_node_ref
            where = (
                reading.target("VirtualNode", ref, router)
                if ref
                else _foreign("VirtualNode", target.virtual_node_arn)
            )
            port = (
                f":{target.port}"
                if target.port is not None and name.endswith(f":{target.port}")
                else ""
            )
            share = target.weight / total if total else 0.0
            asked = asked_in_words(rule.priority, hops.rule_match(rule))
            yield Edge(router.ref, where, rule.name + port, asked, target.weight, share)


def _place_at_gateway(route: GatewayRoute) -> tuple[Any, ...]:
    _, _, matches = hops.gateway_matches(route)
    return hops.order_key(route.spec.priority, matches[-1], route.title)


def _place_at_router(rule: RouterRoute) -> tuple[Any, ...]:
    return hops.order_key(rule.priority, hops.rule_match(rule), rule.name)


def _foreign(kind: str, arn: str | None) -> ObjectRef:
    """An object that is named by ARN stands outside of these documents."""
    return ObjectRef(GROUP, kind, "", f"{arn_name(arn or '')} (by ARN)")

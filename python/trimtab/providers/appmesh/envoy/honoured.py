"""Which fields of the documents reach an Envoy. All others are listed, never ignored in silence."""

from __future__ import annotations


def _under(kind: str, *paths: str) -> set[str]:
    return {f"{kind}.{path}" for path in paths}


_HTTP_GATEWAY = (
    "match",
    "action.rewrite",
    "action.target.port",
    "action.target.virtualService.virtualServiceRef",
)
_RULE = (
    "match",
    "action.weightedTargets.virtualNodeRef",
    "action.weightedTargets.weight",
    "action.weightedTargets.port",
)

HONOURED: frozenset[str] = frozenset(
    _under("Mesh", "awsName", "namespaceSelector", "meshOwner", "meshServiceDiscovery")
    # podSelector says which pods get an Envoy: for whoever starts the Envoys, not for xDS
    | _under("VirtualGateway", "awsName", "meshRef", "namespaceSelector", "podSelector")
    | _under("VirtualGateway", "gatewayRouteSelector", "listeners.portMapping")
    | _under("GatewayRoute", "awsName", "meshRef", "virtualGatewayRef", "priority")
    | {
        f"GatewayRoute.{form}.{path}"
        for form in ("httpRoute", "http2Route", "grpcRoute")
        for path in _HTTP_GATEWAY
    }
    | _under("VirtualService", "awsName", "meshRef")
    | _under("VirtualService", "provider.virtualNode.virtualNodeRef")
    | _under("VirtualService", "provider.virtualRouter.virtualRouterRef")
    | _under("VirtualRouter", "awsName", "meshRef", "listeners", "routes.name", "routes.priority")
    | {
        f"VirtualRouter.routes.{form}.{path}"
        for form in ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")
        for path in _RULE
    }
    | _under("VirtualNode", "awsName", "meshRef", "podSelector", "listeners.portMapping")
    | _under("VirtualNode", "serviceDiscovery.dns", "backends.virtualService.virtualServiceRef")
    | _under("VirtualNode", "backendGroups")
    | _under("BackendGroup", "virtualservices", "meshRef")
)
"""Paths without indices, the kind first; a path stands for everything below it."""

"""App Mesh documents as Envoy's xDS resources: what AWS's control plane served until it ended.

A gateway is two hops in one Envoy. Its ingress listeners match the GatewayRoutes, rewrite the
request and its Host to the name of the VirtualService, and hand it to the egress listener,
whose virtual hosts are the VirtualServices with the weighted clusters of their VirtualRouters.
The proxy of a VirtualNode has an egress listener for its backends and an ingress listener for
its application. Names of listeners, route configurations and clusters are those of App Mesh.

``HONOURED`` needs nothing; the ``Translator`` imports protobuf, when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.providers.appmesh.envoy.honoured import HONOURED
from trimtab.providers.appmesh.envoy.identity import NodeId

if TYPE_CHECKING:
    from trimtab.providers.appmesh.envoy.translate import Ports, Translator

__all__ = ["HONOURED", "NodeId", "Ports", "Translator"]


def __getattr__(name: str) -> Any:
    if name in ("Ports", "Translator"):
        from trimtab.providers.appmesh.envoy import translate

        return getattr(translate, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

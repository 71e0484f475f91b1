"""What the documents ask for and an Envoy would not get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trimtab.providers.appmesh import AppMesh, lint_xds

NODE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: cart-v1, namespace: shop}
spec:
  listeners:
    - portMapping: {port: 8080, protocol: http}
    - portMapping: {port: 8081, protocol: http}
      timeout: {http: {idle: {unit: s, value: 5}}}
      tls:
        mode: STRICT
        certificate: {file: {certificateChain: a, privateKey: b}}
  logging: {accessLog: {file: {path: /dev/stdout}}}
  serviceDiscovery: {awsCloudMap: {namespaceName: shop, serviceName: cart}}
"""
HONOURED = {
    "VirtualNode.listeners.portMapping",
    "VirtualNode.listeners.timeout.http.perRequest",
    "VirtualNode.serviceDiscovery.dns",
}


def found(load: Any, honoured: set[str]) -> list[tuple[str, str]]:
    reading = AppMesh().load(load(NODE))
    return [(d.code, d.field) for d in lint_xds(reading, honoured)]


def test_each_field_that_is_set_and_not_honoured_is_listed_once(load: Any) -> None:
    """The highest field of which nothing is honoured is named, with its index."""
    assert found(load, HONOURED) == [
        ("AM501", "spec.listeners[1].timeout.http.idle"),
        ("AM501", "spec.listeners[1].tls"),
        ("AM501", "spec.serviceDiscovery.awsCloudMap"),
        ("AM502", "spec.logging"),
    ]


def test_a_path_honours_everything_below_it(load: Any) -> None:
    """A whole subtree can be honoured by its root."""
    roots = {f"VirtualNode.{name}" for name in ("listeners", "logging", "serviceDiscovery")}
    assert found(load, roots) == []


def test_what_is_not_set_is_not_listed(load: Any, base: Path) -> None:
    """Defaults and absent fields are nothing to speak of."""
    reading = AppMesh().load(load(base))
    fields = {f"{d.ref.kind}.{d.field}" for d in lint_xds(reading, set()) if d.ref}
    assert fields == {
        "Mesh.spec.namespaceSelector",
        "VirtualGateway.spec.namespaceSelector",
        "VirtualGateway.spec.listeners",
        "VirtualService.spec.provider",
        "VirtualRouter.spec.listeners",
        "VirtualRouter.spec.routes",
        "VirtualNode.spec.podSelector",
        "VirtualNode.spec.listeners",
        "VirtualNode.spec.serviceDiscovery",
    }

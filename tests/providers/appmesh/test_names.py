"""Names and owners as the old controller's webhooks filled them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.names import arn_name
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.values import GROUP


def mesh(name: str, selector: str | None) -> str:
    spec = f"namespaceSelector: {selector}" if selector else "awsName: " + name
    return (
        f"{{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: {{name: {name}}}, "
        f"spec: {{{spec}}}}}"
    )


def node(namespace: str, extra: str = "podSelector: {}") -> str:
    return (
        "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNode, "
        f"metadata: {{name: n, namespace: {namespace}}}, spec: {{{extra}}}}}"
    )


def namespace(name: str, labels: str = "{}") -> str:
    return f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {labels}}}}}"


def documents(*texts: str) -> str:
    return "\n---\n".join(texts)


def mesh_of_node(reading: AppMeshReading, where: str) -> tuple[str | None, list[str]]:
    resource = reading.nodes[ObjectRef(GROUP, "VirtualNode", where, "n")]
    return reading.mesh_name(resource), [d.code for d in reading.diagnostics]


def test_default_aws_names(load: Any, base: Path) -> None:
    """A VirtualService is name.namespace, a Mesh its name, all others name_namespace."""
    reading = AppMesh().load(load(base))
    found = {
        document.ref.kind: reading.aws_name(document)
        for document in (d.resource for d in reading.documents.values())
        if document is not None and document.ref.kind != "Namespace"
    }
    assert found == {
        "Mesh": "market",
        "VirtualGateway": "door_shop",
        "VirtualService": "cart.shop",
        "VirtualRouter": "cart_shop",
        "VirtualNode": "cart-v2_shop",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            documents(mesh("a", "{matchLabels: {m: a}}"), namespace("x", "{m: a}"), node("x")),
            ("a", []),
            id="selected",
        ),
        pytest.param(
            documents(mesh("a", "{matchLabels: {m: a}}"), namespace("x"), node("x")),
            (None, ["AM201"]),
            id="not-selected",
        ),
        pytest.param(
            documents(mesh("a", "{}"), mesh("b", "{matchLabels: {m: b}}"), node("x")),
            ("a", []),
            id="an-empty-selector-needs-no-labels",
        ),
        pytest.param(
            documents(
                mesh("a", "{matchLabels: {kubernetes.io/metadata.name: y}}"),
                mesh("b", "{matchLabels: {kubernetes.io/metadata.name: x}}"),
                node("x"),
            ),
            ("b", []),
            id="the-name-label-is-always-known",
        ),
        pytest.param(
            documents(
                mesh("a", "{matchLabels: {kubernetes.io/metadata.name: x}}"),
                namespace("x"),
                node("x"),
            ),
            ("a", []),
            id="the-name-label-is-there-without-being-written",
        ),
        pytest.param(
            documents(mesh("a", "{matchLabels: {m: a}}"), node("x")),
            ("a", ["AM203"]),
            id="unknown-labels-and-one-candidate",
        ),
        pytest.param(
            documents(
                mesh("a", "{matchLabels: {m: a}}"), mesh("b", "{matchLabels: {m: b}}"), node("x")
            ),
            (None, ["AM202"]),
            id="unknown-labels-and-two-candidates",
        ),
        pytest.param(
            documents(mesh("a", "{}"), mesh("b", "{}"), node("x")),
            (None, ["AM202"]),
            id="two-meshes",
        ),
        pytest.param(
            documents(mesh("a", None), node("x")),
            ("a", ["AM203"]),
            id="a-single-mesh-without-selector",
        ),
        pytest.param(
            documents(mesh("a", None), namespace("x"), node("x")),
            (None, ["AM201"]),
            id="no-selector-selects-nothing",
        ),
        pytest.param(
            documents(mesh("a", "{}"), mesh("b", "{}"), node("x", "meshRef: {name: b}")),
            ("b", []),
            id="meshRef-decides",
        ),
        pytest.param(
            node("x", "meshRef: {name: elsewhere}"),
            ("elsewhere", ["AM207"]),
            id="meshRef-counts-by-name",
        ),
        pytest.param(node("x"), (None, ["AM201"]), id="no-mesh"),
    ],
)
def test_the_mesh_of_a_namespace(
    load: Any, text: str, expected: tuple[str | None, list[str]]
) -> None:
    """Exactly one Mesh must select a namespace; what is assumed is said, what is unclear refused."""
    assert mesh_of_node(AppMesh().load(load(text)), "x") == expected


def gateway(name: str, selectors: str) -> str:
    return (
        "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualGateway, "
        f"metadata: {{name: {name}, namespace: edge}}, spec: {{{selectors}}}}}"
    )


def route(extra: str = "") -> str:
    return (
        "{apiVersion: appmesh.k8s.aws/v1beta2, kind: GatewayRoute, "
        "metadata: {name: r, namespace: x, labels: {lane: fast}}, "
        "spec: {httpRoute: {match: {prefix: /}, action: {target: {virtualService: "
        f"{{virtualServiceARN: 'a/s'}}}}}}}}{extra}}}}}"
    )


@pytest.mark.parametrize(
    ("texts", "expected", "codes"),
    [
        ([gateway("g", "namespaceSelector: {}")], "g", []),
        ([gateway("g", "podSelector: {}")], None, ["AM204", "AM210"]),
        (
            [
                gateway(
                    "g", "namespaceSelector: {}, gatewayRouteSelector: {matchLabels: {lane: slow}}"
                )
            ],
            None,
            ["AM204", "AM210"],
        ),
        (
            [
                gateway(
                    "g", "namespaceSelector: {}, gatewayRouteSelector: {matchLabels: {lane: fast}}"
                ),
                gateway(
                    "h", "namespaceSelector: {}, gatewayRouteSelector: {matchLabels: {lane: slow}}"
                ),
            ],
            "g",
            ["AM210"],
        ),
        (
            [gateway("g", "namespaceSelector: {}"), gateway("h", "namespaceSelector: {}")],
            None,
            ["AM205"],
        ),
        ([gateway("g", "namespaceSelector: {matchLabels: {a: b}}")], "g", ["AM206"]),
    ],
)
def test_the_gateway_of_a_route(
    load: Any, texts: list[str], expected: str | None, codes: list[str]
) -> None:
    """A gateway needs a namespaceSelector; its gatewayRouteSelector narrows, absent it does not."""
    reading = AppMesh().load(load(documents(mesh("a", "{}"), route(), *texts)))
    (found,) = reading.gateway_routes.values()
    owner = reading.gateway_of(found)
    assert (owner.name if owner else None) == expected
    assert [d.code for d in reading.diagnostics] == codes
    for each in reading.gateways.values():
        assert (found in reading.routes_of(each)) == (each is owner)


def test_a_gateway_of_another_mesh_does_not_count(load: Any) -> None:
    """A GatewayRoute and its VirtualGateway stand in the same mesh."""
    text = documents(
        mesh("a", "{matchLabels: {kubernetes.io/metadata.name: x}}"),
        mesh("b", "{matchLabels: {kubernetes.io/metadata.name: edge}}"),
        route(),
        gateway("g", "namespaceSelector: {}"),
    )
    reading = AppMesh().load(load(text))
    assert [d.code for d in reading.diagnostics] == ["AM204", "AM210"]


def test_a_stated_gateway_decides(load: Any) -> None:
    """virtualGatewayRef, as the old controller left it, goes before the selectors."""
    text = documents(
        mesh("a", "{}"),
        route(", virtualGatewayRef: {name: h, namespace: edge, uid: u}"),
        gateway("g", "namespaceSelector: {}"),
        gateway("h", "podSelector: {}"),
    )
    reading = AppMesh().load(load(text))
    (found,) = reading.gateway_routes.values()
    owner = reading.gateway_of(found)
    assert owner is not None
    assert owner.name == "h"


def test_names_in_arns() -> None:
    """The display name of an ARN is its last part."""
    assert arn_name("arn:aws:appmesh:r:1:mesh/m@2/virtualNode/cart_shop") == "cart_shop"
    assert arn_name("odd") == "odd"

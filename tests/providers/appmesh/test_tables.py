"""Tables of the library that are made of manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab import RouteTable
from trimtab.errors import InvalidDocument

MORE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: cart, namespace: shop}
spec:
  listeners: [{portMapping: {port: 8080, protocol: http}}]
  routes:
    - name: all
      httpRoute:
        match: {prefix: /}
        action: {weightedTargets: [{virtualNodeRef: {name: cart-v1}, weight: 1}]}
    - name: beta
      httpRoute:
        match: {prefix: /beta}
        action: {weightedTargets: [{virtualNodeRef: {name: cart-v2}, weight: 1}]}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: nobody, namespace: shop}
spec: {}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: direct, namespace: shop}
spec: {awsName: Direct.shop.example, provider: {virtualNode: {virtualNodeRef: {name: cart-v2}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: cart, namespace: shop}
spec:
  httpRoute:
    match: {prefix: /cart}
    action: {target: {virtualService: {virtualServiceRef: {name: cart}}}}
"""


@pytest.fixture
def manifests(base: Path, tmp_path: Path) -> Path:
    documents = base.read_text().split("\n---\n")
    kept = [text for text in documents if "kind: VirtualRouter" not in text]
    (tmp_path / "mesh.yaml").write_text("\n---\n".join([*kept, MORE]))
    return tmp_path


def found(table: RouteTable, path: str, host: str | None = None) -> tuple[object, ...] | None:
    match = table.match(path, host, "GET")
    return match and (match.route, *match.targets)


def test_a_client_has_every_service_as_a_host(manifests: Path) -> None:
    """The rules are in App Mesh's order; a service is known by its name, with any port or none."""
    table = RouteTable.from_manifests([manifests])
    beta = ("shop/cart/beta", ("cart-v2", 1))
    assert found(table, "/beta", "cart.shop") == beta
    assert found(table, "/beta", "CART.shop:8080") == beta
    assert found(table, "/", "cart.shop") == ("shop/cart/all", ("cart-v1", 1))
    assert found(table, "/", "direct.shop.example") == ("shop/direct", ("cart-v2", 1))
    assert found(table, "/", "elsewhere") is None


def test_a_service_without_a_provider_answers_nothing(manifests: Path) -> None:
    """Its host is there, and has no rule."""
    table = RouteTable.from_manifests([str(manifests)])
    reasons = {reason for _, _, reason in table.explain("/", "nobody.shop:80")}
    assert reasons == {'host belongs to "nobody.shop"'}


def test_a_gateway_leads_to_services(manifests: Path) -> None:
    """With ``gateway`` the table is the first hop; its name may lack the namespace."""
    for name in ("door", "shop/door"):
        table = RouteTable.from_manifests([manifests], gateway=name)
        assert found(table, "/cart/1", "any") == ("shop/cart (prefix /cart/)", ("cart", 1))
    with pytest.raises(InvalidDocument, match="no VirtualGateway wall: there are shop/door"):
        RouteTable.from_manifests([manifests], gateway="wall")


def test_what_would_be_missing_is_an_error(manifests: Path) -> None:
    """A document that cannot be honoured is named; a table without it would answer wrongly."""
    text = (manifests / "mesh.yaml").read_text()
    (manifests / "mesh.yaml").write_text(text.replace("prefix: /beta", "prefix: beta"))
    with pytest.raises(InvalidDocument, match=r"mesh\.yaml.*shop/cart.*prefix"):
        RouteTable.from_manifests([manifests])
    with pytest.raises(InvalidDocument, match="nowhere"):
        RouteTable.from_manifests([manifests / "nowhere"])

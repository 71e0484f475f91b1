"""Older and wrong shapes: what each means as v1beta2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab.core.matching import MatchAnswer, MatchQuery
from trimtab.core.model import Objects, Severity
from trimtab.providers.appmesh import AppMesh, MeshTable
from trimtab.providers.appmesh.legacy import LEGACY_KINDS, Upgraded, upgrade
from trimtab.providers.appmesh.values import API_VERSION

STOCK = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: stock, namespace: shop}
spec:
  awsName: stock
  provider: {virtualNode: {virtualNodeRef: {name: cart-v2}}}
"""


def without_base_gateway(objects: Objects) -> Objects:
    return {ref: obj for ref, obj in objects.items() if ref.kind != "VirtualGateway"}


def forms_of(upgraded: Upgraded) -> str:
    documents = [form for forms in upgraded.forms.values() for form in forms]
    return yaml.safe_dump_all(documents, sort_keys=False)


def test_a_guide_s_documents_route_as_they_say(load: Any, base: Path, fixtures: Path) -> None:
    """Path prefixes lead to the services that they name, with the path as it was."""
    guide = fixtures / "legacy" / "guide.yaml"
    upgraded = upgrade(without_base_gateway(load(base, STOCK)) | load(guide, file="guide.yaml"))
    reading = AppMesh().load(upgraded.objects)
    assert [d for d in reading.diagnostics if d.severity is not Severity.INFO] == []
    mesh = MeshTable(reading)
    found = mesh.answer(MatchQuery("/cart/1", gateway="storefront", port=443))
    assert isinstance(found, MatchAnswer)
    assert (found.route, found.service, found.rule) == ("shop/shop-routes-0", "shop/cart", "main")
    assert [hop.path for hop in mesh.explain(MatchQuery("/cart/1"))] == ["/cart/1", "/cart/1"]
    other = mesh.answer(MatchQuery("/stock/7"))
    assert other is not None
    assert (other.route, other.service) == ("shop/shop-routes-1", "shop/stock")


def test_each_shape_is_said_to_be_what_it_is(load: Any, fixtures: Path) -> None:
    """Why App Mesh never accepted it, where, and what the form does otherwise."""
    upgraded = upgrade(load(fixtures / "legacy" / "guide.yaml", file="guide.yaml"))
    assert [(d.code, d.field) for d in upgraded.diagnostics] == [
        ("AM602", "kind"),
        ("AM606", "spec.gatewayRoute.https"),
        ("AM607", "spec.gatewayRoute.https.service"),
        ("AM603", "spec"),
        ("AM607", "spec.gatewayName"),
        ("AM607", "spec.http[0].rewrite"),
        ("AM607", "spec.http[1].rewrite"),
        ("AM605", "spec.http[1].rewrite.hostname"),
    ]


@pytest.mark.parametrize("name", ["guide.yaml", "v1beta1.yaml"])
def test_the_forms_are_v1beta2_and_need_no_upgrade(load: Any, fixtures: Path, name: str) -> None:
    """Written to a file and read again, the forms are the same objects and earn no such finding."""
    upgraded = upgrade(load(fixtures / "legacy" / name))
    written = load(forms_of(upgraded))
    again = upgrade(written)
    assert again.diagnostics == ()
    assert again.forms == {}
    assert {r: o.body["spec"] for r, o in again.objects.items()} == {
        r: o.body["spec"] for r, o in upgraded.objects.items()
    }
    for form in written.values():
        assert form.body["apiVersion"] == API_VERSION
    assert AppMesh().load(written).broken == {}


def test_v1beta1_becomes_a_connected_mesh(load: Any, fixtures: Path) -> None:
    """Members are selected by their namespaces, names become references, routes a router."""
    upgraded = upgrade(load(fixtures / "legacy" / "v1beta1.yaml"))
    reading = AppMesh().load(upgraded.objects)
    found = {d.code for d in reading.diagnostics}
    assert found <= {"AM112", "AM404", "AM212"}, reading.diagnostics
    nodes = {ref.name: node.spec for ref, node in reading.nodes.items()}
    assert [b.virtual_service.virtual_service_ref for b in nodes["front"].backends] != []
    assert nodes["cart-b"].service_discovery.aws_cloud_map.service_name == "cart-b"
    (router,) = [r for r in reading.routers.values() if r.name == "cart-router"]
    retries = router.spec.routes[0].http_route.retry_policy
    assert retries.per_retry_timeout.milliseconds == 250
    assert retries.tcp_retry_events == ("connection-error",)
    mesh = MeshTable(reading)
    service = "shop/cart.shop.svc.cluster.local"
    beta = mesh.answer(MatchQuery("/", service=service, headers=(("x-beta", "yes"),), random=0))
    plain = mesh.answer(MatchQuery("/", service=service, random=95))
    assert beta is not None
    assert plain is not None
    assert (beta.rule, beta.target) == ("beta", "depot/cart-b")
    assert (plain.rule, plain.target) == ("all", "depot/cart-b")


def test_names_are_looked_up_near_first(load: Any) -> None:
    """A short name means the service of the same namespace, a long one the one it names."""
    service = "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualService, metadata: {name: s, namespace: N}}"
    node = (
        "{apiVersion: appmesh.k8s.aws/v1beta1, kind: VirtualNode, metadata: {name: n, namespace: b}, "
        "spec: {backends: [{virtualService: {virtualServiceName: s}}, "
        "{virtualService: {virtualServiceName: s.a.svc.cluster.local}}, "
        "{virtualService: {virtualServiceName: far.c}}]}}"
    )
    texts = (service.replace("N", "a"), service.replace("N", "b"), node)
    ((form,),) = upgrade(load(*texts)).forms.values()
    assert [b["virtualService"]["virtualServiceRef"] for b in form["spec"]["backends"]] == [
        {"name": "s"},
        {"name": "s", "namespace": "a"},
        {"name": "far", "namespace": "c"},
    ]


def test_v1beta2_passes_untouched(load: Any, base: Path) -> None:
    """Objects that need nothing are the same objects."""
    objects = load(base)
    upgraded = upgrade(objects)
    assert all(upgraded.objects[ref] is obj for ref, obj in objects.items())
    assert upgraded.diagnostics == ()


def test_stores_can_be_asked_for_the_older_kinds() -> None:
    """Every older kind is of a version that KINDS does not have, and Gateway of both."""
    assert {(k.version, k.kind) for k in LEGACY_KINDS} >= {
        ("v1beta1", "VirtualService"),
        ("v1beta1", "GatewayRoute"),
        ("v1beta1", "Gateway"),
        ("v1beta2", "Gateway"),
    }


@pytest.mark.parametrize(
    "spec",
    [
        "null",
        "7",
        "[]",
        "{http: 7, gatewayName: [x]}",
        "{http: [7, {route: 7}, {route: [7]}, {match: [7], route: [{destination: 7}]}]}",
        "{gatewayRoute: {https: 7, ftp: {}}, virtualRouter: 7, routes: {a: b}}",
        "{routes: [7, {http: 7}, {http: {action: 7}}, {tcp: {action: {weightedTargets: [7]}}}]}",
        "{backends: [7, {virtualService: 7}, {backendService: []}], serviceDiscovery: []}",
    ],
)
@pytest.mark.parametrize(
    "kind", ["Gateway", "GatewayRoute", "Mesh", "VirtualNode", "VirtualService", "VirtualRouter"]
)
def test_nonsense_is_diagnosed_and_never_raises(load: Any, kind: str, spec: str) -> None:
    """Whatever stands where a shape was expected, the result is objects and diagnostics."""
    text = f"{{apiVersion: appmesh.k8s.aws/v1beta1, kind: {kind}, metadata: {{name: x}}, spec: {spec}}}"
    upgraded = upgrade(load(text))
    assert upgraded.diagnostics
    reading = AppMesh().load(upgraded.objects)
    assert all(str(found) for found in reading.diagnostics)


def test_upstream_s_older_manifests_match_as_their_newer_ones(load: Any, shared: Path) -> None:
    """Where upstream has one example in both versions, requests go the same way in both."""
    folder = shared / "appmesh" / "manifests" / "howto-k8s-http-headers"
    older = AppMesh().load(upgrade(load(folder / "v1beta1__manifest.yaml")).objects)
    newer = AppMesh().load(load(folder / "v1beta2__manifest.yaml"))
    assert [d for d in older.diagnostics if d.severity is Severity.ERROR] == []
    tables = MeshTable(older), MeshTable(newer)
    names = ("color.${APP_NAMESPACE}.svc.cluster.local", "color")
    for value in ("blue", "xgreenx", "reddish", "other", None):
        headers = (("color_header", value),) if value else ()
        answers = [
            table.answer(MatchQuery("/", service=name, headers=headers, random=0))
            for table, name in zip(tables, names, strict=True)
        ]
        targets = [answer.target if answer else None for answer in answers]
        assert targets[0] == targets[1] is not None, value


ROUTE_TO_CART = """
apiVersion: appmesh.k8s.aws/v1beta1
kind: GatewayRoute
metadata: {name: r, namespace: shop}
spec:
  gatewayName: door
"""
ENTRY = (
    "{match: {prefix: /a}, route: [{destination: {virtualService: {virtualServiceName: cart}}}]%s}"
)


@pytest.mark.parametrize(
    ("more", "field", "kept"),
    [
        (f"  http: [{ENTRY % ', retries: {attempts: 3}'}]", "spec.http[0].retries", True),
        (f"  http: [{ENTRY % ', timeout: 5s'}]", "spec.http[0].timeout", True),
        (f"  http: {ENTRY % ''}", "spec.gatewayName", True),
        (f"  http: [{ENTRY % ''}]\n  tcp: []", "spec.tcp", False),
        ("  grpc: [{match: {}}]", "spec.http", False),
        ("  http: []", "spec.http", False),
    ],
)
def test_nothing_of_a_guide_s_route_is_lost_without_a_word(
    load: Any, more: str, field: str, kept: bool
) -> None:
    """What a GatewayRoute cannot hold is told with its field; where that was the route itself, the
    form does not take the place of the document."""
    upgraded = upgrade(load(ROUTE_TO_CART + more))
    assert field in {d.field for d in upgraded.diagnostics}
    assert (not upgraded.partial) == kept
    assert len(next(iter(upgraded.forms.values()))) == ("destination" in more)

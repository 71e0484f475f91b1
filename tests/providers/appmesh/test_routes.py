"""From a policy's target to the weighted routes behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab.core.model import ObjectRef, RouteKey, Target
from trimtab.ports import Provider, Reading
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.values import GROUP

CART = ObjectRef(GROUP, "VirtualRouter", "shop", "cart")
ARN = "arn:aws:appmesh:eu-west-1:123456789012:mesh/market/virtualNode/stock_warehouse"
ROUTE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: front, namespace: shop}
spec:
  httpRoute:
    match: {prefix: /cart}
    action: {target: {virtualService: {virtualServiceRef: {name: cart}}}}
"""


def ref(kind: str, name: str, namespace: str = "shop", group: str = GROUP) -> ObjectRef:
    return ObjectRef(group, kind, namespace, name)


def router(routes: str, listeners: str = "{port: 8080, protocol: http}") -> str:
    return f"""
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {{name: cart, namespace: shop}}
spec:
  listeners: [{{portMapping: {listeners}}}]
  routes: {routes}
"""


def rule(name: str, *targets: str, form: str = "httpRoute", match: str = "{prefix: /}") -> str:
    return (
        f"{{name: {name}, {form}: {{match: {match}, "
        f"action: {{weightedTargets: [{', '.join(targets)}]}}}}}}"
    )


def to(node: str, weight: int, extra: str = "") -> str:
    return f"{{virtualNodeRef: {{name: {node}}}, weight: {weight}{extra}}}"


def node(name: str, *ports: int, namespace: str = "shop", protocol: str = "http") -> str:
    listeners = ", ".join(f"{{portMapping: {{port: {p}, protocol: {protocol}}}}}" for p in ports)
    return f"""
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  listeners: [{listeners}]
  serviceDiscovery: {{dns: {{hostname: {name}.example}}}}
"""


def test_it_is_a_provider(load: Any, base: Path) -> None:
    """The types of the ports hold, and App Mesh knows its kinds by group, version and plural."""
    provider: Provider = AppMesh()
    reading: Reading = provider.load(load(base))
    assert provider.name == "appmesh"
    assert {k.kind: k.namespaced for k in provider.kinds}["Mesh"] is False
    assert {k.plural for k in provider.kinds} >= {"virtualrouters", "meshes", "namespaces"}
    assert reading.resolve(CART, ()).problems == ()


@pytest.mark.parametrize(
    "target", [CART, ref("VirtualService", "cart"), ref("GatewayRoute", "front")], ids=str
)
def test_router_service_and_gateway_route_lead_to_the_same_rule(
    load: Any, base: Path, target: ObjectRef
) -> None:
    """A GatewayRoute is followed to its VirtualService and on to the VirtualRouter."""
    resolution = AppMesh().load(load(base, ROUTE)).resolve(target, ())
    assert resolution.problems == ()
    (route,) = resolution.routes
    assert route.key == RouteKey("appmesh", CART, "main")
    assert route.targets == (
        Target("cart-v1", 90, "cds_egress_market_cart-v1_shop_http_8080"),
        Target("cart-v2", 10, "cds_egress_market_cart-v2_shop_http_8080"),
    )
    assert (route.maximum, route.sum_limited) == (100, True)


@pytest.mark.parametrize(
    ("form", "protocol", "match"),
    [
        ("httpRoute", "http", "{prefix: /}"),
        ("http2Route", "http2", "{prefix: /}"),
        ("grpcRoute", "grpc", "{serviceName: shop.Cart}"),
        ("tcpRoute", "tcp", "{}"),
    ],
)
def test_all_four_forms_of_routes(
    load: Any, base: Path, form: str, protocol: str, match: str
) -> None:
    """http, http2, grpc and tcp rules all carry weights; the telemetry key names the protocol."""
    text = router(f"[{rule('main', to('cart-v1', 1), form=form, match=match)}]")
    mesh = load(base, text, node("cart-v1", 7000, protocol=protocol))
    (route,) = AppMesh().load(mesh).resolve(CART, ()).routes
    assert route.targets[0].telemetry == f"cds_egress_market_cart-v1_shop_{protocol}_7000"


def test_names_are_unique_and_show_the_namespace(load: Any, base: Path) -> None:
    """Elsewhere: namespace/name; the same node twice: with its port, then with a number."""
    targets = (
        to("cart-v1", 20, ", port: 8080"),
        to("cart-v1", 20, ", port: 8081"),
        "{virtualNodeRef: {name: cart-v1, namespace: till}, weight: 20}",
        "{virtualNodeRef: {name: cart-v2, namespace: shop}, weight: 20}",
        to("cart-v2", 10),
        f"{{virtualNodeARN: '{ARN}', weight: 10}}",
    )
    mesh = load(
        base,
        router(f"[{rule('main', *targets)}]"),
        node("cart-v1", 8080, 8081),
        node("cart-v1", 9090, namespace="till"),
    )
    (route,) = AppMesh().load(mesh).resolve(CART, ()).routes
    assert [(t.name, t.telemetry) for t in route.targets] == [
        ("cart-v1:8080", "cds_egress_market_cart-v1_shop_http_8080"),
        ("cart-v1:8081", "cds_egress_market_cart-v1_shop_http_8081"),
        ("till/cart-v1", "cds_egress_market_cart-v1_till_http_9090"),
        ("cart-v2", "cds_egress_market_cart-v2_shop_http_8080"),
        ("cart-v2#2", "cds_egress_market_cart-v2_shop_http_8080"),
        ("stock_warehouse", None),
    ]


def test_aws_names_make_the_telemetry_key(load: Any, base: Path) -> None:
    """Stated awsNames of mesh and node replace the defaults."""
    mesh = load(
        base,
        "{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: {name: market}, "
        "spec: {awsName: bazaar, namespaceSelector: {}}}",
        node("cart-v2", 8080).replace("spec:", "spec:\n  awsName: trolley"),
    )
    (route,) = AppMesh().load(mesh).resolve(CART, ()).routes
    assert [t.telemetry for t in route.targets] == [
        "cds_egress_bazaar_cart-v1_shop_http_8080",
        "cds_egress_bazaar_trolley_http_8080",
    ]


def test_some_rules_by_name(load: Any, base: Path) -> None:
    """Rules are given in the order asked for, each once; an unknown one is a problem."""
    text = router(f"[{rule('a', to('cart-v1', 1))}, {rule('b', to('cart-v2', 1))}]")
    reading = AppMesh().load(load(base, text))
    assert [r.key.rule for r in reading.resolve(CART, ()).routes] == ["a", "b"]
    assert [r.key.rule for r in reading.resolve(CART, ("b", "a", "b")).routes] == ["b", "a"]
    routes, problems = reading.resolve(CART, ("a", "c"))
    assert [r.key.rule for r in routes] == ["a"]
    assert problems == ("VirtualRouter shop/cart has no route 'c': name one of a, b.",)


def service(provider: str) -> str:
    return f"""
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {{name: cart, namespace: shop}}
spec: {provider}
"""


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("", ref("VirtualRouter", "basket"), "There is no VirtualRouter shop/basket"),
        ("", ref("VirtualRouter", "basket"), "in that namespace there are cart"),
        ("", ref("VirtualService", "basket"), "There is no VirtualService shop/basket"),
        ("", ref("GatewayRoute", "basket"), "There is no GatewayRoute shop/basket"),
        ("", ref("VirtualNode", "cart-v1"), "has no weights: name a VirtualRouter"),
        ("", ref("Service", "cart", group=""), "of group core has no weights"),
        ("", ref("VirtualRouter", "cart", group="example.org"), "of group example.org"),
        (service("{awsName: cart.shop}"), ref("VirtualService", "cart"), "has no spec.provider"),
        (
            service("{provider: {virtualNode: {virtualNodeRef: {name: cart-v1}}}}"),
            ref("VirtualService", "cart"),
            "nothing to weigh; put a VirtualRouter between the two (trimtab insert-router shop/cart)",
        ),
        (
            service(f"{{provider: {{virtualNode: {{virtualNodeARN: '{ARN}'}}}}}}"),
            ref("VirtualService", "cart"),
            "has the VirtualNode stock_warehouse as its spec.provider",
        ),
        (
            service("{provider: {virtualRouter: {virtualRouterARN: 'arn:a/virtualRouter/x'}}}"),
            ref("VirtualService", "cart"),
            "has the VirtualRouter x as its spec.provider by ARN",
        ),
        (
            service("{provider: {virtualRouter: {virtualRouterRef: {name: gone}}}}"),
            ref("VirtualService", "cart"),
            "There is no VirtualRouter shop/gone",
        ),
        (
            ROUTE.replace("virtualServiceRef: {name: cart}", "virtualServiceARN: 'arn:a/b/cart.x'"),
            ref("GatewayRoute", "front"),
            "leads to the VirtualService cart.x by ARN",
        ),
        (router("[]"), CART, "VirtualRouter shop/cart has no routes"),
        (
            router(f"[{rule('main', to('cart-v1', 0))}]"),
            CART,
            "All weights of route 'main' of VirtualRouter shop/cart are zero",
        ),
        (
            router(f"[{rule('main', to('cart-v1', 70), to('cart-v2', 50))}]"),
            CART,
            "add up to 120, App Mesh allows 100",
        ),
        (
            router(f"[{rule('main', to('cart-v1', 101))}]"),
            CART,
            "before its mistakes are mended: spec.routes[0].httpRoute.action.weightedTargets[0].weight 101 is above 100. (AM005)",
        ),
        (
            "{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: {name: market}, spec: {}}",
            CART,
            "belongs to no Mesh",
        ),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, str) else "",
)
def test_problems_are_sentences_with_a_remedy(
    load: Any, base: Path, text: str, target: ObjectRef, said: str
) -> None:
    """What cannot be steered is said with its object, the field and the way out."""
    texts = [text] if text else []
    _, problems = AppMesh().load(load(base, *texts)).resolve(target, ())
    assert len(problems) == 1
    assert said in problems[0]
    assert problems[0].endswith((".", ")"))


def test_nodes_that_others_lead_to_are_said_to_be_shared(load: Any, base: Path) -> None:
    """Envoys count by node and port: another router, another route of this one, and a service that
    leads to the node without a router are named; another port, and the route itself, are not."""
    here = f"[{rule('a', to('cart-v1', 1), to('cart-v2', 1))}, {rule('b', to('cart-v2', 1))}]"
    other = router(f"[{rule('x', to('cart-v1', 1))}, {rule('y', to('cart-v2', 1, ', port: 9'))}]")
    texts = [
        router(here),
        other.replace("{name: cart,", "{name: till,"),
        node("cart-v2", 8080, 9),
        service("{provider: {virtualNode: {virtualNodeRef: {name: cart-v2}}}}").replace(
            "{name: cart,", "{name: direct,"
        ),
    ]
    reading = AppMesh().load(load(base, *texts))
    same = ": they lead to the same node"
    assert list(reading.shared(reading.resolve(CART, ("a",)).routes)) == [
        f"cart-v1 is counted together with route 'x' of VirtualRouter shop/till{same}",
        (
            "cart-v2 is counted together with VirtualService shop/direct, "
            f"route 'b' of VirtualRouter shop/cart{same}"
        ),
    ]
    told = list(reading.shared(reading.resolve(CART, ()).routes))
    assert all("VirtualRouter shop/cart" not in sentence for sentence in told)
    alone = AppMesh().load(load(base))
    assert list(alone.shared(alone.resolve(CART, ()).routes)) == []


def test_a_target_that_cannot_be_found_has_no_telemetry(load: Any, base: Path) -> None:
    """A node that is not there cannot be watched, so its weight will not be moved."""
    text = router(f"[{rule('main', to('cart-v1', 50), to('gone', 50))}]")
    routes, problems = AppMesh().load(load(base, text)).resolve(CART, ())
    assert problems == ()
    assert [t.telemetry is None for t in routes[0].targets] == [False, True]


def test_a_change_reads_only_what_changed(load: Any, base: Path) -> None:
    """Typed documents are kept by object and version: an unchanged one is the same value again."""
    provider, objects = AppMesh(), dict(load(base))
    before = provider.load(objects)
    changed = load(router(f"[{rule('main', to('cart-v1', 1))}]"))
    objects[CART] = type(objects[CART])(CART, "2", changed[CART].body)
    after = provider.load(objects)
    for object_ref, document in before.documents.items():
        assert (after.documents[object_ref] is document) == (object_ref != CART)
    assert [t.weight for t in before.resolve(CART, ()).routes[0].targets] == [90, 10]
    assert [t.weight for t in after.resolve(CART, ()).routes[0].targets] == [1]

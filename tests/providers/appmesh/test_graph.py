"""The mesh as a graph: as data, as text, as DOT and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.graph import Graph, graph_of

MORE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: front, namespace: shop}
spec:
  priority: 3
  httpRoute:
    match: {prefix: /cart}
    action: {target: {virtualService: {virtualServiceRef: {name: cart}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: cart-v1, namespace: shop}
spec:
  listeners:
    - portMapping: {port: 8080, protocol: http}
  serviceDiscovery: {dns: {hostname: cart-v1}}
  backends:
    - virtualService: {virtualServiceRef: {name: cart}}
    - virtualService: {virtualServiceRef: {name: "gone<&>\\""}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: direct, namespace: shop}
spec: {provider: {virtualNode: {virtualNodeARN: "arn:a:b/virtualNode/far"}}}
"""


def graph(load: Any, base: Path) -> Graph:
    return graph_of(AppMesh().load(load(base, MORE)))


def test_text_unfolds_each_way_once(load: Any, base: Path) -> None:
    """From the gateway to the nodes with weights and shares; circles end, what is missing is said."""
    assert graph(load, base).as_text() == (
        """\
VirtualGateway shop/door  http 8088
  GatewayRoute shop/front  priority 3: /cart*
    VirtualService shop/cart
      VirtualRouter shop/cart  http 8080
        main [/*] 90 (90%) -> VirtualNode shop/cart-v1  http 8080
          backend -> VirtualService shop/cart  (see above)
          backend -> VirtualService shop/gone<&>"  (not among these documents)
        main [/*] 10 (10%) -> VirtualNode shop/cart-v2  http 8080
VirtualService shop/direct
  VirtualNode far (by ARN)  (not among these documents)"""
    )


def test_as_data(load: Any, base: Path) -> None:
    """Every object is a node, every step an edge; weights stand on the edges of routers."""
    data = json.loads(json.dumps(graph(load, base).as_json()))
    assert [(n["kind"], n["name"]) for n in data["nodes"] if not n["known"]] == [
        ("VirtualService", 'gone<&>"'),
        ("VirtualNode", "far (by ARN)"),
    ]
    weighted = [
        (e["to"], e["label"], e["weight"], e["share"]) for e in data["edges"] if e["weight"]
    ]
    assert weighted == [
        ("VirtualNode shop/cart-v1", "main", 90, 0.9),
        ("VirtualNode shop/cart-v2", "main", 10, 0.1),
    ]


def test_the_picture_shows_everything(load: Any, base: Path) -> None:
    """The SVG is well formed and holds a box for each node and a line for each edge."""
    shown = graph(load, base)
    picture = ET.fromstring(shown.as_svg())
    names = {"svg": "http://www.w3.org/2000/svg"}
    assert len(picture.findall(".//svg:rect[@class='box']", names)) == len(shown.vertices)
    assert len(picture.findall(".//svg:path", names)) == len(shown.edges)
    texts = [t.text for t in picture.findall(".//svg:text", names)]
    assert 'shop/gone<&>"' in texts
    assert "main [/*] 90 (90%)" in texts


def test_dot_quotes_what_it_must(load: Any, base: Path) -> None:
    """One statement for each node and edge, with quotation marks escaped."""
    shown = graph(load, base)
    lines = shown.as_dot().splitlines()
    assert lines[0] == "digraph mesh {"
    assert lines[-1] == "}"
    assert len([line for line in lines if " -> " in line]) == len(shown.edges)
    assert '  "VirtualNode shop/cart-v1" -> "VirtualService shop/gone<&>\\"" ' in "\n".join(lines)


def test_an_empty_mesh_is_an_empty_graph() -> None:
    """Nothing to draw is no error."""
    nothing = graph_of(AppMesh().load({}))
    assert nothing.as_text() == ""
    assert nothing.as_json() == {"nodes": [], "edges": []}
    ET.fromstring(nothing.as_svg())


def test_all_zero_weights_have_no_share(load: Any, base: Path) -> None:
    """A rule without weight sends nothing anywhere: its shares are zero, not undefined."""
    text = base.read_text().replace("weight: 90", "weight: 0").replace("weight: 10", "weight: 0")
    edges = graph_of(AppMesh().load(load(text))).edges
    assert {e.share for e in edges if e.weight is not None} == {0.0}


MATCHES = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: cart, namespace: shop}
spec:
  listeners: [{portMapping: {port: 8080, protocol: http}}]
  routes:
    - {name: a, httpRoute: {match: {prefix: /}, action: &to {weightedTargets: [{virtualNodeRef: {name: cart-v1}, weight: 1}]}}}
    - name: z
      priority: 1
      httpRoute:
        action: *to
        match:
          path: {regex: "/x.*"}
          method: GET
          headers:
            - {name: p, match: {prefix: v}, invert: true}
            - {name: s, match: {suffix: v}}
            - {name: r, match: {regex: v+}}
            - {name: n, match: {range: {start: 1, end: 5}}}
            - {name: e, match: {exact: v}}
            - {name: h}
          queryParameters: [{name: q, match: {exact: "1"}}, {name: k}]
    - {name: m, httpRoute: {match: {path: {exact: /x}}, action: *to}}
    - {name: g, grpcRoute: {match: {serviceName: s.S, methodName: m}, action: *to}}
    - {name: t, tcpRoute: {action: *to}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: front, namespace: shop}
spec:
  httpRoute:
    match: {hostname: {suffix: .example.com}, port: 8088}
    action: {target: {virtualService: {virtualServiceRef: {name: cart}}}}
"""


def test_what_routes_ask_for_is_said_in_the_order_in_which_they_are_tried(
    load: Any, base: Path
) -> None:
    """Each kind of match in words; the first route that is shown is the first that is tried."""
    lines = graph_of(AppMesh().load(load(base, MATCHES))).as_text().splitlines()
    assert "  GatewayRoute shop/front  *.example.com port 8088 /*" in lines
    assert [line.partition(" ->")[0].strip() for line in lines if "cart-v1" in line] == [
        "z [priority 1: ~/x.* GET !p=v* s=*v r=~v+ n=[1,5) e=v h ?q=1 ?k] 1 (100%)",
        "g [/s.S/m grpc] 1 (100%)",
        "m [/x] 1 (100%)",
        "a [/*] 1 (100%)",
        "t 1 (100%)",
    ]


def test_boxes_do_not_lie_on_each_other(load: Any, base: Path) -> None:
    """In the picture of a mesh with shared services no two boxes overlap."""
    picture = ET.fromstring(graph_of(AppMesh().load(load(base, MATCHES, MORE))).as_svg())
    names = {"svg": "http://www.w3.org/2000/svg"}
    corners = [
        (b.get("x"), b.get("y")) for b in picture.findall(".//svg:rect[@class='box']", names)
    ]
    assert len(corners) == len(set(corners))

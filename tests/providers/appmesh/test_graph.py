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
  GatewayRoute shop/front  priority 3: /cart
    VirtualService shop/cart
      VirtualRouter shop/cart  http 8080
        main 90 (90%) -> VirtualNode shop/cart-v1  http 8080
          backend -> VirtualService shop/cart  (see above)
          backend -> VirtualService shop/gone<&>"  (not among these documents)
        main 10 (10%) -> VirtualNode shop/cart-v2  http 8080
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
    assert len(picture.findall(".//svg:rect", names)) == len(shown.vertices)
    assert len(picture.findall(".//svg:path", names)) == len(shown.edges)
    texts = [t.text for t in picture.findall(".//svg:text", names)]
    assert 'shop/gone<&>"' in texts
    assert "main 90 (90%)" in texts


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

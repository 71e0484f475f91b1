"""A mesh graph as an indented text, as Graphviz DOT, and as an SVG picture of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from trimtab.core.model import ObjectRef

if TYPE_CHECKING:
    from trimtab.providers.appmesh.graph import Edge, Graph, Vertex

_FILL = {
    "VirtualGateway": "#dbe9f6",
    "GatewayRoute": "#e8f1e0",
    "VirtualService": "#fdf0d5",
    "VirtualRouter": "#f7e1d7",
    "VirtualNode": "#e9e3f3",
}
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 210, 40, 90, 16, 20  # pixels


def edge_label(edge: Edge) -> str:
    if edge.weight is None or edge.share is None:
        return edge.label
    return f"{edge.label} {edge.weight} ({edge.share:.0%})".strip()


# --- text ---------------------------------------------------------------------------------------


def text(graph: Graph) -> str:
    """Every way from where requests come in; an object that was shown before is not unfolded."""
    vertices = {v.ref: v for v in graph.vertices}
    out: dict[ObjectRef, list[Edge]] = {}
    for edge in graph.edges:
        out.setdefault(edge.source, []).append(edge)
    entered = {e.target for e in graph.edges if e.label != "backend"}
    shown: set[ObjectRef] = set()
    lines: list[str] = []
    for vertex in graph.vertices:
        if vertex.ref not in entered and vertex.ref not in shown:
            lines += _unfolded(vertex.ref, "", 0, vertices, out, shown)
    for vertex in graph.vertices:  # what only a circle leads to
        if vertex.ref not in shown:
            lines += _unfolded(vertex.ref, "", 0, vertices, out, shown)
    return "\n".join(lines)


def _unfolded(
    ref: ObjectRef,
    label: str,
    depth: int,
    vertices: dict[ObjectRef, Vertex],
    out: dict[ObjectRef, list[Edge]],
    shown: set[ObjectRef],
) -> Iterator[str]:
    """Without recursion: a chain of objects may be longer than Python's stack."""
    stack = [(ref, label, depth)]
    while stack:
        ref, label, depth = stack.pop()
        vertex = vertices[ref]
        again = ref in shown and bool(out.get(ref))
        shown.add(ref)
        detail = f"  {vertex.detail}" if vertex.detail else ""
        missing = "" if vertex.known else "  (not among these documents)"
        arrow = f"{label} -> " if label else ""
        tail = "  (see above)" if again else ""
        yield f"{'  ' * depth}{arrow}{ref}{detail}{missing}{tail}"
        if not again:
            following = [(e.target, edge_label(e), depth + 1) for e in out.get(ref, ())]
            stack += reversed(following)


# --- DOT ----------------------------------------------------------------------------------------


def dot(graph: Graph) -> str:
    lines = ["digraph mesh {", "  rankdir=LR;", '  node [shape=box, style="rounded,filled"];']
    for vertex in graph.vertices:
        label = "\\n".join(
            _dot_text(part) for part in (vertex.ref.kind, vertex.title, vertex.detail) if part
        )
        style = "" if vertex.known else ', style="rounded,dashed"'
        fill = _FILL[vertex.ref.kind]
        lines.append(
            f'  "{_dot_text(str(vertex.ref))}" [label="{label}", fillcolor="{fill}"{style}];'
        )
    for edge in graph.edges:
        ends = f'"{_dot_text(str(edge.source))}" -> "{_dot_text(str(edge.target))}"'
        style = ", style=dashed" if edge.label == "backend" else ""
        lines.append(f'  {ends} [label="{_dot_text(edge_label(edge))}"{style}];')
    return "\n".join([*lines, "}"])


def _dot_text(raw: str) -> str:
    return raw.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


# --- SVG ----------------------------------------------------------------------------------------


def svg(graph: Graph) -> str:
    """A column for each kind, from left to right as a request goes."""
    places = _places(graph)
    width = 2 * _MARGIN + len(_FILL) * _WIDTH + (len(_FILL) - 1) * _GAP_X
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        *(_line(edge, places) for edge in graph.edges),
        *(_box(vertex, places[vertex.ref]) for vertex in graph.vertices),
        "</svg>",
    ]
    return "\n".join(parts)


def _places(graph: Graph) -> dict[ObjectRef, tuple[int, int]]:
    """The upper left corner of each box."""
    columns = {kind: i for i, kind in enumerate(_FILL)}
    filled = dict.fromkeys(_FILL, 0)
    places: dict[ObjectRef, tuple[int, int]] = {}
    for vertex in graph.vertices:
        kind = vertex.ref.kind
        x = _MARGIN + columns[kind] * (_WIDTH + _GAP_X)
        places[vertex.ref] = (x, _MARGIN + filled[kind] * (_HEIGHT + _GAP_Y))
        filled[kind] += 1
    return places


def _line(edge: Edge, places: dict[ObjectRef, tuple[int, int]]) -> str:
    """A curve between two boxes; thicker with a greater share, dashed back from a backend."""
    x1, y1 = places[edge.source]
    x2, y2 = places[edge.target]
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = max(40, abs(x2 - x1) // 2)
    thick = 1 + 3 * (edge.share or 0)
    dash = ' stroke-dasharray="4 3"' if edge.label == "backend" else ""
    curve = f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
    path = f'<path d="{curve}" fill="none" stroke="#888" stroke-width="{thick:.1f}"{dash}/>'
    label = edge_label(edge)
    if not label or edge.label == "backend":
        return path
    at = f'x="{(x1 + x2) // 2}" y="{(y1 + y2) // 2 - 3}"'
    return f'{path}<text {at} text-anchor="middle" fill="#444">{escape(label)}</text>'


def _box(vertex: Vertex, place: tuple[int, int]) -> str:
    x, y = place
    dash = "" if vertex.known else ' stroke-dasharray="4 3"'
    fill = _FILL[vertex.ref.kind] if vertex.known else "#fff"
    size = f'x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"'
    tip = quoteattr(f"{vertex.ref} {vertex.detail}".strip())
    return (
        f"<g aria-label={tip}><rect {size} fill={quoteattr(fill)} stroke='#666'{dash}/>"
        f'<text x="{x + 8}" y="{y + 16}" fill="#666">{escape(vertex.ref.kind)}</text>'
        f'<text x="{x + 8}" y="{y + 31}">{escape(_short(vertex.title))}</text></g>'
    )


def _short(title: str) -> str:
    return title if len(title) <= 34 else f"{title[:33]}…"

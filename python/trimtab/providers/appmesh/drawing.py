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
_WIDTH, _HEIGHT, _GAP_Y, _MARGIN = 240, 40, 20, 20  # pixels
# Where the column of each kind begins; before the nodes there is room for routes and weights.
_LEFT = {
    "VirtualGateway": 20,
    "GatewayRoute": 330,
    "VirtualService": 640,
    "VirtualRouter": 950,
    "VirtualNode": 1480,
}


def edge_label(edge: Edge) -> str:
    if edge.weight is None or edge.share is None:
        return edge.label
    asked = f" [{edge.asked}]" if edge.asked else ""
    return f"{edge.label}{asked} {edge.weight} ({edge.share:.0%})".strip()


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
    """A column for each kind, from left to right as a request goes; what leads on stands beside
    what it leads to."""
    places = _places(graph)
    width = max(_LEFT.values()) + _WIDTH + _MARGIN
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *(_line(edge, places) for edge in graph.edges),
        *(_box(vertex, places[vertex.ref]) for vertex in graph.vertices),
        "</svg>",
    ]
    return "\n".join(parts)


def _places(graph: Graph) -> dict[ObjectRef, tuple[int, int]]:
    """The upper left corner of each box: each way from the left has a row of its own, and begins in
    the row of its first branch."""
    onward: dict[ObjectRef, list[ObjectRef]] = {}
    for edge in graph.edges:
        if edge.label != "backend":
            onward.setdefault(edge.source, []).append(edge.target)
    rows: dict[ObjectRef, int] = {}
    free = 0

    def place(ref: ObjectRef) -> None:  # as deep as there are kinds
        nonlocal free
        rows[ref] = free
        for target in onward.get(ref, ()):
            if target not in rows:
                place(target)
        free = max(free, rows[ref] + 1)

    for vertex in graph.vertices:
        if vertex.ref not in rows:
            place(vertex.ref)
    return {ref: (_LEFT[ref.kind], _MARGIN + row * (_HEIGHT + _GAP_Y)) for ref, row in rows.items()}


def _line(edge: Edge, places: dict[ObjectRef, tuple[int, int]]) -> str:
    """A curve between two boxes; thicker with a greater share, dashed back from a backend."""
    x1, y1 = places[edge.source]
    x2, y2 = places[edge.target]
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = min(120, max(40, abs(x2 - x1) // 2))
    thick = 1 + 3 * (edge.share or 0)
    dash = ' stroke-dasharray="4 3"' if edge.label == "backend" else ""
    curve = f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
    path = f'<path d="{curve}" fill="none" stroke="#888" stroke-width="{thick:.1f}"{dash}/>'
    label = edge_label(edge)
    if not label or edge.label == "backend":
        return path
    at = f'x="{x2 - 8}" y="{y2 - 5}"'
    return (
        f'{path}<text {at} text-anchor="end" fill="#444">{escape(_short(label, 46))}'
        f"<title>{escape(label)}</title></text>"
    )


def _box(vertex: Vertex, place: tuple[int, int]) -> str:
    x, y = place
    dash = "" if vertex.known else ' stroke-dasharray="4 3"'
    fill = _FILL[vertex.ref.kind] if vertex.known else "#fff"
    size = f'x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"'
    whole = f"{vertex.ref} {vertex.detail}".strip()
    above = f"{vertex.ref.kind}  {vertex.detail}".strip()
    return (
        f"<g aria-label={quoteattr(whole)}><title>{escape(whole)}</title>"
        f'<rect class="box" {size} fill={quoteattr(fill)} stroke="#666"{dash}/>'
        f'<text x="{x + 8}" y="{y + 16}" fill="#666">{escape(_short(above, 40))}</text>'
        f'<text x="{x + 8}" y="{y + 31}">{escape(_short(vertex.title, 40))}</text></g>'
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

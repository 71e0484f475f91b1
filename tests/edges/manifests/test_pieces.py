"""A file that is read again after a change says what it would say if it were read anew."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from edges.manifests.routers import NOISE, ROUTER, fill
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.model import ObjectRef
from trimtab.edges.manifests import pieces
from trimtab.edges.manifests.documents import DocumentReader
from trimtab.edges.manifests.folder import Folder
from trimtab.edges.manifests.pieces import Piece, Pieces, pieces_of
from trimtab.edges.manifests.text import split

# What decides where a document begins, and what only seems to.
PARTS = ("---\n", "---", "--- # x\n", "...\n", "...", "-", ".", "\n", "# c\n", "%YAML 1.2\n", "a: 1\n",
         " ---\n", "x", "é", "\r\n")  # fmt: skip
texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


class Maker:
    """Makes pieces, and counts them."""

    def __init__(self) -> None:
        self.reader = DocumentReader([ROUTER], "default")
        self.made: list[str] = []

    def __call__(self, text: str) -> Piece:
        self.made.append(text)
        return Piece.of(text, self.reader.read(text, is_json=False), "f.yaml", {})


def shape(made: Pieces) -> list[tuple[int, int]]:
    return [(piece.size, piece.lines) for piece in made]


@given(old=texts, new=texts, block=st.sampled_from([1, 3, 1000]))
def test_documents_begin_where_they_would_begin_anew(old: str, new: str, block: int) -> None:
    """Whatever the two texts are, and in blocks of whatever size they are compared, the second is
    split as if the first had never been."""
    maker = Maker()
    before = pieces_of(old, "", (), maker, is_json=False)
    with patch.object(pieces, "_BLOCK", block):
        again = pieces_of(new, old, before, maker, is_json=False)
    spans = [new[a:b] for a, b in split(new)]
    assert shape(again) == [(len(text), text.count("\n")) for text in spans]


@given(
    parts=st.lists(st.sampled_from((*NOISE, fill("flow", "a", 1, 2), fill("block", "b", 3, 4)))),
    cut=st.tuples(st.integers(0, 400), st.integers(0, 60)),
    put=texts,
    block=st.sampled_from([20, 1000]),
)
def test_a_change_anywhere_is_read_as_anew(
    parts: list[str], cut: tuple[int, int], put: str, block: int
) -> None:
    """Something cut out and something put in: sizes, lines and what is said are those of the new
    text."""
    old = "---\n".join(parts)
    new = old[: cut[0]] + put + old[sum(cut) :]
    before = pieces_of(old, "", (), Maker(), is_json=False)
    with patch.object(pieces, "_BLOCK", block):
        again = pieces_of(new, old, before, Maker(), is_json=False)
    anew = pieces_of(new, "", (), Maker(), is_json=False)
    assert again == anew


def test_a_change_reads_its_document_and_the_one_before_at_most() -> None:
    """Of 100 documents one is read again when it changes, is added to, or is moved."""
    documents = [fill("block", f"r{i}", 1, 2) for i in range(100)]
    old = "---\n".join(documents)
    before = pieces_of(old, "", (), Maker(), is_json=False)
    for new in (
        old.replace("name: r50", "name: x50"),
        "# a comment at the top\n" + old,
        "---\n".join([*documents[:30], fill("block", "more", 1, 2), *documents[30:]]),
        "---\n".join([*documents[:30], documents[70], *documents[30:70], *documents[71:]]),
        old + "---\nkind: Other\n",
    ):
        maker = Maker()
        assert len(pieces_of(new, old, before, maker, is_json=False)) >= 100
        assert len(maker.made) <= 1


NESTED = """\
# a head
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata:
  name: web
  labels: {app.kubernetes.io/name: x}
  annotations:
    trimtab.dev/weights: a=1
spec:
  routes:
    - name: main
      httpRoute: {match: {prefix: /},
        action: {weightedTargets: [{weight: 1},
          {weight: 2}]}}
    -
      name: more
"""
LINES = {
    "": 1,
    "kind": 2,
    "metadata.name": 4,
    "metadata.labels.app.kubernetes.io/name": 5,
    "metadata.annotations[trimtab.dev/weights]": 7,
    "spec": 8,
    "spec.routes": 9,
    "spec.routes[0]": 10,
    "spec.routes[0].httpRoute.match.prefix": 11,
    "spec.routes[0].httpRoute.action.weightedTargets[1].weight": 13,
    "spec.routes[0].httpRoute.action.weightedTargets[7]": 12,
    "spec.routes[1].name": 15,
    "spec.routes[1].grpcRoute.match": 15,
    "spec.rout": 8,
    "nothing": 1,
}


@pytest.mark.parametrize("field", LINES)
def test_a_field_is_found_on_its_line(tmp_path: Path, field: str) -> None:
    """By its path, at whatever place of the file; a field that is missing on the line of the
    innermost of its parents."""
    file = tmp_path / "r.yaml"
    file.write_text("kind: Other\n---\n" + NESTED)
    folder = Folder([str(file)], DocumentReader([ROUTER], "default"), lambda: 0.0)
    folder.scan()
    found = folder.where(ObjectRef("appmesh.k8s.aws", "VirtualRouter", "default", "web"), field)
    assert found is not None
    assert (found.document, found.line) == (1, 3 + LINES[field])


def test_a_field_of_an_item_is_found(tmp_path: Path) -> None:
    """Of a list of objects in YAML, and in JSON."""
    indented = "".join(f"    {line}\n" for line in NESTED.splitlines()[1:])
    (tmp_path / "a.yaml").write_text(f"kind: List\nitems:\n  -\n{indented}")
    (tmp_path / "b.json").write_text(
        '{"kind": "List", "items": [\n {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind":\n'
        '  "VirtualRouter", "metadata": {"name": "j"}, "spec": {\n   "routes": []}}]}'
    )
    folder = Folder([str(tmp_path)], DocumentReader([ROUTER], "default"), lambda: 0.0)
    folder.scan()
    lines = {
        ref.name: found.line
        for ref in folder.objects
        if (found := folder.where(ref, "spec.routes")) is not None
    }
    assert lines == {"web": 12, "j": 4}

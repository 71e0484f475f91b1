"""Documents that lost their shape are said to be that, and nothing is guessed out of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from edges.manifests.routers import ROUTER, STYLES, fill

from trimtab.core.model import Diagnostic, Severity
from trimtab.edges.manifests import look

BLOCK = """apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata:
  name: web
  # a comment
  namespace: shop
spec:
  routes:
    - name: main
"""


def problems(path: Path, text: str) -> list[Diagnostic]:
    path.write_text(text)
    seen = look([path], [ROUTER], lambda: 0.0, values={}, about=lambda *_: "Known.")
    return list(seen.problems)


def flat(text: str, margin: str = "") -> str:
    return "".join(f"{margin}{line.lstrip()}\n" for line in text.splitlines())


@pytest.mark.parametrize("margin", ["", "  "])
@pytest.mark.parametrize(
    ("text", "line"),
    [(BLOCK, 4), ("# first\n" + BLOCK, 5), (BLOCK.replace("name", "labels", 1), 4)],
)
def test_lost_indentation_is_not_a_missing_name(
    tmp_path: Path, margin: str, text: str, line: int
) -> None:
    """Named as what it is, with the first line that lost its place, the kind, and what is known."""
    (problem,) = problems(tmp_path / "r.yaml", flat(text, margin))
    assert (problem.code, problem.severity) == ("IndentationLost", Severity.ERROR)
    assert problem.origin is not None
    assert problem.origin.line == line
    assert "a VirtualRouter of appmesh.k8s.aws/v1beta2" in problem.message
    assert problem.message.endswith("Known.")


def test_lost_line_breaks(tmp_path: Path) -> None:
    """A document on one line is said to be that."""
    (problem,) = problems(tmp_path / "r.yaml", "# x\n" + " ".join(flat(BLOCK).split("\n")))
    assert problem.code == "IndentationLost"
    assert "line breaks are lost" in problem.message
    assert problem.origin is not None
    assert problem.origin.line == 2


def test_only_spec_is_flat(tmp_path: Path) -> None:
    """An envelope whose spec stands beside it has lost its indentation too."""
    text = BLOCK.replace("  routes", "routes").replace("    - name", "- name")
    (problem,) = problems(tmp_path / "r.yaml", text)
    assert problem.code == "IndentationLost"
    assert "routes stands beside spec" in problem.message


@pytest.mark.parametrize("style", [s for s in STYLES if s != "json"])
def test_documents_with_their_indentation_are_not_suspected(tmp_path: Path, style: str) -> None:
    """Every style in which people write passes, also with an empty spec or metadata."""
    assert problems(tmp_path / "r.yaml", fill(style, "web", 90, 10)) == []


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualRouter\nspec:\nmetadata:\n  name: x\n",
        "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualRouter\nmetadata: {name: x}\nspec:\n",
    ],
)
def test_an_empty_spec_is_no_loss(tmp_path: Path, text: str) -> None:
    """Beside what is empty stands only the envelope."""
    assert problems(tmp_path / "r.yaml", text) == []


def test_flat_documents_of_others_are_theirs(tmp_path: Path) -> None:
    """Kinds that are not read are passed over, flat or not."""
    text = flat(BLOCK).replace("appmesh.k8s.aws", "other.io")
    assert problems(tmp_path / "r.yaml", text) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (BLOCK.replace("  namespace", "   namespace"), 6, "bad indentation"),
        (BLOCK.replace("  namespace", " namespace"), 6, "neither beside the fields above it"),
        (BLOCK + "   - name: b\n", 10, "bad indentation"),
        (BLOCK.replace("  namespace", "\tnamespace"), 6, "with spaces, not with tabs"),
    ],
)
def test_bad_indentation_is_said_in_words_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    """What a parser says of it means little to a person; the line is the one to look at."""
    (problem,) = problems(tmp_path / "r.yaml", text)
    assert problem.code == "BrokenDocument"
    assert words in problem.message
    assert problem.origin is not None
    assert problem.origin.line == line

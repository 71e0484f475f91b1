"""Whole documents replaced in a person's file, and not a byte beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from edges.manifests.routers import ROUTER, fill
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.model import ObjectRef
from trimtab.edges.manifests import Looked, Replacement, Written, as_yaml, look, rewrite
from trimtab.edges.manifests.text import parse_yaml
from trimtab.errors import Conflict

FORM = {"apiVersion": "v2", "kind": "New", "metadata": {"name": "on"}, "spec": {"list": [{"a": 1}]}}
SHOWN = """apiVersion: v2
kind: New
metadata:
  name: 'on'
spec:
  list:
    - a: 1
"""


def seen(path: Path) -> Looked:
    return look([path], [ROUTER], lambda: 0.0, values={})


def replaced(path: Path, *names: str, times: int = 1) -> list[Written]:
    looked = seen(path)
    wanted = [wish(looked, ref, times) for ref in looked.objects if ref.name in names]
    return rewrite(str(path), wanted, looked.reader)


def wish(looked: Looked, ref: ObjectRef, times: int = 1) -> Replacement:
    at = looked.where(ref, "")
    assert at is not None
    return Replacement(looked.objects[ref], at, [FORM] * times)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_everything_else_stays_byte_for_byte(tmp_path: Path, newline: str, bom: bytes) -> None:
    """Comments, markers and documents around it, line ends, the byte order mark and the mode."""
    first, last = fill("flow", "a", 1, 2), fill("block", "c", 3, 4)
    head, tail = "# head\n\n--- # marked\n# of b\n", "\n# at the margin\n\n"
    text = first + "---\n" + first.replace("a,", "x,") + "---\n" + "kind: Other\n"
    old = text + head + fill("block", "b", 5, 6) + tail + "---\n" + last
    file = tmp_path / "r.yaml"
    file.write_bytes(bom + old.replace("\n", newline).encode())
    file.chmod(0o640)
    (done,) = replaced(file, "b")
    assert done.refused == ""
    assert done.comments == 2
    new = text + head + SHOWN + tail + "---\n" + last
    assert file.read_bytes() == bom + new.replace("\n", newline).encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["r.yaml"]


def test_one_document_becomes_several(tmp_path: Path) -> None:
    """With a marker between them; a file that ended without a newline ends so again."""
    file = tmp_path / "r.yaml"
    file.write_text("---\n" + fill("block", "a", 1, 2).rstrip("\n"))
    replaced(file, "a", times=2)
    assert file.read_text() == f"---\n{SHOWN}---\n{SHOWN}".rstrip("\n")


@pytest.mark.parametrize(
    ("name", "wrap", "why"),
    [
        ("r.json", "{}", "JSON"),
        ("r.yaml", '{{"apiVersion": "v1", "kind": "List", "items": [{}]}}', "list"),
        ("r.yaml", "--- {}", "'---'"),
    ],
)
def test_what_cannot_be_replaced_is_refused_in_words(
    tmp_path: Path, name: str, wrap: str, why: str
) -> None:
    """The file is left alone, and the reason has a remedy."""
    router = json.dumps(parse_yaml(fill("flow", "a", 1, 2)).data)
    file = tmp_path / name
    file.write_text(wrap.format(router) if wrap != "{}" else router)
    before = file.read_bytes()
    (done,) = replaced(file, "a")
    assert why in done.refused
    assert "Remedy" in done.refused
    assert file.read_bytes() == before


def test_a_template_is_refused(tmp_path: Path) -> None:
    """Braces are instructions to a tool that a form cannot carry over."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "a", 1, 2).replace("prefix: /", "prefix: {{ path }}"))
    (done,) = replaced(file, "a")
    assert "template" in done.refused


@pytest.mark.parametrize("quote", ['"', "'"])
def test_placeholders_in_quotes_are_refused(tmp_path: Path, quote: str) -> None:
    """Without its quotes a placeholder may become a number, and whether it does is not known."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "a", 1, 2).replace("prefix: /", f"prefix: {quote}/${{P}}{quote}"))
    (done,) = replaced(file, "a")
    assert "in quotes" in done.refused


def test_a_file_that_has_changed_is_not_written(tmp_path: Path) -> None:
    """What was read is what is replaced, or nothing is."""
    file = tmp_path / "r.yaml"
    file.write_text(fill("block", "a", 1, 2))
    looked = seen(file)
    file.write_text(fill("block", "a", 1, 3))
    (obj,) = looked.objects.values()
    with pytest.raises(Conflict):
        rewrite(str(file), [wish(looked, obj.ref)], looked.reader)
    assert file.read_text() == fill("block", "a", 1, 3)


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(
        ["y", "No", "1e3", "0o7", "07", "1_0", "12:30", "~", "", "2020-01-01", "a: b", "# x", "${X}"]
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcXyn_0", min_size=1), inner),
    max_leaves=12,
)  # fmt: skip


@given(data=st.dictionaries(st.text("abcd", min_size=1), PLAIN))
def test_what_is_shown_says_to_kubernetes_what_it_says(data: dict[str, Any]) -> None:
    """Read back as Kubernetes reads, the YAML is the document: no text turns into a number."""
    assert parse_yaml(as_yaml(data)).data == (data or {})

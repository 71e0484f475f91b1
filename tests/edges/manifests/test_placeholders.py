"""Templates in manifests: filled in, or kept and said, and no line out of place."""

from __future__ import annotations

from pathlib import Path

import pytest
from edges.manifests.routers import ROUTER, opened
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.model import Severity
from trimtab.edges.manifests import Looked, look, read_values
from trimtab.edges.manifests.placeholders import fill, restore
from trimtab.edges.manifests.text import Malformed
from trimtab.errors import InvalidDocument

TEMPLATE = """# for ${NOBODY} in particular
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: NAME, namespace: shop}
spec:
  port: PLACE
"""


def seen(path: Path, *values: str) -> Looked:
    return look([path], [ROUTER], lambda: 0.0, values=read_values(values))


def body(path: Path, *values: str) -> dict:
    (obj,) = seen(path, *values).objects.values()
    return dict(obj.body)


@pytest.mark.parametrize(
    "form", ["${PORT}", "$PORT", "{{PORT}}", "{{ PORT }}", "{{ .Values.PORT }}", "{{- PORT -}}"]
)
def test_each_form_is_filled_as_its_tool_does(tmp_path: Path, form: str) -> None:
    """A value is text in the place of the placeholder, so a number is a number there."""
    file = tmp_path / "r.yaml"
    file.write_text(TEMPLATE.replace("PLACE", form))
    assert body(file, "PORT=8080")["spec"] == {"port": 8080}
    assert seen(file, "PORT=8080").problems == ()


@pytest.mark.parametrize("form", ["${PORT}", "$PORT", "{{PORT}}", "{{ .Values.PORT }}"])
@pytest.mark.parametrize("around", ["PLACE", "{a: PLACE}", "[PLACE, 1]", "'PLACE'", "x-PLACE"])
def test_what_has_no_value_stays_as_it_is_written(tmp_path: Path, form: str, around: str) -> None:
    """Also where YAML alone would take its braces for a mapping; said once, with line and field."""
    file = tmp_path / "r.yaml"
    file.write_text(TEMPLATE.replace("PLACE", around.replace("PLACE", form)))
    assert form in str(body(file)["spec"])
    (problem,) = seen(file).problems
    assert (problem.code, problem.severity) == ("PlaceholderUnfilled", Severity.WARNING)
    assert problem.origin is not None
    assert problem.origin.line == 6
    assert problem.field.startswith("spec.port")
    assert "--values PORT=" in problem.remedy


async def test_a_store_that_writes_fills_nothing_in(tmp_path: Path) -> None:
    """A placeholder is a warning there, and an error where YAML cannot read it; others go on."""
    file = tmp_path / "r.yaml"
    parts = [TEMPLATE.replace("NAME", '"${NAME}"'), TEMPLATE.replace("PLACE", "$PORT")]
    file.write_text("---\n".join([*parts, TEMPLATE.replace("PLACE", "{{PORT}}")]))
    store = opened(file)
    assert {ref.name for ref in await store.read()} == {"${NAME}", "NAME"}
    found = [(p.code, p.severity, p.origin and p.origin.document) for p in store.problems]
    assert found == [
        ("PlaceholderUnfilled", Severity.WARNING, 0),
        ("PlaceholderUnfilled", Severity.WARNING, 1),
        ("BrokenDocument", Severity.ERROR, 2),
    ]
    assert "{{PORT}} has no value" in store.problems[2].message


@pytest.mark.parametrize(
    "line",
    ["{{- if .Values.on }}", '{{ include "labels" . | nindent 4 }}', "{{ end }}", "x: {{ a b }}"],
)
def test_instructions_of_a_template_are_said_to_be_such(tmp_path: Path, line: str) -> None:
    """A template is rendered by its own tool; the document is an error with the line, others go on."""
    file = tmp_path / "r.yaml"
    file.write_text(TEMPLATE + line + "\n---\n" + TEMPLATE.replace("NAME", "other"))
    looked = seen(file)
    assert [ref.name for ref in looked.objects] == ["other"]
    (problem,) = [p for p in looked.problems if p.severity is Severity.ERROR]
    assert problem.code == "BrokenDocument"
    assert "helm template" in problem.message
    assert problem.origin is not None
    assert problem.origin.line == 7


def test_values_come_from_files_and_pairs(tmp_path: Path) -> None:
    """Dotted names lead into mappings, lists and mappings are values too, the later value wins."""
    values = tmp_path / "values.yaml"
    values.write_text("a: {b: 7, up: yes}\nlist: [1, 'two']\nname: x\nPORT: 1\n")
    got = read_values([str(values), "PORT=2", "a.c=d=e"])
    assert got == {
        "a": '{"b": 7, "up": true}',
        "a.b": "7",
        "a.up": "true",
        "a.c": "d=e",
        "list": '[1, "two"]',
        "name": "x",
        "PORT": "2",
    }
    file = tmp_path / "r.yaml"
    file.write_text(TEMPLATE.replace("PLACE", "[{{ .Values.a.b }}, ${list}, {{ $.name | quote }}]"))
    assert body(file, str(values))["spec"] == {"port": [7, [1, "two"], "x"]}


def test_a_default_is_a_value(tmp_path: Path) -> None:
    """As in a shell, a value that is given goes before it."""
    file = tmp_path / "r.yaml"
    file.write_text(TEMPLATE.replace("PLACE", "${PORT:-80}"))
    assert body(file)["spec"] == {"port": 80}
    assert body(file, "PORT=81")["spec"] == {"port": 81}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("- a\n", "mapping"),
        ("a: [\n", ":2:"),
        ("a: |\n  x\n  y\n", "one line"),
    ],
)
def test_values_that_cannot_be_filled_in_are_refused(
    tmp_path: Path, content: str | None, words: str
) -> None:
    """With the file, and what is wrong in it."""
    file = tmp_path / "values.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidDocument, match=words) as caught:
        read_values([str(file)])
    assert str(file) in str(caught.value)


PIECES = st.sampled_from(
    [
        "${A}",
        "$B",
        "{{ .Values.c }}",
        "{{A}}",
        "$$x",
        "\\${A}",
        "# ",
        "\n",
        " ",
        "a",
        "{",
        "}}",
        "$",
    ]
)


@given(text=st.lists(PIECES).map("".join))
def test_lines_stay_and_what_is_kept_comes_back(text: str) -> None:
    """Filling never moves a line; without values the marks stand for exactly what was there."""
    try:
        kept = fill(text, {})
        filled = fill(text, {"A": "1", "B": "", "c": "three"})
    except Malformed:
        return
    assert restore(kept.text, kept.kept) == text
    assert filled.text.count("\n") == text.count("\n")

"""``trimtab lint``, ``graph`` and what reads as leniently: whole commands over files."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from app.linting import codes, linted, shown
from app.test_cli import trimtab

from trimtab.clock import SystemClock
from trimtab.edges.manifests import ManifestStore
from trimtab.edges.manifests.text import split
from trimtab.loading import load_manifests
from trimtab.providers.appmesh.documents import KINDS

FIXTURES = Path(__file__).parents[1] / "fixtures" / "appmesh"
GUIDES = sorted((FIXTURES / "guides").glob("*.yaml"))
WORLD = """\
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: m}
spec: {namespaceSelector: {}}
"""


def service(name: str) -> str:
    """A VirtualService of the namespace shop with one node behind it."""
    return f"""---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {{name: {name}, namespace: shop}}
spec: {{provider: {{virtualNode: {{virtualNodeRef: {{name: {name}}}}}}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {{name: {name}, namespace: shop}}
spec:
  listeners: [{{portMapping: {{port: 8080, protocol: http}}}}]
  serviceDiscovery: {{dns: {{hostname: {name}.shop}}}}
"""


@pytest.fixture
def guides(tmp_path: Path) -> Path:
    """The guide-style documents that have a form, with everything that they name."""
    for path in GUIDES:
        if path.stem in ("gateway", "routes", "rewrite"):
            shutil.copy(path, tmp_path)
    (tmp_path / "world.yaml").write_text(WORLD + "".join(map(service, ("cart", "stock", "help"))))
    return tmp_path


# What lint says of each guide-style document: the code, and why App Mesh never took it.
SAID = {
    "gateway": ("AM602", "App Mesh has no kind Gateway and never had"),
    "routes": ("AM603", "App Mesh never had GatewayRoutes of this shape"),
    "rewrite": ("AM605", "cannot rewrite the host to 'help.internal'"),
    "split": ("AM604", "exactly one target and no weights; there is no v1beta2 form"),
    "node": ("AM601", "v1beta1 is read by no controller since 1.0"),
}


@pytest.mark.parametrize("path", GUIDES, ids=lambda p: p.stem)
def test_guide_style_documents_are_said_to_be_what_they_are(path: Path) -> None:
    """Each by its code, with the reason, and its form printed as YAML that needs no upgrade."""
    code, why = SAID[path.stem]
    status, answer = linted(path)
    assert status == 1
    assert any(d["code"] == code and why in d["message"] for d in answer["diagnostics"])
    (form,) = answer["forms"]
    text = shown(path)
    assert why in text
    for document in form["documents"]:
        assert document["apiVersion"] == "appmesh.k8s.aws/v1beta2"
    printed = text[text.index("\n---\n") :].rpartition("\n\n")[0] if form["documents"] else ""
    assert [d for d in yaml.safe_load_all(printed) if d] == form["documents"]
    assert bool(form["documents"]) == (path.stem != "split")


@pytest.mark.parametrize("how", ["flat", "one line"])
@pytest.mark.parametrize("path", GUIDES, ids=lambda p: p.stem)
def test_flattened_guides_are_a_clear_error(tmp_path: Path, path: Path, how: str) -> None:
    """Without their indentation the only answer is what they were, why App Mesh never took such
    ones, and where it was lost: no form is guessed."""
    lines = [line.lstrip() for line in path.read_text().splitlines()]
    if how == "one line":
        lines = [" ".join(line for line in lines if not line.startswith("#"))]
    file = tmp_path / "flat.yaml"
    file.write_text("\n".join(lines) + "\n---\n" + WORLD)
    status, answer = linted(file)
    assert status == 1
    (found,) = answer["diagnostics"]
    assert found["code"] == "IndentationLost"
    assert found["remedy"]
    reason = {"gateway": "App Mesh has no kind Gateway", "node": "read by no controller"}
    assert (
        reason.get(path.stem, "App Mesh never had GatewayRoutes of this shape") in found["message"]
    )
    assert found["line"] == (lines.index("metadata:") + 2 if how == "flat" else 1)
    assert answer["forms"] == []
    assert answer["objects"] == 1  # the document beside it


def test_fixed_documents_are_clean_and_the_rest_is_untouched(guides: Path) -> None:
    """--fix writes each form in place of its document, says so, and a second look finds nothing."""
    world = (guides / "world.yaml").read_bytes()
    status, answer = linted(guides, fix=True)
    assert {w["refused"] for w in answer["written"]} == {None}
    assert len(answer["written"]) == 3
    assert codes(answer, "error", "warning") == []
    assert status == 0
    assert (guides / "world.yaml").read_bytes() == world
    head = (guides / "routes.yaml").read_text().splitlines()[0]
    assert head == (FIXTURES / "guides" / "routes.yaml").read_text().splitlines()[0]
    before = {p: p.read_bytes() for p in guides.iterdir()}
    assert linted(guides, fix=True)[1]["written"] == []
    assert {p: p.read_bytes() for p in guides.iterdir()} == before


def test_what_would_lose_something_is_not_written(tmp_path: Path) -> None:
    """A route of which one entry has weights keeps its file; a form that is there already too."""
    file = tmp_path / "all.yaml"
    routes = (FIXTURES / "guides" / "routes.yaml").read_text()
    tail = routes[routes.index("    - match:\n        prefix: /stock") :]
    half = routes + tail.replace("Name: stock\n", "Name: stock\n          weight: 9\n")
    node = (FIXTURES / "guides" / "node.yaml").read_text()
    twin = "---\n" + WORLD.replace("Mesh", "VirtualRouter", 1).replace(
        "{name: m}", "{name: help-router, namespace: shop}"
    )
    file.write_text(half + "---\n" + node + twin)
    before = file.read_bytes()
    status, answer = linted(file, fix=True)
    assert status == 1
    refusals = [w["refused"] for w in answer["written"]]
    assert "would be lost" in refusals[0]
    assert "there is a VirtualRouter shop/help-router already" in refusals[1]
    assert file.read_bytes() == before


def test_two_documents_that_mean_one_object_are_not_written(tmp_path: Path) -> None:
    """Neither silently wins over the other."""
    text = (FIXTURES / "guides" / "node.yaml").read_text()
    file = tmp_path / "two.yaml"
    file.write_text(text + "---\n" + text.replace("name: help.shop", "name: aid.shop"))
    _, answer = linted(file, fix=True)
    assert [bool(w["refused"]) for w in answer["written"]] == [False, True]
    assert "means the VirtualRouter" in answer["written"][1]["refused"]


def test_a_fix_says_which_comments_are_gone(guides: Path) -> None:
    """What people wrote inside of a document cannot be carried over, so it is said."""
    file = guides / "rewrite.yaml"
    file.write_text(file.read_text().replace("/help\n", "/help  # first aid\n"))
    text = shown(guides, fix=True)
    assert "written: GatewayRoute shop/help" in text
    assert "comments inside of it are gone (1 lines)" in text


def test_values_make_a_template_a_mesh(tmp_path: Path) -> None:
    """Without values placeholders are warnings, in the place of a number errors of that document
    alone; with them there is nothing to say."""
    (tmp_path / "mesh.yaml").write_text(
        WORLD + service("cart").replace("8080", "{{ .Values.port }}").replace("shop", "${NS}")
    )
    status, answer = linted(tmp_path)
    assert status == 1
    assert codes(answer, "error") == ["AM003"]
    assert set(codes(answer, "warning")) == {"PlaceholderUnfilled"}
    values = tmp_path / "values.txt"
    values.write_text("port: 8080\n")
    status, answer = linted(tmp_path, values=[str(values), "NS=shop"])
    assert (status, codes(answer, "error", "warning")) == (0, [])


def test_fix_and_values_exclude_each_other(guides: Path) -> None:
    """What is written back must be what stood there: exit 2."""
    answer = trimtab("lint", str(guides), "--fix", "--values", "A=b")
    assert answer.returncode == 2
    assert "Remedy" in answer.stderr


def test_strict_counts_warnings(tmp_path: Path) -> None:
    """Exit 0 with warnings, 1 with --strict."""
    (tmp_path / "mesh.yaml").write_text(
        WORLD + service("cart").replace("spec: {provider", "spec: {providre: {}, provider")
    )
    assert (linted(tmp_path)[0], linted(tmp_path, strict=True)[0]) == (0, 1)


def test_match_and_explain_read_older_shapes(guides: Path) -> None:
    """The request goes where the guide meant it to go, and standard error says what was read."""
    asked = ("--manifests", str(guides), "--gateway", "storefront", "--json")
    answer = trimtab("match", *asked, stdin='{"path": "/cart/1", "port": 443}')
    assert json.loads(answer.stdout)["virtualService"] == "shop/cart"
    assert "AM603" in answer.stderr
    answer = trimtab("explain", *asked, "--path", "/stock", "--port", "443")
    assert json.loads(answer.stdout)["answer"]["virtualService"] == "shop/stock"


def test_graph_draws_in_each_format(guides: Path) -> None:
    """Text, DOT, SVG and JSON on standard output, what was read on standard error."""
    shapes = {form: trimtab("graph", str(guides), "--format", form) for form in ("text", "dot")}
    assert "GatewayRoute shop/front-0" in shapes["text"].stdout
    assert shapes["dot"].stdout.startswith("digraph mesh {")
    assert "AM602" in shapes["text"].stderr
    ET.fromstring(trimtab("graph", str(guides), "--format", "svg").stdout)
    nodes = json.loads(trimtab("graph", str(guides), "--json").stdout)["nodes"]
    assert {"VirtualGateway", "GatewayRoute", "VirtualNode"} <= {n["kind"] for n in nodes}
    assert trimtab("graph", str(guides), "--format", "png").returncode == 2


def test_half_a_character_is_shown(tmp_path: Path) -> None:
    """JSON lets half of a surrogate pair through; a terminal does not, and nothing breaks."""
    body = {"apiVersion": "appmesh.k8s.aws/v1beta1", "kind": "Gateway", "spec": {"x": "\ud800"}}
    (tmp_path / "x.json").write_text(json.dumps({**body, "metadata": {"name": "a\ud800"}}))
    for arguments in (("lint", str(tmp_path)), ("graph", str(tmp_path))):
        answer = trimtab(*arguments)
        assert "Traceback" not in answer.stderr, answer.stderr
        assert "ud800" in answer.stdout + answer.stderr


def test_upstream_s_older_manifests_are_fixed_to_what_they_mean(
    shared: Path, tmp_path: Path
) -> None:
    """Each v1beta1 file, rewritten: a store that takes v1beta2 alone reads what upgrading said, and
    whatever else stands in the file is untouched."""
    files = sorted((shared / "appmesh" / "manifests").rglob("v1beta1__*.yaml"))
    written = 0
    for number, source in enumerate(files):
        file = tmp_path / f"{number}.yaml"
        shutil.copy(source, file)
        before = load_manifests([file])
        _, answer = linted(file, fix=True)
        assert {w["refused"] for w in answer["written"]} == {None}, source
        written += len(answer["written"])
        after = ManifestStore([file], KINDS, SystemClock())
        objects = asyncio.run(after.read())
        assert {r: o.body["spec"] for r, o in objects.items() if "spec" in o.body} == {
            r: o.body["spec"] for r, o in before.objects.items() if "spec" in o.body
        }
        foreign = [d for d in split_documents(source) if "appmesh.k8s.aws" not in d]
        assert [d for d in split_documents(file) if "appmesh.k8s.aws" not in d] == foreign
    assert written > 20


def split_documents(path: Path) -> list[str]:
    text = path.read_text()
    return [text[a:b] for a, b in split(text)]

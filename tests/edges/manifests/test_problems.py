"""What is wrong is said with its place and remedy, and harms nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from edges.manifests.routers import (
    GROUP,
    TARGETS,
    fill,
    move,
    opened,
    ref,
    weights,
)

from trimtab.core.model import Change, ObjectRef, PatchOp, Severity
from trimtab.errors import Refused


async def test_a_broken_document_loses_no_other(tmp_path: Path) -> None:
    """Before and after it, in its file and in others, everything is read; it is named by its line."""
    good = [fill("block", f"r{i}", 90, 10) for i in range(3)]
    file = tmp_path / "all.yaml"
    broken = "kind: VirtualRouter\nmetadata: {name: x\n"
    file.write_text("---\n".join([good[0], broken, good[1], good[2]]))
    manifests = opened(tmp_path)
    assert list(await manifests.read()) == [ref("r0"), ref("r1"), ref("r2")]
    (problem,) = manifests.problems
    assert (problem.code, problem.severity) == ("BrokenDocument", Severity.ERROR)
    assert problem.origin
    assert (problem.origin.file, problem.origin.document) == (str(file), 1)
    lines = file.read_text().splitlines()
    assert lines[problem.origin.line - 2] == "metadata: {name: x"  # found out at the line after it


async def test_a_document_that_breaks_stays_as_it_was(tmp_path: Path) -> None:
    """A slip of the pen takes no route away: what was said last holds, and writing is refused."""
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(fill("block", f"r{i}", 90, 10) for i in range(2)))
    manifests = opened(file)
    before = await manifests.read()
    wrong = fill("block", "r1", 50, 50).replace("spec:", "spec: [")
    file.write_text("---\n".join([fill("block", "r0", 70, 30), wrong]))
    objects = await manifests.read()
    assert weights(objects[ref("r0")]) == [70, 30]
    assert objects[ref("r1")] is before[ref("r1")]
    assert [p.code for p in manifests.problems] == ["BrokenDocument"]
    with pytest.raises(Refused, match="broken"):
        await manifests.apply(move(objects[ref("r1")], 1, 1))
    await manifests.apply(move(objects[ref("r0")], 60, 40))
    assert file.read_text() == "---\n".join([fill("block", "r0", 60, 40), wrong])
    file.write_text(fill("block", "r0", 60, 40))
    assert list(await manifests.read()) == [ref("r0")]
    assert manifests.problems == ()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
async def test_a_file_that_is_empty_or_no_text_keeps_what_it_held(
    tmp_path: Path, content: bytes
) -> None:
    """An editor that empties a file before it writes is not taken for a deletion."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    before = await manifests.read()
    file.write_bytes(content)
    assert await manifests.read() == before
    assert [p.code for p in manifests.problems] == ["FileUnreadable"]
    file.write_text(fill("block", "web", 80, 20))
    assert weights((await manifests.read())[ref()]) == [80, 20]
    assert manifests.problems == ()


async def test_an_object_given_twice_is_reported_with_both_places(tmp_path: Path) -> None:
    """The first is read, and nothing is written until one of them is gone."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(fill("block", "web", 90, 10))
    second.write_text("# other\n" + fill("flow", "web", 1, 1))
    manifests = opened(tmp_path)
    found = (await manifests.read())[ref()]
    assert weights(found) == [90, 10]
    (problem,) = manifests.problems
    assert (problem.code, problem.ref) == ("DuplicateObject", ref())
    places = f"{first}:1 (document 0) and {second}:2 (document 0)"
    assert places in str(problem)
    with pytest.raises(Refused) as caught:
        await manifests.apply(move(found, 80, 20))
    assert places in str(caught.value)
    second.unlink()
    assert weights(await manifests.apply(move((await manifests.read())[ref()], 80, 20))) == [80, 20]


async def test_a_document_that_is_pasted_again_is_an_object_given_twice(tmp_path: Path) -> None:
    """Also word for word, into a file that was read before."""
    file, text = tmp_path / "a.yaml", fill("block", "web", 90, 10)
    file.write_text(text)
    manifests = opened(tmp_path)
    found = (await manifests.read())[ref()]
    file.write_text(f"{text}---\n{text}")
    assert await manifests.read() == {ref(): found}
    assert [p.code for p in manifests.problems] == ["DuplicateObject"]
    with pytest.raises(Refused, match=r"document 0\) and .*document 1\)"):
        await manifests.apply(move(found, 80, 20))
    file.write_text(text)
    assert await manifests.read() == {ref(): found}
    assert manifests.problems == ()


HEAD = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualRouter\n"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (HEAD + "metadata: {}\n", "NameMissing", "metadata.name"),
        (HEAD + "metadata: {generateName: x}\n", "NameMissing", "metadata.name"),
        (HEAD + "metadata: {name: 7}\n", "NameMissing", "as text"),
        (
            HEAD.replace("v1beta2", "v1beta1") + "metadata: {name: x}\n",
            "UnsupportedVersion",
            "v1beta2",
        ),
        ("- kind: VirtualRouter\n", "NotAnObject", "apiVersion and kind"),
        ("VirtualRouter\n", "NotAnObject", "apiVersion and kind"),
        (HEAD + "metadata: {name: a, name: b}\n", "BrokenDocument", "'name' is given twice"),
    ],
)
async def test_what_is_not_an_object_is_said_so(
    tmp_path: Path, text: str, code: str, words: str
) -> None:
    """Each with a stable code and a remedy; nothing of our kinds is passed over in silence."""
    file = tmp_path / "x.yaml"
    file.write_text(text)
    manifests = opened(file)
    assert not await manifests.read()
    (problem,) = manifests.problems
    assert problem.code == code
    assert words in str(problem)
    assert problem.remedy
    assert problem.origin


async def test_foreign_documents_are_passed_over(tmp_path: Path) -> None:
    """Other kinds, also of the same name in another group, are nobody's problem."""
    (tmp_path / "x.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: VirtualRouter}\n---\n"
        "apiVersion: other.io/v1\nkind: VirtualRouter\nmetadata: {name: x}\n---\n# nothing\n---\n"
        "kind: Deployment\nbroken: [\n"
    )
    manifests = opened(tmp_path)
    assert not await manifests.read()
    assert manifests.problems == ()


async def test_where_no_namespace_is_given(tmp_path: Path) -> None:
    """An object without a namespace is where kubectl would put it; a cluster-scoped one nowhere."""
    text = fill("block", "web", 90, 10).replace("  namespace: shop\n", "")
    mesh = (
        "---\napiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: {name: m, namespace: x}\n"
    )
    (tmp_path / "x.yaml").write_text(text + mesh)
    found = await opened(tmp_path).read()
    assert list(found) == [ref("web", "default"), ObjectRef(GROUP, "Mesh", "", "m")]
    assert ref("web", "team") in await opened(tmp_path, default_namespace="team").read()


async def test_other_operations_are_refused(tmp_path: Path) -> None:
    """A file takes test and replace; anything else is refused before it is touched."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    await manifests.read()
    with pytest.raises(Refused, match="'remove'"):
        await manifests.apply(Change(ref(), (PatchOp("remove", f"{TARGETS}/0", None),)))

"""A folder that was looked at before says what one says that is looked at for the first time."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edges.manifests.routers import ROUTER, fill, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.model import Object
from trimtab.edges.manifests.documents import DocumentReader
from trimtab.edges.manifests.folder import Folder

NAME, WEIGHT = re.compile(r"name: ([p-t])\b"), re.compile(r"weight: (\d)")
names = st.sampled_from(["a.yaml", "b.yaml", "b/c.yml", "b/d.yaml"])
# Few objects, so that they are given again: in a file, in two, and with the same text.
routers = st.builds(
    fill,
    st.sampled_from(["block", "flow"]),
    st.sampled_from("pqrst"),
    st.sampled_from([1, 2]),
    st.just(9),
)
OTHERS = (
    "# nothing\n",
    "kind: ConfigMap\n",
    "apiVersion: appmesh.k8s.aws/v1\nkind: VirtualRouter\nmetadata: {name: old}\n",
    "just a VirtualRouter\n",
)
documents = st.one_of(routers, routers, routers, st.sampled_from(OTHERS))
START = {
    "a.yaml": [fill("block", "p", 1, 9), fill("flow", "q", 1, 9), fill("block", "r", 1, 9)],
    "b.yaml": [fill("block", "s", 1, 9)],
}
# A document of a file is replaced or taken out, or one put in; or the file goes, or a link is made.
steps = st.tuples(
    names, st.sampled_from(["put", "put", "put", "cut", "add", "add", "go", "link"]),
    st.integers(0, 3), documents, names,
)  # fmt: skip


class Tree:
    """The files of a folder. Each change has a time of its own, and was long ago."""

    def __init__(self, root: Path) -> None:
        self.root, self.time = root, 0
        (root / "b").mkdir()
        for name, parts in START.items():
            self.write(name, parts)

    def write(self, name: str, parts: Sequence[str]) -> None:
        self.time += 1
        path = self.root / name
        path.write_text("---\n".join(parts) or OTHERS[0])
        os.utime(path, (self.time, self.time))

    def change(self, name: str, act: str, place: int, document: str, other: str) -> None:
        path = self.root / name
        parts = path.read_text().split("---\n") if path.exists() else []
        if act == "go":
            path.unlink(missing_ok=True)
        elif act == "link":
            if not path.exists() and (self.root / other).exists():
                os.link(self.root / other, path)
        else:
            parts[place : place + (act != "add")] = [] if act == "cut" else [document]
            self.write(name, parts)

    def given(self) -> list[tuple[str, str, int]]:
        """What is to be read: each router's name, file and first weight, in order."""
        seen: set[int] = set()
        given = []
        for path in (self.root / name for name in ("a.yaml", "b.yaml", "b/c.yml", "b/d.yaml")):
            if path.exists() and path.stat().st_ino not in seen:
                seen.add(path.stat().st_ino)
                for part in path.read_text().split("---\n"):
                    if part not in OTHERS:
                        name, weight = NAME.findall(part)[0], WEIGHT.findall(part)[0]
                        given.append((name, str(path), int(weight)))
        return given


def opened(root: Path) -> Folder:
    return Folder([str(root)], DocumentReader([ROUTER], "default"), lambda: 1e9)


@settings(max_examples=200, deadline=None)
@given(changes=st.lists(st.tuples(steps, st.booleans()), min_size=3, max_size=12))
def test_changes_are_seen_as_a_first_look_sees_them(
    changes: list[tuple[tuple[str, str, int, str, str], bool]],
) -> None:
    """Objects and their order, which of two wins, where each stands and what is wrong: files and
    documents that come, change, go and are linked, one by one or several at a time. An object that
    says the same in the same file stays the same."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Tree(Path(directory))
        folder = opened(tree.root)
        folder.scan()
        for step, looked in changes:
            tree.change(*step)
            if not looked:
                continue
            before, single = dict(folder.objects), set(folder.objects) - set(folder.twins)
            folder.scan()
            anew = opened(tree.root)
            anew.scan()
            assert list(folder.objects) == list(anew.objects)
            assert folder.objects == anew.objects
            assert folder.twins == anew.twins
            assert folder.problems == anew.problems
            first = {name: (file, weight) for name, file, weight in reversed(tree.given())}
            read = {ref.name: (o.file, weights(o)[0]) for ref, o in folder.objects.items()}
            assert read == first
            times = Counter(name for name, _, _ in tree.given())
            assert {ref.name for ref in folder.twins} == {
                n for n, many in times.items() if many > 1
            }
            for ref, found in folder.objects.items():
                assert folder.where(ref, "spec.routes") == anew.where(ref, "spec.routes")
                if ref in single and says(before[ref]) == says(found):
                    assert before[ref] is found


def says(found: Object) -> tuple[str, str | None]:
    return found.version, found.file

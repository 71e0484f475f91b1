"""A person's file comes back byte for byte, but for the weights."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from edges.manifests.routers import (
    GROUP,
    NOISE,
    STYLES,
    TARGETS,
    fill,
    move,
    opened,
    ref,
    weights,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.core.model import Change, PatchOp
from trimtab.errors import Refused


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
async def test_a_file_comes_back_byte_for_byte_but_for_the_weights(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Any mixture of styles, comments, separators, broken and foreign documents, line ends and byte
    order marks: what is written is what was there, with other numbers in the weights' places."""
    draw = data.draw
    styles = draw(st.lists(st.sampled_from(["block", "flow", "anchors"]), min_size=1, max_size=3))
    separators = ["---\n", "--- # next\n", "...\n---\n", "# before\n---\n# after\n"]
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    mark = draw(st.sampled_from(["", "\N{ZERO WIDTH NO-BREAK SPACE}"]))
    legal = st.integers(0, 100)
    old = [(draw(legal), draw(legal)) for _ in styles]
    new = [(draw(legal), draw(legal)) for _ in styles]
    around = [
        (
            draw(st.sampled_from(separators)),
            draw(st.sampled_from(NOISE)),
            draw(st.sampled_from(separators)),
        )
        for _ in styles
    ]

    def text(of: list[tuple[int, int]]) -> bytes:
        parts = [
            separator + noise + second + fill(style, f"r{i}", *of[i])
            for i, (style, (separator, noise, second)) in enumerate(
                zip(styles, around, strict=True)
            )
        ]
        return (mark + "".join(parts).replace("\n", newline)).encode()

    file = tmp_path / "all.yaml"
    file.write_bytes(text(old))
    manifests = opened(file)
    objects = await manifests.read()
    assert {r.name: weights(o) for r, o in objects.items()} == {
        f"r{i}": list(pair) for i, pair in enumerate(old)
    }
    written = await asyncio.gather(
        *(manifests.apply(move(objects[ref(f"r{i}")], *pair)) for i, pair in enumerate(new))
    )
    assert file.read_bytes() == text(new)
    assert [weights(found) for found in written] == [list(pair) for pair in new]


async def test_json_comes_back_byte_for_byte_but_for_the_weights(tmp_path: Path) -> None:
    """Tabs, escapes and odd spaces of a JSON file stay."""
    file = tmp_path / "r.json"
    file.write_text(fill("json", "web", 90, 10))
    manifests = opened(file)
    found = (await manifests.read())[ref()]
    assert found.body["metadata"]["annotations"]["q"] == '\u00e9 "A" \N{GRINNING FACE}'
    await manifests.apply(move(found, 5, 95))
    assert file.read_text() == fill("json", "web", 5, 95)


async def test_real_manifests_come_back_but_for_the_weights(shared: Path, tmp_path: Path) -> None:
    """Each router of the upstream examples takes new weights, and only digits of its file change."""
    sources = sorted((shared / "appmesh" / "manifests").rglob("*.yaml"))
    routers = 0
    for number, source in enumerate(sources):
        file = tmp_path / f"{number}.yaml"
        before = source.read_bytes()
        file.write_bytes(before)
        manifests = opened(file)
        for router in (await manifests.read()).values():
            ops = tuple(_bumped(router.body))
            if ops and not any(p.code == "DuplicateObject" for p in manifests.problems):
                await manifests.apply(Change(router.ref, ops))
                routers += 1
        lines = zip(before.splitlines(), file.read_bytes().splitlines(), strict=True)
        changed = [(a, b) for a, b in lines if a != b]
        digits = bytes.maketrans(b"0123456789", b"          ")
        for a, b in changed:
            assert b"weight" in a
            assert a.translate(digits).split() == b.translate(digits).split()
    assert routers > 20


def _bumped(body: Mapping[str, Any]) -> Any:
    for r, route in enumerate(body.get("spec", {}).get("routes") or ()):
        for kind in ("httpRoute", "http2Route", "grpcRoute", "tcpRoute"):
            for t, target in enumerate(
                route.get(kind, {}).get("action", {}).get("weightedTargets", ())
            ):
                if type(target.get("weight")) is int:
                    path = f"/spec/routes/{r}/{kind}/action/weightedTargets/{t}/weight"
                    yield PatchOp("replace", path, (target["weight"] + 13) % 101)


async def test_a_list_of_objects_is_written_in_place(tmp_path: Path) -> None:
    """``kind: List`` and typed lists are read and written item by item."""
    items = [yaml.safe_load(fill("block", f"r{i}", 90, 10)) for i in range(3)]
    for item in items[1:]:
        del item["kind"], item["apiVersion"]
    typed = {"apiVersion": f"{GROUP}/v1beta2", "kind": "VirtualRouterList", "items": items}
    file = tmp_path / "list.yaml"
    file.write_text("# by hand\n" + yaml.safe_dump(typed, sort_keys=False))
    manifests = opened(file)
    objects = await manifests.read()
    assert [r.name for r in objects] == ["r0", "r1", "r2"]
    assert [at.line for at in map(manifests.where, objects) if at] == [
        number
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if line.startswith("- ")
    ]
    await manifests.apply(move(objects[ref("r1")], 1, 99))
    items[1]["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = 1
    items[1]["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][1]["weight"] = 99
    assert file.read_text() == "# by hand\n" + yaml.safe_dump(typed, sort_keys=False)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("weight: &w 90", "anchor &w"),
        ("weight: *n", "alias"),
        ("<<: *m", "merge key"),
        ("weight: '90'", "not a value of the same type"),
    ],
)
async def test_a_weight_that_cannot_be_set_alone_is_refused(
    tmp_path: Path, line: str, reason: str
) -> None:
    """The error names file, object, field, reason and remedy, and the file stays."""
    head = "n: &n 90\nm: &m {weight: 90}\n"
    text = head + STYLES["block"].replace("NAME", "web").replace("weight: A", line).replace(
        "B", "10"
    )
    file = tmp_path / "r.yaml"
    file.write_text(text)
    manifests = opened(file)
    found = (await manifests.read())[ref()]
    with pytest.raises(Refused) as caught:
        await manifests.apply(move(found, 80, 20))
    for part in (str(file), "VirtualRouter shop/web", f"{TARGETS}/0/weight", reason, "Remedy:"):
        assert part in str(caught.value)
    assert file.read_text() == text


async def test_an_edit_that_touches_more_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in the text, what it says in the end is compared as a whole first."""
    file = tmp_path / "web.yaml"
    file.write_text(fill("block", "web", 90, 10))
    manifests = opened(file)
    found = (await manifests.read())[ref()]

    def clumsy(text: str, *_: object, **__: object) -> str:
        return text.replace("prefix: /", "prefix: /x")

    monkeypatch.setattr("trimtab.edges.manifests.store.set_value", clumsy)
    with pytest.raises(Refused, match="would change others too"):
        await manifests.apply(move(found, 80, 20))
    assert file.read_text() == fill("block", "web", 90, 10)

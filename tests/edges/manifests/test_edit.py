"""Values set in place: not one character beside them changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from trimtab.edges.manifests.edit import set_value
from trimtab.edges.manifests.text import parse_json, parse_yaml
from trimtab.errors import Refused

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
documents = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    st.recursive(
        st.integers() | texts | st.booleans(),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3)
            | st.dictionaries(
                st.from_regex(r"[a-z]{1,6}", fullmatch=True), inner, min_size=1, max_size=3
            )
        ),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)


def leaves(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, (*path, str(index)))
    else:
        yield path, data


def with_leaf(data: Any, path: tuple[str, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(data) if isinstance(data, dict) else list(data)
    step: Any = path[0] if isinstance(data, dict) else int(path[0])
    copy[step] = with_leaf(copy[step], path[1:], new)
    return copy


def dump(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


def unchanged_around(old: str, new: str, most: int) -> bool:
    """Whether two texts differ in one stretch only, of at most ``most`` characters."""
    head = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    tail = next(
        (i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b), len(old)
    )
    return len(old) - head - min(tail, len(old) - head) <= most


@given(documents, st.data())
def test_json_is_edited_where_the_value_stands(data: Any, choice: st.DataObject) -> None:
    """Any scalar of any JSON document, however it is spaced and escaped, and nothing else."""
    path, old = choice.draw(st.sampled_from(list(leaves(data))))
    new = choice.draw({int: st.integers(), str: texts, bool: st.booleans()}[type(old)])
    ascii_only = choice.draw(st.booleans())
    text = json.dumps(
        data, indent=choice.draw(st.sampled_from([None, 2, "\t"])), ensure_ascii=ascii_only
    )
    edited = set_value(text, path, old, new, is_json=True)
    assert dump(parse_json(edited).data) == dump(with_leaf(data, path, new))
    assert unchanged_around(text, edited, len(json.dumps(old)))


@given(documents, st.data())
def test_yaml_is_edited_where_the_value_stands(data: Any, choice: st.DataObject) -> None:
    """Any scalar of any YAML document in any style, unless the form itself is refused."""
    path, old = choice.draw(st.sampled_from(list(leaves(data))))
    new = choice.draw({int: st.integers(), str: texts, bool: st.booleans()}[type(old)])
    text = yaml.safe_dump(
        data,
        default_flow_style=choice.draw(st.sampled_from([True, False, None])),
        default_style=choice.draw(st.sampled_from([None, '"', "'"])),
        allow_unicode=True,
        width=1000,
    )
    assume(dump(parse_yaml(text).data) == dump(data))  # PyYAML writes some words bare: y, 1e3, ...
    try:
        edited = set_value(text, path, old, new, is_json=False)
    except Refused as error:
        assert "Remedy" in str(error)  # noqa: PT017 - refusing is allowed, silently failing is not
        return
    assert dump(parse_yaml(edited).data) == dump(with_leaf(data, path, new))
    assert unchanged_around(text, edited, 200)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("w: 90", "w: 10"),
        ("w: 90   # ninety", "w: 10   # ninety"),
        ("w:    90\r\nx: 1\r\n", "w:    10\r\nx: 1\r\n"),
        ("{w: 90, x: '90'}", "{w: 10, x: '90'}"),
        ('{"w":90}', '{"w":10}'),
        ("w: 0x5A", "w: 10"),
        ("? w\n: 90\n", "? w\n: 10\n"),
        ("# \N{SNOWMAN}\N{GRINNING FACE}\nw: 90", "# \N{SNOWMAN}\N{GRINNING FACE}\nw: 10"),
        ("x: &x {a: 1}\ny: *x\nw: 90", "x: &x {a: 1}\ny: *x\nw: 10"),
        ("<<: {x: 1}\nw: 90", "<<: {x: 1}\nw: 10"),
    ],
)
def test_numbers_keep_what_is_around_them(before: str, after: str) -> None:
    """Comments, spaces, line ends, wide characters and neighbours stay."""
    assert set_value(before, ["w"], 90, 10, is_json=False) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("n: v1 # one", "n: v2 # one"),
        ("n: 'v1'", "n: 'v2'"),
        ('n: "v1"', 'n: "v2"'),
    ],
)
def test_text_keeps_its_quotes(before: str, after: str) -> None:
    """Quoted stays quoted, in the same quotes; bare stays bare."""
    assert set_value(before, ["n"], "v1", "v2", is_json=False) == after


@pytest.mark.parametrize(
    ("text", "path", "old", "new", "reason"),
    [
        ("w: '90'", "w", "90", 10, "not a value of the same type"),
        ("w: 90", "w", 90, "10", "not a value of the same type"),
        ("w: 90", "w", 90, True, "not a value of the same type"),
        ("w: 90.0", "w", 90.0, 10, "not a value of the same type"),
        ("w: &n 90\nx: *n", "w", 90, 10, "anchor &n"),
        ("w: &n 90", "w", 90, 10, "anchor &n"),
        ("x: &n 90\nw: *n", "w", 90, 10, "alias (*n)"),
        ("x: &n {w: 90}\ny: *n", "y w", 90, 10, "alias (*n)"),
        ("x: &n {w: 90}\ny: *n", "x w", 90, 10, "under the anchor &n, which line 2"),
        ("x: &n {w: 90}\ny: {<<: *n}", "y w", 90, 10, "merge key"),
        ("w: !!int 90", "w", 90, 10, "carries a tag"),
        ("n: |\n  v1\n", "n", "v1\n", "v2\n", "needs double quotes"),
        ("n: v1", "n", "v1", "yes", "needs double quotes"),
        ("n: v1", "n", "v1", "a: b", "needs double quotes"),
        ("n: 'v1'", "n", "v1", "a\nb", "needs double quotes"),
    ],
)
def test_forms_that_cannot_be_edited_are_refused(
    text: str, path: str, old: Any, new: Any, reason: str
) -> None:
    """Each with its reason and a remedy, before anything is written."""
    with pytest.raises(Refused) as caught:
        set_value(text, path.split(), old, new, is_json=False)
    assert reason in str(caught.value)
    assert "Remedy:" in str(caught.value)


def test_an_anchor_that_nobody_refers_to_does_no_harm() -> None:
    """Only a value that really stands in two places is refused."""
    assert set_value("x: &n {w: 90}\n", ["x", "w"], 90, 10, is_json=False) == "x: &n {w: 10}\n"

"""Text to data: what Kubernetes reads, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trimtab.edges.manifests.text import Malformed, parse_json, parse_yaml, plain, split

names = st.text(min_size=1, max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("On", True),
        ("no", False),
        ("y", True),
        ("nope", "nope"),
        ("90", 90),
        ("-1", -1),
        ("+5", 5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b11", 3),
        ("010", 8),
        ("0o10", 8),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("2026-11-22", "2026-11-22"),
        ("12:30:45", "12:30:45"),
        ("1.2.3", "1.2.3"),
        ("0x", "0x"),
        ("-", "-"),
        ("=", "="),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubernetes(text: str, value: Any) -> None:
    """No timestamps, no sexagesimal numbers; the words of YAML 1.1 for booleans."""
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@given(values)
def test_what_was_dumped_is_read_back(data: Any) -> None:
    """Reading is the inverse of writing, for YAML in block and flow style, and for JSON."""
    for flow in (True, False, None):
        text = yaml.dump(data, Dumper=_Dumper, default_flow_style=flow)
        assert _same(parse_yaml(text).data, data), text
    assert _same(parse_json(json.dumps(data)).data, data)


class _Dumper(yaml.SafeDumper):
    """Quotes all text: which words need quotes for Kubernetes is not what PyYAML thinks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(
    st.lists(
        st.sampled_from(
            [
                "---\n",
                "--- # x\n",
                "...\n",
                "a: 1\n",
                "# c\n",
                "\n",
                "%TAG ! x\n",
                "b: |\n  ---\n",
                "---",
            ]
        )
    )
)
def test_the_documents_are_the_whole_text(lines: list[str]) -> None:
    """Splitting loses not one character, whatever stands between the documents."""
    text = "".join(lines)
    assert "".join(text[start:end] for start, end in split(text)) == text


@given(
    st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
def test_documents_are_those_that_a_parser_finds(documents: list[Any], newline: str) -> None:
    """The cut by lines is the one that YAML's own grammar makes."""
    text = yaml.safe_dump_all(documents, explicit_start=True).replace("\n", newline)
    parts = [text[start:end] for start, end in split(text)]
    assert [parse_yaml(part).data for part in parts] == list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("", 0),
        ("# only a comment\n", 1),
        ("a: 1\n", 1),
        ("# about a\n---\na: 1\n", 1),
        ("%YAML 1.1\n---\na: 1\n", 1),
        ("---\na: 1\n---\nb: 2\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\n...\nb: 2\n", 2),
        ("a: |\n  text\n  --- not a mark\n", 1),
        ("a: 1\n--- {b: 2}\n", 2),
        ("----\n", 1),
    ],
)
def test_where_documents_begin(text: str, documents: int) -> None:
    """A comment belongs to the document below it; an indented mark is text."""
    assert len(list(split(text))) == documents


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' is given twice", 2),
        ("a: *b\n", "*b names no anchor", 0),
        ("a: &b [*b]\n", "*b names no anchor", 0),
        ("a:\n\tb: 1\n", "indent with spaces, not with tabs", 1),
        ("a: b: c\n", "mapping values are not allowed", 0),
        ("a: {b: 1\n", "flow mapping", 1),
        ("a: !!binary aGk=\n", "tag", 0),
        ("a: !!int many\n", "tag", 0),
        ("a: !Ref x\n", "tag", 0),
        ("? [1]\n: 2\n", "key", 0),
        ("a: 1\n<<: 2\n", "<<", 1),
        ("a: \x07\n", "control characters", 0),
        ("a: 1\n]\n", "", 1),
        ("[" * 5000, "", 0),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str, line: int) -> None:
    """A person finds the place; nothing ends in a traceback."""
    with pytest.raises(Malformed) as caught:
        parse_yaml(text)
    assert message in caught.value.message
    assert caught.value.line == line


def test_aliases_may_not_blow_a_document_up() -> None:
    """Ten lines that stand for ten thousand million values are refused, not filled in."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(Malformed, match="too large"):
        parse_yaml("\n".join(lines))


def test_aliases_and_merge_keys_are_filled_in() -> None:
    """They are read as Kubernetes reads them: explicit fields win, then the first of a list."""
    text = """
one: &one {a: 1, b: 1}
two: &two {b: 2, c: 2}
all: {<<: [*one, *two], d: 4}
own: {a: 9, <<: *one}
alias: *two
"""
    data = parse_yaml(text).data
    assert data["all"] == {"a": 1, "b": 1, "c": 2, "d": 4}
    assert data["own"] == {"a": 9, "b": 1}
    assert data["alias"] == {"b": 2, "c": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": NaN}', "NaN"),
        ("{", ""),
        ("[" * 99999, ""),
    ],
)
def test_json_that_is_wrong_is_said_so(text: str, message: str) -> None:
    """The same promises hold for JSON files."""
    with pytest.raises(Malformed) as caught:
        parse_json(text)
    assert message in caught.value.message


def test_the_items_of_a_list_know_their_lines() -> None:
    """In YAML as in JSON, an item is found where it begins."""
    block = "kind: List\nitems:\n- a: 1\n  b: 2\n- a: 3\n"
    assert parse_yaml(block).item_lines == (2, 4)
    assert parse_json(
        '{"kind": "List",\n "items": [\n\t{"a": "\\u00e9\\"{"},\n\t{"b": 2}]}'
    ).item_lines == (2, 3)


@pytest.mark.parametrize("word", ["0b_", "0x", "0x_", "1e999", "-1e999", "9" * 5000])
def test_what_is_no_number_after_all_is_text(word: str) -> None:
    """What only looks like a number, and what no number holds, stays as it is written."""
    assert plain(word) == word


def test_a_number_that_is_too_long_is_malformed_json() -> None:
    """JSON has no text without quotes to fall back on."""
    with pytest.raises(Malformed, match="too long"):
        parse_json("9" * 5000)

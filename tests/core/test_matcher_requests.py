"""In which forms a request may be given: headers, columns, and what is no text."""

from __future__ import annotations

import gc
import threading
import weakref
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab import HeaderMatch, RouteTable, Rule

NONE = 2**32 - 1


def packed(texts: list[bytes], code: str = "i") -> tuple[bytes, array[int]]:
    offsets = array(code, [0])
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    return b"".join(texts), offsets


# --- headers -----------------------------------------------------------------------------------

THREE = [HeaderMatch("x-a", exact="1"), HeaderMatch("x-b", prefix="2"), HeaderMatch("x-c")]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "1", "x-b": "22", "x-c": ""},
        {"X-A": "1", "X-b": b"22", "x-c": ""},
        {"x-a": ["0", "1"], "x-b": ("22",), "x-c": [""]},
        {b"x-a": b"1", b"X-B": b"22", b"x-c": b""},
        [("x-a", "1"), ("X-B", "22"), ("x-c", "")],
        [("x-a", "0"), ("x-a", "1"), ("x-b", "22"), ("x-c", "")],
        [(b"x-a", b"1"), (b"x-b", b"22"), (b"x-c", b"")],
        [["x-a", "1"], ["x-b", "22"], ["x-c", ""]],
        (("x-a", "1"), ("x-b", "22"), ("x-c", "")),
    ],
)
def test_headers_come_as_frameworks_have_them(headers: Any) -> None:
    """dict, list of pairs, ASGI's byte pairs; names in any case; a value, or a list of values."""
    table = RouteTable([Rule("r", headers=THREE)])
    assert table.match("/", headers=headers)
    assert table.match("/", None, None, headers)
    assert table.match_many([("/", None, None, headers)])[0]


@pytest.mark.parametrize("form", ["dict", "pairs", "bytes"])
def test_a_header_that_is_missing_is_missed(form: str) -> None:
    """Each of three conditions can fail, in every form, whichever is asked first."""
    good = {"X-A": "1", "x-b": "2", "x-C": "3"}
    for left_out in (None, *good):
        kept = {name: value for name, value in good.items() if name != left_out}
        pairs = list(kept.items())
        headers: Any = {
            "dict": kept,
            "pairs": pairs,
            "bytes": [(name.encode(), value.encode()) for name, value in pairs],
        }[form]
        for order in (THREE, THREE[::-1]):
            table = RouteTable([Rule("r", headers=order)])
            assert (table.match("/", None, None, headers) is None) == (left_out is not None)


def test_more_headers_than_are_remembered_are_read() -> None:
    """A table that asks about many headers finds each of them, repeated or not."""
    rules = [Rule(str(n), headers=[HeaderMatch(f"x-{n}", exact="yes")]) for n in range(40)]
    table = RouteTable(rules)
    for n in range(40):
        for headers in ({f"X-{n}": "yes"}, [(f"x-{n}", "no"), (f"x-{n}", "yes")]):
            match = table.match("/", None, None, headers)  # type: ignore[arg-type]
            assert match is not None
            assert match.route == str(n)


NAMES = st.sampled_from(["x-a", "X-A", "x-b", "x-c", "other"])
VALUES = st.sampled_from(["", "1", "2", "22"])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.booleans())
def test_the_short_way_is_the_general_one(pairs: list[tuple[str, str]], lower: bool) -> None:
    """Positional or by name, one by one or many, by the table or by its list: one answer."""
    rules = [
        Rule("three", headers=THREE),
        Rule("none", headers=[HeaderMatch("x-a", present=False)]),
    ]
    table = RouteTable([*rules, Rule("two", headers=[HeaderMatch("x-b", exact="2")])])
    headers: Any = [(name.lower(), value) for name, value in pairs] if lower else pairs
    short = table.match("/p", "h", "GET", headers)
    assert table.match("/p", host="h", method="GET", headers=headers) == short
    assert table.match(headers=headers, method="GET", host="h", path="/p") == short
    assert table.match("/p", "h", "GET", headers, scheme="http", port=80) == short
    not_interned: Any = {
        name.decode(): value for name, value in [(b"path", "/p"), (b"headers", headers)]
    }
    assert table.match(**not_interned) == short
    assert table.match(b"/p", b"h", b"GET", headers) == short
    assert table.match_many([("/p", "h", "GET", headers)]) == [short]
    assert table.match_listed("/p", "h", "GET", headers) == short


class Same(str):
    """A str that is none of Python's own, as frameworks have them."""

    __slots__ = ()


class Attributes:
    """What an instance keeps in its ``__dict__``, a dict of another layout."""


def attributes(items: dict[Any, Any]) -> dict[str, Any]:
    kept = Attributes()
    for name, value in items.items():
        setattr(kept, name, value)
    return vars(kept)


def general(items: dict[Any, Any]) -> dict[Any, Any]:
    """The same, laid out for names of any type."""
    kept = {None: ""} | items
    del kept[None]
    return kept


def shrunk(items: dict[Any, Any]) -> dict[Any, Any]:
    """The same with gaps: what was taken out of a dict leaves its place behind."""
    grown = {f"gone-{n}": "1" for n in range(40)} | items
    for n in range(40):
        del grown[f"gone-{n}"]
    return grown


DICTS = {
    "plain": dict,
    "general": general,
    "subclass": type("Items", (dict,), {}),
    "instance": attributes,
    "shrunk": shrunk,
    "names of another kind": lambda items: {Same(name): value for name, value in items.items()},
    "values of another kind": lambda items: {name: Same(value) for name, value in items.items()},
    "equal names": lambda items: {"".join([*name]): value for name, value in items.items()},
    "100 headers": lambda items: {f"x-{n}": "1" for n in range(100)} | items,
    "300 headers": lambda items: {f"x-{n}": "1" for n in range(300)} | items,
    "not of ASCII": lambda items: {f"é{n}": "é" for n in range(5)} | items,
}


@pytest.mark.parametrize("make", DICTS.values(), ids=DICTS)
@given(
    st.dictionaries(
        st.sampled_from(["x-a", "x-b", "x-long-name-of-a-header", "é", "X-A"]),
        st.sampled_from(["", "1", "é", "value-8b", "a value of more than sixteen bytes"]),
        max_size=5,
    ),
    st.data(),
)
def test_any_dict_of_headers_is_read(
    make: Callable[[dict[str, str]], Any], headers: dict[str, str], data: st.DataObject
) -> None:
    """However Python keeps a dict, exact values are found in it as the list of rules finds them; a
    name in capitals counts where there is none in small letters."""
    asked = data.draw(
        st.dictionaries(
            st.sampled_from(["x-a", "x-b", "x-long-name-of-a-header", "é"]),
            st.sampled_from(["", "1", "é", "value-8b", "a value of more than sixteen bytes"]),
            min_size=1,
        )
    )
    rule = Rule("r", headers=[HeaderMatch(name, exact=value) for name, value in asked.items()])
    kept = make(headers)
    found = {**{name.lower(): value for name, value in headers.items()}, **headers}
    expected = all(found.get(name) == value for name, value in asked.items())
    table = RouteTable([rule])
    assert (table.match("/", None, None, kept) is not None) == expected
    pairs: Any = [*kept.items()]
    if "X-A" not in headers:
        assert (table.match("/", None, None, pairs) is not None) == expected


NAMES = ["x-a", "x-b", "x-longer-name-of-a-header", "x-longer-sort-of-a-header", "z"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*DICTS.values()]),
            st.permutations(NAMES),
            st.integers(0, len(NAMES)),
            st.integers(1, 6),
        ),
        min_size=1,
    )
)
def test_a_header_is_found_wherever_it_stands(
    turns: list[tuple[Callable[[dict[str, str]], Any], list[str], int, int]],
) -> None:
    """Where a name stood in the dicts before does not matter: dicts of every kind, of every length, in
    every order, each some times in a row, are read right by one table."""
    table = RouteTable([Rule("r", headers=[HeaderMatch(name, exact=name) for name in NAMES[:3]])])
    for make, order, length, times in turns:
        kept = make({name: name for name in order[:length]})
        expected = {*NAMES[:3]} <= {*order[:length]}
        for _ in range(times):
            assert (table.match("/", None, None, kept) is not None) == expected


def test_a_header_that_moves_is_found_all_the_way() -> None:
    """Where a name is expected is learnt, given up and learnt again: for each of many requests the
    answer is that of its own dict."""
    table = RouteTable([Rule("r", headers=[HeaderMatch(name, exact=name) for name in NAMES[:3]])])
    for order in (NAMES, NAMES[::-1], NAMES[2:] + NAMES[:2]):
        right = {name: name for name in order}
        wrong = right | {"x-a": "x-longer-sort-of-a-header"}
        for _ in range(700):
            assert table.match("/", None, None, right)
            assert table.match("/", None, None, wrong) is None


def test_a_dict_that_raises_is_no_answer() -> None:
    """What comparing a strange name raises reaches the caller, from one match and from many."""

    class Strange:
        def __hash__(self) -> int:
            return hash("x-a")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not to be compared")

    table = RouteTable([Rule("r", headers=[HeaderMatch("x-a", exact="1")])])
    headers: Any = {Strange(): "1"}
    with pytest.raises(RuntimeError, match="not to be compared"):
        table.match("/", None, None, headers)
    with pytest.raises(RuntimeError, match="not to be compared"):
        table.match_many([("/", None, None, headers)])


@pytest.mark.parametrize("order", ["listed", "gateway-api"])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/", "/a", "/é"]),
            st.sampled_from([None, "a.example", "A.example", "x"]),
            st.sampled_from([None, "GET", "POST"]),
        )
    ),
    st.integers(2, 3),
)
def test_many_requests_of_one_host_are_matched_one_by_one(
    order: Any, requests: list[tuple[str, str | None, str | None]], parts: int
) -> None:
    """The host that is looked up once for requests in a row is that of each of them; a rule may still
    ask for it as a header."""
    rules = [
        Rule("posted", path="/a", hosts=["a.example"], methods=["POST"]),
        Rule("a", path="/a", hosts=["a.example"]),
        Rule("small", hosts=["a.example"], headers=[HeaderMatch("host", exact="a.example")]),
        Rule("any", hosts=["*.example"]),
        Rule("none", path="/a"),
    ]
    for table in (RouteTable(rules, order), RouteTable(rules[:4], order)):
        asked: list[Any] = [request[:parts] for request in requests]
        expected = [table.match_listed(*request) for request in asked]
        assert table.match_many(asked) == expected
        # The same with a text of its own for each host.
        copies: list[Any] = [
            (path, host and "".join([*host]), *rest) for path, host, *rest in asked
        ]
        assert table.match_many(copies) == expected


def test_requests_may_be_taken_away_while_they_are_read() -> None:
    """A list that becomes shorter while a header is read raises, as reading it in Python would."""
    requests: list[Any] = []

    class Emptying(list[str]):
        def __iter__(self) -> Any:
            requests.clear()
            return super().__iter__()

    headers = {"x-a": Emptying(["1"])}
    requests += [("/", "h", None, headers), ("/", "h", None, headers)]
    with pytest.raises(IndexError):
        RouteTable([Rule("r", headers=[HeaderMatch("x-a", exact="1")])]).match_many(requests)


def test_a_wrong_call_is_told_what_is_wrong() -> None:
    """As any function of Python tells it."""
    table: Any = RouteTable([Rule("r")])
    for arguments, names, told in [
        ((), {}, "missing 1 required positional argument: 'path'"),
        (("/", "h", "GET", None, "extra"), {}, "positional arguments but"),
        (("/",), {"path": "/"}, "multiple values for argument 'path'"),
        (("/",), {"hots": "h"}, "unexpected keyword argument 'hots'"),
        (("/",), {"value": 1}, "unexpected keyword argument 'value'"),
        ((None,), {}, "path must be str or bytes"),
        ((), {"host": "h"}, "missing 1 required positional argument: 'path'"),
        (tuple("/" * 20), {}, "arguments"),
    ]:
        with pytest.raises(TypeError, match=told):
            table.match(*arguments, **names)


def test_a_table_in_its_own_data_is_collected() -> None:
    """A cycle through a rule's data is found by the garbage collector."""

    class Handler:
        table: RouteTable

    handler = Handler()
    handler.table = RouteTable([Rule("r", targets=[("a", 1)], data=handler)])
    assert handler.table.route("/")
    assert handler.table.rules
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None


# --- columns -----------------------------------------------------------------------------------

TABLE = RouteTable(
    [
        Rule("a", path="/a", hosts=["h"]),
        Rule("post", prefix="/b", hosts=["h"], methods=["POST"]),
        Rule("b", prefix="/b", hosts=["h"]),
        Rule("é", path="/é"),
    ]
)
PATHS = st.sampled_from(["/a", "/a?q", "/b", "/bc", "/é", "/", "", "/#"])
HOSTS = st.sampled_from(["h", "H", "other", ""])
METHODS = st.sampled_from(["GET", "POST"])


@given(st.lists(st.tuples(PATHS, HOSTS, METHODS), max_size=20), st.sampled_from("iIqQ"))
def test_columns_are_matches_one_by_one(requests: list[tuple[str, str, str]], code: str) -> None:
    """Lists, packed columns and their mixtures answer as `match` does."""
    answers = [TABLE.match(*request) for request in requests]
    expected = [NONE if match is None else match.rank for match in answers]
    columns = [[request[n] for request in requests] for n in range(3)]
    encoded = [[text.encode() for text in column] for column in columns]
    paths, hosts, methods = (packed(column, code) for column in encoded)
    for forms in (columns, encoded, (paths, hosts, methods), (paths, columns[1], methods)):
        ranks = TABLE.match_columns(*forms)  # type: ignore[arg-type]
        assert (ranks.tolist(), ranks.format) == (expected, "I")


def test_one_text_stands_for_all() -> None:
    """A host or a method that is the same for all requests is given once, or left out."""
    paths = packed([b"/a", b"/b", b"/x"])
    assert TABLE.match_columns(paths, "h", "POST").tolist() == [0, 1, NONE]
    assert TABLE.match_columns(paths, b"h").tolist() == [0, 2, NONE]
    assert TABLE.match_columns(["/é"]).tolist() == [3]
    assert TABLE.rules[3].name == "é"


def test_large_columns_are_answered_without_the_interpreter() -> None:
    """Threads match the same columns at once, and get the same answers."""
    texts = [f"/b{n}".encode() for n in range(5000)]
    data, offsets = packed(texts)
    answers: list[list[int]] = []
    match = lambda: answers.append(TABLE.match_columns((data, offsets), "h").tolist())  # noqa: E731
    threads = [threading.Thread(target=match) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[2] * 5000] * 3


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (("/a",), "paths must be a list, or a tuple of bytes and offsets"),
        ((["/a"], ["h", "h"]), "there are 1 paths, but 2 hosts"),
        ((["/a"], "h", ["GET", "GET"]), "there are 1 paths, but 2 methods"),
        (((b"/a",),), "paths must be a list, or a tuple of bytes and offsets"),
        ((("/a", array("i", [0, 2])),), "the data of paths must be bytes, not str"),
        (((b"/a", [0, 2]),), "must be an array"),
        (((b"/a", array("i", [-1, 2])),), "must be an array"),
        (((b"/a", array("d", [0, 2])),), "must be an array"),
        (((b"/a", array("i", [0, 3])),), "end within 2 bytes"),
        (((b"/a", array("i", [2, 0])),), "ascend"),
        (((b"", array("i")),), "one more than texts"),
        (([1],), "path must be str or bytes"),
    ],
)
def test_columns_that_cannot_be_read_are_refused(columns: Any, told: str) -> None:
    """The error names the column and says what it must be."""
    with pytest.raises((TypeError, ValueError), match=told):
        TABLE.match_columns(*columns)

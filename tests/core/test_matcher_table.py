"""Which rule of a table gets a request, seen from Python."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab import HeaderMatch, Match, RouteTable, Rule, RuleError


def winner(table: RouteTable, path: str, host: str | None = None) -> str | None:
    match = table.match(path, host)
    return match.route if match else None


def test_the_first_rule_that_matches_wins() -> None:
    """A listed table is Envoy's route list."""
    table = RouteTable([Rule("all", prefix="/"), Rule("cart", prefix="/cart")])
    assert winner(table, "/cart") == "all"
    assert winner(table, "*") is None


def test_priority_then_length_sorts_the_rules() -> None:
    """Lower priority number, longer path, exact before regex before prefix, more conditions, name."""
    rules = [
        Rule("b", prefix="/a"),
        Rule("a", prefix="/a"),
        Rule("asks", prefix="/a", headers=[HeaderMatch("x")]),
        Rule("regex", regex="/."),
        Rule("exact", path="/a"),
        Rule("long", prefix="/ab"),
        Rule("1000", prefix="/", priority=1000),
        Rule("0", prefix="/", priority=0),
    ]
    expected = ["0", "1000", "long", "exact", "regex", "asks", "a", "b"]
    for given_rules in (rules, rules[::-1]):
        table = RouteTable(given_rules, order="priority-then-length")
        assert [rule.name for rule in table.rules] == expected


def test_rank_is_the_place_in_the_order() -> None:
    """`m.rank` indexes `table.rules`."""
    table = RouteTable(
        [Rule("b", path="/b"), Rule("a", path="/a", priority=0)], "priority-then-length"
    )
    match = table.match("/b")
    assert match is not None
    assert (match.rank, table.rules[match.rank].name) == (1, "b")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.b.com", "exact"),
        ("A.B.COM", "exact"),
        ("x.b.com", "suffix"),
        ("x.y.b.com", "suffix"),
        ("b.com", "short"),
        ("a.org", "prefix"),
        ("a.b.com:80", "prefix"),
        ("other", "any"),
        ("", "any"),
        (None, "any"),
    ],
)
def test_the_host_chooses_one_pattern(host: str | None, expected: str) -> None:
    """Exact, then the longest suffix, then the longest prefix, then `*`; the port is part of it."""
    rules = [Rule("any", prefix="/"), Rule("prefix", hosts=["a.*"]), Rule("short", hosts=["*.com"])]
    rules += [Rule("suffix", hosts=["*.b.com"]), Rule("exact", hosts=["A.b.com"])]
    assert winner(RouteTable(rules), "/", host) == expected


def test_a_chosen_host_does_not_fall_through() -> None:
    """When no rule of the chosen host matches, nothing does, whatever `*` would have had."""
    table = RouteTable([Rule("any", prefix="/"), Rule("cart", prefix="/cart", hosts=["a", "b"])])
    assert winner(table, "/cart", "b") == "cart"
    assert winner(table, "/", "b") is None


def test_a_host_without_rules_answers_nothing() -> None:
    """A virtual host without routes is chosen like any other, and hides what `*` would have had."""
    rules = [Rule("any", prefix="/"), Rule("own", prefix="/", hosts=["full.example"])]
    table = RouteTable(rules, empty_hosts=["A.example", "*.b.example", "full.example"])
    hosts = ["a.example", "x.b.example", "full.example", "other"]
    assert [winner(table, "/", host) for host in hosts] == [None, None, "own", "any"]
    assert table.explain("/", "a.example") == [
        ("any", False, 'host belongs to "a.example"'),
        ("own", False, 'host belongs to "a.example"'),
    ]
    with pytest.raises(RuleError, match=r"empty_hosts: \"a\*b\" is none of"):
        RouteTable([], empty_hosts=["a*b"])


def test_the_port_of_a_host_may_count_for_nothing() -> None:
    """Whatever follows the last colon; the whole host stays what conditions on :authority see."""
    rules = [
        Rule("bare", hosts=["a.b"], headers=[HeaderMatch(":authority", suffix=":80")]),
        Rule("any", hosts=["a.b", "[::1]"]),
        Rule("ported", hosts=["c:80"]),
    ]
    ported, bare = RouteTable(rules), RouteTable(rules, ignore_port=True)
    hosts = ["a.b:80", "a.b:81", "a.b", "[::1]:80", "c:80"]
    assert [winner(ported, "/", host) for host in hosts] == [None, None, "any", None, "ported"]
    assert [winner(bare, "/", host) for host in hosts] == ["bare", "any", "any", "any", None]


def test_a_match_knows_its_rule() -> None:
    """Names, weights and the caller's own data come back, with the same match again."""
    data = object()
    rule = Rule("r", targets=[("v1", 9), ("v2", 1)], data=data)
    table = RouteTable([rule])
    match = table.match("/")
    assert isinstance(match, Match)
    assert (match.route, match.rule, match.data) == ("r", rule, data)
    assert match.targets == (("v1", 9), ("v2", 1))
    assert match.target is None
    assert match == table.match("/x")


def test_many_requests_are_answered_in_order() -> None:
    """A request is a path or a tuple; one without an answer gives None in its place."""
    table = RouteTable(
        [Rule("a", path="/a"), Rule("b", hosts=["h"], methods=["GET"], headers=[HeaderMatch("x")])]
    )
    requests: list[Any] = [
        "/a",
        b"/a",
        ("/a",),
        ("/b", "h", "GET", {"X": "1"}),
        ("/b", "h"),
        ("/a", None, None, None),
    ]
    answers = [match and match.route for match in table.match_many(iter(requests))]
    assert answers == ["a", "a", "a", "b", None, "a"]
    wrong: list[Any] = [1, (), ("/", "h", "GET", {}, "x")]
    for bad in wrong:
        with pytest.raises((TypeError, ValueError), match="request"):
            table.match_many(["/a", bad])


def test_every_rule_is_explained() -> None:
    """The winner has no reason; every other rule says what beat it."""
    table = RouteTable(
        [
            Rule("get", prefix="/", methods=["GET"]),
            Rule("b", hosts=["b"]),
            Rule("all", prefix="/"),
            Rule("late", path="/x"),
        ]
    )
    assert table.explain("/x", "a", "PUT") == [
        ("get", False, "method must be GET"),
        ("b", False, 'host belongs to "*"'),
        ("all", True, None),
        ("late", True, 'matches, but "all" (rank 2) is tried before it'),
    ]
    assert table.explain("/#")[0] == ("get", False, "path must not contain '#'")


def test_text_that_is_not_utf8_is_bytes() -> None:
    """`surrogateescape` gives back the bytes that were sent; other halves cannot be sent at all."""
    table = RouteTable([Rule("r", prefix="/é")])
    assert winner(table, "/é\udcff")
    assert table.match("/é".encode() + b"\xff")
    assert table.match("/é".encode().decode("ascii", "surrogateescape"))
    for path, host, method in [("/\ud800", "", ""), ("/", "\ud800", ""), ("/", "", "\ud800")]:
        with pytest.raises(UnicodeEncodeError):
            table.match(path, host, method)


def test_nul_is_a_byte_like_any_other() -> None:
    """NUL neither ends a text nor matches anything but itself."""
    table = RouteTable([Rule("nul", path="/a\0b"), Rule("a", path="/a")])
    assert (winner(table, "/a\0b"), winner(table, "/a"), winner(table, "/a\0")) == (
        "nul",
        "a",
        None,
    )


def test_large_requests_are_answered() -> None:
    """8 KB of path and a hundred headers are nothing special."""
    table = RouteTable([Rule("r", regex="/(a+/)*", headers=[HeaderMatch("x-99", exact="99")])])
    headers = {f"X-{n}": str(n) for n in range(100)}
    assert table.match("/" + "aaaaaaa/" * 1024, headers=headers)
    assert not table.match("/" + "aaaaaaa/" * 1024 + "b", headers=headers)


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": 1},
        {"path": "/", "host": 1},
        {"path": "/", "headers": 1},
        {"path": "/", "headers": {"x": 1}},
        {"path": "/", "headers": [("x",)]},
        {"path": "/", "headers": [(1, "v")]},
    ],
)
def test_a_wrong_type_is_an_error(wrong: dict[str, object]) -> None:
    """What is no request is never a quiet None."""
    table = RouteTable([Rule("r", headers=[HeaderMatch("x")])])
    with pytest.raises((TypeError, IndexError)):
        table.match(**wrong)  # type: ignore[arg-type]


def test_a_table_is_made_of_rules_in_a_known_order() -> None:
    """Anything else is refused; a table may be empty."""
    assert (len(RouteTable([])), winner(RouteTable([]), "/")) == (0, None)
    with pytest.raises(TypeError):
        RouteTable(["rule"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="order must be"):
        RouteTable([], order="best")  # type: ignore[arg-type]


TEXT = st.text(alphabet="/ab", max_size=4).map("/".__add__)


@given(st.lists(st.tuples(st.sampled_from(["path", "prefix"]), TEXT), max_size=8), TEXT)
def test_a_table_is_the_first_of_its_rules(kinds: list[tuple[str, str]], path: str) -> None:
    """A table answers as its rules one by one would."""
    rules = [Rule(str(n), **{kind: text}) for n, (kind, text) in enumerate(kinds)]  # type: ignore[arg-type]
    alone = [rule.name for rule in rules if RouteTable([rule]).match(path)]
    assert winner(RouteTable(rules), path) == (alone[0] if alone else None)

"""What one rule asks of a request, seen from Python. The Rust tests hold the finer cases."""

import pytest

from trimtab import HeaderMatch, QueryMatch, RouteTable, Rule, RuleError


def matches(rule: Rule, path: str = "/", **request: object) -> bool:
    return RouteTable([rule]).match(path, **request) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (Rule("r", path="/a"), ["/a", "/a?q"], ["/a/", "/A", "/b", "a"]),
        (Rule("r", path="/a", ignore_case=True), ["/A?q"], ["/b"]),
        (Rule("r", prefix="/a"), ["/a", "/ab", "/a/b?q"], ["/", "//a", "/x/../a", "/%61"]),
        (Rule("r", prefix="/a", ignore_case=True), ["/Ab"], ["/b"]),
        (Rule("r", path_separated_prefix="/s"), ["/s", "/s/", "/s/x", "/s?q"], ["/sx", "/"]),
        (Rule("r", regex="/a|/ab"), ["/a", "/ab", "/ab?q"], ["/abc", "/a\n"]),
        (Rule("r", regex=r"/\d+"), ["/12"], ["/\u0661", "/"]),
        (Rule("r", regex="/.é+"), ["/xé"], ["/éé", "/xéé"]),
        (Rule("r"), ["/", "", "*"], ["/a#b", "/?a#b"]),
    ],
)
def test_path(rule: Rule, good: list[str], bad: list[str]) -> None:
    """Each kind of path matches what Envoy says it does; a fragment is refused by Envoy itself."""
    assert [path for path in good + bad if matches(rule, path)] == good


def test_method_scheme_and_port_are_exact() -> None:
    """What a rule asks must be given, and be equal, case and all."""
    rule = Rule("r", methods=["GET", "PUT"], scheme="https", port=8443)
    assert matches(rule, method="PUT", scheme="https", port=8443)
    assert not matches(rule, method="put", scheme="https", port=8443)
    assert not matches(rule, method="GET", scheme="http", port=8443)
    assert not matches(rule, method="GET", scheme="https", port=443)
    assert not matches(rule)


@pytest.mark.parametrize(
    ("content_type", "is_grpc"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc-web", False),
        ("application/grpc;x", False),
        ("Application/grpc", False),
        (None, False),
    ],
)
def test_grpc_is_told_by_its_content_type(content_type: str | None, *, is_grpc: bool) -> None:
    """A gRPC call is `application/grpc` or that and a suffix after `+`; gRPC-Web is not."""
    headers = {"Content-Type": content_type} if content_type else None
    assert matches(Rule("r", grpc=True), headers=headers) is is_grpc


@pytest.mark.parametrize(
    ("grpc", "good", "bad"),
    [
        ("p.Svc", ["/p.Svc/A", "/p.Svc/"], ["/p.Svc", "/p.Svc2/A"]),
        ("p.Svc/A", ["/p.Svc/A"], ["/p.Svc/AB", "/p.Svc/a"]),
        ("*/A.b", ["/x/A.b", "/p.Svc/A.b"], ["/x/Axb", "/x/y/A.b", "//A.b"]),
    ],
)
def test_grpc_calls_are_paths(grpc: str, good: list[str], bad: list[str]) -> None:
    """A service is the prefix `/service/`, a method the path `/service/method`."""
    rule = Rule("r", grpc=grpc)
    headers = {"content-type": "application/grpc"}
    assert [path for path in good + bad if matches(rule, path, headers=headers)] == good
    assert not any(matches(rule, path) for path in good)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "v"},
        {"X-A": "v"},
        {"x-a": b"v"},
        {b"X-a": b"v"},
        {"x-a": ["u", "v"]},
        [("x-a", "u"), ("X-A", "v")],
        [(b"x-a", b"v")],
        ((b"other", b""), (b"x-a", b"v")),
    ],
)
def test_headers_come_as_frameworks_have_them(headers: object) -> None:
    """Dicts, pairs and ASGI's byte pairs are read alike; of repeated headers one value is enough."""
    assert matches(Rule("r", headers=[HeaderMatch("X-a", exact="v")]), headers=headers)
    assert not matches(
        Rule("r", headers=[HeaderMatch("X-a", exact="v", invert=True)]), headers=headers
    )
    assert not matches(Rule("r", headers=[HeaderMatch("x-b")]), headers=headers)


def test_other_mappings_are_headers_too() -> None:
    """Anything with `items()` will do, as multi-dicts and case-insensitive dicts have it."""

    class Multi:
        def items(self) -> list[tuple[str, str]]:
            return [("a", "1"), ("A", "2")]

    assert matches(Rule("r", headers=[HeaderMatch("a", exact="2")]), headers=Multi())


@pytest.mark.parametrize(
    ("match", "good", "bad"),
    [
        (HeaderMatch("h"), ["", "x"], [None]),
        (HeaderMatch("h", present=False), [None], ["x"]),
        (HeaderMatch("h", present=True, invert=True), [None], ["x"]),
        (HeaderMatch("h", present=False, treat_missing_as_empty=True), [], [None, "x"]),
        (HeaderMatch("h", exact="a"), ["a"], ["A", "ab", None]),
        (HeaderMatch("h", exact="a", ignore_case=True), ["A"], ["b"]),
        (HeaderMatch("h", prefix="a"), ["ab"], ["ba", None]),
        (HeaderMatch("h", suffix="a"), ["ba"], ["ab", None]),
        (HeaderMatch("h", contains=","), ["a,b"], ["ab", None]),
        (HeaderMatch("h", regex="gr[ae]y"), ["gray"], ["grays", None]),
        (HeaderMatch("h", range=(-1, 10)), ["-1", "+9", "09", " 9 "], ["10", "9.0", "", None]),
        (HeaderMatch("h", range=(5, 5)), [], ["5", None]),
        (HeaderMatch("h", regex="."), ["a"], ["é", None]),
        (HeaderMatch("h", exact="a", invert=True), ["b"], ["a", None]),
        (HeaderMatch("h", exact="a", invert=True, treat_missing_as_empty=True), ["b", None], ["a"]),
    ],
)
def test_header(match: HeaderMatch, good: list[str | None], bad: list[str | None]) -> None:
    """Each kind of header condition answers as Envoy does, for an absent header too (None)."""

    def passes(value: str | None) -> bool:
        return matches(Rule("r", headers=[match]), headers={} if value is None else {"H": value})

    assert [value for value in good + bad if passes(value)] == good


def test_pseudo_headers_can_be_asked() -> None:
    """`:path` holds the query too; `host` is `:authority`."""
    conditions = [HeaderMatch(":path", suffix="?q"), HeaderMatch("Host", prefix="a.")]
    conditions += [HeaderMatch(":method", exact="GET"), HeaderMatch(":scheme", exact="http")]
    rule = Rule("r", headers=conditions)
    assert matches(rule, "/x?q", host="a.b", method="GET", scheme="http")
    assert not matches(rule, "/x", host="a.b", method="GET", scheme="http")


@pytest.mark.parametrize(
    ("match", "good", "bad"),
    [
        (QueryMatch("k"), ["k", "k=", "k=1", "a&k"], ["", "K", "kk", "%6b=1", "a=k"]),
        (QueryMatch("k", present=False), ["", "K"], ["k", "k=1"]),
        (QueryMatch("k", exact="1"), ["k=1", "k=1&k=2"], ["k=2&k=1", "k=11"]),
        (QueryMatch("k", prefix="1"), ["k=12"], ["k=21"]),
        (QueryMatch("k", suffix="1"), ["k=21"], ["k=12"]),
        (QueryMatch("k", contains="+"), ["k=a+b"], ["k=a%2Bb"]),
        (QueryMatch("k", regex="[ab]+"), ["k=ab"], ["k=abc", "k="]),
        (QueryMatch("k", exact="A", ignore_case=True), ["k=a"], ["k=b"]),
    ],
)
def test_query(match: QueryMatch, good: list[str], bad: list[str]) -> None:
    """The query is compared as it was sent, and the first of a repeated parameter counts."""
    rule = Rule("r", query=[match])
    assert [query for query in good + bad if matches(rule, f"/?{query}")] == good


def test_all_conditions_must_hold() -> None:
    """Headers and query parameters are joined by AND."""
    rule = Rule(
        "r", headers=[HeaderMatch("a"), HeaderMatch("b")], query=[QueryMatch("k"), QueryMatch("l")]
    )
    assert matches(rule, "/?k&l", headers={"a": "", "b": ""})
    assert not matches(rule, "/?k&l", headers={"a": ""})
    assert not matches(rule, "/?k", headers={"a": "", "b": ""})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rule(""), "name: is empty"),
        (lambda: Rule("r", path="/", prefix="/"), 'rule "r": path: give at most one of path, prefix, regex, path_separated_prefix'),
        (lambda: Rule("r", path_separated_prefix="/a/"), 'path_separated_prefix: "/a/" ends with'),
        (lambda: Rule("r", regex="a**"), 'rule "r": regex: "a**": not RE2 syntax: "*" repeats a repetition'),
        (lambda: Rule("r", regex="(?=a)"), "not RE2 syntax: what follows '(?'"),
        (lambda: Rule("r", hosts=["a*b"]), 'hosts: "a*b" is none of'),
        (lambda: Rule("r", methods=[""]), "methods: is empty"),
        (lambda: Rule("r", port=0), "port: 0 is not in 1..=65535"),
        (lambda: Rule("r", priority=-1), "priority: -1 is not in 0..=4294967295"),
        (lambda: Rule("r", grpc="a/b/c"), 'grpc: "a/b/c" is none of'),
        (lambda: Rule("r", grpc="a", path="/"), "grpc: give at most one of a path and a gRPC service"),
        (lambda: Rule("r", targets=[("a", 0)]), "targets: the weights sum to zero"),
        (lambda: Rule("r", targets=[("a", 2**32 - 1), ("b", 1)]), "targets: the weights sum to more than 4294967295"),
        (lambda: Rule("r", targets=[("a", -1)]), "targets: -1 is not in 0..=4294967295"),
        (lambda: Rule("r", ignore_case=True), "ignore_case: does nothing with no path"),
        (lambda: Rule("r", regex="a", ignore_case=True), "ignore_case: does nothing with a regex"),
        (lambda: HeaderMatch(""), "name: is empty"),
        (lambda: HeaderMatch("a\n"), "is not the name of a header"),
        (lambda: HeaderMatch("h", exact="a", present=True), "give at most one of exact, prefix, suffix"),
        (lambda: HeaderMatch("h", prefix=""), 'header "h".prefix: is empty'),
        (lambda: QueryMatch("k", regex="("), 'query parameter "k".regex: "(": not RE2 syntax'),
    ],
)  # fmt: skip
def test_a_bad_rule_says_where_and_why(make: object, message: str) -> None:
    """Every refusal is a RuleError (a ValueError) that names the rule, the field and the reason."""
    with pytest.raises(RuleError) as caught:
        make()  # type: ignore[operator]
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.field
    assert caught.value.rule == ("r" if 'rule "r"' in str(caught.value) else "")


@pytest.mark.parametrize("wrong", [{"hosts": "a.b"}, {"methods": "GET"}, {"headers": ["x"]}, {"targets": ["a"]}, {"pth": "/"}])  # fmt: skip
def test_a_wrong_type_is_a_type_error(wrong: dict[str, object]) -> None:
    """A str is no list of str, and an unknown keyword is refused."""
    with pytest.raises(TypeError):
        Rule("r", **wrong)  # type: ignore[arg-type]

"""What Envoy does where a reader of its source would guess: each case asked of the real Envoy, of
the fast table and of the list at once (``gets`` compares them)."""

from __future__ import annotations

from typing import Any

import pytest
from oracle.conftest import Gets
from oracle.documents import for_path, header, host, only, query, table, to, with_x

from trimtab.testbed.telling_envoy import Asked, TellingEnvoy


def exact(text: str, **more: Any) -> dict[str, Any]:
    return {"string_match": {"exact": text}, **more}


def passing(gets: Gets, document: dict[str, Any], requests: dict[str, Asked]) -> list[str]:
    return [name for name, asked in requests.items() if gets(document, asked) == "it"]


# --- headers ----------------------------------------------------------------------------------


def test_a_repeated_header_passes_by_any_of_its_values(gets: Gets) -> None:
    """Each value is tested by itself, whatever their order."""
    assert gets(header(**exact("b")), with_x("a", "b")) == "it"
    assert gets(header(**exact("b")), with_x("b", "a")) == "it"
    assert gets(header(**exact("c")), with_x("a", "b")) == ""


def test_an_inverted_condition_on_a_repeated_header_fails_by_any_of_its_values(gets: Gets) -> None:
    """Inverted means that none of the values matches."""
    assert gets(header(**exact("b", invert_match=True)), with_x("a", "b")) == ""
    assert gets(header(**exact("c", invert_match=True)), with_x("a", "b")) == "it"


def test_a_range_on_a_repeated_header_takes_any_of_its_values(gets: Gets) -> None:
    """Numbers are read value by value too."""
    document = header(range_match={"start": "2", "end": "3"})
    assert gets(document, with_x("1", "2")) == "it"
    assert gets(document, with_x("1", "9")) == ""


@pytest.mark.parametrize("asks", [{"exact": "a,b"}, {"contains": ","}])
def test_the_values_of_a_repeated_header_are_not_joined(gets: Gets, asks: dict[str, str]) -> None:
    """There is no comma between them, as there was in older Envoys."""
    assert gets(header(string_match=asks), with_x("a", "b")) == ""
    assert gets(header(string_match=asks), with_x("a,b")) == "it"


@pytest.mark.parametrize("kind", ["exact", "prefix", "suffix", "contains"])
def test_an_absent_header_fails_even_an_inverted_value(gets: Gets, kind: str) -> None:
    """What is not there is not unequal either."""
    assert gets(header(string_match={kind: "a"}, invert_match=True), with_x()) == ""
    assert gets(header(string_match={kind: "a"}, invert_match=True), with_x("b")) == "it"


def test_an_absent_header_may_count_as_empty(gets: Gets) -> None:
    """With treat_missing_header_as_empty an inverted value passes, and an empty one is equal."""
    empty = {"treat_missing_header_as_empty": True}
    assert gets(header(**exact("a", invert_match=True), **empty), with_x()) == "it"
    assert gets(header(**exact(""), **empty), with_x()) == "it"
    assert gets(header(**exact("a"), **empty), with_x()) == ""
    assert gets(header(present_match=True, **empty), with_x()) == "it"
    assert gets(header(present_match=False, **empty), with_x()) == ""


def test_absence_can_be_asked_in_two_ways(gets: Gets) -> None:
    """present_match: false, and present_match inverted."""
    for document in (header(present_match=False), header(present_match=True, invert_match=True)):
        assert gets(document, with_x()) == "it"
        assert gets(document, with_x("")) == ""


def test_a_header_matcher_without_a_kind_asks_for_presence(gets: Gets) -> None:
    """An empty value is present."""
    assert gets(header(), with_x("")) == "it"
    assert gets(header(), with_x()) == ""


def test_an_empty_exact_match_takes_any_value_but_not_absence(gets: Gets) -> None:
    """The deprecated flat form; inverted it takes nothing, not even absence."""
    requests = {"absent": with_x(), "empty": with_x(""), "a": with_x("a")}
    assert passing(gets, header(exact_match=""), requests) == ["empty", "a"]
    assert passing(gets, header(exact_match="", invert_match=True), requests) == []
    assert passing(gets, header(string_match={"exact": ""}), requests) == ["empty"]


def test_a_range_is_half_open_over_64_bit_numbers(gets: Gets) -> None:
    """A sign, zeros before and spaces around a number are fine; a fraction is not."""
    values = ["9", "10", "-9", "-10", "+9", "09", " 9 ", "9.0", "", "0x9", "9223372036854775808"]
    requests = {value: with_x(value) for value in values}
    found = passing(gets, header(range_match={"start": -9, "end": 10}), requests)
    assert found == ["9", "-9", "+9", "09", " 9 "]


def test_a_range_that_ends_before_it_starts_takes_nothing(gets: Gets) -> None:
    """Envoy accepts it."""
    assert gets(header(range_match={"start": 5, "end": 2}), with_x("3")) == ""
    assert gets(header(range_match={}), with_x("0")) == ""


def test_a_header_regex_takes_the_whole_value(gets: Gets) -> None:
    """And the longest alternative counts as much as the first."""
    document = header(string_match={"safe_regex": {"regex": "a|ab"}})
    requests = {value: with_x(value) for value in ("a", "ab", "abc", "xa")}
    assert passing(gets, document, requests) == ["a", "ab"]


def test_case_can_be_ignored_in_ascii_alone(gets: Gets) -> None:
    """ignore_case folds a-z, and nothing of what is not ASCII."""
    assert gets(header(string_match={"exact": "aB", "ignore_case": True}), with_x("Ab")) == "it"
    assert gets(header(string_match={"exact": "é", "ignore_case": True}), with_x("É")) == ""


def test_header_names_are_compared_without_case(gets: Gets) -> None:
    """On the wire they are lower-case, in a configuration they need not be."""
    document = only({"prefix": "/", "headers": [{"name": "X", **exact("a")}]})
    assert gets(document, with_x("a")) == "it"


def test_pseudo_headers_can_be_asked(gets: Gets) -> None:
    """:path holds the query, host is :authority, and its case counts there."""
    for name, text in (
        (":path", "/p?q"),
        ("host", "A.b"),
        (":authority", "A.b"),
        (":scheme", "https"),
    ):
        document = only({"prefix": "/", "headers": [{"name": name, **exact(text)}]})
        assert gets(document, Asked(b"/p?q", b"A.b", scheme=b"https")) == "it"
        assert gets(document, Asked(b"/p", b"a.b")) == ""


def test_methods_are_compared_with_their_case(gets: Gets) -> None:
    """A method is a token like another."""
    document = only({"prefix": "/", "headers": [{"name": ":method", **exact("GET")}]})
    assert gets(document, Asked(b"/", method=b"GET")) == "it"
    assert gets(document, Asked(b"/", method=b"get")) == ""


# --- query parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("v w", [], ["k=v%20w", "k=v+w"]),
        ("v%20w", ["k=v%20w"], ["k=v+w"]),
        ("v+w", ["k=v+w"], ["k=v%20w"]),
    ],
)
def test_a_query_is_compared_as_it_was_sent(
    gets: Gets, text: str, good: list[str], bad: list[str]
) -> None:
    """Nothing is decoded, and a plus stays a plus."""
    requests = {sent: for_path(f"/?{sent}") for sent in good + bad}
    assert passing(gets, query(**exact(text)), requests) == good


def test_names_of_parameters_are_as_sent(gets: Gets) -> None:
    """Neither decoded nor folded."""
    requests = {sent: for_path(f"/?{sent}") for sent in ("k=1", "%6b=1", "K=1", "kk=1")}
    assert passing(gets, query(), requests) == ["k=1"]


def test_the_first_of_a_repeated_parameter_counts(gets: Gets) -> None:
    """Unlike headers."""
    assert gets(query(**exact("1")), for_path("/?k=1&k=2")) == "it"
    assert gets(query(**exact("2")), for_path("/?k=1&k=2")) == ""


def test_a_semicolon_separates_nothing(gets: Gets) -> None:
    """It is a part of the value."""
    assert gets(query(**exact("1;l=2")), for_path("/?k=1;l=2")) == "it"
    assert gets(query(), for_path("/?l=2;k=1")) == ""


def test_a_parameter_without_a_value_is_there_and_empty(gets: Gets) -> None:
    """With or without the equals sign."""
    for sent in ("/?k", "/?k=", "/?a&&k"):
        assert gets(query(), for_path(sent)) == "it"
        assert gets(query(**exact("")), for_path(sent)) == "it"
        assert gets(query(present_match=False), for_path(sent)) == ""
    assert gets(query(present_match=False), for_path("/")) == "it"


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "match",
    [
        {"path": "/a"},
        {"safe_regex": {"regex": "/a"}},
        {"path_separated_prefix": "/a"},
        {"prefix": "/a"},
    ],
)
def test_the_query_is_no_part_of_the_path(gets: Gets, match: dict[str, Any]) -> None:
    """It is cut before any kind of path is compared."""
    assert gets(only(match), for_path("/a?b")) == "it"


def test_a_path_that_holds_a_query_matches_nothing(gets: Gets) -> None:
    """Envoy accepts it, and then never gets there."""
    for match in ({"path": "/a?b"}, {"prefix": "/a?"}):
        assert gets(only(match), for_path("/a?b")) == ""


def test_a_separated_prefix_ends_at_a_slash(gets: Gets) -> None:
    """/s is for /s, /s/ and what is below, not for /sx."""
    requests = {path: for_path(path) for path in ("/s", "/s/", "/s/x", "/s?q", "/sx", "/", "/S")}
    found = passing(gets, only({"path_separated_prefix": "/s"}), requests)
    assert found == ["/s", "/s/", "/s/x", "/s?q"]


def test_a_prefix_is_plain_bytes(gets: Gets) -> None:
    """It may end within a segment."""
    assert gets(only({"prefix": "/s"}), for_path("/sx")) == "it"


@pytest.mark.parametrize("sent", ["//e", "/x/../e", "/%65", "/./e"])
def test_paths_are_not_normalized(gets: Gets, sent: str) -> None:
    """As Envoy's own default is: a path stays as it was sent."""
    assert gets(only({"path": "/e"}), for_path(sent)) == ""
    assert gets(only({"path": sent}), for_path(sent)) == "it"


def test_a_fragment_gets_no_route(gets: Gets, envoy: TellingEnvoy) -> None:
    """Envoy answers 400 before it looks at its routes."""
    document = table(host("v", ["*"], to("all")))
    assert gets(document, for_path("/a#b")) == ""
    assert gets(document, for_path("/a?b#c")) == ""
    (seen,) = envoy.ask(envoy.add(document), [for_path("/a#b")])
    assert seen is not None
    assert seen.details == "path_normalization_failed"


@pytest.mark.parametrize(
    "match", [{"path": "/aB"}, {"prefix": "/aB"}, {"path_separated_prefix": "/aB"}]
)
def test_the_case_of_a_path_may_be_ignored(gets: Gets, match: dict[str, Any]) -> None:
    """case_sensitive goes with all kinds but the regex."""
    assert gets(only({**match, "case_sensitive": False}), for_path("/Ab")) == "it"
    assert gets(only(match), for_path("/Ab")) == ""


def test_case_sensitive_does_nothing_to_a_regex(gets: Gets) -> None:
    """Envoy accepts the field there."""
    document = only({"safe_regex": {"regex": "/a"}, "case_sensitive": False})
    assert gets(document, for_path("/a")) == "it"
    assert gets(document, for_path("/A")) == ""


def test_a_path_regex_takes_the_whole_path(gets: Gets) -> None:
    """Of alternatives the one that takes it all is found."""
    document = only({"safe_regex": {"regex": "/a|/ab"}})
    requests = {path: for_path(path) for path in ("/a", "/ab", "/abc", "/ab?q")}
    assert passing(gets, document, requests) == ["/a", "/ab", "/ab?q"]


# --- gRPC and order ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "is_grpc"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc-web", False),
        ("application/grpc;x", False),
        ("Application/grpc", False),
    ],
)
def test_grpc_is_told_by_the_content_type(gets: Gets, content_type: str, *, is_grpc: bool) -> None:
    """The type itself, or the type and a suffix after a plus."""
    document = table(host("v", ["*"], to("grpc", {"prefix": "/", "grpc": {}}), to("other")))
    asked = Asked(b"/s/M", method=b"POST", fields=((b"content-type", content_type.encode()),))
    assert gets(document, asked) == ("grpc" if is_grpc else "other")


def test_the_first_route_that_matches_wins(gets: Gets) -> None:
    """However much more the next one says."""
    document = table(host("v", ["*"], to("first"), to("second", {"path": "/a"})))
    assert gets(document, for_path("/a")) == "first"


def test_routes_without_a_cluster_match_too(gets: Gets) -> None:
    """Redirects, direct responses and those that forward nothing."""
    document = table(
        host(
            "v",
            ["*"],
            to("redirect", {"prefix": "/r"}, redirect={"https_redirect": True}),
            to("direct", {"prefix": "/d"}, direct_response={"status": 204}),
            to("nothing", {"prefix": "/n"}, non_forwarding_action={}),
            to("filter", {"prefix": "/f"}, filter_action={}),
        )
    )
    for name in ("redirect", "direct", "nothing", "filter"):
        assert gets(document, for_path(f"/{name[0]}")) == name


# --- size ------------------------------------------------------------------------------------------


def test_long_paths_and_many_headers_are_like_short_and_few(gets: Gets) -> None:
    """8 KB of path, ninety headers, a value of 4 KB."""
    long = "/" + "a" * 8191
    document = table(
        host(
            "v",
            ["*"],
            to("exact", {"path": long}),
            to("regex", {"safe_regex": {"regex": "/(a|b)*b"}}),
            to("value", {"prefix": "/v", "headers": [{"name": "x", **exact("v" * 4096)}]}),
            to("last", {"prefix": "/v", "headers": [{"name": "x89", **exact("89")}]}),
        )
    )
    many = tuple((b"x%d" % i, b"%d" % i) for i in range(90))
    assert gets(document, for_path(long)) == "exact"
    assert gets(document, for_path(f"{long}a")) == ""
    assert gets(document, for_path(f"{long}b?q")) == "regex"
    assert gets(document, Asked(b"/v", fields=((b"x", b"v" * 4096),))) == "value"
    assert gets(document, Asked(b"/v", fields=((b"x", b"v" * 4097), *many))) == "last"

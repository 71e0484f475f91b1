"""Regexes, read as RE2 reads them: the same ones refused, the same texts matched."""

from __future__ import annotations

from random import Random
from typing import Any

from oracle.asking import CLUSTERS
from oracle.documents import header, host, table, to
from oracle.patterns import ODD, Patterns

from trimtab import HeaderMatch, RouteTable, RuleError
from trimtab.testbed.telling_envoy import Asked, TellingEnvoy

TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "aa",
    "aaa",
    "1",
    "1a",
    "_",
    "-",
    "a-b",
    "A",
    "AB",
    "é",
    "aé",
    "a]",
    "a b",
]
TEXTS += [
    "+",
    "a+",
    "a{,3}",
    "a{",
    "a{x}",
    "a{1",
    "\u0661",
    "\u00a0",
    "\u00b5",
    "x" * 6,
    "\t",
    "&&",
    "]",
]


def as_headers(patterns: list[str]) -> dict[str, Any]:
    """A table with one route a pattern, which is tried on the header x."""
    routes = []
    for i, pattern in enumerate(patterns):
        asks = {"name": "x", "string_match": {"safe_regex": {"regex": pattern}}}
        routes.append(to(f"r{i}", {"path": f"/{i}", "headers": [asks]}))
    return table(host("v", ["*"], *routes))


def refusal(pattern: str) -> str:
    """Why we refuse a pattern; empty when we take it."""
    try:
        HeaderMatch("x", regex=pattern)
    except RuleError as error:
        return str(error)
    return ""


def test_odd_patterns_are_refused_where_re2_refuses_them(envoy_binary: object) -> None:
    """Where RE2 and other engines disagree on what is a pattern at all. What RE2 takes we take, or
    say that it is not supported; what it does not take, we do not."""
    patterns = [pattern for pattern, _ in ODD]
    asks = [{"safe_regex": {"regex": pattern}} for pattern in patterns]
    with TellingEnvoy.serving([header(string_match=one) for one in asks], CLUSTERS) as envoy:
        theirs = {patterns[number] for number in envoy.refusals()}
    ours = {pattern for pattern in patterns if refusal(pattern)}
    beyond_us = {pattern for pattern in patterns if "not supported" in refusal(pattern)}
    assert ours - beyond_us == theirs
    assert len(theirs) > 20
    assert len(beyond_us) < 3


def test_patterns_match_what_re2_matches(envoy_binary: object) -> None:
    """Odd patterns and random ones, each tried on the same texts."""
    source = Patterns(Random("patterns"))
    drawn = [source.draw(odd=0.1)[0] for _ in range(400)]
    patterns = [p for p in [*(pattern for pattern, _ in ODD), *drawn] if p and not refusal(p)]
    document = as_headers(patterns)
    ours = RouteTable.from_envoy(document)
    asked = [
        Asked(b"/%d" % i, fields=((b"x", text.encode()),))
        for i in range(len(patterns))
        for text in TEXTS
    ]
    with TellingEnvoy.serving([document], CLUSTERS) as envoy:
        seen = envoy.ask(0, asked)
    different = []
    for one, theirs in zip(asked, seen, strict=True):
        found = ours.match(one.path, headers=one.fields)
        if theirs is None or theirs.route != (found.route if found else ""):
            different.append((patterns[int(one.path[1:])], one.fields, theirs))
    assert different == []

"""Tables of one kind of rule each, with requests that one of their rules gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from trimtab import HeaderMatch, RouteTable, Rule

from . import rivals
from .routes import HOST, NOUNS, WORDS, Route, requests

ASKED = 10_000  # requests for a table, uniformly random
OTHER_HEADERS = {  # what a request carries besides
    "accept": "application/json",
    "user-agent": "bench/1",
    "content-type": "application/json",
    "x-request-id": "5f0c9b1e",
    "accept-language": "en",
}
THREE = ("x-tenant", "x-region", "x-tier")


class Kind(NamedTuple):
    """``keys`` are arguments of ``RouteTable.match`` (path, host, method, headers)."""

    title: str
    table: RouteTable
    keys: Sequence[tuple[str, str, str, dict[str, str]]]
    expected: Sequence[str]


def prefixes(rng: Random, count: int = 100_000) -> Kind:
    """Prefixes on one host: what a mesh of many services has."""
    return _many(
        "prefixes",
        count,
        lambda i: {"prefix": f"/{_noun(i)}/{_word(i)}/{i}/", "hosts": [HOST]},
        lambda i: (f"/{_noun(i)}/{_word(i)}/{i}/x?q=1", HOST, {}),
        rng,
    )


def hosts(rng: Random, count: int = 100_000) -> Kind:
    """Templates over 1,000 hosts."""

    def host(i: int) -> str:
        return f"{_noun(i % 1000)}-{i % 1000}.shop.example"

    return _many(
        "templates of 1,000 hosts",
        count,
        lambda i: {
            "regex": f"/{_word(i // 1000)}/[^/]+/{_noun(i // 1000)}",
            "hosts": [host(i)],
        },
        lambda i: (
            f"/{_word(i // 1000)}/{rng.getrandbits(32):x}/{_noun(i // 1000)}",
            host(i),
            {},
        ),
        rng,
    )


def wildcard_hosts(rng: Random, count: int = 10_000) -> Kind:
    """Wildcard hosts of 2 to 7 labels."""

    def suffix(i: int) -> str:
        return f"{_word(i)}-{i}." + "zone." * (i % 6) + "example"

    return _many(
        "wildcard hosts",
        count,
        lambda i: {"prefix": "/", "hosts": [f"*.{suffix(i)}"]},
        lambda i: ("/x", f"a.{suffix(i)}", {}),
        rng,
    )


def regexes(rng: Random, count: int = 10_000) -> Kind:
    """Regexes that are no templates."""
    return _many(
        "regexes",
        count,
        lambda i: {"regex": f"/{_noun(i)}/(?:item|entry)-{i}-[0-9]{{2,6}}(?:/[a-z]+)*"},
        lambda i: (f"/{_noun(i)}/entry-{i}-{rng.randrange(10, 10**6)}/abc/de", HOST, {}),
        rng,
    )


def ranges(rng: Random, count: int = 10_000) -> Kind:
    """Ranges of one header below one prefix."""
    return _many(
        "ranges of a header",
        count,
        lambda i: {
            "prefix": "/",
            "headers": [HeaderMatch("x-shard", range=(i * 100, i * 100 + 100))],
        },
        lambda i: ("/x", HOST, {"x-shard": str(i * 100 + rng.randrange(100))}),
        rng,
    )


def nested(rng: Random, count: int = 10_000) -> Kind:
    """Prefixes in chains of 40, the longest first."""

    def path(i: int) -> str:
        depth = 40 - i // 250  # rule 0 to 249 are the ends of the 250 chains
        return f"/{_word(i % 250)}" + "/sub" * depth

    return _many(
        "nested prefixes",
        count,
        lambda i: {"prefix": path(i) + "/"},
        lambda i: (f"{path(i)}/end", HOST, {}),
        rng,
    )


def three_headers(routes: Sequence[Route], rng: Random) -> Kind:
    """The same routes, each asking for three headers too."""
    rules = [
        Rule(
            headers=[HeaderMatch(name, exact=value) for name, value in _three(i).items()],
            **rivals.arguments(route),
        )
        for i, route in enumerate(routes)
    ]
    ranks = {route.name: i for i, route in enumerate(routes)}
    asked = [*requests(routes, 1_000, rng)]
    keys = [(*key, {**OTHER_HEADERS, **_three(ranks[name])}) for key, name in asked]
    return Kind("three headers", RouteTable(rules), keys, [name for _, name in asked])


def _three(i: int) -> dict[str, str]:
    return {name: f"{name[2:]}-{i % (7 + j)}" for j, name in enumerate(THREE)}


def _many(
    title: str,
    count: int,
    rule: Callable[[int], dict[str, Any]],
    request: Callable[[int], tuple[str, str, dict[str, str]]],
    rng: Random,
) -> Kind:
    table = RouteTable(Rule(f"r{i}", **rule(i)) for i in range(count))
    chosen = [rng.randrange(count) for _ in range(ASKED)]
    keys = [(path, host, "GET", headers) for path, host, headers in map(request, chosen)]
    return Kind(f"{title}, {count:,}", table, keys, [f"r{i}" for i in chosen])


def _noun(i: int) -> str:
    return NOUNS[i % len(NOUNS)]


def _word(i: int) -> str:
    return WORDS[i * 7 % len(WORDS)]


KINDS = {
    "prefixes-100k": prefixes,
    "hosts-100k": hosts,
    "wildcard-hosts-10k": wildcard_hosts,
    "regexes-10k": regexes,
    "ranges-10k": ranges,
    "nested-10k": nested,
}

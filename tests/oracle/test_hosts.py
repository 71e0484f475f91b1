"""Which virtual host a request belongs to: golden cases, each asked of the real Envoy too.

In the manner of Envoy's router check tool: a table, and for each host the route that it gets.
"""

from __future__ import annotations

import pytest
from oracle.conftest import Gets
from oracle.documents import for_host, host, table, to

from trimtab.testbed.telling_envoy import Asked

SHOP = table(
    host("exact", ["shop.example", "shop.example:8080"], to("exact")),
    host("short-suffix", ["*.example"], to("short-suffix")),
    host("long-suffix", ["*.shop.example"], to("long-suffix")),
    host("dash", ["*-shop.example"], to("dash")),
    host("short-prefix", ["shop.*"], to("short-prefix")),
    host("long-prefix", ["shop.test.*"], to("long-prefix")),
    host("narrow", ["narrow.example"], to("narrow", {"prefix": "/only"})),
    host("empty", ["empty.example", "*.empty.example"]),
    host("any", ["*"], to("any")),
)


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("shop.example", "exact"),
        ("SHOP.Example", "exact"),
        ("shop.example:8080", "exact"),
        ("shop.example:9090", "short-prefix"),  # a port is a part of the host, so no suffix fits
        ("www.shop.example", "long-suffix"),
        ("a.b.shop.example", "long-suffix"),
        (".shop.example", "short-suffix"),  # the * stands for one byte at least
        ("www.example", "short-suffix"),
        ("my-shop.example", "dash"),
        ("shop.test", "short-prefix"),
        ("shop.test.org", "long-prefix"),
        ("shop.", "any"),
        ("shop.test.example", "short-suffix"),  # a suffix before any prefix
        ("shop.example.", "short-prefix"),  # a dot at the end is not stripped
        ("example", "any"),
        ("elsewhere.org", "any"),
        ("narrow.example", ""),  # no way back to another virtual host
        ("empty.example", ""),
        ("x.empty.example", ""),
    ],
)
def test_the_host_chooses_one_virtual_host(gets: Gets, name: str, route: str) -> None:
    """Exact, then the longest suffix, then the longest prefix, then *; and there it stays."""
    assert gets(SHOP, for_host(name)) == route


def test_the_chosen_host_answers_what_it_has(gets: Gets) -> None:
    """The other side of no way back: the narrow host's own route."""
    assert gets(SHOP, Asked(b"/only", b"narrow.example")) == "narrow"


def test_without_a_star_a_foreign_host_gets_nothing(gets: Gets) -> None:
    """There is no virtual host for it."""
    document = table(host("a", ["a.b"], to("a")))
    assert gets(document, for_host("b.a")) == ""


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("a.b", "bare"),
        ("a.b:80", "bare"),
        ("A.B:1", "bare"),
        ("a.b:", "bare"),
        ("a.b:x", "bare"),
        ("x.c:80", "suffix"),
        ("d.:80", ""),
        ("d.e:80", "prefix"),
        ("[::1]:80", "six"),
        ("[::1]", "six"),
        ("e.f:80", ""),  # a domain with a port can no longer be met
    ],
)
def test_the_port_may_be_ignored(gets: Gets, name: str, route: str) -> None:
    """ignore_port_in_host_matching strips what follows the last colon of a request's host."""
    document = table(
        host("bare", ["a.b"], to("bare")),
        host("ported", ["e.f:80"], to("ported")),
        host("suffix", ["*.c"], to("suffix")),
        host("prefix", ["d.*"], to("prefix")),
        host("six", ["[::1]"], to("six")),
        ignore_port_in_host_matching=True,
    )
    assert gets(document, for_host(name)) == route

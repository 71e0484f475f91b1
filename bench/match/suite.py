"""What is measured: groups of candidates that are asked the same, each checked before it is timed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from . import kinds, picks, rivals, routes
from .floor import F3_IN_F, NoCompilerError, load
from .rounds import Candidate, Group
from .routes import HOST, Route

CHECKED = 200  # keys of each group that every candidate has to answer right
BATCH = 1_000
MANY = 100_000
TARGET = "path, host, method"


class WrongAnswerError(Exception):
    """A candidate gave another answer than the table says: its time would mean nothing."""


def groups() -> dict[str, Callable[[], Group]]:
    """Each group by its name, not yet built: together they would fill a machine."""
    like = routes.gitlab_like
    return {
        "github-203": lambda: routing("GitHub-like, 203 routes", routes.github_like(), 1_000),
        "site-3500": lambda: routing("GitLab-like, 3,500 routes", like(3_500), 10_000),
        "site-10k": lambda: routing("GitLab-like, 10,000 routes", like(10_000), 10_000),
        "site-100k": lambda: routing("GitLab-like, 100,000 routes", like(MANY), MANY),
        "site-100k-hot": lambda: routing("The same, 100 hot requests", like(MANY), 100, hot=True),
        "paths-10k": lambda: routing("Whole paths, 10,000", routes.whole_paths(10_000), 10_000),
        "three-headers": three_headers,
        **{make.__name__: functools.partial(one_kind, make) for make in kinds.KINDS},
        **{f"picks-{count}": functools.partial(picks.group, count) for count in picks.COUNTS},
    }


def routing(title: str, table: Sequence[Route], count: int, *, hot: bool = False) -> Group:
    """Every router that can hold the table, and Trimtab given many requests at once."""
    rng = Random(7)
    asked = routes.hot(table, count, rng) if hot else [*routes.requests(table, count, rng)]
    keys = [tuple(key) for key, _ in asked]
    candidates = [*rivals.candidates(table)]
    check(candidates, TARGET, keys, [route.name for _, route in asked])
    ours = candidates[0].names["match"].__self__
    return Group(title, [*candidates, *many(ours), *floors()], keys, TARGET)


def many(table: Any) -> list[Candidate]:
    """Trimtab given a list of requests."""
    names = {"match_many": table.match_many}
    return [Candidate("trimtab match_many", "match_many(batch)", names, batch=BATCH)]


def three_headers() -> Group:
    """The 203 routes, each asking for three headers; beside them the same without, in the same
    rounds, asked with the same requests."""
    listed = routes.github_like()
    kind = kinds.three_headers(listed, Random(7))
    target = f"{TARGET}, headers"
    asking = with_headers("three headers", kind.table)
    check([asking], target, kind.keys, kind.expected)
    plain = rivals.trimtab(listed)
    candidates = [
        asking,
        Candidate("no headers", plain.expression, plain.names),
        Candidate("headers not asked for", asking.expression, plain.names),
    ]
    return Group("Three headers, 203 routes", [*candidates, *floors()], kind.keys, target)


def one_kind(make: Callable[[Random], kinds.Kind]) -> Group:
    """Trimtab alone: no rival has such rules."""
    kind = make(Random(7))
    target = f"{TARGET}, headers"
    ours = with_headers("trimtab", kind.table)
    check([ours], target, kind.keys, kind.expected)
    return Group(kind.name, [ours, *floors()], kind.keys, target)


def with_headers(name: str, table: Any) -> Candidate:
    made = rivals.trimtab_of(name, table)
    return Candidate(name, "match(path, host, method, headers)", made.names, made.read, made.covers)


def check(
    candidates: Sequence[Candidate], target: str, keys: Sequence[Any], expected: Sequence[str]
) -> None:
    """Raises WrongAnswerError when one of them answers one of the first keys otherwise."""
    for one in candidates:
        for key, name in zip(keys[:CHECKED], expected, strict=False):
            if (answer := one.answer(key, target)) != name:
                raise WrongAnswerError(f"{one.name}: {key[:3]} is {name}'s, not {answer}'s")


def floors() -> list[Candidate]:
    """F3 and F, timed within each group. Without a compiler F3 is so many calls F."""
    length = Candidate("F", "len(L)", {"L": []})
    try:
        names = {"f3": load(), "a": "/cart/1", "b": HOST, "c": "GET"}
    except NoCompilerError:
        return [Candidate("F3", "; ".join(["len(L)"] * F3_IN_F), {"L": []}), length]
    return [Candidate("F3", "f3(a, b, c)", names), length]

"""What is measured: groups of candidates that are asked the same, each checked before it is timed."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice
from random import Random
from typing import Any, NamedTuple

from . import kinds, picks, rivals, routes
from .floor import F3_IN_F, NoCompilerError, load
from .rounds import Candidate, Group
from .routes import HOST, Route

CHECKED = 200  # keys of each group that every candidate has to answer right
BATCH = 1_000
MANY = 100_000
TARGET = "path, host, method"

Asked = tuple[Sequence[Any], str]  # a key, and the route that gets it


class WrongAnswerError(Exception):
    """A candidate gave another answer than the table says: its time would mean nothing."""


class Site(NamedTuple):
    """A table that rivals can hold too, and how many requests it is asked; ``hot``: so few, again
    and again."""

    title: str
    size: int
    table: Callable[[], list[Route]]
    asked: int
    hot: bool = False
    whole_paths: bool = False

    def routers(self) -> list[rivals.Router]:
        return rivals.routers(self.size, whole_paths=self.whole_paths)

    def requests(self, table: Sequence[Route]) -> list[tuple[routes.Request, str]]:
        """Each with the name of the route that gets it."""
        rng = Random(7)
        asked = [*routes.requests(table, self.asked, rng)]
        return rng.sample(asked * 10, k=len(asked) * 10) if self.hot else asked


def _like(count: int, asked: int) -> Site:
    return Site(f"GitLab-like, {count:,}", count, lambda: routes.gitlab_like(count), asked)


SITES = {
    "github-203": Site("GitHub-like, 203", 203, routes.github_like, 1_000),
    "site-3500": _like(3_500, 10_000),
    "site-10k": _like(10_000, 10_000),
    "site-100k": _like(MANY, MANY),
    "site-100k-hot": _like(MANY, 100)._replace(title="GitLab-like, 100,000, 100 hot", hot=True),
    "paths-10k": Site(
        "whole paths, 10,000", 10_000, lambda: routes.whole_paths(10_000), 10_000, whole_paths=True
    ),
}


def groups() -> dict[str, Callable[[], Group]]:
    """Each group by its name, not yet built: together they would fill a machine."""
    return {
        **{name: functools.partial(routing, site) for name, site in SITES.items()},
        "three-headers": three_headers,
        **{name: functools.partial(one_kind, make) for name, make in kinds.KINDS.items()},
        **{f"picks-{count}": functools.partial(picking, count) for count in picks.COUNTS},
    }


def routing(site: Site) -> Group:
    """Every router that can hold the table, and Trimtab given many requests at once."""
    table = site.table()
    asked = site.requests(table)
    keys = [tuple(key) for key, _ in asked]
    candidates = [rivals.built(make, table) for make in site.routers()]
    check(candidates, TARGET, asked)
    ours = candidates[0].names["match"].__self__
    three = floors()[0]
    reading = Candidate("F3 of these texts", f"f3({TARGET})", three.names)
    cold = [reading] if "f3" in three.names else []
    return Group(site.title, [*candidates, *many(ours), *cold, *floors()], keys, TARGET)


def many(table: Any) -> list[Candidate]:
    """Trimtab given many requests: as tuples, as lists of each part, and with the paths in one piece
    of bytes. The columns are made before the clock runs."""
    by_row, by_column = {"match_many": table.match_many}, {"match_columns": table.match_columns}

    def columns(batch: Sequence[Any]) -> tuple[list[str], str, list[str]]:
        return [path for path, _, _ in batch], HOST, [method for _, _, method in batch]

    def packed(batch: Sequence[Any]) -> tuple[Any, ...]:
        paths, host, methods = columns(batch)
        return pack(paths), host, pack(methods)

    call = "match_columns(*batch)"
    return [
        Candidate("trimtab match_many", "match_many(batch)", by_row, batch=BATCH),
        Candidate("trimtab match_columns, lists", call, by_column, batch=BATCH, pack=columns),
        Candidate("trimtab match_columns, bytes", call, by_column, batch=BATCH, pack=packed),
    ]


def pack(texts: Sequence[str]) -> tuple[bytes, array[int]]:
    """As Arrow keeps them: all bytes, and where each text begins."""
    each = [text.encode() for text in texts]
    return b"".join(each), array("i", accumulate(map(len, each), initial=0))


def three_headers() -> Group:
    """The 203 routes, each asking for three headers; beside them the same without, in the same
    rounds, asked with the same requests."""
    table = routes.github_like()
    kind = kinds.three_headers(table, Random(7))
    target = f"{TARGET}, headers"
    asking = with_headers("three headers", kind.table)
    check([asking], target, zip(kind.keys, kind.expected, strict=True))
    plain = rivals.trimtab(table)
    candidates = [
        asking,
        Candidate("no headers", plain.expression, plain.names),
        Candidate("headers not asked for", asking.expression, plain.names),
    ]
    return Group("three headers, 203", [*candidates, *floors()], kind.keys, target)


def one_kind(make: Callable[[Random], kinds.Kind]) -> Group:
    """Trimtab alone: no rival has such rules. Where no request carries headers, none are given."""
    kind = make(Random(7))
    if any(headers for *_, headers in kind.keys):
        keys, target = kind.keys, f"{TARGET}, headers"
        ours = with_headers("trimtab", kind.table)
    else:
        keys, target = [key[:3] for key in kind.keys], TARGET
        ours = rivals.trimtab_of("trimtab", kind.table)
    check([ours], target, zip(keys, kind.expected, strict=True))
    return Group(kind.title, [ours, *floors()], keys, target)


def with_headers(name: str, table: Any) -> Candidate:
    made = rivals.trimtab_of(name, table)
    return Candidate(name, "match(path, host, method, headers)", made.names, made.read, made.covers)


def picking(count: int) -> Group:
    """The ways to pick among so many targets. A key is a drawn value."""
    rng = Random(7)
    keys = [(rng.getrandbits(32),) for _ in range(1_000)]
    return Group(f"picks, {count} targets", [*picks.candidates(count), *floors()], keys, "(value,)")


def check(candidates: Sequence[Candidate], target: str, asked: Iterable[Asked]) -> None:
    """Raises WrongAnswerError when one of them answers one of the first keys otherwise."""
    first = [*islice(asked, CHECKED)]
    for one in candidates:
        for key, name in first:
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

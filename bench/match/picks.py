"""Picks among weighted targets: the time of one, and how far the counts stray from the weights."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from random import Random
from typing import Any

from trimtab import RouteTable, Rule

from .rounds import Candidate

COUNTS = (2, 10, 100)
PICKS = 10_000
BATCH = 1_000
LOOKED_EVERY = 100
ONE_AT_ALL = {"match", "sticky", "smooth, 1,000 at once"}  # they pick nothing, one, or many
# A table of one route: what is told apart here are ways to pick.
REQUEST = {"path": "/", "host": "shop.example", "method": "GET"}


def weights(count: int) -> list[int]:
    """Uneven ones: 1 to 20."""
    return [1 + i * 7 % 20 for i in range(count)]


def candidates(count: int) -> list[Candidate]:
    """The modes of Trimtab, and what a Python program has without it."""
    given = weights(count)
    names = [f"t{i}" for i in range(count)]
    return [*_ours(names, given), *_rivals(names, given)]


def _ours(names: list[str], given: list[int]) -> list[Candidate]:
    table = RouteTable([Rule("r", prefix="/", targets=[*zip(names, given, strict=True)])])
    match = table.match("/")
    assert match is not None
    called = "(path, host, method)"
    return [
        Candidate("match", f"match{called}", {"match": table.match, **REQUEST}),
        Candidate(
            "match and pick",
            f"route{called[:-1]}, value=value)",
            {"route": table.route, **REQUEST},
            lambda match: match.target,
        ),
        Candidate("value", "pick(value)", {"pick": match.pick}, str),
        Candidate("random", "pick()", {"pick": match.picker("random", seed=7).pick}, str),
        Candidate("smooth", "pick()", {"pick": match.picker("smooth", seed=7).pick}, str),
        Candidate("swrr", "pick()", {"pick": match.picker("swrr").pick}, str),
        Candidate("sticky", "sticky(key)", {"sticky": match.sticky, "key": "user-7f3a"}, str),
        Candidate(
            "smooth, 1,000 at once",
            "pick_many(len(batch))",
            {"pick_many": match.picker("smooth").pick_many},
            batch=BATCH,
        ),
    ]


def _rivals(names: list[str], given: list[int]) -> list[Candidate]:
    chance = Random(7)
    cumulative = [*accumulate(given)]
    parts: dict[str, Any] = {"names": names, "choices": chance.choices}
    return [
        Candidate("random.choices", "choices(names, given)[0]", {**parts, "given": given}, str),
        Candidate(
            "random.choices, cumulative",
            "choices(names, cum_weights=cumulative)[0]",
            {**parts, "cumulative": cumulative},
            str,
        ),
        Candidate(
            "bisect",
            "names[bisect(cumulative, random() * total)]",
            {
                "names": names,
                "bisect": bisect_right,
                "cumulative": cumulative,
                "random": chance.random,
                "total": cumulative[-1],
            },
            str,
        ),
    ]


def deviations(count: int) -> dict[str, float]:
    """How far, at worst, the count of a target is from its share at any hundred of 10,000 picks."""
    return {
        one.name: deviation(one, count) for one in candidates(count) if one.name not in ONE_AT_ALL
    }


def deviation(candidate: Candidate, count: int) -> float:
    given = weights(count)
    total = sum(given)
    counts = {f"t{i}": 0 for i in range(count)}
    rng = Random(7)
    worst = 0.0
    for turn in range(1, PICKS + 1):
        picked = candidate.answer([rng.getrandbits(32)], "value")
        assert picked is not None
        counts[picked] += 1
        if turn % LOOKED_EVERY == 0:
            strays = (
                abs(seen - turn * weight / total)
                for seen, weight in zip(counts.values(), given, strict=True)
            )
            worst = max(worst, *strays)
    return worst

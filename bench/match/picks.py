"""Picks among weighted targets: the time of one, and how far the counts stray from the weights."""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from trimtab import RouteTable, Rule

from .rounds import Candidate, Group

COUNTS = (2, 10, 100)
PICKS = 10_000
CHECKED_EVERY = 100


def weights(count: int) -> list[int]:
    """Uneven ones: 1 to 20."""
    return [1 + i * 7 % 20 for i in range(count)]


def group(count: int) -> Group:
    """The modes of Trimtab, and what a Python program has without it. A key is a drawn value."""
    from .suite import floors

    rng = random.Random(count)
    keys = [(rng.getrandbits(32),) for _ in range(1_000)]
    return Group(f"Picks among {count} targets", [*candidates(count), *floors()], keys, "(value,)")


def candidates(count: int) -> list[Candidate]:
    given = weights(count)
    names = [f"t{i}" for i in range(count)]
    cumulative = [*accumulate(given)]
    table = RouteTable([Rule("r", prefix="/", targets=[*zip(names, given, strict=True)])])
    match = table.match("/")
    assert match is not None
    parts: dict[str, Any] = {"names": names, "given": given, "cumulative": cumulative}
    chance = random.Random(count)
    request = {"path": "/", "host": "h", "method": "GET"}
    return [
        Candidate("trimtab value", "pick(value)", {"pick": match.pick}),
        Candidate("trimtab match", "match(path, host, method)", {"match": table.match, **request}),
        Candidate(
            "trimtab match and pick",
            "route(path, host, method, value=value)",
            {"route": table.route, **request},
        ),
        Candidate(
            "random.choices",
            "choices(names, given)[0]",
            {"choices": chance.choices, **parts},
        ),
        Candidate(
            "random.choices, cumulative",
            "choices(names, cum_weights=cumulative)[0]",
            {"choices": chance.choices, **parts},
        ),
        Candidate(
            "bisect",
            "names[bisect(cumulative, random() * total)]",
            {"bisect": bisect_right, "random": chance.random, "total": cumulative[-1], **parts},
        ),
    ]

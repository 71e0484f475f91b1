"""Timing of candidates in turn, A B C A B C, so that a machine whose speed drifts drifts for all.

Each is a Python expression over ``path, host, method``, run by ``timeit`` in a loop of its own over
the keys; the same loop around nothing is taken off. A round is the least of a few repeats of each
candidate; a figure is the median over the rounds, and a ratio the median of the ratios within each.
The clock is the CPU time of this process: it stands still while others run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from timeit import Timer
from typing import Any

REPEAT_S = 0.004  # how long a repeat should take
LONGEST_S = 0.06  # how long it may take, before it is given fewer keys
NS = 1e9


@dataclass(frozen=True)
class Candidate:
    """One way to answer: ``expression`` over ``path, host, method`` (and ``names``); ``read`` turns
    what it gives into the name of a route. ``covers``: what of a request it looks at. With
    ``batch`` the expression is over ``batch``, a list of so many keys."""

    name: str
    expression: str
    names: Mapping[str, Any]
    read: Callable[[Any], str | None] = lambda _: None
    covers: str = ""
    batch: int = 0

    def answer(self, key: Sequence[Any], target: str) -> str | None:
        """What it answers to one key."""
        values = dict(zip(_names(target), key, strict=True))
        return self.read(eval(self.expression, {**self.names, **values}))


@dataclass
class Times:
    """Nanoseconds a call, one for each round."""

    ns: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.ns)


@dataclass(frozen=True)
class Group:
    """Candidates that answer the same keys. ``target`` is what the loop unpacks a key into."""

    title: str
    candidates: Sequence[Candidate]
    keys: Sequence[Sequence[Any]]
    target: str


def measure(group: Group, rounds: int, repeats: int) -> dict[str, Times]:
    """The times of each candidate over ``rounds``."""
    runs = {one.name: _Run(one, group) for one in group.candidates}
    times = {name: Times() for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].ns.append(run.least(repeats))
    return times


class _Run:
    """A candidate with as many keys and passes as make a repeat long enough, and not too long."""

    def __init__(self, candidate: Candidate, group: Group) -> None:
        sample = group.keys[: max(candidate.batch, len(group.keys) // 100, 1)]
        each = min(_loop(candidate, group, sample).repeat(3, 1)) / len(sample)
        count = min(len(group.keys), max(1, candidate.batch, int(LONGEST_S / each)))
        keys = group.keys[:count]
        self.passes = max(1, int(REPEAT_S / (each * count)))
        self.calls = self.passes * count
        self.loop = _loop(candidate, group, keys)
        self.empty = _loop(replace(candidate, expression="pass"), group, keys)

    def least(self, repeats: int) -> float:
        full = min(self.loop.repeat(repeats, self.passes))
        return (full - min(self.empty.repeat(repeats, self.passes))) / self.calls * NS


def _names(target: str) -> list[str]:
    return [name.strip() for name in target.split(",")]


def _loop(candidate: Candidate, group: Group, keys: Sequence[Any]) -> Timer:
    """A loop whose names are all local; compiled for this candidate, so that what the interpreter
    learns about the calls of one is not taken from another."""
    target = group.target
    if size := candidate.batch:
        target, keys = "batch", [keys[i : i + size] for i in range(0, len(keys), size)]
    setup = "; ".join(f"{name} = _names[{name!r}]" for name in candidate.names) or "pass"
    return Timer(
        f"for {target} in _keys: {candidate.expression}",
        f"_keys = _given; {setup}",
        timer=time.process_time,
        globals={"_names": candidate.names, "_given": keys},
    )


def ratio(above: Times, below: Times) -> tuple[float, float, float]:
    """Median, least and greatest of the ratios of two candidates, round by round."""
    pairs = [a / b for a, b in zip(above.ns, below.ns, strict=True)]
    return statistics.median(pairs), min(pairs), max(pairs)

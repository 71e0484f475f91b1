"""Timing of candidates in turn, A B C A B C, so that a machine whose speed drifts drifts for all.

Each is a Python expression over the parts of a key, in a loop of its own over the keys; the same loop
around nothing is taken off. A round is the least of a few repeats of each candidate; a figure is the
median over the rounds, and a ratio the median of the ratios within each.
The clock is the CPU time of this process: it stands still while others run.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from timeit import Timer
from typing import Any, NamedTuple

REPEAT_S = 0.004  # how long a repeat should take
LONGEST_S = 0.06  # how long it may take, before it is given fewer keys
NS = 1e9


@dataclass(frozen=True)
class Candidate:
    """One way to answer: ``expression`` over the parts of a key (and ``names``); ``read`` turns what it
    gives into the name of a route. ``covers``: what of a request it looks at. With ``batch`` the
    expression is over ``batch``, what ``pack`` has made, before, of a list of so many keys.
    ``built_s``: how long it took to build."""

    name: str
    expression: str
    names: Mapping[str, Any]
    read: Callable[[Any], str | None] = lambda _: None
    covers: str = ""
    batch: int = 0
    pack: Callable[[Sequence[Any]], Any] = list
    built_s: float | None = None

    def answer(self, key: Sequence[Any], target: str) -> str | None:
        """What it answers to one key."""
        parts = dict(zip(target.split(", "), key, strict=True))
        return self.read(eval(self.expression, {**self.names, **parts}))


@dataclass(frozen=True)
class Group:
    """Candidates that answer the same keys. ``target`` is what the loop unpacks a key into."""

    title: str
    candidates: Sequence[Candidate]
    keys: Sequence[Sequence[Any]]
    target: str


@dataclass(frozen=True)
class Times:
    """What was measured of one candidate, a figure for each round: of a call, in nanoseconds, where
    nothing else is said."""

    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


class Spread(NamedTuple):
    """A median with the least and the greatest of what it is the median of."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread:
    return Spread(statistics.median(figures), min(figures), max(figures))


def of(times: Times) -> Spread:
    return spread(times.rounds)


def ratio(above: Times, below: Times) -> Spread:
    """Of the ratios of two candidates, round by round."""
    return spread([a / b for a, b in zip(above.rounds, below.rounds, strict=True)])


def difference(more: Times, less: Times) -> Times:
    """What one candidate takes above another, round by round."""
    return Times([a - b for a, b in zip(more.rounds, less.rounds, strict=True)])


def measure(group: Group, rounds: int, repeats: int) -> dict[str, Times]:
    """The times of each candidate, by its name."""
    runs = {one.name: _Run(one, group) for one in group.candidates}
    times = {name: Times() for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].rounds.append(run.least(repeats))
    return times


def loop(candidate: Candidate, target: str, keys: Sequence[Any]) -> Callable[[], None]:
    """A function that evaluates the expression for each key. All its names are local, and it is
    compiled anew, so that what the interpreter learns about the calls of one candidate is not
    taken from another."""
    if size := candidate.batch:
        target, keys = "batch", [*map(candidate.pack, batched(keys, size))]
    made: dict[str, Callable[..., None]] = {}
    parameters = ", ".join(["_keys", *candidate.names])
    exec(f"def run({parameters}):\n for {target} in _keys: {candidate.expression}", made)
    return functools.partial(made["run"], keys, *candidate.names.values())


def batched(keys: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """``itertools.batched``, which Python 3.11 has not."""
    return (keys[start : start + size] for start in range(0, len(keys), size))


class _Run:
    """A candidate with as many keys and passes as make a repeat long enough, and not too long."""

    def __init__(self, candidate: Candidate, group: Group) -> None:
        sample = group.keys[: max(candidate.batch, len(group.keys) // 100, 1)]
        each = min(_timer(candidate, group, sample).repeat(3, 1)) / len(sample)
        count = min(len(group.keys), max(1, candidate.batch, int(LONGEST_S / each)))
        keys = group.keys[:count]
        self.passes = max(1, int(REPEAT_S / (each * count)))
        self.calls = self.passes * count
        self.full = _timer(candidate, group, keys)
        self.empty = _timer(replace(candidate, expression="pass"), group, keys)

    def least(self, repeats: int) -> float:
        full = min(self.full.repeat(repeats, self.passes))
        return (full - min(self.empty.repeat(repeats, self.passes))) / self.calls * NS


def _timer(candidate: Candidate, group: Group, keys: Sequence[Any]) -> Timer:
    return Timer(loop(candidate, group.target, keys), timer=time.process_time)

"""What a run has measured, as JSON and as a page of Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import floor
from .core import rustc
from .goals import Goal, Measured
from .rounds import Group, Spread, Times, of

FLOORS = ("F3 of these texts", "F3", "F")


@dataclass(frozen=True)
class Told:
    """What is known of a group beside its figures, without the tables, which are large."""

    title: str
    keys: int
    built_s: Mapping[str, float]
    covers: Mapping[str, str]


def tell(group: Group) -> Told:
    took = {one.name: one.built_s for one in group.candidates if one.built_s is not None}
    covers = {one.name: one.covers for one in group.candidates if one.covers}
    return Told(group.title, len(group.keys), took, covers)


def machine() -> dict[str, str]:
    """On what it was measured, and against what."""
    return {
        "cpu": _cpu(),
        "cpus": str(os.cpu_count()),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "rustc": rustc(),
        "F3": floor.says(),
    }


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def as_json(
    head: Mapping[str, Any], told: Mapping[str, Told], seen: Measured, goals: Sequence[Goal]
) -> dict[str, Any]:
    """All figures of all rounds, in nanoseconds where no unit stands."""
    return {
        **head,
        "goals": [
            {**goal._asdict(), "seen": goal.seen and goal.seen._asdict(), "holds": goal.holds}
            for goal in goals
        ],
        "groups": {
            name: {
                "title": one.title,
                "keys": one.keys,
                "built_s": one.built_s,
                "rounds": {c: times.rounds for c, times in seen.figures[name].items()},
            }
            for name, one in told.items()
        },
        "core": {
            site: {name: times.rounds for name, times in all_of.items()}
            for site, all_of in seen.core.items()
        },
        "build": {name: times.rounds for name, times in seen.build.items()},
        "envoy": seen.envoy,
        "deviations": {str(count): modes for count, modes in seen.deviations.items()},
    }


def as_markdown(
    head: Mapping[str, Any], told: Mapping[str, Told], seen: Measured, goals: Sequence[Goal]
) -> str:
    parts = [
        ["# What a match costs", "", *(f"- {name}: {value}" for name, value in head.items())],
        ["## Goals", "", *goal_lines(goals)],
        *([f"## {one.title}", "", *_group(one, seen.figures[name])] for name, one in told.items()),
        *(
            [f"## The core alone, {site}", "", *_plain(all_of)]
            for site, all_of in seen.core.items()
        ),
        ["## Building 100,000 routes from Python", "", *_plain(seen.build)],
        ["## Envoy's CPU for a match", "", *_envoy(seen.envoy)],
        ["## Stray picks", "", *_deviations(seen.deviations)],
        ["## What each looks at", "", *_covers(told)],
    ]
    return "\n".join("\n".join(part) + "\n" for part in parts)


def goal_lines(goals: Sequence[Goal]) -> Iterator[str]:
    yield "| goal | asked | seen | least to greatest of the rounds | holds |"
    yield "|---|---|---|---|---|"
    for goal in goals:
        asked = f"{'>=' if goal.at_least else '<='} {goal.bound:g} {goal.unit}"
        verdict = {True: "yes", False: "**no**", None: "not measured"}[goal.holds]
        seen = ("", "") if goal.seen is None else (figure(goal.seen.median), _range(goal.seen))
        yield f"| {goal.what} | {asked} | {seen[0]} | {seen[1]} | {verdict} |"


def _group(told: Told, figures: Mapping[str, Times]) -> Iterator[str]:
    first = next(iter(figures.values()))
    yield f"| {told.keys:,} requests | ns | least to greatest | F3 | of the first | built in |"
    yield "|---|---|---|---|---|---|"
    for name, times in figures.items():
        took = told.built_s.get(name)
        yield (
            " | ".join(
                (
                    f"| {name}",
                    figure(times.median),
                    _range(of(times)),
                    figure(times.median / figures["F3"].median),
                    "" if name in FLOORS else figure(times.median / first.median),
                    "" if took is None else f"{took:.2f} s",
                )
            )
            + " |"
        )


def _plain(figures: Mapping[str, Times]) -> Iterator[str]:
    yield "| | median | least to greatest |"
    yield "|---|---|---|"
    for name, times in figures.items():
        yield f"| {name} | {figure(times.median)} | {_range(of(times))} |"


ENVOY = {
    "prefixes": "routes",
    "Envoy, ns": "envoy_match_ns",
    "the core, ns": "core_match_ns",
    "times": "ratio",
    "match from Python, ns": "single_match_ns",
    "times that": "ratio_single",
}


def _envoy(sizes: Sequence[Mapping[str, float]]) -> Iterator[str]:
    yield f"| {' | '.join(ENVOY)} |"
    yield "|---" * len(ENVOY) + "|"
    for one in sizes:
        yield f"| {' | '.join(figure(one[part]) for part in ENVOY.values())} |"


def _deviations(deviations: Mapping[int, Mapping[str, float]]) -> Iterator[str]:
    yield "How far the count of a target is from its share, at worst, looked at each hundred of 10,000 picks."
    yield ""
    modes = list(dict.fromkeys(mode for all_of in deviations.values() for mode in all_of))
    yield f"| targets | {' | '.join(modes)} |"
    yield "|---" * (len(modes) + 1) + "|"
    for count, all_of in deviations.items():
        yield f"| {count} | " + " | ".join(f"{all_of[mode]:.1f}" for mode in modes) + " |"


def _covers(told: Mapping[str, Told]) -> Iterator[str]:
    covers = {name: text for one in told.values() for name, text in one.covers.items()}
    yield "| | looks at |"
    yield "|---|---|"
    yield from (f"| {name} | {text} |" for name, text in covers.items())


def figure(value: float) -> str:
    """With three digits, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _range(seen: Spread) -> str:
    return f"{figure(seen.least)} to {figure(seen.most)}"

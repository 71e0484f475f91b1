"""What was asked of the matcher, as ratios of figures of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from .rounds import Spread, Times, difference, of, ratio, spread

T = TypeVar("T")

Figures = Mapping[str, Mapping[str, Times]]  # by group, by candidate

OURS = "trimtab"
SMOOTH = "smooth"
PICK_MODES = ("value", "random", "smooth")  # those whose cost does not grow with the targets
RANDOM = {
    "site-100k": "GitLab-like",
    "prefixes-100k": "prefixes",
    "hosts-100k": "templates of 1,000 hosts",
}
ENVOY = {1_000: 300, 10_000: 2_000, 100_000: 30_000}
SLOWER = {"routrie": 6, "werkzeug": 80, "starlette": 500}


class Goal(NamedTuple):
    """``at_least`` or at most ``bound``, in ``unit``; None was seen where it was not measured."""

    what: str
    bound: float
    unit: str
    seen: Spread | None
    at_least: bool = False

    @property
    def holds(self) -> bool | None:
        if self.seen is None:
            return None
        return self.seen.median >= self.bound if self.at_least else self.seen.median <= self.bound


@dataclass(frozen=True)
class Measured:
    """All that a run has measured; what is empty or None was left out."""

    figures: Figures
    core: Mapping[str, Mapping[str, Times]]  # by site
    build: Mapping[str, Times]
    deviations: Mapping[int, Mapping[str, float]]  # by the number of targets, by mode
    envoy: Sequence[Mapping[str, float]]  # what bench/envoy_cpu.py tells of each size

    def ratio(self, group: str, above: str, below: str) -> Spread | None:
        times = self.figures.get(group, {})
        return _known(ratio, times.get(above), times.get(below))


def goals(seen: Measured) -> list[Goal]:
    """Every goal, those that this run has not measured too."""
    return [
        *_matching(seen),
        *_batches(seen),
        *_envoy(seen),
        *_building(seen),
        *_picking(seen),
    ]


def _matching(seen: Measured) -> Iterator[Goal]:
    yield Goal("match, GitHub-like, 203 routes", 4, "F3", seen.ratio("github-203", OURS, "F3"))
    for rival, bound in SLOWER.items():
        taken = seen.ratio("github-203", rival, OURS)
        yield Goal(f"{rival} takes for the same", bound, "times", taken, at_least=True)
    hot = seen.ratio("site-100k-hot", OURS, "F3")
    yield Goal("match, 100,000 GitLab-like, 100 hot requests", 5, "F3", hot)
    for group, kind in RANDOM.items():
        what = f"match, 100,000 {kind}, uniformly random"
        yield Goal(what, 12, "F3", seen.ratio(group, OURS, "F3"))
    times = seen.figures.get("three-headers", {})
    added = _known(difference, times.get("three headers"), times.get("no headers"))
    yield Goal("three header predicates add", 3, "F", _known(ratio, added, times.get("F")))


def _batches(seen: Measured) -> Iterator[Goal]:
    for group in ("github-203", "site-100k-hot"):
        share = seen.ratio(group, f"{OURS} match_many", OURS)
        yield Goal(f"match_many of 1,000, a request, {group}", 0.6, "single calls", share)


def _envoy(seen: Measured) -> Iterator[Goal]:
    ratios = {one["routes"]: spread([one["ratio"]]) for one in seen.envoy}
    for size, bound in ENVOY.items():
        what = f"Envoy's CPU for a match, of the core's, {size:,} prefixes"
        yield Goal(what, bound, "times", ratios.get(size), at_least=True)


def _building(seen: Measured) -> Iterator[Goal]:
    core, build = seen.core.get("site-100k", {}), seen.build
    yield Goal("100,000 routes built, Rust", 100, "ms", _known(of, core.get("build")))
    yield Goal("100,000 routes built, Python", 1_000, "ms", _known(of, build.get("all_ms")))
    size = _known(of, core.get("size of a route"))
    yield Goal("a route, as the table counts itself", 200, "bytes", size)
    grown = _known(of, build.get("table_bytes"))
    yield Goal("a route, as the process grows", 200, "bytes", grown)


def _picking(seen: Measured) -> Iterator[Goal]:
    core, python = seen.core.get("github-203", {}), seen.figures.get("picks-2", {})
    for mode in PICK_MODES:
        each = [of(times) for name, times in core.items() if name.startswith(f"pick {mode},")]
        what = f"pick, {mode}, Rust, the slowest of 2, 10 and 100 targets"
        yield Goal(what, 5, "ns", max(each, default=None))
    for where, times in (("Rust", core), ("Python", python)):
        added = _known(difference, times.get("match and pick"), times.get("match"))
        yield Goal(f"pick added to a match, {where}", 10, "ns", _known(of, added))
    strayed = [modes[SMOOTH] for modes in seen.deviations.values() if SMOOTH in modes]
    worst = spread([max(strayed)]) if strayed else None
    yield Goal("smooth, from the ideal, in 10,000 picks", 5, "picks", worst)


def _known(make: Callable[..., T], *parts: object) -> T | None:
    """None where one of the parts was not measured."""
    return None if any(part is None for part in parts) else make(*parts)

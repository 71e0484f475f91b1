"""Measures the matcher beside its rivals, and tells which goals hold.

    python -m bench.match [--only GROUP ...] [--rounds 9] [--check] [--date TEXT]

for example ``python -m bench.match --only github-203 --rounds 5``. Writes results.json, results.md and
growth.svg to ``--out`` (report/bench-match). The exit code is 1 with ``--check`` when a goal does not
hold or was not measured, else 0.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import apart, core, picks, plot, report, suite
from .goals import Measured, goals
from .rounds import Times

ENVOY = "envoy"
CORE_SITES = ("github-203", "site-100k")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="python -m bench.match",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", metavar="GROUP", choices=names(), help=", ".join(names())
    )
    parser.add_argument("--rounds", type=int, default=9, help="of each group (9)")
    parser.add_argument(
        "--repeats", type=int, default=5, help="of which the least is a round's figure (5)"
    )
    parser.add_argument("--out", type=Path, default=Path("report/bench-match"))
    parser.add_argument("--date", help="what the report says about when it was measured")
    parser.add_argument("--json", action="store_true", help="print results.json, not the goals")
    parser.add_argument("--check", action="store_true", help="exit 1 unless every goal holds")
    return parser.parse_args(arguments)


def names() -> list[str]:
    return [*suite.groups(), ENVOY]


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    chosen = options.only or names()
    core_alone = in_rust(chosen)  # first, since it has to be compiled
    told, figures = apart.measure(chosen, options.rounds, options.repeats)
    seen = Measured(figures, core_alone, build(chosen), deviations(chosen), envoy(chosen))
    reached = goals(seen)
    head = {
        "command": shlex.join(["python", "-m", "bench.match", *arguments]),
        **({"date": options.date} if options.date else {}),
        **report.machine(),
        "rounds": options.rounds,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    results = json.dumps(report.as_json(head, told, seen, reached), indent=1)
    (options.out / "results.json").write_text(results)
    (options.out / "results.md").write_text(report.as_markdown(head, told, seen, reached))
    plot.draw(figures, options.out / "growth.svg")
    print(results if options.json else "\n".join(report.goal_lines(reached)))
    return int(options.check and not all(goal.holds for goal in reached))


def in_rust(chosen: Sequence[str]) -> dict[str, dict[str, Times]]:
    seen: dict[str, dict[str, Times]] = {}
    for name in CORE_SITES:
        if name in chosen:
            say(f"the core alone (cargo bench), {name}")
            seen[name] = core.measure(suite.SITES[name])
    return seen


def build(chosen: Sequence[str]) -> dict[str, Times]:
    """In a process of its own, whose memory nothing else has used before."""
    if "site-100k" not in chosen:
        return {}
    say("building from Python")
    command = [sys.executable, "-m", "bench.match.build"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return {name: Times(rounds) for name, rounds in json.loads(done.stdout).items()}


def envoy(chosen: Sequence[str]) -> list[dict[str, float]]:
    """Of a real Envoy; empty, and told, where there is none."""
    if ENVOY not in chosen:
        return []
    say("the CPU time of Envoy")
    command = [sys.executable, "-m", "bench.envoy_cpu", "--json"]
    done = subprocess.run(command, cwd=core.ROOT, check=False, stdout=subprocess.PIPE)
    if not done.stdout:
        say("not measured: see above")
        return []
    sizes: list[dict[str, float]] = json.loads(done.stdout)
    return sizes


def deviations(chosen: Sequence[str]) -> dict[int, dict[str, float]]:
    return {n: picks.deviations(n) for n in picks.COUNTS if f"picks-{n}" in chosen}


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

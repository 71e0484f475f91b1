"""CPU time of one match: the real Envoy's list of prefix routes, and ours.

    python -m bench.envoy_cpu [--sizes 1000,10000,100000] [--json]

Envoy serves two tables, one with a single route and one with all of them, and is asked the same way
over HTTP/2; what the larger one costs more is the match. Its time is that of all its threads, as
Linux counts it in nanoseconds. Ours is that of the core alone (``rust/core/benches/goals.rs``, which
needs cargo), as Envoy's is without what surrounds its match, and beside it the CPU time of this
process for ``RouteTable.match_many`` and for single calls of ``match``, best of several rounds.

``uniform`` keys are drawn at random, the same ones for both, so that Envoy tries half of its list on
average; ``last`` are requests that its last route gets, the whole list. Ends with 1 when the uniform
ratio to the core is below what is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from bench.match.core import run as run_core

from trimtab import RouteTable, Rule
from trimtab.testbed.telling_envoy import Asked, TellingEnvoy

ASKED = {1_000: 300, 10_000: 2_000, 100_000: 30_000}  # times less than Envoy
BUDGET_NS = 1_500_000_000  # of Envoy's time for one measurement
ROUNDS = 7


def prefix(number: int) -> str:
    return f"/service{number:06}/v1/"


def configuration(routes: int) -> dict[str, Any]:
    listed = [
        {"name": f"r{i}", "match": {"prefix": prefix(i)}, "route": {"cluster": "c"}}
        for i in range(routes)
    ]
    return {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": listed}]}


def cpu_ns(pid: int) -> int:
    """The time that all threads of a process have run."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in threads)


def envoy_ns(envoy: TellingEnvoy, table: int, paths: Sequence[str], batch: int) -> float:
    """Envoy's time for one request, over as many as the budget allows."""
    blocks = [Asked(path.encode()).block() for path in paths]
    envoy.ask_blocks(table, blocks[:batch])
    asked, begin = 0, cpu_ns(envoy.pid)
    spent = 0
    while spent < BUDGET_NS and asked < len(blocks):
        envoy.ask_blocks(table, blocks[asked : asked + batch])
        asked += len(blocks[asked : asked + batch])
        spent = cpu_ns(envoy.pid) - begin
    return spent / asked


def ours_ns(table: RouteTable, paths: Sequence[str]) -> dict[str, float]:
    """The time of this process for one match: of many at once, and of single calls."""
    best = {"many": float("inf"), "single": float("inf")}
    requests = list(paths)
    match = table.match
    for _ in range(ROUNDS):
        begin = time.process_time_ns()
        found = table.match_many(requests)
        many = time.process_time_ns() - begin
        begin = time.process_time_ns()
        for path in requests:
            match(path)
        single = time.process_time_ns() - begin
        assert all(found)
        best["many"] = min(best["many"], many / len(requests))
        best["single"] = min(best["single"], single / len(requests))
    return best


def core_ns(size: int, paths: Sequence[str], directory: Path) -> float:
    """The time of the core for one match: the least of its rounds."""
    files = [directory / "routes", directory / "requests"]
    files[0].write_text("".join(f"- prefix {prefix(i)}\n" for i in range(size)))
    files[1].write_text("".join(f"GET {path}\n" for path in paths))
    return min(run_core(files)["match"].rounds)


def measure(size: int, directory: Path) -> dict[str, Any]:
    random = Random(size)
    keys = [
        f"{prefix(random.randrange(size))}items/{random.randrange(1000)}" for _ in range(60_000)
    ]
    last = [f"{prefix(size - 1)}items/{i}" for i in range(60_000)]
    first = [f"{prefix(0)}items/{i}" for i in range(60_000)]
    with TellingEnvoy.serving([configuration(1), configuration(size)], ["c"]) as envoy:
        batch = 100 if size < 50_000 else 20
        base = min(envoy_ns(envoy, 0, first, 100) for _ in range(2))
        uniform = envoy_ns(envoy, 1, keys, batch) - base
        hardest = envoy_ns(envoy, 1, last, batch) - base
    rules = [Rule(f"r{i}", prefix=prefix(i), targets=[("c", 1)]) for i in range(size)]
    ours = ours_ns(RouteTable(rules), keys)
    core = core_ns(size, keys, directory)
    return {
        "routes": size,
        "envoy_request_ns": round(base),
        "envoy_match_ns": round(uniform),
        "envoy_last_ns": round(hardest),
        "core_match_ns": round(core, 1),
        "many_match_ns": round(ours["many"], 1),
        "single_match_ns": round(ours["single"], 1),
        "ratio": round(uniform / core),
        "ratio_last": round(hardest / core),
        "ratio_many": round(uniform / ours["many"]),
        "ratio_single": round(uniform / ours["single"]),
        "asked": ASKED.get(size),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="1000,10000,100000", help="routes, by commas")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    for size in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="tt-") as directory:
            found.append(measure(size, Path(directory)))
        if not arguments.json:
            print("  ".join(f"{name} {value:,}" for name, value in found[-1].items() if value))
            sys.stdout.flush()
    if arguments.json:
        print(json.dumps(found, indent=2))
    if any(one["asked"] and one["ratio"] < one["asked"] for one in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

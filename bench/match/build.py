"""What a table of 100,000 routes takes to build, and to keep: run in a process of its own.

    python -m bench.match.build [ROUNDS]      prints one JSON object

CPU time: ``rules_ms`` from the texts of the routes to Rule objects, ``table_ms`` from these to a RouteTable;
``all_ms`` both; ``rules_bytes`` and ``table_bytes`` what the process grew by, a route (not told where
there is no /proc).
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path

from trimtab import RouteTable, Rule

from . import rivals, routes
from .suite import MANY

STATM = Path("/proc/self/statm")


def main(rounds: int) -> dict[str, list[float]]:
    table = routes.gitlab_like(MANY)
    given = [rivals.arguments(route) for route in table]
    gc.collect()
    gc.freeze()  # what was made so far is none of a program's that builds its rules here
    before = resident()
    rules = [Rule(**one) for one in given]
    between = resident()
    kept = RouteTable(rules)
    after = resident()
    seen: dict[str, list[float]] = {"rules_ms": [], "table_ms": [], "all_ms": []}
    if STATM.exists():
        seen["rules_bytes"] = [(between - before) / len(kept)]
        seen["table_bytes"] = [(after - between) / len(kept)]
    for _ in range(rounds):
        start = time.process_time()
        rules = [Rule(**one) for one in given]
        middle = time.process_time()
        RouteTable(rules)
        end = time.process_time()
        for name, taken in (
            ("rules", middle - start),
            ("table", end - middle),
            ("all", end - start),
        ):
            seen[f"{name}_ms"].append(taken * 1e3)
    return seen


def resident() -> int:
    """The bytes of this process that are in memory; 0 where that cannot be read."""
    if not STATM.exists():
        return 0
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))

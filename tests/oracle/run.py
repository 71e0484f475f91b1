"""The matcher against the real Envoy, on random tables and requests.

    python tests/oracle/run.py [--cases 1000000] [--seed 1] [--json]

Ends with 1 and the smallest table and request that show it when an answer differs, and when a
predicate decided fewer than one case in a hundred.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from oracle.asking import DifferenceError
from oracle.differential import run
from oracle.tally import Tally
from rich.console import Console
from rich.table import Table


def report(tally: Tally, seed: int, seconds: float) -> dict[str, Any]:
    return {
        "cases": tally.cases,
        "seed": seed,
        "differences": 0,
        "seconds": round(seconds, 1),
        "matched": tally.matched,
        "fell_through": tally.cases - tally.matched,
        "refused_patterns": tally.refused,
        "predicates": {
            label: {"decided": decided, "failed": failed, "passed": passed}
            for label, decided, failed, passed in tally.rows()
        },
        "rare": tally.rare(),
    }


def show(found: dict[str, Any]) -> None:
    cases = found["cases"]

    def share(count: int) -> str:
        return f"{count:,} ({count / cases:.1%})"

    table = Table("predicate", "decided", "failed a rule", "won by it")
    for label, counts in found["predicates"].items():
        table.add_row(label, *(share(counts[key]) for key in ("decided", "failed", "passed")))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{cases:,} cases against Envoy: 0 differences. {share(found['matched'])} matched, "
        f"{share(found['fell_through'])} fell through; {found['refused_patterns']:,} regexes are refused "
        f"by both. {found['seconds']} s, seed {found['seed']}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    begin = time.monotonic()

    def told(tally: Tally) -> None:
        rate = tally.cases / (time.monotonic() - begin)
        text = f"\roracle: {tally.cases:,} of {arguments.cases:,} cases, {rate:,.0f} a second "
        sys.stderr.write(text)
        sys.stderr.flush()

    try:
        tally = run(arguments.cases, arguments.seed, told)
    except DifferenceError as difference:
        sys.stderr.write("\n")
        sys.stdout.write(f"seed {arguments.seed}: a difference. {difference}\n")
        raise SystemExit(1) from None
    sys.stderr.write("\n")
    found = report(tally, arguments.seed, time.monotonic() - begin)
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show(found)
    if found["rare"]:
        raise SystemExit(f"under 1 % of the cases: {', '.join(found['rare'])}")


if __name__ == "__main__":
    main()

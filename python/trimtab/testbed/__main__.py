"""``python -m trimtab.testbed [NAME…]``: where each tool is, installing what is missing."""

from __future__ import annotations

import sys

from trimtab.errors import MissingTool
from trimtab.testbed.tools import TOOLS, find


def main(names: list[str]) -> int:
    """Print a line for each tool; 1 if one can neither be found nor installed."""
    missing = 0
    for name in names or TOOLS:
        try:
            print(f"{name:15} {find(name)}", flush=True)  # noqa: T201 - this is the output
        except MissingTool as error:
            print(error, file=sys.stderr)  # noqa: T201
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

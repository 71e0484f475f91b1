"""What all commands print with: tables for people, JSON for programs, on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.core.model import Diagnostic, Severity

console = Console(highlight=False)
STYLE: Mapping[Severity, str] = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.INFO: "dim",
}


def add_row(table: Table, *cells: str | None) -> None:
    """A row of what stands in documents: brackets in it are brackets, and nothing is a dash."""
    table.add_row(*(Text(cell or "-") for cell in cells))


def print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_line(document: Any) -> None:
    """One JSON object on one line, for output that has one object a request."""
    sys.stdout.write(json.dumps(document) + "\n")


def tell_problems(problems: Iterable[Diagnostic]) -> None:
    """On standard error, what a person should know before believing the output."""
    for problem in problems:
        if problem.severity is not Severity.INFO:
            sys.stderr.write(f"{problem}\n")

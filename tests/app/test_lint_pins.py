"""What ``trimtab lint`` says of every file there is, pinned; and no broken file ends it."""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Iterable
from pathlib import Path

from app.linting import linted

from trimtab.commands.graph import graph_command
from trimtab.commands.lint import lint_command

FIXTURES = Path(__file__).parents[1] / "fixtures"
MUTANTS = int(os.environ.get("TRIMTAB_MUTANT_DOCUMENTS", "20000"))


def described(root: Path, files: Iterable[Path]) -> list[str]:
    """The exit code for each file, and a line for each diagnostic and each form."""
    lines = []
    for path in files:
        status, answer = linted(path)
        lines.append(f"== {path.relative_to(root)}: {answer['objects']} objects, exit {status}")
        for d in answer["diagnostics"]:
            place = f"{d['line']} {d['object'] or ''} {d['field'] or ''}".strip()
            lines.append(f"{d['code']} {d['severity']} {place}")
        for form in answer["forms"]:
            kinds = ", ".join(f"{f['kind']} {f['metadata']['name']}" for f in form["documents"])
            lines.append(f"{form['object']} -> {kinds or 'nothing'}")
    return lines


def check(found: list[str], pins: Path) -> None:
    if os.environ.get("TRIMTAB_WRITE_PINS"):
        pins.write_text("\n".join(found) + "\n")
    assert found == pins.read_text().splitlines()


def test_every_fixture_is_pinned() -> None:
    """Each file of ours by itself: objects, diagnostics with their lines, forms, exit code."""
    root = FIXTURES / "appmesh"
    check(described(root, sorted(root.rglob("*.yaml"))), FIXTURES / "lint" / "ours.pins")


def test_every_manifest_of_upstream_is_pinned(shared: Path) -> None:
    """Each file of others by itself, templates with their placeholders."""
    root = shared / "appmesh" / "manifests"
    check(described(root, sorted(root.rglob("*.yaml"))), FIXTURES / "lint" / "upstream.pins")


PIECES = (
    "${X}", "$X", "{{ .Values.x }}", "{{ if }}", "{{", "}}", "---\n", "...\n", "\t", "  ", "\n", ":",
    ": ", "- ", "#", "'", '"', "|\n", ">\n", "&a ", "*a", "<<: *a\n", "!!int ", "!x ", "[", "]", "{",
    "}", "%", "@", "null", "~", "0", "-1", "1e999", "99999999999999999999", "kind: List\nitems:\n",
    "metadata:\n", "spec:\n", "\ue000", "\ue0000\ue001", "é", "\U0001f600", "\u2028", "\x85",
    '"\\ud800"', "apiVersion: appmesh.k8s.aws/v1beta1\n", "weight: 0\n",
)  # fmt: skip


def mutate(chance: random.Random, text: str, others: list[str]) -> str:
    """Lose, repeat, move, indent or splice lines; put something anywhere; lose all indentation."""
    for _ in range(chance.choice((0, 1, 1, 1, 2, 4))):
        lines = text.splitlines(keepends=True) or [""]
        at = chance.randrange(len(lines))
        action = chance.randrange(9)
        if action == 0:
            del lines[at]
        elif action == 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        elif action == 2:
            lines[at] = " " * chance.randrange(5) + lines[at].lstrip(" ")
        elif action == 3:
            line, place = lines[at], chance.randrange(len(lines[at]) + 1)
            lines[at] = line[:place] + chance.choice(PIECES) + line[place:]
        elif action == 4:
            lines[at] = lines[at].partition(":")[0] + ": " + chance.choice(PIECES) + "\n"
        elif action == 5:
            other = chance.choice(others).splitlines(keepends=True) or [""]
            lines[at:at] = other[chance.randrange(len(other)) :]
        elif action == 6:
            lines = lines[: at + 1]
        elif action == 7:
            line, place = lines[at], chance.randrange(len(lines[at]) + 1)
            lines[at] = line[:place] + line[place + 1 :]
        elif chance.random() < 0.2:
            lines = [line.lstrip(" ") for line in lines]
        text = "".join(lines)
    return text


def sources() -> list[str]:
    """The documents of every fixture, each by itself."""
    root = FIXTURES / "appmesh"
    texts = [p.read_text() for p in sorted(root.rglob("*.yaml"))]
    return [part for text in texts for part in text.split("---\n") if "kind:" in part]


def test_no_broken_document_ends_in_a_traceback(tmp_path: Path) -> None:
    """Thousands of documents broken as texts, through the whole command, as text and as JSON, with
    and without values, and through the graph; the whole mesh beside them is always read."""
    chance = random.Random(4)
    documents = sources()
    base = tmp_path / "base.yaml"
    base.write_text((FIXTURES / "appmesh" / "base.yaml").read_text())
    broken = tmp_path / "broken.yaml"
    told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    count = 0
    while count < MUTANTS:
        texts = [mutate(chance, chance.choice(documents), documents) for _ in range(25)]
        broken.write_text("---\n".join(texts), encoding="utf-8", newline="")
        count += len(texts)
        values = ("X=1", "x=[a]") if chance.random() < 0.5 else ()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = lint_command(
                [base, broken],
                xds=chance.random() < 0.1,
                strict=False,
                fix=False,
                values=values,
                as_json=chance.random() < 0.5,
            )
            graph_command(
                [base, broken], chance.choice(("text", "dot", "svg", "json")), values=values
            )
        assert status in (0, 1)
        told.seek(0)
        told.truncate()

"""What ``trimtab lint`` says of every file there is, pinned; and no broken file ends it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
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


NOTE = Path(__file__).parents[2] / "docs" / "design" / "011-lint.md"


def test_every_alarm_over_upstream_is_justified(shared: Path) -> None:
    """Folder by folder, the errors and warnings are those that the design note gives reasons for."""
    root = shared / "appmesh" / "manifests"
    rows = re.findall(r"^\| ([\w, -]+) \| ([\w, ]+) \| .+ \|$", NOTE.read_text(), re.MULTILINE)
    reasons = {name: codes.split(", ") for names, codes in rows[1:] for name in names.split(", ")}
    alarms = {}
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        _, answer = linted(folder)
        told = {d["code"] for d in answer["diagnostics"] if d["severity"] != "info"}
        alarms[folder.name] = sorted(told - {"PlaceholderUnfilled"})
    assert {name: codes for name, codes in alarms.items() if codes} == reasons


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdef", "bcdefg", strict=True)
)
PIECES = (
    "${X}", "$X", "{{ .Values.x }}", "{{ if }}", "{{", "}}", "${X:-", "---\n", "--- ", "...\n", "\t",
    "  ", "\n", "\r\n", "\r", ":", ": ", "- ", "#", "'", '"', "|\n", ">\n", "? ", "&a ", "*a",
    "<<: *a\n", "<<: [*a, *a]\n", "<<: {x: 1}\n", "!!int ", "!!binary ", "!!float ", "!!set ", "!x ",
    "%YAML 1.1\n", "[", "]", "{", "}", "%", "@", "`", "null", "~", "0", "-1", "0x1F", "010", "1_000",
    "1e999", ".inf", ".nan", "99999999999999999999", "9" * 5000, "2026-11-26", "12:30:45",
    "2026-11-26T12:00:00Z", "yes", "kind: List\nitems:\n", "metadata:\n", "spec:\n", "\ue000",
    "\ue0000\ue001", "é", "\U0001f600", "\u2028", "\x85", "\x00", "\x07", "\ufeff", "\ufffe",
    '"\\ud800"', '"\\x00"', "[" * 2000, "{a: " * 500, "a:\n  " * 200, BOMB,
    "apiVersion: appmesh.k8s.aws/v1beta1\n", "weight: 0\n", "weight: 1.0\n", "weight: 1e1\n",
    "spec: {}\nspec: {}\n", "name: [a]\n", "name: {a: b}\n", "1: 2\n", "true: x\n", ": x\n",
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


def as_bytes(chance: random.Random, text: str) -> bytes:
    """The text as a file, which may have a byte order mark, other line ends, another encoding, or a
    byte that is none of it."""
    raw = text.encode("utf-8", "surrogatepass")
    action = chance.randrange(40)
    if action == 0:
        return b"\xef\xbb\xbf" + raw
    if action == 1:
        return raw.replace(b"\n", b"\r\n")
    if action == 2:
        return text.encode("utf-16", "surrogatepass")
    if action == 3:
        place = chance.randrange(len(raw) + 1)
        return raw[:place] + bytes([chance.randrange(256)]) + raw[place:]
    return raw


def sources() -> list[str]:
    """The documents of every fixture, each by itself."""
    root = FIXTURES / "appmesh"
    texts = [p.read_text() for p in sorted(root.rglob("*.yaml"))]
    return [part for text in texts for part in text.split("---\n") if "kind:" in part]


def test_no_broken_document_ends_in_a_traceback(tmp_path: Path) -> None:
    """20,000 documents broken as texts, through the whole command, as text and as JSON, with and
    without values, linted, fixed and drawn; the whole mesh beside them is always read, and what is
    said of each document has its place."""
    chance = random.Random(4)
    documents = sources()
    base = tmp_path / "base.yaml"
    base.write_text((FIXTURES / "appmesh" / "base.yaml").read_text())
    told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    count = 0
    while count < MUTANTS:
        texts = [mutate(chance, chance.choice(documents), documents) for _ in range(25)]
        broken = tmp_path / ("broken.json" if chance.random() < 0.05 else "broken.yaml")
        broken.write_bytes(as_bytes(chance, "---\n".join(texts)))
        count += len(texts)
        values = ("X=1", "x=[a]") if chance.random() < 0.5 else ()
        as_json = chance.random() < 0.5
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = lint_command(
                [base, broken],
                xds=chance.random() < 0.1,
                strict=False,
                fix=not values and chance.random() < 0.1,
                values=values,
                as_json=as_json,
            )
        assert status in (0, 1)
        if as_json:
            told.seek(0)
            answer = json.loads(told.read())
            assert answer["objects"] >= 6
            placed = [d for d in answer["diagnostics"] if d["object"] and d["code"] != "AM201"]
            assert all(d["line"] for d in placed if not d["object"].startswith("Namespace"))
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            graph_command(
                [base, broken], chance.choice(("text", "dot", "svg", "json")), values=values
            )
        broken.unlink()
        told.seek(0)
        told.truncate()

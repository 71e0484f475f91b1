"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from trimtab.cli import app
from trimtab.core.model import Object, ObjectRef
from trimtab.policies import read_policy

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_matcher_prints_what_the_readme_shows() -> None:
    """The Python block runs as it stands, and its output is the block that follows."""
    (program,) = blocks("python")
    shown = BLOCKS[[name for name, _ in BLOCKS].index("python") + 1][1]
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout == shown


def test_the_policy_is_a_policy() -> None:
    """The WeightPolicy of the README is read without a complaint."""
    (document,) = (yaml.safe_load(text) for text in blocks("yaml"))
    ref = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "web")
    assert read_policy(Object(ref, "1", document)).spec.dry_run


@pytest.mark.parametrize(
    "line", re.findall(r"^(?:make|trimtab) .*", "\n".join(blocks("sh")), re.MULTILINE)
)
def test_every_command_exists(line: str) -> None:
    """Each make target is in the Makefile; each trimtab command has the flags that are shown."""
    words = line.split("#", maxsplit=1)[0].replace("\\", "").split()
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE)
        return
    group = typer.main.get_command(app)
    command = group.commands[words[1]]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_linked_file_exists() -> None:
    """No link of the README leads nowhere."""
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []

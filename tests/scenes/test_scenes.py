"""Every ``*.scene`` beside this file is a law told as a story; see ``player`` for the language."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import player

SCENES = sorted(Path(__file__).parent.glob("*.scene"))


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_scene(scene: Path) -> None:
    """What the scene expects is what is decided."""
    player.play(scene)


def test_a_scene_can_fail(tmp_path: Path) -> None:
    """A wrong expectation is reported with file and line."""
    scene = tmp_path / "wrong.scene"
    scene.write_text(
        "policy\n  mode: hold\nweights a=50 b=50\ntick a=10/0@5 b=10/0@5\nexpect shift\n"
    )
    with pytest.raises(AssertionError, match=r"wrong\.scene:5"):
        player.play(scene)

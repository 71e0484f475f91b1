"""Settings: flags over environment over file over defaults; mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.errors import InvalidDocument
from trimtab.settings import load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trimtab.yaml"
    path.write_text("manifests: [mesh]\ntickSeconds: 7\ngraceSeconds: 7\nverifySeconds: 7\n")
    return path


def test_flags_beat_environment_beats_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source overrides those below it, field by field."""
    monkeypatch.setenv("TRIMTAB_GRACE_SECONDS", "6")
    monkeypatch.setenv("TRIMTAB_VERIFY_SECONDS", "6")
    monkeypatch.setenv("TRIMTAB_SCRAPE", "http://a:9901, http://b:9901")
    settings = load_settings(file, {"verify_seconds": 5.0, "kubeconfig": None})
    assert settings.manifests == (Path("mesh"),)
    assert (settings.tick_seconds, settings.grace_seconds, settings.verify_seconds) == (7, 6, 5)
    assert settings.scrape == ("http://a:9901", "http://b:9901")
    assert settings.source_timeout_seconds == 4.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "manifests: [m]\ntickSecond: 3\n",
            "tickSecond: unknown setting; did you mean tickSeconds?",
        ),
        ("manifests: [m]\ntickSeconds: -1\n", "tick_seconds"),
        ("tickSeconds: 1\n", "exactly one of manifests, kubeconfig and in_cluster"),
        ("manifests: [m]\nscrape: [a]\nprometheus: b\n", "not both"),
        ("manifests: [m]\ntlsKey: k\n", "belong together"),
        ("- 1\n", "is a mapping"),
        ("a: [\n", "line"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Every mistake is one sentence that names the setting."""
    path = tmp_path / "trimtab.yaml"
    path.write_text(text)
    with pytest.raises(InvalidDocument, match=told.replace("?", r"\?")):
        load_settings(path, {})

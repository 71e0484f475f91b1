"""One program run on a leash: started, awaited, logged, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from trimtab.errors import Unavailable

# Run by a fresh interpreter which then becomes the program: asks Linux to kill it when its
# parent dies, also when that was killed itself. No preexec_fn, since that is not safe in a
# process with threads (gRPC has some). Elsewhere than on Linux there is no such leash.
_LEASH = """
import os, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("its parent is gone")
os.execv(command[0], command)
"""

# Linux ties the leash to the thread that started a program, so one lasting thread starts all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="testbed")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that the kernel gives to nobody else
    for a minute: a connection that was closed on it holds it, except for a server."""
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client.connect(server.getsockname())
        with server.accept()[0] as accepted:
            accepted.shutdown(socket.SHUT_RDWR)  # the server's end closes first and lingers
        return int(server.getsockname()[1])


def poll(condition: Callable[[], bool], deadline_s: float, interval_s: float = 0.02) -> bool:
    """Whether ``condition`` came true within the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval_s)
    return True


def answers(url: str, verify: str | bool = True, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET is answered with 200."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=2, verify=verify, headers=headers).status_code == 200
    return False


class Process:
    """A running program. Its output goes to ``log_file``; it dies with the context, or with us."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = [str(part) for part in command]
        self._environment = None if environment is None else dict(environment)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        return _starter.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we stop them in order
                env=self._environment,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """What the program has written so far."""
        return self.log_file.read_text(errors="replace")

    def await_ready(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Wait until ``ready``; raises Unavailable with the end of the log if it never is.
        The program is killed then."""
        if poll(lambda: not self.running or ready(), deadline_s) and self.running:
            return
        ended = f"ended with {self._process.returncode}" if not self.running else "was not ready"
        self.kill()
        tail = "\n".join(self.log().splitlines()[-20:])
        raise Unavailable(f"{self.name} {ended} within {deadline_s:g} s. Its last words:\n{tail}")

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask it to end, and kill it if it has not within ``grace_s``. May be called again."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """End it at once. May be called again."""
        if self.running:
            self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start the same command after a stop or kill; the log goes on."""
        self.kill()
        self._process = self._start()

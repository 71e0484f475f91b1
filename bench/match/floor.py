"""The floors that every figure is divided by.

F is a call of the builtin ``len`` on a list. F3 is a C function that reads three ``str`` as UTF-8 and
returns an object which exists already: what a match would cost if matching were free. Its source,
``floor.c``, is compiled when it is asked for, with the compiler that built this Python.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("floor.c")
F3_IN_F = 2  # where no compiler is at hand; seen: 34 ns to 17 ns


class NoCompilerError(Exception):
    """There is no compiler, or it refuses; the message says which."""


@functools.cache
def load() -> Callable[[str, str, str], object]:
    """``f3``, compiled into a temporary folder that is gone afterwards. Raises NoCompilerError."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / f"trimtab_floor{sysconfig.get_config_var('EXT_SUFFIX')}"
        _compile(built)
        loader = importlib.machinery.ExtensionFileLoader("trimtab_floor", str(built))
        spec = importlib.util.spec_from_loader("trimtab_floor", loader)
        assert spec is not None
        module: Any = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        return module.f3  # type: ignore[no-any-return]


def says() -> str:
    """What F3 is in this run."""
    try:
        load()
    except NoCompilerError as error:
        return f"{F3_IN_F} calls of len, for want of a compiler: {error}"
    return "a C function that reads three str as UTF-8"


def _compile(built: Path) -> None:
    link = shlex.split(sysconfig.get_config_var("LDSHARED") or "")
    if not link or not shutil.which(link[0]):
        raise NoCompilerError(f"the compiler of this Python, {link[:1]}, is not installed")
    shared = shlex.split(sysconfig.get_config_var("CCSHARED") or "")
    include = f"-I{sysconfig.get_path('include')}"
    command = [*link, *shared, "-O2", include, str(SOURCE), "-o", str(built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoCompilerError(f"{shlex.join(command)}: {done.stderr.strip()}")

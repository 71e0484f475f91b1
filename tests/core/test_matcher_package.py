"""What importing the matcher costs, and that its contract is true."""

import doctest
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import trimtab
from trimtab import _core


def python(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_importing_the_matcher_loads_nothing_else() -> None:
    """`from trimtab import RouteTable` loads this package, its binary, and no other library."""
    code = "import sys; before = set(sys.modules); from trimtab import RouteTable; "
    code += "print(*sorted(set(sys.modules) - before))"
    assert python("-c", code).split() == ["trimtab", "trimtab._core"]


def test_a_large_table_asks_for_huge_pages() -> None:
    """On x86-64 Linux tables ask for huge pages, where the system gives them to who asks."""
    modes = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    code = """import re, pathlib, trimtab
table = trimtab.RouteTable([trimtab.Rule(f"r{i}", path=f"/{i}") for i in range(9_999)])
mapped = pathlib.Path("/proc/self/smaps")
print(bool(mapped.exists() and re.search("VmFlags:.* hg", mapped.read_text())))"""
    asks = modes.exists() and "[madvise]" in modes.read_text() and platform.machine() == "x86_64"
    assert python("-c", code).split() == [str(asks)]


def test_the_stub_is_the_binary() -> None:
    """The typed contract names exactly what the binary has."""
    python("-m", "mypy.stubtest", "trimtab._core", "--concise")


def test_the_examples_in_the_docs_run() -> None:
    """Every example in a docstring gives what it says."""
    for module in (trimtab, _core):
        finder = doctest.DocTestFinder(exclude_empty=True)
        runner = doctest.DocTestRunner()
        tests = finder.find(module, module.__name__, globs=vars(_core) | vars(trimtab))
        assert tests
        for test in tests:
            runner.run(test)
        assert runner.failures == 0


def test_the_examples_of_the_guide_run() -> None:
    """docs/matcher.md shows what happens."""
    guide = Path(__file__).parents[2] / "docs" / "matcher.md"
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    failures, tried = doctest.testfile(str(guide), module_relative=False, optionflags=flags)
    assert (failures, tried >= 20) == (0, True)


def test_the_version_is_told_once() -> None:
    """The binary carries the version of the package."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == trimtab.__version__

"""Each diagnostic by a document that earns it and its mended twin, which earns nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.model import Diagnostic, Severity
from trimtab.providers.appmesh import AppMesh, codes
from trimtab.providers.appmesh.legacy import upgrade
from trimtab.providers.appmesh.reading import AppMeshReading

ROOT = Path(__file__).parents[3]
PAIRS = ROOT / "tests" / "fixtures" / "appmesh" / "pairs"
BAD = sorted(PAIRS.glob("*.bad.yaml"))
GOOD = sorted(PAIRS.glob("*.good.yaml"))
# These are said of what an Envoy is given, not of a document: tested in test_unserved.py.
ELSEWHERE = {codes.NOT_SERVED.name, codes.NOT_OBSERVED.name}


def read(load: Any, base: Path, path: Path) -> AppMeshReading:
    return AppMesh().load(load(base, path, file=path.name))


def diagnostics(load: Any, base: Path, path: Path) -> list[Diagnostic]:
    """As lint has them: older shapes first read as what they mean."""
    upgraded = upgrade(load(base, path, file=path.name))
    return [*upgraded.diagnostics, *AppMesh().load(upgraded.objects).diagnostics]


def shown(found: list[Diagnostic]) -> list[str]:
    return sorted(f"{d.code} {d.severity} {d.ref} {d.field}".strip() for d in found)


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.name.split(".")[0])
def test_a_mistake_is_diagnosed_as_its_file_says_and_as_nothing_else(
    load: Any, base: Path, path: Path
) -> None:
    """A bad document earns exactly the diagnostics listed at its head: code, object, field."""
    expected = sorted(
        m.strip() for m in re.findall(r"^# expect: (.*)$", path.read_text(), re.MULTILINE)
    )
    assert shown(diagnostics(load, base, path)) == expected


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.name.split(".")[0])
def test_the_mended_document_is_clean(load: Any, base: Path, path: Path) -> None:
    """No false alarm on the twin that differs from the bad document only in the mistake."""
    assert shown(diagnostics(load, base, path)) == []


def test_the_base_is_clean(load: Any, base: Path) -> None:
    """The mesh that the pairs stand in has no mistakes of its own."""
    assert shown(list(AppMesh().load(load(base)).diagnostics)) == []


def test_every_code_has_a_pair() -> None:
    """No diagnostic without a document that earns it and one that does not."""
    names = {c.name for c in codes.ALL} - ELSEWHERE
    assert {p.name.split(".")[0] for p in BAD} == names
    assert {p.name.split(".")[0] for p in GOOD} == names


def test_codes_are_documented_as_they_are() -> None:
    """docs/appmesh-diagnostics.md lists every code with its title and severity, and no other."""
    text = (ROOT / "docs" / "appmesh-diagnostics.md").read_text()
    documented = re.findall(r"^### (AM\d{3}) (.+) \((error|warning|info)\)$", text, re.MULTILINE)
    assert documented == [(c.name, c.title, c.severity.value) for c in sorted(codes.ALL)]


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.name.split(".")[0])
def test_every_error_says_where_and_what_to_do(load: Any, base: Path, path: Path) -> None:
    """A diagnostic names its object and file, says a full sentence, and an error has a remedy."""
    for found in diagnostics(load, base, path):
        assert found.ref is not None
        assert found.message.endswith(".")
        if found.severity is Severity.ERROR:
            assert found.remedy.endswith((".", "?")), str(found)


@pytest.mark.parametrize("code", [c for c in codes.ALL if c.fatal], ids=lambda c: c.name)
def test_a_fatal_mistake_takes_its_document_out_and_no_other(
    load: Any, base: Path, code: codes.Code
) -> None:
    """A document with a fatal diagnostic is used for nothing; all others stand."""
    reading = read(load, base, PAIRS / f"{code.name}.bad.yaml")
    fatal = {d.ref for d in reading.diagnostics if d.code == code.name}
    assert set(reading.broken) == fatal
    for ref, document in reading.documents.items():
        assert (document.resource is None) == (ref in fatal), ref


# What people asked of a linter of App Mesh and never got, and the codes that answer it.
ASKED = {
    "references that do not resolve": ("AM207",),
    "a VirtualService without provider": ("AM208",),
    "selectors that select nothing, or twice": ("AM201", "AM202", "AM204", "AM205", "AM210"),
    "a router prefix that never matches after the rewrite": ("AM301",),
    "shadowed and ambiguous routes": ("AM302", "AM303"),
    "priority used upside down": ("AM304",),
    "header AND taken for OR": ("AM305",),
    "all-zero weights, and weights over 100": ("AM401", "AM402"),
    "port missing with several listeners": ("AM112", "AM211"),
    "protocol mismatches": ("AM114", "AM212"),
    "15 s timeouts hit twice": ("AM306",),
    "cycles of backends": ("AM213",),
}
EXAMPLES = {"AM302", "AM303", "AM304"}


@pytest.mark.parametrize("asked", ASKED)
def test_what_was_asked_for_is_found_and_only_where_it_is(
    load: Any, base: Path, asked: str
) -> None:
    """Each cross-check: its bad document earns the code and its good one does not; what concerns
    the order of routes shows a request."""
    for code in ASKED[asked]:
        bad = diagnostics(load, base, PAIRS / f"{code}.bad.yaml")
        good = diagnostics(load, base, PAIRS / f"{code}.good.yaml")
        told = [d for d in bad if d.code == code]
        assert told
        assert code not in {d.code for d in good}
        if code in EXAMPLES:
            assert all(re.search(r"for example [A-Z]+ /", d.message) for d in told)

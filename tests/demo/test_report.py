"""The report of the demo: one file, complete, that needs nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import groupby, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from demo.runs import good_run

from trimtab.demo.claims import check
from trimtab.demo.figures import figures, phases
from trimtab.demo.report import page, write

VOID = {"meta"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def html() -> str:
    run = good_run()
    return page(run, check(run))


def test_it_needs_nothing_from_elsewhere(html: str) -> None:
    """No address, script, import or link: the file can be mailed and read offline."""
    assert not re.search(r"https?://|//cdn|<script|<link|@import|url\(|\bsrc=|\bhref=", html)


def test_it_is_well_formed(html: str) -> None:
    """Every element that is opened is closed, in order."""

    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(html)
    parser.close()
    assert parser.open == []


def test_it_shows_the_measured_figures(html: str) -> None:
    """Every act, claim and felt figure is in the page, and a chart of each kind for each service."""
    run = good_run()
    for claim in check(run):
        assert claim.measured.replace("<", "&lt;").replace(">", "&gt;") in html
    for figure in figures(run):
        assert f"{figure.felt.p99_ms:.0f} ms" in html
    assert html.count("<svg") == 6
    assert "nan" not in re.sub(r"<style>.*</style>", "", html, flags=re.DOTALL)


def test_the_charts_stand_alone(tmp_path: Path) -> None:
    """charts.svg is XML of its own with all charts, and fetches nothing."""
    run = good_run()
    write(tmp_path, run, check(run))
    text = (tmp_path / "charts.svg").read_text()
    assert len(ET.fromstring(text).findall(f"{SVG}svg")) == 6
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_phases_part_each_act_without_a_hole() -> None:
    """Every instant of an act lies in exactly one of its phases."""
    run = good_run()
    for scene, (_, group) in zip(run.scenes, groupby(phases(run), lambda p: p.act), strict=True):
        parts = list(group)
        assert parts[0].start == scene.start
        assert all(a.end == b.start for a, b in pairwise(parts))
        assert parts[-1].end == scene.end
    names = [p.name for p in phases(run)]
    shop = ["before", "with the policy", "shop-b slow", "shop-b well"]
    assert names == [*shop, "release r1", "release r2"]


def test_each_decision_has_its_reason_and_nothing_is_markup(html: str) -> None:
    """Decisions stand with weights and reason; what documents say is text, never markup; equal
    ones in a row are counted together."""
    assert "pay-canary 5→0" in html
    assert "Abort: 4 errors in &lt;20&gt; requests" in html
    assert "hold 2 times" in html
    assert "<20>" not in html

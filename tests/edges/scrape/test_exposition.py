"""The fast reader of the text format, against the one of prometheus_client."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from edges.prometheus.bed import FAMILIES
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from trimtab.core.samples import Sample, Snapshot, response_class
from trimtab.edges.scrape.exposition import Exposition, NotMetricsError
from trimtab.errors import InvalidDocument

ALL = replace(FAMILIES, selector="")
SELECTED = replace(FAMILIES, selector='envoy_cluster_name!="other"')
BUCKET = f"{FAMILIES.latency}_bucket"
SUM = f"{FAMILIES.latency}_sum"

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
targets = st.one_of(st.sampled_from(["web", "other", 'we"b}', "back\\slash", "a\nb"]), texts)
counts = st.one_of(
    st.integers(0, 10**15).map(str),
    st.sampled_from(["0", "1e+06", "12.0", "NaN", "7 1395066363000"]),
)


def escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Pages as a process may write them: any family in any order, each of them together."""
    lines: list[str] = []
    names = [
        FAMILIES.requests,
        FAMILIES.timeouts,
        FAMILIES.in_flight,
        BUCKET,
        SUM,
        f"{FAMILIES.requests}_of_no_interest",
        "something_else",
    ]
    for name in draw(st.permutations(names)):
        lines.append(f"# TYPE {name} untyped")
        for target in draw(st.lists(targets, max_size=4)):
            labels = {"envoy_cluster_name": target, "zone": draw(texts)}
            if name == FAMILIES.requests:
                labels[FAMILIES.class_label] = draw(st.sampled_from(["2", "5", "5xx", "?"]))
            elif name == BUCKET:
                labels["le"] = draw(st.sampled_from(["0.5", "1", "2.5e+03", "+Inf"]))
            order = draw(st.permutations(list(labels)))
            written = ",".join(f'{label}="{escaped(labels[label])}"' for label in order)
            lines.append(f"{name}{{{written}}} {draw(counts)}")
    if draw(st.booleans()):
        lines += [f"# TYPE {FAMILIES.uptime} gauge", f"{FAMILIES.uptime}{{}} 17"]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def slowly(page: str) -> Snapshot:
    """What the page says, by a parser that others wrote."""
    samples: dict[str, Sample] = {}
    nan: set[str] = set()
    uptime = None
    for family in text_string_to_metric_families(page):
        for name, labels, value, *_ in family.samples:
            target = labels.get("envoy_cluster_name", "")
            if name == FAMILIES.uptime:
                uptime = value
            if name not in {FAMILIES.requests, FAMILIES.timeouts, FAMILIES.in_flight, BUCKET, SUM}:
                continue
            if target in {"", "other"}:
                continue
            if math.isnan(value):
                nan |= {target} if name != FAMILIES.in_flight else set()
                continue
            samples[target] = added(samples.get(target, Sample()), name, labels, value)
    return Snapshot(samples, uptime, frozenset(nan))


def added(sample: Sample, name: str, labels: dict[str, str], value: float) -> Sample:
    if name == FAMILIES.requests:
        digit = response_class(labels[FAMILIES.class_label])
        classes = {**sample.classes, digit: sample.classes.get(digit, 0) + int(value)}
        return replace(sample, classes=classes)
    if name == BUCKET:
        bound = float(labels["le"])
        return replace(
            sample, buckets={**sample.buckets, bound: sample.buckets.get(bound, 0) + int(value)}
        )
    if name == SUM:
        return replace(sample, latency_sum_ms=sample.latency_sum_ms + value)
    if name == FAMILIES.timeouts:
        return replace(sample, timeouts=sample.timeouts + int(value))
    return replace(sample, in_flight=sample.in_flight + value)


@given(st.lists(pages(), min_size=1, max_size=3))
def test_reads_what_prometheus_client_reads(texts: list[str]) -> None:
    """Any page says the same to both, also after others, whose labels are remembered."""
    exposition = Exposition(SELECTED)
    for text in texts:
        assert exposition.read(text.encode()) == slowly(text)


def test_a_family_may_be_written_in_pieces() -> None:
    """The format keeps a family together; where a writer does not, nothing is lost for it."""
    line = '{envoy_cluster_name="web"} 1\n'
    page = f"{FAMILIES.timeouts}{line}other 3\n{FAMILIES.timeouts}_x{line}{FAMILIES.timeouts}{line}"
    assert Exposition(ALL).read(page.encode()).targets["web"].timeouts == 2


def test_an_empty_page() -> None:
    """A process with nothing to say has said so."""
    assert Exposition(FAMILIES).read(b"") == Snapshot({}, None)


def test_labels_that_went_are_forgotten() -> None:
    """What is remembered of the labels does not grow with every target there ever was."""
    exposition = Exposition(ALL)
    for number in range(50):
        lines = (f'{FAMILIES.timeouts}{{envoy_cluster_name="{number}-{i}"}} 1' for i in range(300))
        assert len(exposition.read("\n".join(lines).encode()).targets) == 300
    assert len(exposition._timeouts._known) < 3000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{envoy_cluster_name="web"} many', "no value"),
        ('{envoy_cluster_name="web"}', "no value"),
        ("{envoy_cluster_name=web} 1", "no labels"),
        ('{envoy_cluster_name="web" 1', "no labels"),
    ],
)
def test_a_broken_line_is_shown(line: str, said: str) -> None:
    """What is not in the format is refused with the line, not skipped."""
    with pytest.raises(NotMetricsError, match=said):
        Exposition(ALL).read(f"{FAMILIES.timeouts}{line}\n".encode())


@pytest.mark.parametrize(
    ("selector", "kept"),
    [
        ("", {"web", "api", "web-2"}),
        ('envoy_cluster_name="web"', {"web"}),
        ("envoy_cluster_name='web',", {"web"}),
        ("envoy_cluster_name=`web`", {"web"}),
        ('envoy_cluster_name!="web"', {"api", "web-2"}),
        ('envoy_cluster_name=~"web"', {"web"}),
        ('envoy_cluster_name=~"web.*"', {"web", "web-2"}),
        ('envoy_cluster_name=~"api|web\\\\-[0-9]"', {"api", "web-2"}),
        (' envoy_cluster_name =~ "web.*" , envoy_cluster_name !~ ".*2" ', {"web"}),
        ('absent=""', {"web", "api", "web-2"}),
        ('absent!=""', set()),
        ('absent=~".+"', set()),
    ],
)
def test_selectors_select_as_in_prometheus(selector: str, kept: set[str]) -> None:
    """Regexes are anchored, a label that is not there is empty."""
    page = "".join(
        f'{FAMILIES.timeouts}{{envoy_cluster_name="{name}"}} 1\n'
        for name in ("web", "api", "web-2")
    )
    families = replace(FAMILIES, selector=selector)
    assert Exposition(families).read(page.encode()).targets.keys() == kept


@pytest.mark.parametrize(
    "selector",
    ["web", 'a="b" c="d"', 'a=="b"', 'a="b', 'a=~"("', "{a='b'}", r'a="\u12"', 'a="b",,'],
)
def test_a_selector_that_cannot_be_read_is_refused(selector: str) -> None:
    """At the start, with the selector in the message."""
    with pytest.raises(InvalidDocument, match="selector"):
        Exposition(replace(FAMILIES, selector=selector))

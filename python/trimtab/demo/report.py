"""The report of a run: one HTML file that needs nothing else, and its figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path

from trimtab.demo.claims import Claim
from trimtab.demo.figures import figures, lateness_ms, summary
from trimtab.demo.plot import ALONE, ARMS, STEERED, TOTAL_S
from trimtab.demo.record import Felt, Recording, Told, shares
from trimtab.demo.svg import Band, Chart, Mark, Series, chart, sheet

BIN_S = 2.0  # a point of a latency line

_HOW = (
    "Every request was sent twice, at the same instant: to an Envoy whose weights Trimtab steers, "
    "and to one before an identical second set of backends whose weights nobody touches. For shop "
    "these are the weights that both began with; for pay they are those of a release made by hand, "
    "half of the traffic at once. Latency counts from the instant at which a request was due, so "
    "that the lateness of the load generator is in it, and failed requests are counted too."
)
_STORES = {
    "files": "a directory of manifests; Envoy is scraped",
    "cluster": "a real kube-apiserver; Prometheus scrapes Envoy",
}


def write(directory: Path, recording: Recording, claims: Sequence[Claim]) -> Path:
    """Write ``index.html``, ``charts.svg`` and ``figures.json``; the path of the page."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary(recording, claims), indent=2)
    (directory / "figures.json").write_text(text + "\n")
    (directory / "charts.svg").write_text(sheet(list(charts(recording)), _style()))
    path = directory / "index.html"
    path.write_text(page(recording, claims), encoding="utf-8")
    return path


def _style() -> str:
    return (resources.files("trimtab.demo") / "report.css").read_text()


def page(recording: Recording, claims: Sequence[Claim]) -> str:
    """The whole page."""
    held = sum(claim.held for claim in claims)
    late = lateness_ms(recording)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Trimtab: the demo</title><style>\n{_style()}</style></head><body>",
            "<h1>Trimtab: four acts on a real Envoy</h1>",
            f"<p>{held} of {len(claims)} claims held. Store: {_STORES[recording.store]}.</p>",
            f'<p class="faint">{_HOW} Its 99th percentile of lateness was {late["p99"]:.1f} ms.</p>',
            "<h2>What users felt</h2>",
            _felt_table(recording),
            "<h2>What was claimed</h2>",
            _claims_table(claims),
            "<h2>Over time</h2>",
            *(one.figure() for one in charts(recording)),
            "<h2>Every decision</h2>",
            _decisions_table(recording),
            "</body></html>",
        ]
    )


def _row(cells: Sequence[str], css: Sequence[str] = (), tag: str = "td") -> str:
    names = [*css, *[""] * (len(cells) - len(css))]
    return "".join(
        f'<{tag} class="{name}">{cell}</{tag}>' if name else f"<{tag}>{cell}</{tag}>"
        for cell, name in zip(cells, names, strict=True)
    )


def _table(head: Sequence[str], rows: Iterator[str], css: Sequence[str] = ()) -> str:
    return f"<table><tr>{_row(head, css, 'th')}</tr>\n" + "\n".join(rows) + "</table>"


def _felt_table(recording: Recording) -> str:
    css = ("", "", "", "", "n", "n", "n", "n", "n")
    head = ("act", "phase", "service", "weights", "requests", "failed", "", "p50", "p99")

    def rows() -> Iterator[str]:
        for row in figures(recording):
            felt = row.felt
            cells = (
                f"{row.phase.act}",
                escape(row.phase.name),
                row.phase.service,
                row.arm,
                f"{felt.requests}",
                f"{felt.failed}",
                f"{felt.failed_ratio:.2%}",
                f"{felt.p50_ms:.0f} ms",
                f"{felt.p99_ms:.0f} ms",
            )
            yield f"<tr>{_row(cells, css)}</tr>"

    return _table(head, rows(), css)


def _claims_table(claims: Sequence[Claim]) -> str:
    rows = (
        f"<tr>{_row((f'act {c.act}', escape(c.says), _verdict(c), escape(c.measured)))}</tr>"
        for c in claims
    )
    return _table(("", "claim", "", "measured"), rows)


def _verdict(claim: Claim) -> str:
    return '<span class="held">held</span>' if claim.held else '<span class="failed">failed</span>'


def _decisions_table(recording: Recording) -> str:
    """Each decision; those that say the same as the one before it are counted together."""
    css = ("n", "", "", "", "")

    def same(told: Told) -> tuple[object, ...]:
        decision = told.report.decision
        codes = tuple(reason.code for reason in decision.reasons)
        return (
            told.service,
            decision.action,
            decision.phase,
            codes,
            told.at if decision.moves else 0,
        )

    def rows() -> Iterator[str]:
        by_service = sorted(recording.told, key=lambda t: t.service)
        groups = [list(group) for _, group in groupby(by_service, same)]
        for group in sorted(groups, key=lambda g: g[0].at):
            yield _decision(group)

    return _table(("s", "policy", "decision", "weights", "reason"), rows(), css)


def _decision(group: Sequence[Told]) -> str:
    last = group[-1]
    report = last.report
    decision = report.decision
    times = f"{group[0].at:.1f}" if len(group) == 1 else f"{group[0].at:.1f} to {last.at:.1f}"
    weights = "; ".join(
        ", ".join(
            f"{t.name} {b}→{g}" if b != g else f"{t.name} {g}"
            for t, b, g in zip(shift.route.targets, shift.before, shift.granted, strict=True)
        )
        for shift in decision.shifts
    )
    count = f" {len(group)} times" if len(group) > 1 else ""
    why = "; ".join(f"{reason.code}: {reason.message}" for reason in decision.reasons)
    said = f"{why} {report.message}".strip()
    what = f"{decision.action}{count}, {decision.phase} ({report.outcome})"
    cells = (times, last.service, escape(what), escape(weights), escape(said))
    css = "" if decision.moves else ' class="hold"'
    return f"<tr{css}>{_row(cells, ('n',))}</tr>"


def charts(recording: Recording) -> Iterator[Chart]:
    """Weights, latency and failures of each service."""
    bands = [Band(f"act {s.number}: {s.short}", s.start, s.end) for s in recording.scenes]
    marks = [Mark(e.at, e.says) for e in recording.events]
    for service in recording.targets:
        yield chart(
            f"{service}: weights (lines), share that Envoy sent (dots), in percent",
            _weights(recording, service),
            bands,
            marks,
            top=100,
        )
        yield chart(
            f"{service}: latency in milliseconds (logarithmic)",
            [
                *_felt(recording, service, "p99", lambda f: f.p99_ms, ""),
                *_felt(recording, service, "p50", lambda f: f.p50_ms, " dash"),
            ],
            bands,
            marks,
            log=True,
        )
        yield chart(
            f"{service}: failed requests in percent",
            _felt(recording, service, "failed", lambda f: 100 * f.failed_ratio, ""),
            bands,
            marks,
            height=160,
        )


def _weights(recording: Recording, service: str) -> list[Series]:
    known = recording.weights_in(service, 0, TOTAL_S + 1)
    lines, dots = [], []
    for i, target in enumerate(recording.targets[service]):
        points = [(w.at, shares(w.weights)[target]) for w in known]
        lines.append(Series(f"{target}: weight", f"c{i}", points, step=True))
        dots.append(
            Series(f"{target}: share", f"c{i} dash", list(_shares(recording, service, target)))
        )
    return [*lines, *dots]


def _shares(recording: Recording, service: str, target: str) -> Iterator[tuple[float, float]]:
    at = BIN_S
    while at <= TOTAL_S:
        seen = shares(recording.served_in(service, STEERED, at - BIN_S, at + 0.25))
        if sum(seen.values()):
            yield at - BIN_S / 2, seen[target]
        at += BIN_S


def _felt(
    recording: Recording, service: str, what: str, value: Callable[[Felt], float], css: str
) -> list[Series]:
    names = {STEERED: ("steered", "c0"), ALONE: ("left alone", "alone")}
    return [
        Series(
            f"{what}, {names[arm][0]}",
            names[arm][1] + css,
            [
                (at + BIN_S / 2, value(felt))
                for at in _steps(TOTAL_S)
                if (felt := recording.felt_in(service, arm, at, at + BIN_S)).requests
            ],
        )
        for arm in ARMS
    ]


def _steps(end: float) -> Iterator[float]:
    at = 0.0
    while at < end:
        yield at
        at += BIN_S

"""Line charts as SVG text: no script, no font, no resource from elsewhere.

Colours are CSS classes (``c0``, ``c1``, …), so that the page decides what light and dark are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import floor, log10
from typing import NamedTuple

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 52, 12, 22, 26


class Series(NamedTuple):
    """A line: points of (seconds, value). ``css`` names its colour and dash, ``step`` holds each
    value until the next."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]
    step: bool = False


class Band(NamedTuple):
    """A stretch of time with a name: an act."""

    name: str
    start: float
    end: float


class Mark(NamedTuple):
    """An instant at which something was done."""

    at: float
    says: str


class Chart(NamedTuple):
    """A chart as SVG elements within ``WIDTH`` x ``height``."""

    title: str
    height: int
    body: str
    series: Sequence[Series]

    def figure(self) -> str:
        """As an element of a page, with its legend."""
        legend = "".join(
            f'<span><i class="{escape(s.css)}"></i>{escape(s.name)}</span>' for s in self.series
        )
        return (
            f"<figure><figcaption>{escape(self.title)}</figcaption>\n"
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(self.title)}">'
            f'\n{self.body}\n</svg>\n<p class="legend">{legend}</p></figure>'
        )


def sheet(charts: Sequence[Chart], css: str) -> str:
    """Charts below each other as one SVG file that stands alone."""
    parts, y = [], 0
    for one in charts:
        parts.append(
            f'<text class="title" x="{LEFT}" y="{y + 18}">{escape(one.title)}</text>\n'
            + "".join(_legend(one.series, y + 36))
            + f'\n<svg y="{y + 42}" width="{WIDTH}" height="{one.height}">\n{one.body}\n</svg>'
        )
        y += one.height + 50
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}">\n'
        f"<style>\n{css}</style>\n"
        f'<rect class="paper" width="{WIDTH}" height="{y}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend(series: Sequence[Series], y: int) -> Iterator[str]:
    x = LEFT
    for one in series:
        yield f'<polyline class="{escape(one.css)}" points="{x},{y - 4} {x + 18},{y - 4}"/>'
        yield f'<text class="tick" x="{x + 22}" y="{y}">{escape(one.name)}</text>'
        x += 44 + 7 * len(one.name)  # a letter of this size is about 7 wide


def chart(
    title: str,
    series: Sequence[Series],
    bands: Sequence[Band],
    marks: Sequence[Mark] = (),
    *,
    height: int = 220,
    top: float | None = None,
    log: bool = False,
) -> Chart:
    """One chart over the time of all bands. ``top`` is the end of the value axis where the data
    should not set it, ``log`` makes that axis logarithmic."""
    seconds = max(band.end for band in bands)
    values = [v for s in series for _, v in s.points if v > 0 or not log]
    scale = _log_scale(values, height) if log else _linear_scale(values, top, height)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / seconds

    parts = [
        *_bands(bands, x, height),
        *(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
            for label, y in scale.ticks
        ),
        *(
            f'<text class="tick" x="{x(at):.1f}" y="{height - 8}" text-anchor="middle">{at} s</text>'
            for at in range(0, int(seconds) + 1, 10)
        ),
        *(
            f'<line class="mark" x1="{x(m.at):.1f}" x2="{x(m.at):.1f}" y1="{TOP}" '
            f'y2="{height - BOTTOM}"><title>{escape(m.says)}</title></line>'
            for m in marks
        ),
        *(_line(s, x, scale.y) for s in series),
    ]
    return Chart(title, height, "\n".join(parts), series)


class _Scale(NamedTuple):
    y: Callable[[float], float]
    ticks: list[tuple[str, float]]


def _linear_scale(values: Sequence[float], top: float | None, height: int) -> _Scale:
    end = top if top is not None else _round_up(max(values, default=1.0) or 1.0)

    def y(value: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * min(value, end) / end

    return _Scale(y, [(f"{end * i / 4:g}", y(end * i / 4)) for i in range(5)])


_LOG_TICKS = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)]


def _log_scale(values: Sequence[float], height: int) -> _Scale:
    least, most = min(values, default=1.0), max(values, default=10.0)
    low = max((t for t in _LOG_TICKS if t <= least), default=_LOG_TICKS[0])
    high = min((t for t in _LOG_TICKS if t >= most and t > low), default=_LOG_TICKS[-1])

    def y(value: float) -> float:
        part = log10(max(value, low) / low) / log10(high / low)
        return height - BOTTOM - (height - TOP - BOTTOM) * part

    return _Scale(y, [(f"{t:g}", y(t)) for t in _LOG_TICKS if low <= t <= high])


def _round_up(value: float) -> float:
    unit = 10.0 ** floor(log10(value))
    return next(unit * m for m in (1, 2, 4, 5, 8, 10) if unit * m >= value)


def _bands(bands: Sequence[Band], x: Callable[[float], float], height: int) -> list[str]:
    return [
        f'<rect class="band{i % 2}" x="{x(b.start):.1f}" y="{TOP}" '
        f'width="{x(b.end) - x(b.start):.1f}" height="{height - TOP - BOTTOM}"/>'
        f'<text class="act" x="{x(b.start) + 4:.1f}" y="{TOP - 7}">{escape(b.name)}</text>'
        for i, b in enumerate(bands)
    ]


def _line(series: Series, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    steps: list[str] = []
    before: float | None = None
    for at, value in series.points:
        if series.step and before is not None:
            steps.append(f"{x(at):.1f},{y(before):.1f}")
        steps.append(f"{x(at):.1f},{y(value):.1f}")
        before = value
    return f'<polyline class="{escape(series.css)}" points="{" ".join(steps)}"/>'

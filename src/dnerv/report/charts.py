"""Charts as inline SVG: lines over an axis, and rows of bars or dots.

A chart scales with the page; its colours are classes that the page's style sheet gives, for light and for dark. What a
chart shows is said in its description too, and each mark says its own figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH = 440  # units of the drawing; text is 12 of them
_LONGEST_LABEL = 58  # characters
_MARK = 3.6


@dataclass(frozen=True)
class Series:
    """One line."""

    name: str
    tone: str  # class that colours it
    points: Sequence[tuple[float, float]]  # (x, y) at rising x
    intervals: Sequence[tuple[float, float] | None] = ()  # around each y
    is_dashed: bool = False  # published, or another way of the same network


@dataclass(frozen=True)
class Lines:
    """Lines over an axis."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    is_log: bool = False  # the axis of x
    level: tuple[str, float] | None = None  # a line across, with its name

    def svg(self, key: str) -> str:
        """The drawing; `key` makes its ids unique in the page."""
        height, left, right, top, bottom = 320, 46, 14, 12, 44
        xs = [x for s in self.series for x, _ in s.points]
        ys = [y for s in self.series for _, y in s.points] + ([self.level[1]] if self.level else [])
        ys += [end for s in self.series for pair in s.intervals if pair is not None for end in pair]
        x_ticks = log_ticks(min(xs), max(xs)) if self.is_log else sorted(set(xs))
        x = _scale(min([*xs, x_ticks[0]]), max([*xs, x_ticks[-1]]), left + 10, WIDTH - right - 10, self.is_log)
        y_ticks = linear_ticks(min(ys), max(ys))
        y = _scale(min(y_ticks[0], min(ys)), max(y_ticks[-1], max(ys)), height - bottom, top + 4)
        parts = [_grid_line(left, WIDTH - right, y(tick), _number(tick)) for tick in y_ticks]
        parts += [_tick(x(tick), height - bottom + 16, tick) for tick in x_ticks]
        parts.append(
            f'<text class="axis" x="{WIDTH - right}" y="{height - 6}" text-anchor="end">{escape(self.x_label)}</text>'
        )
        if self.level is not None:
            name, at = self.level
            parts.append(
                f'<g class="level"><title>{escape(name)}: {at:.4g}</title>'
                f'<path d="M{left} {y(at):.1f}H{WIDTH - right}"/></g>'
            )
        parts += [_line(place, series, x, y) for place, series in enumerate(self.series)]
        return _svg(key, height, self.title, self.description, parts)

    @property
    def description(self) -> str:
        """What is drawn, in words."""
        ends = [
            f"{s.name}: {s.points[0][1]:.4g} at {s.points[0][0]:.3g}, {s.points[-1][1]:.4g} at {s.points[-1][0]:.3g}"
            for s in self.series
        ]
        return f"{self.y_label} against {self.x_label}. {'; '.join(ends)}."

    def legend(self) -> str:
        """Which line is which, as a list."""
        items = [
            f'<li><svg class="swatch {_classes(s)}" viewBox="0 0 26 12" aria-hidden="true"><path d="M1 6H25"/>'
            f"{_mark(place, 13, 6)}</svg>{escape(s.name)}</li>"
            for place, s in enumerate(self.series)
        ]
        if self.level is not None:
            items.append(
                '<li><svg class="swatch level" viewBox="0 0 26 12" aria-hidden="true"><path d="M1 6H25"/></svg>'
                f"{escape(self.level[0])}</li>"
            )
        return f'<p class="axis-name">{escape(self.y_label)}</p><ul class="legend">{"".join(items)}</ul>'


@dataclass(frozen=True)
class Row:
    """One bar or dot."""

    label: str
    value: float
    tone: str
    text: str  # the value, as it is to be read
    interval: tuple[float, float] | None = None
    singles: Sequence[float] = ()  # what the value is the mean of
    heading: str = ""  # above the row


@dataclass(frozen=True)
class Rows:
    """Bars from zero or, where zero means nothing, dots on a shared axis."""

    title: str
    unit: str
    rows: Sequence[Row]
    is_bars: bool

    def svg(self, key: str) -> str:
        """The drawing; `key` makes its ids unique in the page."""
        ends = [end for row in self.rows for end in (row.value, *row.singles, *(row.interval or ()))]
        ticks = linear_ticks(0.0 if self.is_bars else min(ends), max(ends), 5)
        low, high = min(ticks[0], *ends), max(ticks[-1], *ends)
        x = _scale(0.0 if self.is_bars else low, high, 8, WIDTH - 16)
        parts, at = list[str](), 6.0
        for row in self.rows:
            if row.heading:
                at += 8
                parts.append(f'<text class="heading" x="4" y="{at + 12:.0f}">{escape(row.heading)}</text>')
                at += 20
            parts.append(_row(row, at, x, self.is_bars))
            at += 34
        grid = [f'<path class="grid" d="M{x(t):.1f} 4V{at:.0f}"/>{_tick(x(t), at + 15, t)}' for t in ticks]
        unit = f'<text class="axis" x="{WIDTH - 4}" y="{at + 32:.0f}" text-anchor="end">{escape(self.unit)}</text>'
        return _svg(key, round(at + 38), self.title, self.description, [*grid, *parts, unit])

    @property
    def description(self) -> str:
        """What is drawn, in words."""
        return f"{self.unit}. " + "; ".join(f"{row.label}: {row.text}" for row in self.rows) + "."

    def legend(self) -> str:
        """Nothing: rows are labelled."""
        return ""


Chart = Lines | Rows


def figure(chart: Chart, key: str) -> str:
    """The chart with its title and legend, as HTML."""
    return (
        f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>{chart.svg(key)}{chart.legend()}</figure>'
    )


def linear_ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers that cover [low, high]."""
    span = (high - low) or max(abs(high), 1.0) * 0.1
    rough = span / max(wanted - 1, 1)
    unit = 10 ** floor(log10(rough))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within [low, high], or around it where there are not two within."""
    all_ticks = [m * 10.0**e for e in range(floor(log10(low)) - 1, ceil(log10(high)) + 2) for m in (1, 2, 5)]
    within = [tick for tick in all_ticks if low * 0.999 <= tick <= high * 1.001]
    if len(within) > 1:
        return within
    first = max(i for i, tick in enumerate(all_ticks) if tick <= low * 1.001)
    last = min(i for i, tick in enumerate(all_ticks) if tick >= high * 0.999)
    return all_ticks[first : last + 1]


def _scale(low: float, high: float, start: float, end: float, is_log: bool = False) -> Callable[[float], float]:
    if is_log:
        low, high = log10(low), log10(high)
    span = (high - low) or 1.0
    return lambda value: start + ((log10(value) if is_log else value) - low) / span * (end - start)


def _svg(key: str, height: int, title: str, description: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _grid_line(left: float, right: float, y: float, text: str) -> str:
    return (
        f'<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _tick(x: float, y: float, value: float) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.0f}" text-anchor="middle">{_number(value)}</text>'


def _line(place: int, series: Series, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    way = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in series.points)
    bars = [
        f'<path class="whisker" d="M{x(a):.1f} {y(ends[0]):.1f}V{y(ends[1]):.1f}"/>'
        for (a, _), ends in zip(series.points, series.intervals, strict=False)
        if ends is not None
    ]
    marks = [
        f"<g><title>{escape(series.name)}: {b:.4g} at {a:.4g}</title>{_mark(place, x(a), y(b))}</g>"
        for a, b in series.points
    ]
    return f'<g class="{_classes(series)}"><path class="way" d="M{way}"/>{"".join(bars)}{"".join(marks)}</g>'


def _classes(series: Series) -> str:
    return f"series {series.tone}{' dashed' if series.is_dashed else ''}"


def _mark(place: int, x: float, y: float) -> str:
    """Another form for each line, so that colour is not needed to tell them apart."""
    r = _MARK
    forms = (
        f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z",
        f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        f"M{x - r - 0.6:.1f} {y - r:.1f}h{2 * r + 1.2}l{-r - 0.6} {2 * r + 1}z",
        f"M{x - r - 0.6:.1f} {y + r:.1f}h{2 * r + 1.2}l{-r - 0.6} {-2 * r - 1}z",
        f"M{x:.1f} {y - r - 1.2:.1f}l{r + 1} {r + 1.2}l{-r - 1} {r + 1.2}l{-r - 1} {-r - 1.2}z",
    )
    return f'<path class="mark" d="{forms[place % len(forms)]}"/>'


def _row(row: Row, top: float, x: Callable[[float], float], is_bar: bool) -> str:
    middle = top + 19
    label = row.label if len(row.label) <= _LONGEST_LABEL else f"{row.label[: _LONGEST_LABEL - 1]}…"
    words = (
        f'<text class="label" x="4" y="{top + 10:.0f}">{escape(label)}</text>'
        f'<text class="value" x="{WIDTH - 4}" y="{top + 10:.0f}" text-anchor="end">{escape(row.text)}</text>'
    )
    singles = "".join(f'<circle class="single" cx="{x(one):.1f}" cy="{middle}" r="2"/>' for one in row.singles)
    interval = ""
    if row.interval is not None:
        interval = f'<path class="whisker" d="M{x(row.interval[0]):.1f} {middle}H{x(row.interval[1]):.1f}"/>'
    if is_bar:
        wide = max(0.5, x(row.value) - x(0))
        mark = f'<rect class="bar" x="{x(0):.1f}" y="{top + 15:.0f}" width="{wide:.1f}" height="8"/>'
    else:
        mark = f'<circle class="mark" cx="{x(row.value):.1f}" cy="{middle}" r="4.5"/>'
    return (
        f'<g class="series {row.tone}"><title>{escape(row.label)}: {escape(row.text)}</title>'
        f"{words}{mark}{interval}{singles}</g>"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

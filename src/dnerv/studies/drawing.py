"""Draws charts and sheets by matplotlib, an extra: PNG, SVG or PDF files, and SVG inside a page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.files import write_atomically
from dnerv.studies.charts import Bars, Chart, Lines, Scale, Series, Sheet

FORMATS = (".png", ".svg", ".pdf")
# Colour and mark, so that prints without colour can be read too. The networks stand out.
_STYLES: Mapping[str, tuple[str, str]] = {
    "dnerv": ("#1f5fa8", "o"),
    "nerv": ("#b5722a", "s"),
    "x264": ("#8d8d8d", "v"),
    "x265": ("#5a5a5a", "^"),
    "svtav1": ("#4c9a63", "D"),
    "aom": ("#93b53c", "P"),
    "vvc": ("#8a4f9e", "X"),
    "base": ("#2f8fb5", "o"),
    "every": ("#7a6fb0", "D"),
    "alone": ("#a83d3d", "v"),
    "paper": ("#6b8fb3", "^"),
    "loader": ("#2f8fb5", "o"),
    "stills": ("#4c9a63", "s"),
    "command": ("#a83d3d", "D"),
    "plain": ("#7d7d7d", "o"),
}
_OTHERS = ("#a83d3d", "#d08c60", "#6b8fb3", "#b58fc2", "#7fa98a", "#9a8c5b", "#c27c9a", "#5f7d7d")
_THICK, _THIN = 2.2, 1.4  # lines, points; the first is D-NeRV's
_INK, _FAINT, _GRID = "#1a1a1a", "#6a6a6a", "#e6e6e6"
_PAGE_INK = "#123450"  # stands for the page's own colour of text until the drawing is text
_BAR, _HEAD = 0.27, 0.75  # inches: a bar, and what a chart of bars takes beside them
_CELL = 2.6  # inches, the longer side of a picture
_LARGE_ENOUGH = 256  # pixels of a side; smaller pictures are enlarged pixel by pixel, so that they stay sharp
_PAGE_WIDTH = 5.0  # inches, of a chart in a page
_ALONG = 36  # characters that fit beside an axis


def check_drawing(path: Path | None = None) -> None:
    """Raise InputError where nothing could be drawn, or not as `path` is called, before hours of work."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("pictures need the extra: pip install 'dnerv[studies]'") from None
    if path is not None and path.suffix.lower() not in FORMATS:
        raise InputError(f"a picture is called {str(path)!r}; its name must end in {', '.join(FORMATS)}")


def draw(charts: Sequence[Chart], path: Path, *, heading: str = "") -> None:
    """Write charts into one picture: lines beside each other, bars below each other.

    Raises InputError without matplotlib, OutputError where the picture cannot be written.
    """
    check_drawing(path)
    with _style():
        figure = _figure(charts)
        if heading:
            figure.suptitle(heading, fontsize=9, color=_FAINT, x=0.99, ha="right")
        _write(figure, path, dpi=150)


def svg(chart: Chart, key: str) -> str:
    """One chart as an SVG element for a page, which says its title; text has the page's colour and font.

    `key` makes its ids unique there.
    """
    check_drawing()
    with _style(ink=_PAGE_INK, **{"svg.fonttype": "none", "svg.hashsalt": key, "font.family": "sans-serif"}):
        figure, buffer = _figure([replace(chart, title="")], _PAGE_WIDTH), BytesIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :].replace(_PAGE_INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = text.replace('xlink:href="#', f'xlink:href="#{key}-').replace("url(#", f"url(#{key}-")
    opening, end, rest = text.partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", opening) + end + rest


def draw_sheet(sheet: Sheet, path: Path) -> None:
    """Write the sheet. Raises InputError without matplotlib, OutputError where it cannot be written."""
    check_drawing(path)
    height, width = sheet.rows[0][0].picture.shape[:2]
    across, down = len(sheet.columns), len(sheet.rows)
    cell = _CELL * width / max(width, height)
    size = (cell * across + 0.1, (cell * height / width + 0.27) * down + 0.62)
    with _style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=size)
        axes = figure.subplots(down, across, squeeze=False)
        figure.subplots_adjust(left=0.006, right=0.994, top=1 - 0.62 / size[1], bottom=0.04, wspace=0.03, hspace=0.16)
        for place, content in zip(axes.flat, (cell for row in sheet.rows for cell in row), strict=True):
            _draw_picture(place, content.picture, content.note)
        for place, title in zip(axes[0], sheet.columns, strict=True):
            place.set_title(title, fontsize=10, color=_INK, pad=5)
        top = 1 - 0.16 / size[1]
        figure.text(0.006, top, sheet.heading, fontsize=10, color=_INK, va="center", weight="bold")
        _write(figure, path, dpi=100)


def colour_of(style: str) -> str:
    """The colour of a style, "#rrggbb"."""
    return _look(style)[0]


def _look(style: str) -> tuple[str, str]:
    if style in _STYLES:
        return _STYLES[style]
    name, _, number = style.rpartition("-")
    if name == "published":
        return _OTHERS[int(number) % len(_OTHERS)], "o"
    return _OTHERS[crc32(style.encode()) % len(_OTHERS)], "p"  # a codec or a family that was added: always the same


@contextmanager
def _style(ink: str = _INK, **more: Any) -> Iterator[None]:
    """Settings of all drawings. No mathematics: a file may be called "$a$.mp4". Its letters may be in no font."""
    import matplotlib

    inks = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink)
    sizes = {"axes.labelsize": 9, "axes.titlesize": 9.5, "legend.fontsize": 8, "xtick.labelsize": 8.5}
    plain = {"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False, "ytick.labelsize": 8.5}
    grid = {"axes.axisbelow": True, "grid.color": _GRID, "grid.linewidth": 0.6, "legend.frameon": False}
    settings: dict[Any, Any] = {**inks, **sizes, **plain, **grid, **more}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def _figure(charts: Sequence[Chart], width: float | None = None) -> Any:
    """Lines in columns of up to two, bars in rows."""
    from matplotlib.figure import Figure

    bars = [chart for chart in charts if isinstance(chart, Bars)]
    if bars and len(bars) < len(charts):
        raise ValueError("a picture has lines or bars, not both")
    if bars:
        heights = [_BAR * _lines_of(chart) + _HEAD for chart in bars]
        figure = Figure(figsize=(width or 7.6, sum(heights) + 0.4), layout="constrained")
        axes = figure.subplots(len(bars), 1, height_ratios=heights, squeeze=False)
        for ax, one in zip(axes[:, 0], bars, strict=True):
            _draw_bars(ax, one)
        _draw_legend(figure, list(axes[:, 0]), loc="outside upper left", ncols=2)
        return figure
    lines = [chart for chart in charts if isinstance(chart, Lines)]
    columns, rows = min(2, len(lines)), ceil(len(lines) / 2)
    same = len({chart.up for chart in lines}) == 1
    figure = Figure(figsize=(width or 6.4 * columns, (width or 6.4) * 0.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=same)
    for ax, chart in zip(axes.flat, lines, strict=False):
        _draw_lines(ax, chart, with_title=len(lines) > 1)
    for ax in list(axes.flat)[len(lines) :]:
        ax.set_axis_off()
    _draw_legend(figure, list(axes.flat), loc="outside lower center", ncols=4 if width is None else 2)
    return figure


def _draw_legend(figure: Any, axes: Sequence[Any], **place: Any) -> None:
    """One for all axes, each name once."""
    named = {name: mark for ax in axes for mark, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    if named:
        figure.legend(list(named.values()), list(named), **place)


def _draw_lines(ax: Any, chart: Lines, *, with_title: bool) -> None:
    for level in chart.levels:
        style = "--" if level.is_dashed else ":"
        ax.axhline(level.value, color=_FAINT, linewidth=1.2, linestyle=style, label=level.name, zorder=2)
        if level.spread is not None:
            ax.axhspan(*level.spread, color=_FAINT, alpha=0.1, linewidth=0)
    for series in chart.series:
        _draw_series(ax, series)
    _scale_axis(ax, chart.scale, [x for series in chart.series for x, _ in series.points])
    if with_title:
        ax.set_title(chart.title)
    ax.set_xlabel(chart.across)
    ax.set_ylabel(fill(chart.up, _ALONG))
    ax.grid(visible=True, which="both")


def _draw_series(ax: Any, series: Series) -> None:
    colour, marker = _look(series.style)
    published = series.style.startswith("published")
    xs, ys = ([point[axis] for point in series.points] for axis in (0, 1))
    spreads = series.spreads if any(spread is not None for spread in series.spreads) else ()
    ax.errorbar(
        xs,
        ys,
        yerr=_lengths(ys, spreads),
        color=colour,
        marker=marker,
        markersize=5,
        markerfacecolor="white" if published or series.is_dashed else colour,
        linewidth=1 if published else _THICK if series.style == "dnerv" else _THIN,
        linestyle="--" if series.is_dashed else "-",
        capsize=3,
        label=series.name,
        zorder=3,
    )


def _draw_bars(ax: Any, chart: Bars) -> None:
    at = _places(chart)
    seen: dict[str, int] = {}
    for bar, place in zip(chart.bars, at, strict=True):
        colour, _ = _look(bar.style)
        error = _lengths([bar.value], [bar.spread] if bar.spread else [])
        if chart.kind == "bars":
            alpha = 0.4 if bar.is_pale else 1.0
            ax.barh(place, bar.value, 0.7, color=colour, alpha=alpha, xerr=error, ecolor=_FAINT, zorder=2)
        else:
            ax.errorbar(bar.value, place, xerr=error, fmt="o", color=colour, ecolor=colour, markersize=7, zorder=3)
        ax.plot(bar.singles, [place] * len(bar.singles), ".", color=colour, markersize=4, alpha=0.7, zorder=2)
        for name, value in bar.marks.items():
            number = seen.setdefault(name, len(seen))
            colour, marker = _OTHERS[number + 1], "Do^s"[number % 4]
            label = name if name not in ax.get_legend_handles_labels()[1] else None
            ax.plot(value, place, marker, color=colour, markerfacecolor="white", label=label, zorder=4)
        if bar.heading:
            above = (0, place - 0.85)
            ax.annotate(
                bar.heading, above, xycoords=("axes fraction", "data"), fontsize=8.5, weight="bold", va="center"
            )
        if bar.text:
            ax.annotate(bar.text, (1.01, place), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    ax.set_yticks(at, [bar.name for bar in chart.bars])
    ax.set_ylim(max(at) + 0.6, min(at) - (1.2 if chart.bars[0].heading else 0.6))
    ax.tick_params(axis="y", length=0)
    ax.use_sticky_edges = False
    ax.margins(x=0.05)
    if chart.kind == "bars" and chart.scale == "linear":
        ax.axvline(0, color=_FAINT, linewidth=0.8, zorder=1)
    _scale_axis(ax, chart.scale, [bar.value for bar in chart.bars])
    ax.set_xlabel(chart.across)
    ax.grid(visible=True, axis="x")
    ax.spines["left"].set_visible(False)
    ax.set_title(chart.title, loc="left", weight="bold")


def _places(chart: Bars) -> list[float]:
    """Where bars stand: one apart, more below a heading, less between two of a pair."""
    places, at = list[float](), 0.0
    for number, bar in enumerate(chart.bars):
        at += 0 if number == 0 else 1.6 if bar.heading else 0.75 if bar.is_pale else 1
        places.append(at)
    return places


def _lines_of(chart: Bars) -> float:
    return _places(chart)[-1] + (1.6 if chart.bars[0].heading else 1)


def _lengths(values: Sequence[float], spreads: Sequence[tuple[float, float] | None]) -> NDArray[np.float64] | None:
    """Of the error bars, below and above; None for none."""
    if not spreads:
        return None
    ends = [spread or (value, value) for value, spread in zip(values, spreads, strict=True)]
    pairs = [(value - low, high - value) for value, (low, high) in zip(values, ends, strict=True)]
    return np.asarray(np.maximum(np.array(pairs).T, 0), np.float64)


def _scale_axis(ax: Any, scale: Scale, values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if scale == "log":  # 0.02 rather than 2 x 10^-2, at places that people name
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    elif scale == "counts":
        counts = sorted(set(values))
        ax.set_xscale("log", base=2)
        ax.set_xticks(counts, [f"{count:g}" for count in counts])
        ax.minorticks_off()


def _draw_picture(place: Any, picture: NDArray[np.uint8], note: str) -> None:
    scale = -(-_LARGE_ENOUGH // max(picture.shape[:2]))
    place.imshow(np.kron(picture, np.ones((scale, scale, 1), np.uint8)), interpolation="antialiased")
    place.set_xlabel(note, fontsize=8.5, color=_FAINT, labelpad=3)
    place.set_xticks([])
    place.set_yticks([])
    for edge in place.spines.values():
        edge.set_visible(False)


def _write(figure: Any, path: Path, dpi: int) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=dpi, facecolor="white")
    write_atomically(path, buffer.getvalue())

"""The page: sections, players and figures put into one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from dnerv.report.embedding import FORMAT, Embedder, coarse, file_picture
from dnerv.report.origin import origin_html
from dnerv.report.records import StudyRecord
from dnerv.report.table_html import as_html
from dnerv.studies.charts import Chart
from dnerv.studies.drawing import svg
from dnerv.studies.views import Clip, View
from dnerv.version import __version__


@dataclass(frozen=True)
class Section:
    """One study as it is shown."""

    title: str
    html: str
    players: Sequence[str]


def section(place: int, study: StudyRecord, players: Sequence[str], sheets: Sequence[str]) -> Section:
    """One study: how it was made, charts, players, pictures, tables. `place`: its number in the page."""
    record, title = study.record, study.title
    charts = [_chart(chart, f"chart-{place}-{i}") for i, chart in enumerate(study.study.charts(record))]
    parts = [
        f'<section id="study-{place}" aria-labelledby="heading-{place}">',
        f'<h2 id="heading-{place}">{escape(title)}</h2>',
        f'<p class="question">{escape(study.study.question)}</p>',
        origin_html(record, title),
        f'<div class="charts">{"".join(charts)}</div>' if charts else "",
        *([f"<h3>{'The videos' if len(players) > 1 else 'The video'}</h3>", *players] if players else []),
        *sheets,
        "<h3>All figures</h3>",
        f'<div class="tables">{as_html(study.study.tables(record), title)}</div>',
        "</section>",
    ]
    return Section(title, "\n".join(part for part in parts if part), players)


def player(key: str, clip: Clip, embed: Embedder) -> str:
    """A place for the player of a clip, and what it reads. `key`: its id in the page."""
    height, width = clip.views[0].pictures[0].shape[:2]
    told = {
        "name": clip.name,
        "first": clip.frames.start,
        "count": len(clip.frames),
        "total": clip.total,
        "fps": clip.fps,
        "height": height,
        "width": width,
        "left": clip.left,
        "right": clip.right,
        "views": [_view(view, embed) for view in clip.views],
    }
    # Nothing in the data can end the script element.
    data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")
    heading = f"{clip.name}, frames {clip.frames[0]} to {clip.frames[-1]} of {clip.total}, {height}x{width}"
    return (
        f'<figure class="player" id="{key}"><figcaption>{escape(heading)}</figcaption>'
        f'<noscript><p>The player needs JavaScript.</p></noscript></figure>\n<script type="application/json" '
        f'id="{key}-data">{data}</script>'
    )


def sheet(path: Path, title: str) -> str:
    """A picture's file."""
    data, height, width = file_picture(path)
    return (
        f'<img class="sheet" src="data:{FORMAT};base64,{data}" width="{width}" height="{height}" loading="lazy" '
        f'alt="{escape(f"{title}: {path.stem}")}">'
    )


def page(sections: Sequence[Section], errors: Sequence[float]) -> str:
    """The whole file. The same sections give the same page. `errors`: of embedded frames, dB."""
    links = [f'<li><a href="#study-{place}">{escape(one.title)}</a></li>' for place, one in enumerate(sections)]
    return Template(_asset("page.html")).substitute(
        style=_asset("page.css"),
        script=_asset("player.js") if any(one.players for one in sections) else "",
        contents="\n".join(links),
        sections="\n\n".join(one.html for one in sections),
        format=FORMAT,
        embedding=_embedding(errors),
        version=escape(__version__),
    )


def _chart(chart: Chart, key: str) -> str:
    return f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>{svg(chart, key)}</figure>'


def _view(view: View, embed: Embedder) -> dict[str, Any]:
    images = [coarse(one) if view.is_map else embed.frame(one) for one in view.pictures]
    return {"label": view.label, "figures": list(view.figures), "note": view.note, "images": images}


def _embedding(errors: Sequence[float]) -> str:
    if not errors:
        return ""
    return (
        f"Frames are stored as AVIF without subsampled colours: {sum(errors) / len(errors):.1f} dB PSNR to the decoded "
        f"frame on average, {min(errors):.1f} dB at least, over {len(errors)} frames. PSNR beside a frame is of the "
        "decoded frame itself."
    )


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

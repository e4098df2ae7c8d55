"""The page: sections, players and figures put into one HTML file that needs nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from io import BytesIO
from string import Template

from dnerv import __version__
from dnerv.report.charts import figure
from dnerv.report.command import command_of
from dnerv.report.embedding import FORMAT, Embedder
from dnerv.report.flow import wheel_picture
from dnerv.report.records import StudyRecord
from dnerv.report.table_html import as_html
from dnerv.report.views import Clip
from dnerv.tables import Table


@dataclass(frozen=True)
class Section:
    """One study as it is shown."""

    title: str
    html: str
    clips: int  # with a player


def section(place: int, study: StudyRecord, clips: Sequence[Clip], beside: Sequence[Table | str]) -> Section:
    """One study. `place`: its number in the page. `beside`: tables and lines below the players."""
    kind = study.kind
    charts = [figure(chart, f"chart-{place}-{i}") for i, chart in enumerate(kind.charts(study.record))]
    players = [_player(f"clip-{place}-{i}", clip) for i, clip in enumerate(clips)]
    heading = f"{kind.title}{_of(study)}"
    parts = [
        f'<section id="study-{place}" aria-labelledby="heading-{place}">',
        f'<h2 id="heading-{place}">{escape(heading)}</h2>',
        f'<p class="question">{escape(kind.question)}</p>',
        f'<pre class="command" tabindex="0"><code>{escape(command_of(study))}</code></pre>',
        f'<p class="origin">{escape(_origin(study))}</p>',
        f'<div class="charts">{"".join(charts)}</div>' if charts else "",
        *([f"<h3>{'The videos' if len(players) > 1 else 'The video'}</h3>", *players] if players else []),
        as_html(beside, f"{heading}, what is shown"),
        "<h3>All figures</h3>",
        f'<div class="tables">{as_html(kind.laid_out(study.record), heading)}</div>',
        "</section>",
    ]
    return Section(heading, "\n".join(part for part in parts if part), len(clips))


def page(sections: Sequence[Section], embed: Embedder) -> str:
    """The whole file. The same sections give the same page."""
    links = [f'<li><a href="#study-{place}">{escape(one.title)}</a></li>' for place, one in enumerate(sections)]
    has_players = any(one.clips for one in sections)
    return Template(_asset("page.html")).substitute(
        style=_asset("page.css"),
        script=_asset("player.js") if has_players else "",
        contents="\n".join(links),
        sections="\n\n".join(one.html for one in sections),
        wheel=_wheel() if has_players else "data:,",
        format=FORMAT,
        embedding=escape(_embedding(embed)),
        version=escape(__version__),
    )


def _of(study: StudyRecord) -> str:
    """What tells two studies of a kind apart: the folder's name."""
    return f", {study.folder.resolve().name}" if study.folder is not None else f", {study.path.name}"


def _origin(study: StudyRecord) -> str:
    """Machine and day, as far as they are known."""
    machine = study.record.get("machine")
    known = []
    if isinstance(machine, dict):
        device = "" if machine.get("device") in (None, "cpu") else f", {machine['device']}"
        known.append(f"Measured on {machine.get('processor')}{device}, {machine.get('cores')} cores.")
    day = study.record.get("date")
    known.append(f"Made on {day}." if day else f"Written {study.written}: {study.path}")
    return " ".join(known)


def _player(key: str, clip: Clip) -> str:
    """A place for the player, and what it reads. Nothing in the data can end the script element."""
    data = json.dumps(clip.to_json(), ensure_ascii=False).replace("<", "\\u003c")
    last = clip.first + clip.num_frames - 1
    heading = f"{clip.name}, frames {clip.first} to {last} of {clip.total}, {clip.height}x{clip.width}"
    return (
        f'<figure class="player" id="{key}" data-name="{escape(clip.name)}"><figcaption>{escape(heading)}</figcaption>'
        f'<noscript><p>The player needs JavaScript.</p></noscript></figure>\n<script type="application/json" '
        f'id="{key}-data">{data}</script>'
    )


def _embedding(embed: Embedder) -> str:
    if not embed.errors:
        return ""
    mean = sum(embed.errors) / len(embed.errors)
    return (
        f"Pictures are the decoded frames, stored as AVIF without subsampled colours: {mean:.1f} dB PSNR to the frame "
        f"on average, {min(embed.errors):.1f} dB at least, over {embed.count} pictures. PSNR beside a picture is of "
        "the decoded frame itself; difference maps are made of decoded frames, before they are stored."
    )


def _wheel() -> str:
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(wheel_picture()).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

"""Videos of `dnerv compare`: the original, H.264 at the archive's bytes, NeRV, D-NeRV, its flow, and differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs import CODECS
from dnerv.errors import InputError
from dnerv.report.embedding import MAP_QUALITY, Embedder, Picture
from dnerv.report.flow import Flow, flow_to_keyframe, full_colour, middlebury_colours
from dnerv.report.options import ReportOptions
from dnerv.report.views import Clip, View, frames_view, middle
from dnerv.studies.charts import DIFFERENCE_GAIN, difference
from dnerv.studies.content import Content, cached_content
from dnerv.studies.steps import Steps
from dnerv.studies.streams import coded_at_bytes
from dnerv.studies.tables import figures_table
from dnerv.tables import Table
from dnerv.video import CachedVideo

Record = Mapping[str, Any]
NAMES = {"h264": "H.264", "nerv": "NeRV", "dnerv": "D-NeRV"}


@dataclass(frozen=True)
class ComparedVideos:
    """What is shown of one comparison."""

    clips: Sequence[Clip]
    table: Table  # bytes and PSNR of what is shown
    notes: Sequence[str]


def compared_videos(
    record: Record, folder: Path, work: Path, options: ReportOptions, embed: Embedder
) -> ComparedVideos | None:
    """Decode what `folder` holds at one rate, and code H.264 beside it; None where no D-NeRV took part.

    Args:
        work: folder for H.264's streams.

    Raises:
        InputError: a rate that was not asked for, or archives or frames that are not in `folder` any more.
    """
    if "dnerv" not in record["codecs"]:
        return None
    points = {codec: _at_rate(record, codec, options.rate) for codec in ("nerv", "dnerv") if codec in record["codecs"]}
    names = [video["name"] for video in record["content"]["videos"]]
    content = cached_content(names, folder / "frames", record["content"]["digest"])
    reason = CODECS["x264"].missing()
    streams: list[Path] = []
    if reason is None:
        steps, network, preset = Steps(work), points["dnerv"], record["options"]["preset"]
        setting = f"{network['rate']:g} bpp"
        found = coded_at_bytes(steps, CODECS["x264"], network["bytes"], preset, content, setting)
        points["h264"] = found | {"rate": network["rate"]}
        streams = [steps.folder / file["path"] for file in found["files"]]
    shown = content.videos[: options.videos]
    with ExitStack() as stack:
        archives = {}
        for codec in points.keys() - {"h264"}:
            path = folder / "steps" / points[codec]["files"][0]["path"]
            archives[codec] = stack.enter_context(Archive(path, size="coded"))
        progress.stage("decoding what is shown", len(shown))
        source = _Source(content, archives, streams, embed)
        clips = [source.clip(place, options.frames) for place in range(len(shown))]
    return ComparedVideos(clips, _table(content, shown, points), _notes(points, reason))


def _at_rate(record: Record, codec: str, rate: float | None) -> Record:
    """The archive's point at the rate asked for, or at the middle one."""
    points = sorted(record["codecs"][codec]["points"], key=lambda point: float(point["rate"]))
    rates = [float(point["rate"]) for point in points]
    if rate is None:
        rate = rates[(len(rates) - 1) // 2]
    if rate not in rates:
        listed = ", ".join(f"{r:g}" for r in rates)
        raise InputError(f"--rate is {rate:g}; the comparison in {record['output']} has {listed} bits per pixel")
    found: Record = points[rates.index(rate)]
    return found


@dataclass(frozen=True)
class _Source:
    """Where frames come from, by codec."""

    content: Content
    archives: Mapping[str, Archive]
    streams: Sequence[Path]  # of H.264; none where it is not to be had
    embed: Embedder

    def clip(self, place: int, frames: int) -> Clip:
        video = self.content.videos[place]
        span = middle(video.timing.num_frames, frames)
        originals = list(video.store.read(list(span)))
        views = [View("original", "Original", [""] * len(span), [self.embed.embed(o) for o in originals])]
        maps = list[View]()
        for codec, decoded in self._decoded(place, video, span):
            views.append(frames_view(codec, NAMES[codec], decoded, originals, self.embed))
            maps.append(_difference(codec, decoded, originals, self.embed))
        flow = flow_to_keyframe(self.archives["dnerv"], video.name, span.start, len(span))
        if flow is not None:
            views.append(_flow_view(flow, self.archives["dnerv"], self.embed))
        progress.advance()
        left = "h264" if self.streams else "original"
        fps = float(video.timing.average_fps)
        size = video.height, video.width
        return Clip(video.name, span.start, video.timing.num_frames, fps, *size, [*views, *maps], left, "dnerv")

    def _decoded(self, place: int, video: CachedVideo, span: range) -> Iterator[tuple[str, Sequence[Picture]]]:
        if self.streams:
            stream = CODECS["x264"].decode_file(self.streams[place], video.height, video.width)
            yield "h264", list(islice(stream, span.start, span.stop))
        for codec in ("nerv", "dnerv"):
            if codec in self.archives:
                frames = self.archives[codec][video.name][span.start : span.stop]
                yield codec, list(np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy()))


def _difference(codec: str, decoded: Sequence[Picture], originals: Sequence[Picture], embed: Embedder) -> View:
    maps = Embedder(MAP_QUALITY)
    images = [maps.embed(difference(original, made)) for original, made in zip(originals, decoded, strict=True)]
    embed.size += maps.size
    note = f"original − {NAMES[codec]}, × {DIFFERENCE_GAIN}; grey is none."
    return View(f"difference-{codec}", f"Difference, {NAMES[codec]}", [""] * len(images), images, note)


def _flow_view(flow: Flow, archive: Archive, embed: Embedder) -> View:
    full, colours = full_colour(flow), Embedder()
    images = [colours.embed(middlebury_colours(one, full)) for one in flow]
    embed.size += colours.size
    every = archive.timeline(0).keyframe_every
    note = (
        f"where each pixel is looked for in the keyframe before, at the finest scale; full colour: {full:.1f} pixels. "
        f"A keyframe every {'frame' if every == 1 else f'{every} frames'}."
    )
    return View("flow", "Flow, D-NeRV", [""] * len(images), images, note, has_wheel=True)


def _table(content: Content, shown: Sequence[CachedVideo], points: Mapping[str, Record]) -> Table:
    """PSNR of the whole videos, and bytes of all that took part."""
    codecs, count = [codec for codec in NAMES if codec in points], len(content.videos)
    table = figures_table("PSNR of whole videos, dB", "frames", *(NAMES[codec] for codec in codecs))
    for place, video in enumerate(shown):
        figures = [f"{points[codec]['videos'][place]['psnr']:.2f}" for codec in codecs]
        table.add_row(video.name, str(video.timing.num_frames), *figures)
    table.add_section()
    sizes = [f"{points[codec]['bytes']:,}" for codec in codecs]
    table.add_row(f"bytes of all {count} videos" if count > 1 else "bytes", str(content.num_frames), *sizes)
    return table


def _notes(points: Mapping[str, Record], reason: str | None) -> list[str]:
    rate = f"{points['dnerv']['rate']:g} bits per pixel were asked of the networks."
    if reason is not None:
        return [rate, f"H.264 is left out: {reason}."]
    h264 = points["h264"]
    how = f"x264 {h264['preset']}, tuned for PSNR, one crf for all videos, {h264['quality_setting']:g}"
    return [f"{rate} H.264 ({how}) was given the bytes of D-NeRV's archive. All is decoded from files."]

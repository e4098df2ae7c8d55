"""Videos of a comparison: the original, H.264 at a network's bytes, the networks, differences and flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs import CODECS
from dnerv.codecs.fidelity import mse, psnr
from dnerv.errors import InputError
from dnerv.families import FAMILIES
from dnerv.studies.charts import DIFFERENCE_GAIN, difference
from dnerv.studies.content import Content, cached_content
from dnerv.studies.flow import flow_to_keyframe, full_colour, middlebury_colours
from dnerv.studies.steps import Steps
from dnerv.studies.streams import coded_at_bytes
from dnerv.studies.views import Clip, Picture, View, decoded, middle
from dnerv.video import CachedVideo

Record = Mapping[str, Any]
_CODEC, _CODEC_TITLE = "x264", "H.264"


def compared_clips(record: Record, folder: Path, frames: int, rate: float | None) -> Iterator[Clip]:
    """Of each video, what `folder` holds at one rate, and H.264 with the bytes of the first network.

    Raises:
        InputError: a rate that was not asked for, or archives or frames that are not in `folder` any more.
    """
    networks = [name for name in FAMILIES if name in record["codecs"]]
    if not networks:
        return
    points = {name: _at_rate(record, name, rate) for name in networks}
    names = [video["name"] for video in record["content"]["videos"]]
    content = cached_content(names, folder / "frames", record["content"]["digest"])
    with ExitStack() as stack:
        paths = {name: folder / "steps" / point["files"][0]["path"] for name, point in points.items()}
        archives = {name: stack.enter_context(Archive(path, size="coded")) for name, path in paths.items()}
        streams, work = list[Path](), Path(stack.enter_context(TemporaryDirectory()))
        if reason := CODECS[_CODEC].missing():
            progress.warning(f"{_CODEC_TITLE} is not shown: {reason}")
        else:
            points[_CODEC], streams = _at_bytes(content, points[networks[0]], record["options"]["preset"], work)
        progress.stage("decoding what is shown")
        for place, video in enumerate(content.videos):
            yield _clip(video, place, frames, archives, streams, points)


def _at_rate(record: Record, network: str, rate: float | None) -> Record:
    """The archive's point at the rate asked for, or at the middle one."""
    points = {float(p["rate"]): p for p in sorted(record["codecs"][network]["points"], key=lambda p: float(p["rate"]))}
    rates = list(points)
    if rate is None:
        rate = rates[(len(rates) - 1) // 2]
    if rate not in points:
        listed = ", ".join(f"{r:g}" for r in rates)
        raise InputError(f"--rate is {rate:g}; the comparison in {record['output']} has {listed} bits per pixel")
    found: Record = points[rate]
    return found


def _at_bytes(content: Content, network: Record, preset: str, work: Path) -> tuple[Record, list[Path]]:
    steps = Steps(work)
    found = coded_at_bytes(steps, CODECS[_CODEC], network["bytes"], preset, content, network["setting"])
    return found, [steps.folder / file["path"] for file in found["files"]]


def _clip(
    video: CachedVideo,
    place: int,
    frames: int,
    archives: Mapping[str, Archive],
    streams: Sequence[Path],
    points: Mapping[str, Record],
) -> Clip:
    span = middle(video.timing.num_frames, frames)
    originals = list(video.store.read(list(span)))
    made: dict[str, list[Picture]] = {}
    if streams:
        stream = CODECS[_CODEC].decode_file(streams[place], video.height, video.width)
        made[_CODEC] = list(islice(stream, span.start, span.stop))
    made |= {name: decoded(archive, video.name, span) for name, archive in archives.items()}
    views, maps = [View("Original", originals)], list[View]()
    for name, pictures in made.items():
        title = _CODEC_TITLE if name == _CODEC else FAMILIES[name].title
        pairs = list(zip(originals, pictures, strict=True))
        figures, note = [f"{psnr(mse(*pair)):.2f} dB" for pair in pairs], _note(points[name], place)
        views.append(View(title, pictures, figures, note))
        note = f"original − {title}, × {DIFFERENCE_GAIN}; grey is none."
        maps.append(View(f"Difference, {title}", [difference(*pair) for pair in pairs], note=note, is_map=True))
    maps += [view for name, archive in archives.items() for view in _flow(archive, name, video, span)]
    first = 1 + list(made).index(next(iter(archives)))  # the network whose bytes H.264 has
    left = 1 if streams else 0
    return Clip(video.name, span, video.timing.num_frames, float(video.timing.average_fps), views + maps, left, first)


def _note(point: Record, place: int) -> str:
    size = f"{point['bytes']:,} bytes for all videos, {point['bits_per_pixel']:.4f} bits per pixel"
    settings = f"; {point['encoder_options']}" if "encoder_options" in point else ""
    return f"{size}, all frames of this one {point['videos'][place]['psnr']:.2f} dB{settings}."


def _flow(archive: Archive, name: str, video: CachedVideo, span: range) -> Iterator[View]:
    flow = flow_to_keyframe(archive, video.name, span.start, len(span))
    if flow is None:
        return
    full, every = full_colour(flow), archive[video.name].entry.distance
    note = (
        f"where each pixel is looked for in the keyframe before, at the finest scale: red to the right, yellow below, "
        f"blue to the left, violet above; full colour: {full:.1f} pixels. "
        f"A keyframe every {'frame' if every == 1 else f'{every} frames'}."
    )
    yield View(f"Flow, {FAMILIES[name].title}", [middlebury_colours(one, full) for one in flow], note=note, is_map=True)

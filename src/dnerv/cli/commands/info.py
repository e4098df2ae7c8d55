"""`dnerv info`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import ArchiveGiven
from dnerv.tables import LONGEST_LIST, Part, table

if TYPE_CHECKING:
    from dnerv.archive import Archive


def _run(given: ArchiveGiven) -> Record:
    from dnerv.archive import Archive

    with Archive(given.archive) as archive:
        return _record(archive)


def _record(archive: Archive) -> Record:
    from dnerv.families import config_to_json, count_parameters, family_of

    videos = [
        {
            "name": e.name,
            "label": e.label,
            "frames": e.timing.num_frames,
            "height": e.original_size[0],
            "width": e.original_size[1],
            "coded_height": e.coded_size[0],
            "coded_width": e.coded_size[1],
            "fps": float(e.timing.average_fps),
            "seconds": e.timing.end_seconds - e.timing.begin_seconds,
            "keyframe_bytes": e.keyframe_bytes,
        }
        for e in archive.entries
    ]
    config = archive.config
    return {
        "file_bytes": archive.file_bytes,
        "bits_per_pixel": archive.bits_per_pixel,
        "frames": archive.num_frames,
        "breakdown": archive.breakdown(),
        "model": config_to_json(config.model) | {"parameters": count_parameters(config.model)},
        "network": family_of(config.model).title,
        "canvas": list(config.model.canvas),
        "keyframe_codec": None if config.keyframes is None else config.keyframes.to_json(),
        "source": dict(config.source),
        "videos": videos,
    }


def _tables(record: Record) -> Sequence[Part]:
    videos = table("video", ">frames", ">size", ">coded at", ">fps", ">seconds", ">keyframes B")
    for v in record["videos"][:LONGEST_LIST]:
        sizes = f"{v['height']}x{v['width']}", f"{v['coded_height']}x{v['coded_width']}"
        length = str(v["frames"]), *sizes, f"{v['fps']:.2f}", f"{v['seconds']:.2f}", f"{v['keyframe_bytes']:,}"
        videos.add_row(v["name"], *length)
    videos.add_rest(record["videos"])
    parts = table("bytes of", ">bytes", ">share")
    for name, count in record["breakdown"].items():
        parts.add_row(name, f"{count:,}", f"{count / record['file_bytes']:.1%}")
    parts.add_section()
    parts.add_row("the file", f"{record['file_bytes']:,}", "100.0%")
    return [videos, _network_line(record), parts, f"{record['bits_per_pixel']:.4f} bits per pixel"]


def _network_line(record: Record) -> str:
    """`source` is free text of whoever made the archive: shown as it is, whatever it is."""
    model, canvas = record["model"], "x".join(map(str, record["canvas"]))
    text = f"{record['network']} of width {model['base_channels']}, {model['parameters']:,} parameters, canvas {canvas}"
    if record["keyframe_codec"] is None:
        return text
    crf = f", crf {_plain(record['source']['crf'])}" if "crf" in record["source"] else ""
    every, codec = model.get("keyframe_every", 8), record["keyframe_codec"]["bitstream"]
    mode = f" {record['source']['mode']}" if "mode" in record["source"] else ""
    head = f"{model.get('head', 'paper')} head"
    return f"{text}, {head}; a keyframe every {every} frames, {codec}{mode}{crf}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


COMMAND = Command("info", "Say what an archive holds and where its bytes go.", (ArchiveGiven,), _run, _tables)

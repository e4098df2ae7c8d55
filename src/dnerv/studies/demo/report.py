"""The demo's table, at most 80 columns wide, and the record behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = {
    "dnerv": "dnerv",
    "blend": "blend",
    "x264": "x264",
    "x265": "x265",
    "svtav1": "AV1",
}


@dataclass(frozen=True)
class VideoScore:
    """One video: frames, bits per pixel, and PSNR in dB by what made it."""

    name: str
    num_frames: int
    bits_per_pixel: float
    psnr: Mapping[str, float]  # by the keys of COLUMNS


def average(videos: Sequence[VideoScore], column: str) -> float:
    """PSNR in dB, mean over videos, each with one vote."""
    return sum(video.psnr[column] for video in videos) / len(videos)


def margins(videos: Sequence[VideoScore]) -> dict[str, float]:
    """How far dnerv is above each of the others, dB."""
    return {name: average(videos, "dnerv") - average(videos, name) for name in COLUMNS if name != "dnerv"}


def table(videos: Sequence[VideoScore], file_bytes: int, bits_per_pixel: float) -> str:
    """The lines to print."""
    longest = max(20, *(len(video.name) for video in videos))
    rule = "-" * (longest + 14 + 8 * len(COLUMNS))
    frames = sum(video.num_frames for video in videos)
    lines = [
        _line(longest, "PSNR, dB", "frames", "bpp", COLUMNS.values()),
        rule,
        *(
            _line(longest, v.name, str(v.num_frames), f"{v.bits_per_pixel:.4f}", _decibels(v.psnr[c] for c in COLUMNS))
            for v in videos
        ),
        rule,
        _line(longest, "average", str(frames), f"{bits_per_pixel:.4f}", _decibels(average(videos, c) for c in COLUMNS)),
        _line(longest, "dnerv is better by", "", "", ["", *(f"{m:+.2f}" for m in margins(videos).values())]),
        "",
        "dnerv: measured on what `dnerv evaluate` decoded, in its own process, from",
        f"  the {file_bytes:,} bytes of the file; bpp counts all of them.",
        "blend: the archive's own keyframes mixed by distance, that is, no network.",
        "x264, x265 (veryslow), AV1 (SVT-AV1 preset 2): every frame coded, tuned for",
        "  PSNR, one crf for all videos, the same frames and the same total bytes.",
    ]
    return "\n".join(lines)


def record(videos: Sequence[VideoScore], quality: Mapping[str, Any], anchors: Any, seconds: float) -> dict[str, Any]:
    """What `results.json` holds."""
    return {
        "file_bytes": quality["file_bytes"],
        "bits_per_pixel": quality["bits_per_pixel"],
        "psnr": {name: average(videos, name) for name in COLUMNS},
        "dnerv_is_better_by": margins(videos),
        "videos": [
            {"name": v.name, "num_frames": v.num_frames, "bits_per_pixel": v.bits_per_pixel, "psnr": dict(v.psnr)}
            for v in videos
        ],
        "anchors": anchors,
        "seconds": round(seconds, 1),
    }


def _line(longest: int, name: str, frames: str, bpp: str, cells: Any) -> str:
    return f"{name:<{longest}} {frames:>6} {bpp:>6}" + "".join(f"{cell:>8}" for cell in cells)


def _decibels(values: Any) -> list[str]:
    return [f"{value:.2f}" for value in values]

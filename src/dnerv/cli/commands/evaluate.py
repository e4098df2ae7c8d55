"""`dnerv evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import ArchiveGiven
from dnerv.encoding.options import RunOptions
from dnerv.options import REQUIRED, RUNNING, Options, like, option
from dnerv.tables import LONGEST_LIST, Part, table


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """Against what, and where."""

    originals: tuple[Path, ...] = option(REQUIRED, "What was encoded.", flag="VIDEO|FOLDER...")
    at: Literal["coded", "original"] = option("coded", "Size at which frames are compared.", group=RUNNING)
    device: str = like(RunOptions, "device")


def _run(given: ArchiveGiven, options: EvaluateOptions) -> Record:
    from dnerv.evaluation import evaluate

    return asdict(evaluate(given.archive, options.originals, at=options.at, device=options.device))


def quality_tables(record: Record) -> Sequence[Part]:
    """PSNR, MS-SSIM and bits per pixel of each video and of all."""
    made = table("video", ">frames", ">size", ">PSNR dB", ">MS-SSIM", ">bits/pixel")
    for video in record["videos"][:LONGEST_LIST]:
        size = f"{video['height']}x{video['width']}"
        row = [video["name"], str(video["num_frames"]), size, f"{video['psnr']:.2f}"]
        made.add_row(*row, _score(video["ms_ssim"]), f"{video['bits_per_pixel']:.4f}")
    made.add_rest(record["videos"])
    frames = sum(video["num_frames"] for video in record["videos"])
    made.add_section()
    overall = f"{record['bits_per_pixel']:.4f}"
    made.add_row("all", str(frames), "", f"{record['psnr']:.2f}", _score(record["ms_ssim"]), overall)
    note = f"PSNR of the mean error: {record['psnr_of_mean_mse']:.2f} dB; file: {record['file_bytes']:,} bytes"
    return [made, *_why_no_score(record["videos"]), note]


def _why_no_score(videos: Sequence[Record]) -> list[str]:
    """A line where videos have no MS-SSIM: they are too small, or it was left out."""
    from dnerv.evaluation.metrics import SMALLEST_SIDE_OF_MS_SSIM

    sides = [min(video["height"], video["width"]) for video in videos if video["ms_ssim"] is None]
    if not sides:
        return []
    if max(sides) < SMALLEST_SIDE_OF_MS_SSIM:
        return [f"MS-SSIM n/a: its five scales need frames of {SMALLEST_SIDE_OF_MS_SSIM} pixels at least on each side"]
    return ["MS-SSIM n/a: it takes long, and `dnerv evaluate` measures it"]


def _score(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


COMMAND = Command(
    "evaluate",
    "Compare an archive's frames with the original videos.",
    (ArchiveGiven, EvaluateOptions),
    _run,
    quality_tables,
)

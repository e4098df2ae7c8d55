"""`dnerv from-lerobot`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnerv.cli.command import Command, Record
from dnerv.encoding.options import EncodeOptions, RunOptions
from dnerv.options import REQUIRED, Options, like, option
from dnerv.printable import count
from dnerv.tables import Part


@dataclass(frozen=True, kw_only=True)
class FolderGiven(Options):
    """What is read."""

    folder: Path = option(REQUIRED, "A LeRobot data set, version 2.0, 2.1 or 3.0.", flag="FOLDER")


@dataclass(frozen=True, kw_only=True)
class FolderMade(Options):
    """What is written."""

    output: Path = option(REQUIRED, "The folder to make.", short="-o", metavar="FOLDER", group="Output")
    force: bool = option(False, "Replace an existing output.", group="Output")


@dataclass(frozen=True, kw_only=True)
class PackOptions(Options):
    """How it is written."""

    storage_format: bool = option(
        False, "Name the format in meta/info.json, for a LeRobot that has a reader for it.", group="Output"
    )
    bits_per_pixel: float | None = like(EncodeOptions, "bits_per_pixel")
    quality: int | None = like(EncodeOptions, "quality")
    crf: float | None = like(EncodeOptions, "crf")
    effort: Literal["fast", "default", "small"] = like(EncodeOptions, "effort")
    access: int | None = like(EncodeOptions, "access")
    every: int | None = like(EncodeOptions, "every")
    references: bool = like(EncodeOptions, "references")
    restart: bool = like(RunOptions, "restart")


def _run(given: FolderGiven, to: FolderMade, options: PackOptions) -> Record:
    from dnerv.integrations.lerobot import from_lerobot

    chosen: dict[str, Any] = dict(vars(options))
    how = {name: chosen.pop(name) for name in ("storage_format", "restart")}
    made = from_lerobot(given.folder, to.output, EncodeOptions(**chosen), force=to.force, **how)
    return {
        "path": str(made.path),
        "episodes": made.num_episodes,
        "cameras": made.num_cameras,
        "video_bytes": made.video_bytes,
        "archive_bytes": made.archive.file_bytes,
        "psnr": made.archive.quality.psnr,
        "access": made.archive.access,
        "seconds": made.archive.seconds,
    }


def _tables(record: Record) -> Sequence[Part]:
    what = f"{count(record['episodes'], 'episode')}, {count(record['cameras'], 'camera')}"
    return [
        f"{record['path']}: {what}",
        f"videos: {record['video_bytes']:,} bytes in files, {record['archive_bytes']:,} in the archive, "
        f"{record['psnr']:.2f} dB to the files' frames",
    ]


COMMAND = Command(
    "from-lerobot",
    """Put the videos of a LeRobot data set into one archive.

    Tables and metadata are copied as they are, videos become FOLDER/videos.dnerv: the frames of each episode's rows,
    with their exact times, by the names of camera and episode. Every episode is checked first.

    Interrupted, even killed, it goes on when the same command is given again.""",
    (FolderGiven, FolderMade, PackOptions),
    _run,
    _tables,
)

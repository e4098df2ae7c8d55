"""Options of several commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnerv.encoding.options import RunOptions
from dnerv.options import REQUIRED, Options, like, option

VIDEOS = "Which frames"  # heading in the help


@dataclass(frozen=True, kw_only=True)
class VideosGiven(Options):
    """What is encoded."""

    inputs: tuple[Path, ...] = option(REQUIRED, "Videos, and folders and tar files of them.", flag="VIDEO|FOLDER...")


@dataclass(frozen=True, kw_only=True)
class ArchiveGiven(Options):
    """What is read."""

    archive: Path = option(REQUIRED, "A .dnerv file.", flag="ARCHIVE")


@dataclass(frozen=True, kw_only=True)
class ReadableGiven(Options):
    """What is read, wherever it is."""

    archives: tuple[str, ...] = option(
        REQUIRED, "A .dnerv file, or the URL of one; several, or a pattern with *.", flag="ARCHIVE|URL..."
    )

    @property
    def source(self) -> str | tuple[str, ...]:
        """As `dnerv.open` takes it."""
        return self.archives if len(self.archives) > 1 else self.archives[0]


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """What becomes of an archive's videos."""

    output: Path = option(REQUIRED, "Folder to write into.", short="-o", metavar="FOLDER", group="Output")
    video: tuple[str, ...] = option(
        (), "Only this video.", metavar="NAME", unset="all", is_repeatable=True, group=VIDEOS
    )
    format: Literal["mp4", "png"] = option("mp4", "What to write.", group="Output")
    force: bool = option(False, "Replace existing outputs.", group="Output")
    device: str = like(RunOptions, "device")

"""`dnerv to-lerobot`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.from_lerobot import FolderMade
from dnerv.integrations.lerobot.options import FileOptions
from dnerv.options import REQUIRED, Options, option
from dnerv.printable import count
from dnerv.tables import Part


@dataclass(frozen=True, kw_only=True)
class PackedGiven(Options):
    """What is read."""

    folder: Path = option(REQUIRED, "A folder that `dnerv from-lerobot` has made.", flag="FOLDER")


def _run(given: PackedGiven, to: FolderMade, options: FileOptions) -> Record:
    from dnerv.integrations.lerobot import to_lerobot

    made = to_lerobot(given.folder, to.output, options, force=to.force)
    return {"path": str(made.path), "files": made.num_files, "video_bytes": made.video_bytes}


def _tables(record: Record) -> Sequence[Part]:
    return [f"{record['path']}: {count(record['files'], 'video file')}, {record['video_bytes']:,} bytes"]


COMMAND = Command(
    "to-lerobot",
    """Give a LeRobot data set its video files back.

    Tables and metadata are copied as they are; frames are decoded and coded again, as LeRobot does by default.""",
    (PackedGiven, FolderMade, FileOptions),
    _run,
    _tables,
)

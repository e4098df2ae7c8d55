"""What the commands that change archives have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Record
from dnerv.options import REQUIRED, Options, option
from dnerv.printable import count
from dnerv.tables import Part

PATTERNS = "A NAME may be a pattern with *, ? and [...] (in quotes, so that the shell leaves it alone); * fits / too."


@dataclass(frozen=True, kw_only=True)
class NamesGiven(Options):
    """Which videos."""

    archive: Path = option(REQUIRED, "A .dnerv file.", flag="ARCHIVE")
    names: tuple[str, ...] = option(REQUIRED, "Videos in it, as `dnerv info` names them.", flag="NAME...")


@dataclass(frozen=True, kw_only=True)
class NewArchive(Options):
    """What is written."""

    output: Path = option(REQUIRED, "The .dnerv file to write.", short="-o", metavar="FILE", group="Output")
    force: bool = option(False, "Replace an existing output.", group="Output")


def change_tables(record: Record) -> Sequence[Part]:
    """What the archive is now."""
    line = f"{record['path']}: {count(record['num_videos'], 'video')}, {record['file_bytes']:,} bytes"
    unused = record["unused_bytes"]
    return [f"{line}, at least {unused:,} of them unused: `dnerv compact` takes them away" if unused else line]

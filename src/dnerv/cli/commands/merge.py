"""`dnerv merge`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.changed import NewArchive, change_tables
from dnerv.options import REQUIRED, Options, option


@dataclass(frozen=True, kw_only=True)
class ArchivesGiven(Options):
    """What is merged."""

    archives: tuple[Path, ...] = option(REQUIRED, "The .dnerv files.", flag="ARCHIVE...")


def _run(given: ArchivesGiven, to: NewArchive) -> Record:
    from dnerv.archive.changing import merge

    return merge(given.archives, to.output, force=to.force).to_json()


COMMAND = Command(
    "merge",
    """Put the videos of several archives into one.

    Nothing is coded again: their frames stay the same to the bit. A reference that several archives have is stored
    once. No two videos may have one name, and no two archives different networks that their videos use.""",
    (ArchivesGiven, NewArchive),
    _run,
    change_tables,
)

"""`dnerv add`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.changed import change_tables
from dnerv.cli.commands.given import VideosGiven
from dnerv.encoding.options import RunOptions
from dnerv.options import REQUIRED, Options, like, option
from dnerv.printable import count
from dnerv.tables import Part


@dataclass(frozen=True, kw_only=True)
class AddGiven(Options):
    """What is added, and to what."""

    archive: Path = option(REQUIRED, "A .dnerv file.", flag="ARCHIVE")
    inputs: tuple[Path, ...] = like(VideosGiven, "inputs")
    labels: Path | None = like(RunOptions, "labels")
    skip_bad: bool = like(RunOptions, "skip_bad")


def _run(given: AddGiven) -> Record:
    from dnerv.encoding.adding import add

    return add(given.archive, given.inputs, labels=given.labels, skip_bad=given.skip_bad).to_json()


def _tables(record: Record) -> Sequence[Part]:
    return [f"added {count(len(record['videos']), 'video')}", *change_tables(record)]


COMMAND = Command(
    "add",
    """Code videos into an archive that is there, in place.

    They are coded as its others were, and start from its references where that saves bytes. Those that it has are not
    touched, and a kill leaves the old archive or the new one.""",
    (AddGiven,),
    _run,
    _tables,
)

"""`dnerv extract`."""

from __future__ import annotations

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.changed import PATTERNS, NamesGiven, NewArchive, change_tables


def _run(given: NamesGiven, to: NewArchive) -> Record:
    from dnerv.archive.changing import extract

    return extract(given.archive, to.output, given.names, force=to.force).to_json()


COMMAND = Command(
    "extract",
    f"""Copy videos of an archive into one of their own.

    Nothing is coded again: their frames stay the same to the bit. References and the network go along where a video
    uses them. {PATTERNS}""",
    (NamesGiven, NewArchive),
    _run,
    change_tables,
)

"""`dnerv compact`."""

from __future__ import annotations

from collections.abc import Sequence

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.changed import change_tables
from dnerv.cli.commands.given import ArchiveGiven
from dnerv.tables import Part


def _run(given: ArchiveGiven) -> Record:
    from dnerv.archive.changing import compact

    return compact(given.archive).to_json()


def _tables(record: Record) -> Sequence[Part]:
    return [*change_tables(record), f"{record['bytes_before'] - record['file_bytes']:,} bytes taken away"]


COMMAND = Command(
    "compact",
    """Take away what an archive no longer uses.

    The archive is written anew beside itself and takes its own place at the end. Nothing is coded again: frames stay
    the same to the bit.""",
    (ArchiveGiven,),
    _run,
    _tables,
)

"""`dnerv remove`."""

from __future__ import annotations

from collections.abc import Sequence

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.changed import PATTERNS, NamesGiven, change_tables
from dnerv.printable import count
from dnerv.tables import Part


def _run(given: NamesGiven) -> Record:
    from dnerv.archive.changing import remove

    return remove(given.archive, given.names).to_json()


def _tables(record: Record) -> Sequence[Part]:
    lines: list[Part] = [f"removed {count(len(record['videos']), 'video')}"]
    grown = record["file_bytes"] - record["bytes_before"]
    if grown > 0:
        lines.append(
            f"the file grew by {grown:,} bytes: a new index, and what the videos took stays until it is compacted"
        )
    return [*lines, *change_tables(record)]


COMMAND = Command(
    "remove",
    f"""Take videos out of an archive, in place.

    No byte of the others is touched, and a kill leaves the old archive or the new one. What the videos took stays in
    the file, unused, until `dnerv compact`. {PATTERNS}""",
    (NamesGiven,),
    _run,
    _tables,
)

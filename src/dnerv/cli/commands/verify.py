"""`dnerv verify`."""

from __future__ import annotations

from collections.abc import Sequence

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import ReadableGiven
from dnerv.errors import ArchiveError
from dnerv.tables import LONGEST_LIST, Part


def _run(given: ReadableGiven) -> Record:
    from dnerv.archive import verify_archive

    return verify_archive(given.archive)


def _tables(record: Record) -> Sequence[Part]:
    lines = [f"{kind}: {'ok' if ok else 'DAMAGED'}" for kind, ok in record["sections"].items()]
    damaged = [f"video {name}: DAMAGED" for name in record["damaged_videos"]]
    if len(damaged) > LONGEST_LIST:
        damaged[LONGEST_LIST:] = [f"... and {len(damaged) - LONGEST_LIST} more (--json lists all)"]
    return [*lines, *damaged, "intact" if record["intact"] else "not intact"]


def _verdict(record: Record) -> ArchiveError | None:
    return None if record["intact"] else ArchiveError(f"{record['path']}: {record['problem']}")


COMMAND = Command(
    "verify", "Check every byte of an archive against its checksums.", (ReadableGiven,), _run, _tables, _verdict
)

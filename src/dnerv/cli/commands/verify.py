"""`dnerv verify`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import ReadableGiven
from dnerv.errors import ArchiveError
from dnerv.printable import count
from dnerv.tables import LONGEST_LIST, Part


def _run(given: ReadableGiven) -> Record:
    from dnerv import progress
    from dnerv.archive import verify_archive
    from dnerv.archive.collection import matching_paths

    paths = matching_paths(given.archives)
    if len(paths) == 1:
        return verify_archive(paths[0])
    progress.stage("verifying", len(paths))
    records = []
    for path in paths:
        records.append(_verified(path, verify_archive))
        progress.advance()
    return {"intact": all(record["intact"] for record in records), "archives": records}


def _verified(path: str | PathLike[str], verify: Callable[[str | PathLike[str]], Record]) -> Record:
    """One of several: what is no archive at all does not end the rest."""
    try:
        return verify(path)
    except ArchiveError as error:
        return {"path": str(path), "intact": False, "problem": str(error)}


def _tables(record: Record) -> Sequence[Part]:
    if "archives" in record:
        return [f"{one['path']}: {'intact' if one['intact'] else 'NOT INTACT'}" for one in record["archives"]]
    lines = [f"{kind}: {'ok' if ok else 'DAMAGED'}" for kind, ok in record["sections"].items()]
    damaged = [f"video {name}: DAMAGED" for name in record["damaged_videos"]]
    if len(damaged) > LONGEST_LIST:
        damaged[LONGEST_LIST:] = [f"... and {len(damaged) - LONGEST_LIST} more (--json lists all)"]
    return [*lines, *damaged, "intact" if record["intact"] else "not intact"]


def _verdict(record: Record) -> ArchiveError | None:
    if record["intact"]:
        return None
    bad = [one for one in record.get("archives", [record]) if not one["intact"]]
    reason = "; ".join(_reason(one) for one in bad[:LONGEST_LIST])
    if "archives" not in record:
        return ArchiveError(reason)
    return ArchiveError(f"{len(bad)} of {count(len(record['archives']), 'archive')} not intact: {reason}")


def _reason(record: Record) -> str:
    path, problem = record["path"], record["problem"]
    return problem if path in problem else f"{path}: {problem}"


COMMAND = Command(
    "verify",
    """Check every byte of an archive against its checksums.

    Of several archives, each is checked, whatever is found in the others.""",
    (ReadableGiven,),
    _run,
    _tables,
    _verdict,
)

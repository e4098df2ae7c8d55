"""Parts of a file that are videos by themselves: which frames, by their times, in ticks of the file's own time base.

A list of them, `NAME.parts.json`, is an input as a file or a folder is: programs write one for files that hold several
recordings, one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dnerv.errors import InputError

LIST_SUFFIX = ".parts.json"


@dataclass(frozen=True)
class FilePart:
    """Frames of a file that follow each other, a video of its own."""

    start: int  # ticks: the first frame's time in the file
    stop: int  # ticks: frames from here on are not the part's
    origin: int  # ticks: the file's time that is 0 in the part
    num_frames: int  # between start and stop; another number is an error


@dataclass(frozen=True)
class NamedPart:
    """A line of a list."""

    name: str  # as an archive is to have it
    path: Path  # of the file
    label: str | None
    part: FilePart


def write_parts(path: Path, parts: Iterable[NamedPart]) -> None:
    """Write a list at `path`, which ends in `.parts.json`. Raises OSError."""
    rows = [asdict(each.part) | {"name": each.name, "path": str(each.path), "label": each.label} for each in parts]
    path.write_text(json.dumps(rows))


def read_parts(path: Path) -> list[NamedPart]:
    """The list at `path`. Raises InputError."""
    try:
        rows = json.loads(path.read_text())
        return [_read(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: no list of parts of files ({error})") from error


def _read(row: dict[str, Any]) -> NamedPart:
    fields = [row[name] for name in ("start", "stop", "origin", "num_frames")]
    label = row["label"]
    if not all(type(field) is int for field in fields) or not isinstance(label, str | None):
        raise ValueError(f"the part {row['name']!r} has fields of other types")
    return NamedPart(str(row["name"]), Path(row["path"]), label, FilePart(*fields))

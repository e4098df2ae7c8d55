"""Labels of a corpus out of a CSV file, in place of class folders.

    path,label,split
    fight/fi001.mp4,fight,train

Paths are the videos' names, with or without their extensions. Columns other than `path` and `label` are passed over.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from dnerv.errors import InputError
from dnerv.video.corpus import Member


def labelled(members: Sequence[Member], csv_path: Path) -> list[Member]:
    """The same videos with the labels of the CSV file; those that it leaves out, or leaves empty, have none.

    Raises:
        InputError: the file cannot be read, lacks one of the two columns, names a video that is not among `members`,
            or names one twice.
    """
    names = {member.name + member.source_path.suffix: member.name for member in members}
    names |= {member.name: member.name for member in members}  # where two spellings meet, the name itself
    labels: dict[str, str | None] = {}
    for line, path, label in _rows(csv_path):
        name = names.get(str(PurePosixPath(path)))
        if name is None:
            raise InputError(
                f"{csv_path}, line {line}: no video of the input is called {path!r}; they are called "
                f"{members[0].name!r}, ..."
            )
        if name in labels:
            raise InputError(f"{csv_path}, line {line}: video {name!r} has a label already; give each video one line")
        labels[name] = label or None
    return [replace(member, label=labels.get(member.name)) for member in members]


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, path and label of every row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin files with a mark
            rows = csv.DictReader(file, strict=True)
            missing = {"path", "label"} - set(rows.fieldnames or ())
            if missing:
                found = ", ".join(rows.fieldnames or ()) or "nothing"
                raise InputError(f"{path}: the first line must name the columns path and label; it names {found}")
            for row in rows:
                if not row["path"] or row["label"] is None:
                    raise InputError(f"{path}, line {rows.line_num}: a path and a label are needed")
                yield rows.line_num, row["path"].strip(), row["label"].strip()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}") from error

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
    names = spelled_names(members)
    labels: dict[str, str | None] = {}
    for line, (path, label) in csv_rows(csv_path, ("path", "label")):
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


def spelled_names(members: Sequence[Member]) -> dict[str, str]:
    """The videos' names by how a list may spell them: with or without their extensions."""
    names = {member.name + member.source_path.suffix: member.name for member in members}
    return names | {member.name: member.name for member in members}  # where two spellings meet, the name itself


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and values of these columns, of every row of a CSV file in UTF-8.

    Raises:
        InputError: the file cannot be read, lacks a column, or has a row without a path (the first column) or with
            another one missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin files with a mark
            rows = csv.DictReader(file, strict=True)
            if set(columns) - set(rows.fieldnames or ()):
                found = ", ".join(rows.fieldnames or ()) or "nothing"
                raise InputError(f"{path}: the first line must name the columns {_and(columns)}; it names {found}")
            for row in rows:
                values = [row[column] for column in columns]
                if not values[0] or None in values:
                    raise InputError(f"{path}, line {rows.line_num}: a {_and(columns, ' a')} are needed")
                yield rows.line_num, [value.strip() for value in values]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}") from error


def _and(columns: Sequence[str], article: str = "") -> str:
    return f"{f',{article} '.join(columns[:-1])} and{article} {columns[-1]}"

"""Frames of a study's videos as folders of PNG images: scaled, cropped or thinned, without loss, made once.

FOLDER/study.json   of which videos the study is, with which options and by which version
FOLDER/PART/NAME/   00000.png, 00001.png, ...: videos that `dnerv encode` reads
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError, OutputError
from dnerv.studies.archive_points import library
from dnerv.video import Member, VideoSource, write_png_folder
from dnerv.video.content import content_of
from dnerv.video.corpus import files_of
from dnerv.video.store import write_atomically

Frame = NDArray[np.uint8]  # [H, W, 3] RGB


def claim(folder: Path, members: Sequence[Member], options: dict[str, Any]) -> None:
    """Take up `folder` for a study, or go on with the same one.

    Raises:
        InputError: it holds another study's work.
        OutputError: it cannot be written.
    """
    job = json.loads(json.dumps({"videos": [[member.name, content_of(files_of(member))] for member in members], "options": options, "library": library()}))
    record = folder / "study.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = json.loads(record.read_text()) if record.exists() else None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used ({error.strerror})") from error
    if known is None and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no study; name another folder")
    if known not in (None, job):
        raise InputError(
            f"{folder} holds a study of other videos, with other options or by another version; repeat that command to "
            "go on with it, or name another folder"
        )
    write_atomically(record, json.dumps(job, indent=1).encode())


def check_free(folder: Path, study: str) -> None:
    """Raise InputError where `folder` holds the results of another study, which would be lost."""
    results = folder / "results.json"
    try:
        found = json.loads(results.read_text()).get("study")
    except (OSError, ValueError, AttributeError):
        return
    if found != study:
        raise InputError(f"{folder} holds the study {found!r}: name another folder")


def write_frames(
    member: Member, folder: Path, size: tuple[int, int] | None, part: slice, convert: Callable[[Frame], Frame] | None
) -> Path:
    """Write the frames `part` of a video, scaled to `size` and then converted, below `folder`, unless they are there.

    Raises InputError where there is no such frame.
    """
    target = folder / member.name
    if not target.exists():
        _make(target.parent)
        stream = VideoSource(member.source_path).frames(size=size)
        frames = (frame for _, frame in islice(stream, part.start, part.stop, part.step))
        write_png_folder(target, frames if convert is None else map(convert, frames))
    return target


def read_frames(folder: Path) -> Iterator[Frame]:
    """The frames of a folder that `write_frames` has written."""
    return (frame for _, frame in VideoSource(folder).frames())


def write_results(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Write `results.json`, whole or not at all, and return it as it will be read. Raises OutputError."""
    text = json.dumps(record, indent=2) + "\n"
    write_atomically(folder / "results.json", text.encode())
    written: dict[str, Any] = json.loads(text)
    return written


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror})") from error

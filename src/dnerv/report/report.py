"""From studies to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from dnerv import progress
from dnerv.errors import DnervError, InputError, OutputError
from dnerv.report.comparison_views import compared_videos
from dnerv.report.embedding import Embedder, check_embedding
from dnerv.report.inpainting_views import inpainted_videos
from dnerv.report.options import ReportOptions
from dnerv.report.page import Section, page, section
from dnerv.report.records import StudyRecord, read_records
from dnerv.report.views import Clip
from dnerv.tables import Table
from dnerv.video.store import write_atomically

_SHOWN = ("compare", "inpainting", "inpaint")  # studies that have videos to show
LARGE = 20_000_000  # bytes of a page that is slow to send and to open


@dataclass(frozen=True)
class Report:
    """What was written."""

    path: Path
    studies: tuple[str, ...]
    clips: int  # with a player
    file_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {"path": str(self.path), "studies": list(self.studies), "players": self.clips}
        return plain | {"file_bytes": self.file_bytes}

    @property
    def line(self) -> str:
        """The same in words."""
        players = f", {self.clips} {'video' if self.clips == 1 else 'videos'} to play" if self.clips else ""
        return f"{self.path}: {self.file_bytes:,} bytes; {', '.join(self.studies)}{players}"


def write_report(
    paths: Sequence[Path],
    output: Path,
    options: ReportOptions,
    *,
    force: bool = False,
) -> Report:
    """Write one HTML file of all the studies at `paths`, folders or JSON files.

    H.264's streams lie in OUTPUT.work until the page is written; interrupted, it goes on from there.

    Raises:
        InputError: a path that is no study's, studies that contradict, or files that are not there any more.
        OutputError: the page exists and `force` is off, or cannot be written.
    """
    if output.exists() and not force:
        raise OutputError(f"{output} exists; give --force to replace it")
    studies = read_records(paths)
    work, embed = output.with_name(f"{output.name}.work"), Embedder()
    sections = [_section(i, study, options, work, embed) for i, study in enumerate(studies)]
    text = page(sections, embed)
    write_atomically(output, text.encode())
    rmtree(work, ignore_errors=True)
    report = Report(
        output,
        tuple(study.record["study"] for study in studies),
        sum(one.clips for one in sections),
        len(text.encode()),
    )
    if report.file_bytes > LARGE:
        progress.warning(f"{output} has {report.file_bytes / 1e6:.0f} MB: fewer --frames or --videos make it smaller")
    return report


def _section(place: int, study: StudyRecord, options: ReportOptions, work: Path, embed: Embedder) -> Section:
    """One study. A record that lacks what its study writes is an InputError that names the file."""
    try:
        clips, beside = _videos(study, options, work, embed)
        return section(place, study, clips, beside)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, DnervError):
            raise
        name = study.record["study"]
        raise InputError(
            f"{study.path}: is no whole record of the study {name!r}, or of another version of dnerv ({error!r})"
        ) from error


def _videos(
    study: StudyRecord, options: ReportOptions, work: Path, embed: Embedder
) -> tuple[Sequence[Clip], Sequence[Table | str]]:
    """Players, and what is said below them."""
    name = study.record["study"]
    if name not in _SHOWN or options.videos == 0:
        return [], []
    if study.folder is None:
        return [], [f"{study.path} was given without its folder, so that no videos are shown."]
    check_embedding()
    if name != "compare":
        return inpainted_videos(study.record, study.folder, options, embed), []
    shown = compared_videos(study.record, study.folder, work, options, embed)
    if shown is None:
        return [], ["No videos are shown: D-NeRV took no part."]
    return shown.clips, [shown.table, *shown.notes]

"""From studies to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from dnerv import progress
from dnerv.errors import DnervError, InputError, OutputError
from dnerv.files import write_atomically
from dnerv.report.embedding import Embedder, check_embedding
from dnerv.report.options import ReportOptions
from dnerv.report.page import Section, page, player, section, sheet
from dnerv.report.records import StudyRecord, read_records
from dnerv.studies.drawing import check_drawing
from dnerv.studies.record import CHARTS

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


def write_report(paths: Sequence[Path], output: Path, options: ReportOptions, *, force: bool = False) -> Report:
    """Write one HTML file of all the studies at `paths`, folders or JSON files.

    Raises:
        InputError: a path that is no study's or does not say how it was made, studies that contradict, or files that
            are not there any more.
        OutputError: the page exists and `force` is off, is one of the records, or cannot be written.
    """
    if output.exists() and not force:
        raise OutputError(f"{output} exists; give --force to replace it")
    studies = read_records(paths)
    if output.resolve() in {study.path.resolve() for study in studies}:
        raise OutputError(f"{output} is one of the records; give the page another name")
    check_drawing()
    check_embedding()
    embed = Embedder()
    sections = [_section(place, study, options, embed) for place, study in enumerate(studies)]
    text = page(sections, embed.errors)
    write_atomically(output, text.encode())
    names, clips = tuple(study.study.name for study in studies), sum(len(one.players) for one in sections)
    report = Report(output, names, clips, len(text.encode()))
    if report.file_bytes > LARGE:
        progress.warning(f"{output} has {report.file_bytes / 1e6:.0f} MB: fewer --frames or --videos make it smaller")
    return report


def _section(place: int, study: StudyRecord, options: ReportOptions, embed: Embedder) -> Section:
    """One study. A record that lacks what its study writes is an InputError that names the file."""
    try:
        return section(place, study, _players(place, study, options, embed), _sheets(study))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, DnervError):
            raise
        raise InputError(
            f"{study.path}: is no whole record of the study {study.study.name!r}, or of another version of dnerv "
            f"({error!r})"
        ) from error


def _players(place: int, study: StudyRecord, options: ReportOptions, embed: Embedder) -> list[str]:
    if study.folder is None:
        return []
    views = study.study.views(study.record, study.folder, frames=options.frames, rate=options.rate)
    return [player(f"clip-{place}-{i}", clip, embed) for i, clip in enumerate(islice(views, options.videos))]


def _sheets(study: StudyRecord) -> list[str]:
    """The pictures that the study has drawn of frames."""
    if study.folder is None:
        return []
    return [sheet(path, study.title) for path in sorted(study.folder.glob("*.png")) if path.name != CHARTS]

"""`dnerv report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.options import REQUIRED, Options, option
from dnerv.report.options import ReportOptions
from dnerv.tables import Part


@dataclass(frozen=True, kw_only=True)
class ReportOutput(Options):
    """What is shown, and where."""

    results: tuple[Path, ...] = option(REQUIRED, "Folders of studies, or their records as JSON.", flag="RESULT...")
    output: Path = option(REQUIRED, "The .html file to write.", short="-o", metavar="FILE", group="Output")
    force: bool = option(False, "Replace an existing output.", group="Output")


def _run(to: ReportOutput, options: ReportOptions) -> Record:
    from dnerv.report import write_report

    made = write_report(to.results, to.output, options, force=to.force)
    return made.to_json()


def _tables(record: Record) -> Sequence[Part]:
    count = record["players"]
    players = f", {count} {'video' if count == 1 else 'videos'} to play" if count else ""
    return [f"{record['path']}: {record['file_bytes']:,} bytes; {', '.join(record['studies'])}{players}"]


COMMAND = Command(
    "report",
    """Put studies on one page: charts, tables, videos to play.

    The page is one file and needs no network.""",
    (ReportOutput, ReportOptions),
    _run,
    _tables,
)

"""`dnerv decode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import VIDEOS, ExportOptions, ReadableGiven
from dnerv.engine.precision import Precision
from dnerv.options import RUNNING, Options, option
from dnerv.tables import Part


@dataclass(frozen=True)
class DecodeOptions(Options):
    """Which frames, and how they are computed."""

    frames: tuple[int | None, int | None] | None = option(
        None, "Only frames A to B - 1.", form="span", unset="all", group=VIDEOS
    )
    layers: Literal["all", "base"] = option(
        "all", "What frames are made of: base leaves the network out, where there is one.", group=VIDEOS
    )
    precision: Precision = option("fp32", "Of the network.", group=RUNNING)


def _run(given: ReadableGiven, to: ExportOptions, options: DecodeOptions) -> Record:
    from dnerv.archive import export_videos, open_archives
    from dnerv.archive.changing import matching

    with open_archives(given.source, device=to.device, precision=options.precision, layers=options.layers) as videos:
        names = matching(videos, to.video) if to.video else None
        written = export_videos(videos, to.output, names=names, frames=options.frames, format=to.format, force=to.force)
    return {"written": [str(path) for path in written]}


def written_tables(record: Record) -> Sequence[Part]:
    """The paths, one a line."""
    lines: list[Part] = record["written"]
    return lines


COMMAND = Command(
    "decode",
    """Get videos back: all of them, some, or some frames.

    Several archives are read as one collection: no two of their videos may have one name.""",
    (ReadableGiven, ExportOptions, DecodeOptions),
    _run,
    written_tables,
)

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
    from dnerv.archive import Archive, export_videos
    from dnerv.archive.changing import matching

    with Archive(given.archive, device=to.device, precision=options.precision, layers=options.layers) as archive:
        names = matching(archive, to.video) if to.video else None
        written = export_videos(
            archive, to.output, names=names, frames=options.frames, format=to.format, force=to.force
        )
    return {"written": [str(path) for path in written]}


def written_tables(record: Record) -> Sequence[Part]:
    """The paths, one a line."""
    lines: list[Part] = record["written"]
    return lines


COMMAND = Command(
    "decode",
    "Get videos back: all of them, some, or some frames.",
    (ReadableGiven, ExportOptions, DecodeOptions),
    _run,
    written_tables,
)

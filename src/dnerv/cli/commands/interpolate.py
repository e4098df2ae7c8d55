"""`dnerv interpolate`."""

from __future__ import annotations

from dataclasses import dataclass

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.decode import written_tables
from dnerv.cli.commands.given import VIDEOS, ExportOptions, ReadableGiven
from dnerv.options import Options, option


@dataclass(frozen=True)
class InterpolateOptions(Options):
    """How many frames, and at what rate they are shown."""

    factor: int = option(4, "Frames made for each one.", low=2, high=64, group=VIDEOS)
    slow_motion: bool = option(
        True, "Raise the frame rate in place of stretching time.", off="--keep-duration", group=VIDEOS
    )


def _run(given: ReadableGiven, options: InterpolateOptions, to: ExportOptions) -> Record:
    from dnerv.archive import interpolate_videos, open_archives
    from dnerv.archive.changing import matching

    with open_archives(given.source, device=to.device) as videos:
        written = interpolate_videos(
            videos,
            to.output,
            factor=options.factor,
            slow_motion=options.slow_motion,
            names=matching(videos, to.video) if to.video else None,
            format=to.format,
            force=to.force,
        )
    return {"written": [str(path) for path in written]}


COMMAND = Command(
    "interpolate",
    "Slow motion: frames in between those that were encoded.",
    (ReadableGiven, InterpolateOptions, ExportOptions),
    _run,
    written_tables,
)

"""A study of one's own: how many bytes does each video take by itself?

python examples/own_study.py VIDEOS FOLDER

It goes on after a kill, measures in a fresh process, and leaves results.json and a chart, like those of the paper. In
the package it would be `dnerv/studies/sizes.py`, and a row in `dnerv/studies/__init__.py`: a command follows from it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnerv.options import option
from dnerv.studies import run_study
from dnerv.studies.charts import Bar, Bars, Chart
from dnerv.studies.content import Content
from dnerv.studies.record import command_line
from dnerv.studies.runner import Run, shown
from dnerv.studies.study import ArchiveOptions, Record, Study
from dnerv.studies.tables import figures_table
from dnerv.tables import Part
from dnerv.terminal import print_parts


# --8<-- [start:study]
@dataclass(frozen=True)
class SizesOptions(ArchiveOptions):
    """Beside the rate, the time for training, seed, device, resolution and frame rate."""

    every: int = option(4, "Frames from one coded to the next.", low=1)


class Sizes(Study[SizesOptions, list[Content], list[Record]]):
    """The study."""

    name = "sizes"
    title = "Sizes"
    question = "How many bytes does each video take by itself?"
    options = SizesOptions

    def plan(self, run: Run[SizesOptions]) -> list[Content]:
        """Each video, alone."""
        return [run.content([member.source_path]) for member in run.members]

    def measure(self, run: Run[SizesOptions], plan: list[Content]) -> list[Record]:
        """An archive of each, kept: one that is there is not made again."""
        encoding = run.options.encoding()
        return [run.archive(f"{one.videos[0].name} alone", one, encoding) for one in plan]

    def rows(self, run: Run[SizesOptions], plan: list[Content], measured: list[Record]) -> Mapping[str, Any]:
        """What the record says."""
        names = [one.videos[0].name for one in plan]
        return {"rows": [{"video": n, "bytes": m["bytes"]} for n, m in zip(names, measured, strict=True)]}

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """Out of the record alone."""
        table = figures_table("video", "bytes")
        for row in record["rows"]:
            table.add_row(row["video"], f"{row['bytes']:,}")
        return [table]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """A bar for each."""
        bars = [Bar(row["video"], row["bytes"], "dnerv") for row in record["rows"]]
        return [Bars("Bytes by video", "bytes", bars)]


# --8<-- [end:study]


def main(videos: Path, folder: Path, options: SizesOptions | None = None) -> Record:
    """Run it, or go on with it."""
    study = Sizes()
    record = run_study(study, [videos], folder, options, command=command_line())
    print_parts(shown(study, record))
    return record


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""What `dnerv report` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from dnerv.encoding.options import EncodeOptions
from dnerv.options import Options, like, option


@dataclass(frozen=True)
class ReportOptions(Options):
    """One page."""

    frames: int = option(32, "Frames of each video, from its middle.", low=1, group="What is shown")
    videos: int = option(
        4, "Videos of each study, the first ones; 0: charts and tables alone.", low=0, group="What is shown"
    )
    rate: float | None = like(
        EncodeOptions,
        "bits_per_pixel",
        flag="--rate",
        help="Bits per pixel of the archives, one of the comparison's.",
        unset="the middle one",
        group="What is shown",
    )

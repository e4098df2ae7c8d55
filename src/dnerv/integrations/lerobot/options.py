"""How a LeRobot folder's video files are coded; this module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnerv.options import Options, option


@dataclass(frozen=True)
class FileOptions(Options):
    """How video files are coded; the defaults are LeRobot's."""

    codec: Literal["libsvtav1", "h264", "hevc"] = option("libsvtav1", "Of the video files.", group="Video files")
    crf: int = option(30, "Its quality, from the best.", low=0, high=63, group="Video files")
    group: int = option(2, "Frames from one sync frame to the next.", low=1, high=65_535, group="Video files")
    preset: int = option(12, "Speed of libsvtav1, from the slowest.", low=0, high=13, group="Video files")

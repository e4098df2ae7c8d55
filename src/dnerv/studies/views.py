"""Frames of a video seen in several ways: what a report lets people wipe between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dnerv.archive import Archive

Picture = NDArray[np.uint8]  # [H, W, 3] RGB; [H, W, 4] where the clip's first view shows through, at 0 of the fourth


@dataclass(frozen=True)
class View:
    """One way to see the frames."""

    label: str
    pictures: Sequence[Picture]  # one a frame
    figures: Sequence[str] = ()  # of each frame, read beside its label
    note: str = ""  # what has to be known to read it
    is_map: bool = False  # colours that stand for something else, and not a frame


@dataclass(frozen=True)
class Clip:
    """Some frames of one video, in all views of them; the first view is the original."""

    name: str
    frames: range  # of the video, consecutive
    total: int  # frames of the video
    fps: float
    views: Sequence[View]
    left: int  # place of the view that is first shown on the left
    right: int


def middle(total: int, wanted: int) -> range:
    """`wanted` consecutive frames from the middle of a video, all of a shorter one."""
    count = min(total, wanted)
    first = (total - count) // 2
    return range(first, first + count)


def decoded(archive: Archive, name: str, frames: range) -> list[Picture]:
    """Consecutive frames of a video out of an archive."""
    made = archive[name][frames.start : frames.stop].permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return list(made)

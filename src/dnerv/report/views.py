"""What the player of one video is given: views of the same frames, one to choose for each side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dnerv.evaluation import mse_per_frame, psnr
from dnerv.families import channels_first
from dnerv.report.embedding import Embedder, Picture
from dnerv.video.masks import Mask


@dataclass(frozen=True)
class View:
    """One way to see the frames."""

    key: str
    label: str
    figures: Sequence[str] = ()  # of each frame, to be read under its name
    images: Sequence[str] = ()  # base64, one a frame
    note: str = ""  # what has to be known to read it
    has_wheel: bool = False  # whether the wheel of colours is shown beside it
    under: str | None = None  # key of the view that shows outside the mask
    paint: str | None = None  # colour that fills the mask, in place of images

    def to_json(self) -> dict[str, Any]:
        """What the player reads."""
        return {
            "key": self.key,
            "label": self.label,
            "figures": list(self.figures),
            "images": list(self.images),
            "note": self.note,
            "wheel": self.has_wheel,
            "under": self.under,
            "paint": self.paint,
        }


@dataclass(frozen=True)
class Clip:
    """Some frames of one video, with all views of them."""

    name: str
    first: int  # frame
    total: int  # frames of the video
    fps: float
    height: int  # pixels
    width: int
    views: Sequence[View]
    left: str  # key of the view that is shown first
    right: str
    masks: Sequence[str] = field(default=())  # base64 PNG, one a frame, for views with `under`

    @property
    def num_frames(self) -> int:
        """Frames shown."""
        return len(self.views[0].images)

    def to_json(self) -> dict[str, Any]:
        """What the player reads."""
        return {
            "name": self.name,
            "first": self.first,
            "total": self.total,
            "fps": self.fps,
            "height": self.height,
            "width": self.width,
            "count": self.num_frames,
            "left": self.left,
            "right": self.right,
            "masks": list(self.masks),
            "views": [view.to_json() for view in self.views],
        }


def middle(total: int, wanted: int) -> range:
    """`wanted` consecutive frames from the middle of a video, all of a shorter one."""
    count = min(total, wanted)
    first = (total - count) // 2
    return range(first, first + count)


def frames_view(key: str, label: str, frames: Iterable[Picture], originals: Sequence[Picture], embed: Embedder) -> View:
    """Decoded frames with the PSNR of each."""
    figures, images = [], []
    for original, made in zip(originals, frames, strict=True):
        error = mse_per_frame(channels_first(original)[None], channels_first(np.ascontiguousarray(made))[None])
        figures.append(f"{psnr(error).item():.2f} dB")
        images.append(embed.embed(made))
    return View(key, label, figures, images)


def patch(made: Picture, hidden: Mask) -> Picture:
    """What the network made inside the mask, on grey: outside, the player shows the original."""
    return np.where(hidden[..., None], made, np.uint8(128))

"""What keyframes are between an encoder, an archive and a decoder: packets, and what the planes in them mean.

Notable decisions:
- One packet per frame, in display order. Frame k needs the packets from the nearest sync packet at or before
  k up to k itself, and no later one: random access decodes a part of one group.
- Packets carry no container, no frame size that could be trusted and no checksum: the archive that stores
  them does all three. A flipped bit that still is legal AV1 decodes to other pixels, so check sums first.
- This module imports neither FFmpeg nor torch; whoever only handles packets does not pay for either.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.video.matrices import CODES, Matrix

Frame = NDArray[np.uint8]  # [H, W, 3] RGB in [0, 255]


@dataclass(frozen=True)
class Packet:
    """The coded bytes of exactly one shown frame."""

    data: bytes
    sync: bool  # decoding can start here


@dataclass(frozen=True)
class Planes:
    """How 4:2:0 luma and chroma planes stand for red, green and blue. Raises InputError for values not listed."""

    matrix: Matrix = "bt601"
    full_range: bool = False  # luma from 0 to the largest sample, not the limited range of video
    depth: int = 10  # bits of a sample, 8 or 10

    def __post_init__(self) -> None:
        if self.matrix not in CODES:
            raise InputError(f"matrix is {self.matrix!r}; use one of {', '.join(CODES)}")
        if self.depth not in (8, 10):
            raise InputError(f"depth is {self.depth}; use 8 or 10 bits")

    @property
    def pixel_format(self) -> Literal["yuv420p", "yuv420p10le"]:
        """FFmpeg's name of them."""
        return "yuv420p" if self.depth == 8 else "yuv420p10le"


DEFAULT_PLANES = Planes()  # best by RGB error where nothing asks for others

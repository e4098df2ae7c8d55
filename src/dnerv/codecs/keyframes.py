"""What keyframes are between an encoder, an archive and a decoder: packets, and what the planes in them mean.

Notable decisions:
- One packet per frame, in display order. Frame k needs the packets from the nearest sync packet at or before
  k up to k itself, and no later one: random access decodes a part of one group.
- Packets carry no container, no frame size that could be trusted and no checksum: the archive that stores
  them does all three. A flipped bit that still is legal AV1 decodes to other pixels, so check sums first.
- This module imports neither FFmpeg nor torch; whoever only handles packets does not pay for either.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerv.video.planes import Planes

__all__ = ["DEFAULT_PLANES", "Frame", "Packet", "Planes"]

Frame = NDArray[np.uint8]  # [H, W, 3] RGB in [0, 255]


@dataclass(frozen=True)
class Packet:
    """The coded bytes of exactly one shown frame."""

    data: bytes
    sync: bool  # decoding can start here


DEFAULT_PLANES = Planes()  # best by RGB error where nothing asks for others

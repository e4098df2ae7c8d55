"""What keyframes are between an encoder, an archive and a decoder: packets, and a note on how they are coded.

Notable decisions:
- One packet per frame, in display order. Frame k needs the packets from the nearest sync packet at or before
  k up to k itself, and no later one: random access decodes a part of one group.
- Packets carry no container, no frame size that could be trusted and no checksum: the archive that stores
  them does all three. A flipped bit that still is legal AV1 decodes to other pixels, so check sums first.
- This module imports neither FFmpeg nor torch; whoever only handles packets does not pay for either.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError

Frame = NDArray[np.uint8]  # [H, W, 3] RGB in [0, 255]
Bitstream = Literal["av1"]
ColourMatrix = Literal["bt601"]


@dataclass(frozen=True)
class Packet:
    """The coded bytes of exactly one shown frame."""

    data: bytes
    sync: bool  # decoding can start here


@dataclass(frozen=True)
class KeyframeFormat:
    """What a decoder must know beside the packets; frame size and count are the archive's."""

    bitstream: Bitstream = "av1"
    matrix: ColourMatrix = "bt601"  # of the luma and chroma planes, limited range

    def to_json(self) -> dict[str, str]:
        """Plain JSON values, for the archive."""
        return {"bitstream": self.bitstream, "matrix": self.matrix}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Back from `to_json`. Raises ArchiveError for anything this version cannot decode."""
        if not isinstance(value, dict) or set(value) != {"bitstream", "matrix"}:
            raise ArchiveError(f"keyframe format is {value!r}; it needs exactly 'bitstream' and 'matrix'")
        if value["bitstream"] not in get_args(Bitstream) or value["matrix"] not in get_args(ColourMatrix):
            raise ArchiveError(
                f"keyframe format is {value!r}; this version decodes bitstream {get_args(Bitstream)} "
                f"and matrix {get_args(ColourMatrix)}"
            )
        return cls(bitstream=value["bitstream"], matrix=value["matrix"])

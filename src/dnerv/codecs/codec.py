"""What every keyframe codec has in common: packets out, a format note for the decoder, frames back in.

    frames uint8 [H, W, 3]  --KeyframeCodec.encode-->  [Packet, ...]  --decode_packets-->  frames again

Notable decisions:
- One packet per frame, in display order. Frame k needs the packets from the nearest sync packet at or before
  k up to k itself, and no later one: random access decodes a part of one group.
- Packets carry no container, no frame size that could be trusted and no checksum: the archive that stores
  them does all three. A flipped bit that still is legal AV1 decodes to other pixels, so check sums first.
- This module imports neither FFmpeg nor torch; whoever only handles packets does not pay for either.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError, InputError

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


class KeyframeCodec(Protocol):
    """An encoder of the keyframes of one video."""

    @property
    def name(self) -> str:
        """Short name for reports, `svtav1` for example."""
        ...

    @property
    def format(self) -> KeyframeFormat:
        """What `decode_packets` needs to read this encoder's packets."""
        ...

    def encode(self, frames: Iterable[Frame]) -> list[Packet]:
        """Code frames, uint8 [H, W, 3] RGB, all of one size, into as many packets, in display order.

        Frames are drawn one by one and not kept beyond the encoder's own lookahead. The first packet is a
        sync packet. The same frames give the same bytes. Raises InputError when a frame cannot be coded.
        """
        ...


def checked_frames(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames; raises InputError at the first that is not uint8 [H, W, 3] of the first one's size."""
    shape = None
    for index, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise InputError(f"frame {index} is {frame.dtype} {frame.shape}; it must be uint8 [H, W, 3]")
        if frame.shape != (shape or frame.shape):
            raise InputError(f"frame {index} is {frame.shape}; the first one was {shape}")
        shape = frame.shape
        yield frame

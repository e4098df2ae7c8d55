"""What luma and chroma planes stand for: the three matrices that are kept, both ranges, 8 or 10 bits.

Codes are those of ITU-T H.273, which FFmpeg, H.264, AV1 and mp4 share. Transfer curves are not converted anywhere. This
module imports neither FFmpeg nor torch.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from dnerv.errors import InputError

Matrix = Literal["bt601", "bt709", "bt2020"]


class ColourCodes(NamedTuple):
    """What a file says of its colours."""

    primaries: int
    transfer: int
    matrix: int


CODES: dict[Matrix, ColourCodes] = {
    "bt601": ColourCodes(6, 6, 6),
    "bt709": ColourCodes(1, 1, 1),
    "bt2020": ColourCodes(9, 14, 9),
}


@dataclass(frozen=True)
class Planes:
    """How luma and chroma planes stand for red, green and blue. Raises InputError for values not listed."""

    matrix: Matrix = "bt601"
    full_range: bool = False  # samples from 0 to the largest, not the limited range of video
    depth: int = 10  # bits of a sample, 8 or 10

    def __post_init__(self) -> None:
        if self.matrix not in CODES:
            raise InputError(f"matrix is {self.matrix!r}; use one of {', '.join(CODES)}")
        if type(self.full_range) is not bool:
            raise InputError(f"full_range is {self.full_range!r}; use True or False")
        if self.depth not in (8, 10):
            raise InputError(f"depth is {self.depth}; use 8 or 10 bits")

    @property
    def pixel_format(self) -> Literal["yuv420p", "yuv420p10le"]:
        """FFmpeg's name of them at half the chroma resolution each way."""
        return "yuv420p" if self.depth == 8 else "yuv420p10le"

"""Which matrix makes luma and chroma of red, green and blue: the three that are kept, and their codes in files.

Codes are those of ITU-T H.273, which FFmpeg, H.264, AV1 and mp4 share. Transfer curves are not converted anywhere.
"""

from typing import Literal, NamedTuple

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

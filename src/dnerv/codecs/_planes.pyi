"""What `_planes.c` offers where a compiler was there when dnerv was installed. Buffers are C-contiguous."""

import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

_Samples = VideoPlane | NDArray[np.uint8] | NDArray[np.uint16]

def to_rgb(
    planes: tuple[_Samples, _Samples, _Samples],
    line_sizes: tuple[int, int, int],
    size: tuple[int, int],
    depth: int,
    row_weights: NDArray[np.int32],
    column_weights: NDArray[np.int32],
    coefficients: NDArray[np.int32],
    out: NDArray[np.uint8],
    out_size: tuple[int, int],
    /,
) -> None:
    """4:2:0 planes to planes of red, green and blue; the interpreter's lock is let go of meanwhile.

    Args:
        planes: luma, blue and red; one byte a sample where `depth` is 8, two in the machine's order where it is more.
        line_sizes: of each plane, bytes from one row to the next.
        size: height and width of luma in pixels, even, 8 to 65,536.
        depth: bits of a sample, 8 to 16.
        row_weights, column_weights: int32 [2, 4, width / 2] and [2, 4, height / 2]: `colour_tables.weights`.
        coefficients: int32 [6]: `colour_tables.coefficients`.
        out: uint8 [3, *out_size], written to.
        out_size: height and width of what is cut out at the upper left, in pixels.

    Raises:
        ValueError: a buffer is not of the size that the others ask for.
    """

def blend(
    first: NDArray[np.uint8], second: NDArray[np.uint8], shares: NDArray[np.float32], out: NDArray[np.uint8], /
) -> None:
    """Mix two pictures, rounding half to even; the interpreter's lock is let go of meanwhile.

    Args:
        first, second: uint8 [n] each.
        shares: float32 [m] in [0, 1], of the second in each blend.
        out: uint8 [m, n], written to.

    Raises:
        ValueError: sizes do not fit, or a share lies outside.
    """

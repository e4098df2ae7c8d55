"""One decoded picture to upright RGB, and RGB back to the YUV that an encoder takes.

swscale does the arithmetic with the frame's own colour matrix and range; what is unspecified is taken as
BT.601 limited, as FFmpeg does. Accurate rounding, full chroma interpolation and a single thread make the same
picture give the same bytes on every run.
"""

from collections.abc import Mapping
from typing import cast

import av
import numpy as np
from av.buffer import Buffer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

_SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
_CONVERTIBLE_MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})  # AVColorSpace codes swscale can convert
_UNSPECIFIED_MATRIX = 2
_BT2020_CONSTANT_LUMINANCE, _BT2020 = 10, 9

Orientation = tuple[bool, bool, bool]  # transpose, then flip rows, then flip columns


def orientation(frame: av.VideoFrame) -> Orientation:
    """Quarter turns and mirrors that make the picture stand upright, from its display matrix."""
    try:
        matrix = bytes(cast("Mapping[str, Buffer]", frame.side_data)["DISPLAYMATRIX"])
    except KeyError:
        return False, False, False
    except ValueError:
        # PyAV cannot list the side data of a picture that carries EXIF: only the angle is to be had there.
        return _orientation_of_angle(frame.rotation)
    a, b, _, c, d = np.frombuffer(matrix, "<i4")[:5].astype(np.int64)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, bool(d < 0), bool(a < 0)
    return True, bool(b < 0), bool(c < 0)


def _orientation_of_angle(degrees: int) -> Orientation:
    """`degrees` counter-clockwise, to the nearest quarter turn."""
    turns = round(degrees / 90) % 4
    return ((False, False, False), (True, True, False), (False, True, True), (True, False, True))[turns]


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """(height, width) in pixels of the picture once it stands upright."""
    transpose, _, _ = orientation(frame)
    return (frame.width, frame.height) if transpose else (frame.height, frame.width)


def upright_rgb(frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Upright RGB picture scaled (bicubic) to `size` = (height, width): uint8 [height, width, 3], contiguous.

    Alpha is dropped and deeper samples are rounded to 8 bits. Raises av.FFmpegError or OSError for a pixel
    format that swscale cannot read.
    """
    transpose, flip_rows, flip_columns = orientation(frame)
    height, width = size[::-1] if transpose else size
    if frame.colorspace not in _CONVERTIBLE_MATRICES:
        frame.colorspace = _BT2020 if frame.colorspace == _BT2020_CONSTANT_LUMINANCE else _UNSPECIFIED_MATRIX
    rgb = frame.reformat(width, height, "rgb24", interpolation=_SCALER, threads=1)
    pixels = np.asarray(rgb.to_ndarray(), np.uint8)
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])


def video_frame(rgb: NDArray[np.uint8], pixel_format: str) -> av.VideoFrame:
    """BT.709 limited-range frame in `pixel_format` (a planar YUV one) of an RGB picture, uint8 [H, W, 3]."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format=pixel_format,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_SCALER,
        threads=1,
    )
    frame.color_primaries = ColorPrimaries.BT709
    frame.color_trc = ColorTrc.BT709
    return frame

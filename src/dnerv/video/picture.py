"""One decoded picture to upright RGB, and RGB back to the YUV that an encoder takes.

swscale does the arithmetic with the frame's own colour matrix and range; what is unspecified is taken as
BT.601 limited, as FFmpeg does. Full range beyond 8 bits goes to limited range first: swscale reads it as if its
largest sample were 1020 of 1023. Accurate rounding, full chroma interpolation and a single thread make the same
picture give the same bytes on every run.
"""

from collections.abc import Mapping
from typing import cast

import av
import numpy as np
from av.buffer import Buffer
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from dnerv.video.planes import CODES, Matrix, Planes

_SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
_CONVERTIBLE_MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})  # AVColorSpace codes swscale can convert
_UNSPECIFIED_MATRIX = 2
_BT2020_CONSTANT_LUMINANCE, _BT2020 = 10, 9
_NAMED: dict[int, Matrix] = {1: "bt709", 7: "bt709", 9: "bt2020", 10: "bt2020"}  # 7, SMPTE 240M, is nearest to BT.709
_SCALER_MATRICES = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}

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


def planes_of(frame: av.VideoFrame) -> Planes:
    """What a decoded picture says of its planes, by the nearest that is kept.

    Unspecified and unknown matrices are BT.601, as for `upright_rgb`; what is red, green and blue itself is BT.709 in
    limited range, which players expect. More than 8 bits are 10.
    """
    depth = 10 if max(component.bits for component in frame.format.components) > 8 else 8
    if frame.format.is_rgb or frame.format.has_palette:
        return Planes("bt709", False, depth)
    return Planes(_NAMED.get(frame.colorspace, "bt601"), _is_full_range(frame), depth)


def _is_full_range(frame: av.VideoFrame) -> bool:
    return frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")


def upright_rgb(frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Upright RGB picture scaled (bicubic) to `size` = (height, width): uint8 [height, width, 3], contiguous.

    Alpha is dropped and deeper samples are rounded to 8 bits. Raises av.FFmpegError or OSError for a pixel
    format that swscale cannot read.
    """
    transpose, flip_rows, flip_columns = orientation(frame)
    height, width = size[::-1] if transpose else size
    if frame.colorspace not in _CONVERTIBLE_MATRICES:
        frame.colorspace = _BT2020 if frame.colorspace == _BT2020_CONSTANT_LUMINANCE else _UNSPECIFIED_MATRIX
    if _is_full_range(frame) and not frame.format.is_rgb and frame.format.components[0].bits > 8:
        frame = frame.reformat(dst_color_range=ColorRange.MPEG, interpolation=_SCALER, threads=1)
    # Planes of green, blue and red are written three times as fast as pixels of three bytes, with the same values.
    pixel_format = "rgb24" if frame.format.is_rgb or frame.format.has_palette else "gbrp"
    rgb = frame.reformat(width, height, pixel_format, interpolation=_SCALER, threads=1)
    pixels = np.asarray(rgb.to_ndarray(), np.uint8)
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])


def video_frame(rgb: NDArray[np.uint8], pixel_format: str, planes: Planes) -> av.VideoFrame:
    """Frame in `pixel_format`, a planar YUV one of the planes' depth, of RGB, uint8 [H, W, 3]; with their tags."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format=pixel_format,
        dst_colorspace=_SCALER_MATRICES[planes.matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG if planes.full_range else ColorRange.MPEG,
        interpolation=_SCALER,
        threads=1,
    )
    frame.color_primaries, frame.color_trc, frame.colorspace = CODES[planes.matrix]
    return frame

"""RGB to planar YCbCr and back, in one place, so that encoders and decoders cannot disagree.

Notable decisions, measured on RGB PSNR at equal bits:
- BT.601 rather than BT.709 where nothing asks for another: its luma weighs the three primaries more evenly, as an RGB
  error does.
- Ten bits where the codec can: rounding to eight costs more than the finer samples do.
- Limited range, the default of every codec here; full range measured no better.
- Back to RGB by way of planes of green, blue and red: swscale writes those three times as fast as pixels of three
  bytes, and the same values.
- swscale reads full range beyond 8 bits as if its largest sample were 1020 of 1023; such planes go to limited range
  first.
- swscale is asked for accurate rounding, full chroma interpolation and bit-exactness: the same frames on
  every CPU. What it computes then is written down in `colour_tables`. Where that holds and a compiler was there when
  dnerv was installed, `_planes.c` makes the same frames in a quarter of the time; `colour_on_device` has the same
  arithmetic for planes that go to an accelerator as they are.
"""

import threading
from functools import lru_cache

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from dnerv.codecs import compiled
from dnerv.codecs.colour_tables import COLUMN_UNIT, ROW_UNIT, SMALLEST_SIDE, coefficients, weights
from dnerv.codecs.keyframes import DEFAULT_PLANES, Frame, Planes
from dnerv.video.planes import CODES

_MOST_CONVERTERS = 16  # that a thread has
_GREEN_BLUE_RED = (1, 2, 0)  # places in RGB of the planes that swscale writes
# Plain integers: PyAV takes some microseconds a frame to look up the values of enumerations.
_SCALER_MATRICES = {
    "bt601": int(Colorspace.ITU601),
    "bt709": int(Colorspace.ITU709),
    "bt2020": int(Colorspace.BT2020),
}
_FULL, _LIMITED = int(ColorRange.JPEG), int(ColorRange.MPEG)
_FLAGS = int(
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)


class ColourConverter:
    """Converts frames of one size; keeps swscale's tables between frames. One per thread."""

    def __init__(self, planes: Planes = DEFAULT_PLANES, *, is_exact: bool = False) -> None:
        """`is_exact`: as `colour_tables` says of the stream that frames come from; swscale need not be asked then."""
        self._planes, self._is_exact = planes, is_exact
        self._matrix = _SCALER_MATRICES[planes.matrix]
        self._range = _FULL if planes.full_range else _LIMITED
        self._reformatter, self._limiter = VideoReformatter(), VideoReformatter()

    def to_yuv(self, frame: Frame) -> av.VideoFrame:
        """uint8 [H, W, 3] RGB in [0, 255], H and W even -> 4:2:0 frame."""
        return self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"),
            format=self._planes.pixel_format,
            dst_colorspace=self._matrix,
            src_color_range=_FULL,
            dst_color_range=self._range,
            interpolation=_FLAGS,
            threads=1,
        )

    def to_rgb(self, frame: av.VideoFrame) -> Frame:
        """4:2:0 frame of this matrix and range -> uint8 [H, W, 3] RGB in [0, 255].

        Of any depth, but for `is_exact`, which is said of one.
        """
        if self._is_compiled_for(frame):
            channels = np.empty((3, frame.height, frame.width), np.uint8)
            _write(frame, self._planes, channels)
            return np.ascontiguousarray(channels.transpose(1, 2, 0))
        return self._gbr(frame).to_ndarray().astype(np.uint8, copy=False)

    def to_rgb_planes(self, frame: av.VideoFrame, out: NDArray[np.uint8]) -> None:
        """4:2:0 frame as of `to_rgb` -> planes of red, green and blue, uint8 [3, height, width], cut to this size.

        `out` has no gaps. Nothing is interleaved, which takes swscale two thirds of the time of `to_rgb`.
        """
        if self._is_compiled_for(frame):
            _write(frame, self._planes, out)
            return
        _, height, width = out.shape
        for place, plane in zip(_GREEN_BLUE_RED, self._gbr(frame).planes, strict=True):
            samples = np.frombuffer(memoryview(plane), np.uint8)
            out[place] = samples.reshape(-1, plane.line_size)[:height, :width]

    def _is_compiled_for(self, frame: av.VideoFrame) -> bool:
        return self._is_exact and compiled.planes is not None and min(frame.height, frame.width) >= SMALLEST_SIDE

    def _gbr(self, frame: av.VideoFrame) -> av.VideoFrame:
        source_range = self._range
        if source_range == _FULL and frame.format.components[0].bits > 8:
            frame = self._limiter.reformat(
                frame,
                src_colorspace=self._matrix,
                dst_colorspace=self._matrix,
                src_color_range=_FULL,
                dst_color_range=_LIMITED,
                interpolation=_FLAGS,
                threads=1,
            )
            source_range = _LIMITED
        return self._reformatter.reformat(
            frame,
            format="gbrp",
            src_colorspace=self._matrix,
            src_color_range=source_range,
            dst_color_range=_FULL,
            interpolation=_FLAGS,
            threads=1,
        )


def _write(frame: av.VideoFrame, planes: Planes, out: NDArray[np.uint8]) -> None:
    """By what is compiled."""
    luma, blue, red = frame.planes
    height, width = frame.height, frame.width
    compiled.planes.to_rgb(
        (luma, blue, red),
        (luma.line_size, blue.line_size, red.line_size),
        (height, width),
        planes.depth,
        *_tables(planes, height, width),
        out,
        out.shape[1:],
    )


@lru_cache(maxsize=16)
def _tables(planes: Planes, height: int, width: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Weights along rows and along columns, and coefficients."""
    rows, columns = weights(width // 2, ROW_UNIT), weights(height // 2, COLUMN_UNIT)
    return rows, columns, np.array(coefficients(planes), np.int32)


class _Converters(threading.local):
    """Those that a thread has, by what they convert."""

    def __init__(self) -> None:
        self.known: dict[tuple[Planes, bool, int, int], ColourConverter] = {}


_converters = _Converters()


def threads_converter(planes: Planes, height: int, width: int, *, is_exact: bool = False) -> ColourConverter:
    """This thread's own converter of frames of this size in pixels: making one takes as long as converting a frame."""
    known, kind = _converters.known, (planes, is_exact, height, width)
    if kind not in known:
        if len(known) >= _MOST_CONVERTERS:
            known.clear()
        known[kind] = ColourConverter(planes, is_exact=is_exact)
    return known[kind]


def samples_of(frame: av.VideoFrame) -> NDArray[np.integer]:
    """The samples of a 4:2:0 frame as they are, one plane after the other: [H * W + 2 * (H / 2 * W / 2)].

    uint8 of 8 bits, int16 of more.
    """
    dtype: np.dtype[np.integer] = np.dtype(np.uint8 if frame.format.components[0].bits == 8 else np.int16)
    samples, at = np.empty(frame.height * frame.width * 3 // 2, dtype), 0
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width]
        samples[at : at + rows.size].reshape(rows.shape)[:] = rows
        at += rows.size
    return samples


def tag(context: av.VideoCodecContext, planes: Planes) -> None:
    """Have an encoder write down what its planes mean; unspecified is what BT.601 in limited range is known as here."""
    context.color_range = ColorRange.JPEG if planes.full_range else ColorRange.MPEG
    if planes.matrix != "bt601":
        context.color_primaries, context.color_trc, context.colorspace = CODES[planes.matrix]


def padded_size(height: int, width: int, *, smallest: int = 2) -> tuple[int, int]:
    """The next even size with both sides at least `smallest` (even), in pixels."""
    return max(height + height % 2, smallest), max(width + width % 2, smallest)


def pad_frame(frame: Frame, height: int, width: int) -> Frame:
    """Repeat the last row and column of uint8 [h, w, 3] up to [height, width, 3]; cropping undoes it."""
    below, right = height - frame.shape[0], width - frame.shape[1]
    if not below and not right:
        return frame
    return np.pad(frame, ((0, below), (0, right), (0, 0)), mode="edge")

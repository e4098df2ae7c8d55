"""Pictures one by one, as most data sets for training are: JPEG and PNG.

    frame uint8 [H, W, 3] ── Still.encode ──> a file's bytes ── decoder() ──> frame again

Each is decoded by the faster of the decoders at hand: JPEG by Pillow where it is installed, PNG by FFmpeg; measured at
128x160 to 480x854 Pillow is 1.4 to 1.8 times faster in JPEG, and 1.6 times slower in PNG.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from importlib.util import find_spec

import av
import numpy as np

from dnerv.codecs.keyframes import Frame

Decode = Callable[[bytes], Frame]


@dataclass(frozen=True)
class Still:
    """A codec of single pictures, by FFmpeg."""

    name: str  # in options and records
    title: str  # in tables
    suffix: str
    how: str  # how good a picture is, in words
    encoder: str  # FFmpeg's name, of the decoder too
    pixel_format: str
    options: Mapping[str, str] = field(default_factory=dict)
    prefers_pillow: bool = False

    def encode(self, frame: Frame) -> bytes:
        """One picture, uint8 [H, W, 3] RGB, as a file's bytes."""
        encoder = av.CodecContext.create(self.encoder, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.height, encoder.width = frame.shape[:2]
        encoder.pix_fmt, encoder.time_base, encoder.options = self.pixel_format, Fraction(1, 25), dict(self.options)
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=self.pixel_format)
        return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])

    def decoder(self) -> tuple[str, Decode]:
        """The decoder's name, and a function from a file's bytes to uint8 [H, W, 3] RGB that any thread may call."""
        if self.prefers_pillow and find_spec("PIL") is not None:
            return "Pillow", _decode_with_pillow
        return "FFmpeg", partial(_decode_with_ffmpeg, self.encoder)


JPEG = Still("jpeg", "JPEG", ".jpeg", "q = 2, 4:2:0", "mjpeg", "yuvj420p", {"qmin": "2", "qmax": "2"}, True)
PNG = Still("png", "PNG", ".png", "lossless", "png", "rgb24")


def _decode_with_pillow(data: bytes) -> Frame:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture, np.uint8)


def _decode_with_ffmpeg(codec: str, data: bytes) -> Frame:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1  # pictures are what is done in parallel
    packet = av.Packet(data)
    picture = [*decoder.decode(packet), *decoder.decode(None)][0]
    return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)

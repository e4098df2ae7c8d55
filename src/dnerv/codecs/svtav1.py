"""SVT-AV1, in memory, through FFmpeg: keyframes of archives, and a conventional codec like the others.

Notable decisions:
- The keyframes of a video are one sequence in SVT-AV1's random-access structure; closed groups restart it, so that one
  keyframe costs the decoding of a part of one group and nothing outside. In groups of one, every frame is coded alone.
- The frame rate given to the encoder is a constant: timing does not change the bytes.
- 10 bits: rounding to 8 costs more than the finer samples do. Always tuned for PSNR.
- Preset 3 codes over a hundred 128x160 frames a second on two cores. Preset 2 saves 3 to 6 % of the bytes at
  half the speed, preset 4 costs 2 to 4 %, preset 6 some 10 %; groups of 128 save 0 to 6 %.
- Options that gained on some material and lost on other stay at SVT-AV1's defaults: sharpness,
  startup-mg-size, hierarchical-levels, startup-qp-offset. Other tunes, aq-mode 0 and 1, and overlays lost.
- `shares_first` costs what aq-mode and temporal filtering gain: both make the first packet depend on what follows.
- One level of parallelism unless asked for more; SVT-AV1 makes a thread for each of its stages all the same. Above
  preset 8 it is always one: with 2 or 3, or left to choose, SVT-AV1 4.1.0 hung about once in 500 short encodings on two
  busy cores, or gave a packet out of order. Presets 4 to 8 with 2 did neither in 11,000, one level not in 14,000.
- FFmpeg ignores options it does not know and SVT-AV1 only warns; both happen silently here, so tests check
  every option in `_parameters`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar

import av
from av.error import FFmpegError

from dnerv.codecs.av1 import Av1Codec
from dnerv.codecs.codec import CountedFrames, Settings
from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size, tag
from dnerv.codecs.keyframes import DEFAULT_PLANES, Frame, Packet, Planes
from dnerv.codecs.obu import pack_temporal_unit
from dnerv.codecs.priority import priority_kept
from dnerv.errors import InputError

_FRAME_RATE = Fraction(25)
_LAST_PARALLEL_PRESET = 8
_SILENCE = {"SVT_LOG": "0"}  # fatal errors only; the others come back as exceptions


@dataclass(frozen=True)
class SvtAv1(Av1Codec):
    """SVT-AV1 at constant quality.

    Raises InputError for a value outside the ranges below.
    """

    preset: int = 3  # of keyframes: effort, 0 (slow) to 13 (fast)
    group: int = 64  # of keyframes: most of them from one sync packet to the next
    shares_first: bool = False  # the first packet is the same whatever frames follow the first
    low_delay: bool = False  # frames predict only from what is before them: better in groups that are short and spread
    levels: int | None = None  # of the hierarchy of frames, 2 to 5; None: SVT-AV1 decides
    planes: Planes = DEFAULT_PLANES  # what is coded, and written into the sequence header
    threads: int = field(default=1, compare=False)  # level of parallelism up to preset 8; no matter to the bytes

    name = "svtav1"
    title = "SVT-AV1"
    crf_range = (1.0, 70.0)
    crf_step = 0.25
    efforts: ClassVar[Mapping[str, str]] = {"veryslow": "2", "slow": "4", "medium": "6", "fast": "8", "ultrafast": "10"}
    encoder = "libsvtav1"
    fastest_low_delay: ClassVar[int] = 8  # preset; at 10 SVT-AV1 4.1 hangs in one of 600 short encodings

    def __post_init__(self) -> None:
        if not 0 <= self.preset <= 13:
            raise InputError(f"preset is {self.preset}; use 0 (slow) to 13 (fast)")
        if self.group < 1:
            raise InputError(f"group is {self.group}; use at least 1 keyframe")
        if self.levels is not None and not 2 <= self.levels <= 5:
            raise InputError(f"levels is {self.levels}; use 2 to 5")
        if self.low_delay and self.preset > self.fastest_low_delay:
            raise InputError(f"preset is {self.preset}; with low_delay it is at most {self.fastest_low_delay}")
        if self.threads < 1:
            raise InputError(f"threads is {self.threads}; use at least 1")

    def keyframes(self, frames: Iterable[Frame], crf: float) -> list[Packet]:
        """Code the keyframes of one video into as many packets, in display order; the first is a sync packet.

        Args:
            frames: uint8 [H, W, 3] RGB, all of one size. They are drawn one by one and not kept beyond the encoder's
                own lookahead. The same frames give the same bytes.
            crf: quality, 1 (best) to 70 (smallest), in quarter steps: see `nearest_crf`.

        Raises:
            InputError: no frame, a frame that cannot be coded, or another crf.
        """
        if self.nearest_crf(crf) != crf:
            raise InputError(f"crf is {crf}; SVT-AV1 takes 1 to 70 in steps of 0.25: try nearest_crf")
        source = CountedFrames(frames)
        height, width = source.padded_size(self.smallest_side)
        try:
            return _send(self._open_encoder(crf, height, width), ColourConverter(self.planes), source, height, width)
        except FFmpegError as error:
            raise InputError(f"SVT-AV1 cannot code {width}x{height} frames: {error.strerror}") from error

    def check_size(self, height: int, width: int) -> None:
        """Raise InputError for frames larger than the encoder takes, which depends on its effort, too."""
        padded = padded_size(height, width, smallest=self.smallest_side)
        try:
            self._open_encoder(self.usual_crf, *padded)
        except FFmpegError:
            raise InputError(f"frames of {height}x{width} pixels are larger than SVT-AV1 takes") from None

    def _code(self, frames: CountedFrames, settings: Settings) -> list[Packet]:
        told = replace(self, preset=int(settings.preset), group=settings.restart)
        return told.keyframes(frames, settings.crf)

    def _words(self, settings: Settings) -> list[str]:
        return ["-preset", settings.preset, "-crf", str(settings.crf), "-keyint", str(settings.restart)]

    def _open_encoder(self, crf: float, height: int, width: int) -> av.VideoCodecContext:
        os.environ.update(_SILENCE)
        encoder = av.CodecContext.create("libsvtav1", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, self.planes.pixel_format
        tag(encoder, self.planes)
        encoder.framerate, encoder.time_base = _FRAME_RATE, 1 / _FRAME_RATE
        encoder.options = {"svtav1-params": ":".join(f"{k}={v}" for k, v in self._parameters(crf).items())}
        with priority_kept():  # it makes all of its threads here
            encoder.open()
        return encoder

    def _parameters(self, crf: float) -> dict[str, float]:
        """SVT-AV1's own option names; what is not here was measured and left as it is. It takes whole numbers alone."""
        further = {"aq-mode": 0, "enable-tf": 0} if self.shares_first else {}
        further |= {"pred-struct": 1} if self.low_delay else {}
        further |= {} if self.levels is None else {"hierarchical-levels": self.levels}
        return {
            "crf": crf,
            "preset": self.preset,
            "keyint": self.group,
            "lp": self.threads if self.preset <= _LAST_PARALLEL_PRESET else 1,
            **further,
        }


def _send(
    encoder: av.VideoCodecContext, converter: ColourConverter, frames: CountedFrames, height: int, width: int
) -> list[Packet]:
    """Send every frame, padded to height x width, then drain."""
    coded: list[tuple[int | None, Packet]] = []
    for index, frame in enumerate(frames):
        picture = converter.to_yuv(pad_frame(frame, height, width))
        picture.pts, picture.time_base = index, encoder.time_base
        coded += map(_take, encoder.encode(picture))
    coded += map(_take, encoder.encode(None))
    # One temporal unit shows exactly one frame, so AV1 packets leave in display order.
    if [index for index, _ in coded] != list(range(frames.count)) or not coded[0][1].sync:
        raise InputError("SVT-AV1 did not return one packet per frame in display order: try another preset")
    return [packet for _, packet in coded]


def _take(packet: av.Packet[av.VideoStream]) -> tuple[int | None, Packet]:
    return packet.pts, Packet(pack_temporal_unit(bytes(packet)), packet.is_keyframe)

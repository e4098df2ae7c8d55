"""Keyframes with SVT-AV1, in memory, through FFmpeg.

Notable decisions:
- `inter`: the keyframes of a video are one sequence in SVT-AV1's random-access structure; closed groups
  restart it, so that one keyframe costs the decoding of a part of one group and nothing outside.
- `stills`: every keyframe is its own group.
- The frame rate given to the encoder is a constant: timing does not change the bytes.
- Preset 3 codes over a hundred 128x160 frames a second on two cores. Preset 2 saves 3 to 6 % of the bytes at
  half the speed, preset 4 costs 2 to 4 %, preset 6 some 10 %; groups of 128 save 0 to 6 %.
- Options that gained on some material and lost on other stay at SVT-AV1's defaults: sharpness,
  startup-mg-size, hierarchical-levels, startup-qp-offset. Other tunes, aq-mode 0 and 1, and overlays lost.
- FFmpeg ignores options it does not know and SVT-AV1 only warns; both happen silently here, so tests check
  every option in `_parameters`.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import Literal

import av
from av.error import FFmpegError

from dnerv.codecs.codec import Frame, KeyframeFormat, Packet, checked_frames
from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size
from dnerv.codecs.decoding import SMALLEST_SIDE
from dnerv.codecs.obu import pack_temporal_unit
from dnerv.codecs.priority import priority_kept
from dnerv.errors import InputError

Mode = Literal["inter", "stills"]
CRF_RANGE = (1.0, 70.0)
CRF_STEP = 0.25  # SVT-AV1 rounds finer values

_FRAME_RATE = Fraction(25)
_SILENCE = {"SVT_LOG": "0"}  # fatal errors only; the others come back as exceptions


def nearest_crf(crf: float) -> float:
    """The closest value that SVT-AV1 can use: in [1, 70], a multiple of a quarter."""
    return min(max(round(crf / CRF_STEP) * CRF_STEP, CRF_RANGE[0]), CRF_RANGE[1])


@dataclass(frozen=True)
class SvtAv1:
    """SVT-AV1 at constant quality.

    Raises InputError for a value outside the ranges below.
    """

    crf: float  # quality, 1 (best) to 70 (smallest), in quarter steps
    mode: Mode = "inter"  # whether keyframes of a group predict each other
    preset: int = 3  # effort, 0 (slow) to 10 (fast)
    group: int = 64  # most keyframes from one sync packet to the next
    threads: int = field(default=0, compare=False)  # 0: SVT-AV1 decides; the bytes do not depend on it

    name = "svtav1"
    format = KeyframeFormat(bitstream="av1", matrix="bt601")

    def __post_init__(self) -> None:
        if nearest_crf(self.crf) != self.crf:
            raise InputError(f"crf is {self.crf}; SVT-AV1 takes 1 to 70 in steps of 0.25: try nearest_crf")
        if self.mode not in ("inter", "stills"):
            raise InputError(f"mode is {self.mode!r}; use 'inter' or 'stills'")
        if not 0 <= self.preset <= 10:
            raise InputError(f"preset is {self.preset}; use 0 (slow) to 10 (fast)")
        if self.group < 1:
            raise InputError(f"group is {self.group}; use at least 1 keyframe")

    def encode(self, frames: Iterable[Frame]) -> list[Packet]:
        """See `KeyframeCodec.encode`. Also raises InputError when there is no frame or sizes differ."""
        source = checked_frames(frames)
        first = next(source, None)
        if first is None:
            raise InputError("there are no keyframes to code; a video has at least one frame")
        height, width = padded_size(first.shape[0], first.shape[1], smallest=SMALLEST_SIDE)
        try:
            return _code(self._open_encoder(height, width), chain([first], source), height, width)
        except FFmpegError as error:
            raise InputError(f"SVT-AV1 cannot code {width}x{height} frames: {error.strerror}") from error

    def _open_encoder(self, height: int, width: int) -> av.VideoCodecContext:
        os.environ.update(_SILENCE)
        encoder = av.CodecContext.create("libsvtav1", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p10le"
        encoder.framerate, encoder.time_base = _FRAME_RATE, 1 / _FRAME_RATE
        encoder.options = {"svtav1-params": ":".join(f"{k}={v}" for k, v in self._parameters().items())}
        with priority_kept():  # it makes all of its threads here
            encoder.open()
        return encoder

    def _parameters(self) -> dict[str, float]:
        """SVT-AV1's own option names; what is not here was measured and left as it is."""
        return {
            "crf": self.crf,
            "preset": self.preset,
            "keyint": 1 if self.mode == "stills" else self.group,
            "lp": self.threads,
        }


def _code(encoder: av.VideoCodecContext, frames: Iterator[Frame], height: int, width: int) -> list[Packet]:
    """Send every frame, padded to height x width, then drain."""
    converter = ColourConverter()
    coded: list[tuple[int | None, Packet]] = []
    count = 0
    for count, frame in enumerate(frames, start=1):
        picture = converter.to_yuv(pad_frame(frame, height, width), "yuv420p10le")
        picture.pts, picture.time_base = count - 1, encoder.time_base
        coded += map(_take, encoder.encode(picture))
    coded += map(_take, encoder.encode(None))
    # One temporal unit shows exactly one frame, so AV1 packets leave in display order.
    if [index for index, _ in coded] != list(range(count)) or not coded[0][1].sync:
        raise InputError("SVT-AV1 did not return one packet per frame in display order: try another preset")
    return [packet for _, packet in coded]


def _take(packet: "av.Packet[av.VideoStream]") -> tuple[int | None, Packet]:
    return packet.pts, Packet(pack_temporal_unit(bytes(packet)), packet.is_keyframe)

"""A conventional codec at a given number of bytes, by bisection over its quality setting.

A single crf is common to all videos, as a user would choose it. Of the settings on the grid, the smallest
total that is not below the target is reported (the anchor may spend up to one grid step more than the neural
archive, never less), and its neighbour below, so that the PSNR at exactly the target can be interpolated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log

from dnerv.codecs.codec import Frame
from dnerv.errors import InputError
from dnerv.evaluation.anchors import AnchorCodec, AnchorStream, Tune, crf_range, encode_anchor
from dnerv.evaluation.metrics import QualityMeter

CRF_STEP = {"x264": 1 / 16, "x265": 1 / 16, "svtav1": 1 / 4}  # SVT-AV1 has no finer one


@dataclass(frozen=True)
class AnchorPoint:
    """A codec's size and quality over all videos at one crf."""

    crf: float
    size: int  # bytes, all videos
    psnr: float  # dB, mean over frames, then over videos
    psnr_of_mean_mse: float  # dB


@dataclass(frozen=True)
class AnchorMatch:
    """What a codec reaches around a number of bytes; says so when it cannot."""

    codec: AnchorCodec
    target: int  # bytes
    above: AnchorPoint | None  # smallest size >= target on the crf grid; None: even the lowest crf is smaller
    below: AnchorPoint | None  # its neighbour, size < target; None: even the highest crf is not smaller

    @property
    def psnr_at_target(self) -> float | None:
        """Mean PSNR in dB at exactly the target, linear in log-bytes between the points, or None."""
        if self.above is not None and self.above.size == self.target:
            return self.above.psnr
        if self.above is None or self.below is None:
            return None
        share = log(self.target / self.below.size) / log(self.above.size / self.below.size)
        return self.below.psnr + share * (self.above.psnr - self.below.psnr)

    @property
    def note(self) -> str:
        """How `psnr_at_target` came about, in words for a report."""
        above, below, goal = self.above, self.below, f"{self.target} bytes"
        if above is not None and above.size == self.target:
            return f"{self.codec} reaches {goal} exactly, at crf {above.crf:g}"
        if above is not None and below is not None:
            return (
                f"{self.codec} at {goal} is interpolated in log-bytes between crf {above.crf:g} "
                f"({above.size} bytes) and crf {below.crf:g} ({below.size} bytes)"
            )
        if above is not None:
            return f"{self.codec} cannot be as small as {goal}: its highest crf takes {above.size}"
        assert below is not None
        return f"{self.codec} cannot be as large as {goal}: its lowest crf takes {below.size}"


def match_bytes(
    codec: AnchorCodec,
    videos: Sequence[Iterable[Frame]],
    target_bytes: int,
    *,
    fps: float | Fraction | Sequence[float | Fraction],
    preset: str = "veryslow",
    tune: Tune = "psnr",
) -> AnchorMatch:
    """Find the crf at which a codec takes `target_bytes` for all videos together.

    Args:
        codec, preset, tune: as for `encode_anchor`. videos: each can be iterated again and again, giving
        uint8 [H, W, 3] RGB frames; one video's stream is held at a time. target_bytes: bytes of the archive
        to compare with. fps: frames per second, one for all or one per video.

    Every video is coded about ten times. Total size is taken to fall with crf; where a codec breaks that by
    a few bytes the two points are still neighbours on the grid and on either side of the target.

    Raises:
        InputError: no video, a target below one byte, or what `encode_anchor` raises.
    """
    search = _Search(codec, videos, _rates(fps, len(videos)), preset, tune)
    if not videos or target_bytes < 1:
        raise InputError(f"{len(videos)} videos at {target_bytes} bytes; give at least one of each")
    low, high = 0, search.steps  # grid positions; size >= target at low, < target at high
    if search.size(low) < target_bytes:
        return AnchorMatch(codec, target_bytes, above=None, below=search.point(low))
    if search.size(high) >= target_bytes:
        return AnchorMatch(codec, target_bytes, above=search.point(high), below=None)
    while high - low > 1:
        middle = (low + high) // 2
        if search.size(middle) >= target_bytes:
            low = middle
        else:
            high = middle
    return AnchorMatch(codec, target_bytes, above=search.point(low), below=search.point(high))


def _rates(fps: float | Fraction | Sequence[float | Fraction], count: int) -> list[float | Fraction]:
    if not isinstance(fps, Sequence):
        return [fps] * count
    if len(fps) != count:
        raise InputError(f"{len(fps)} frame rates for {count} videos; give one for all or one for each")
    return list(fps)


@dataclass(frozen=True)
class _Search:
    """Sizes and qualities by position on the codec's crf grid."""

    codec: AnchorCodec
    videos: Sequence[Iterable[Frame]]
    fps: Sequence[float | Fraction]
    preset: str
    tune: Tune

    @property
    def steps(self) -> int:
        low, high = crf_range(self.codec)
        return round((high - low) / CRF_STEP[self.codec])

    def crf(self, position: int) -> float:
        return crf_range(self.codec)[0] + position * CRF_STEP[self.codec]

    def size(self, position: int) -> int:
        return sum(self._encode(index, position).size for index in range(len(self.videos)))

    def point(self, position: int) -> AnchorPoint:
        """Codes once more rather than keeping every candidate's streams in memory."""
        meter, size = QualityMeter(), 0
        for index, frames in enumerate(self.videos):
            stream = self._encode(index, position)
            size += stream.size
            meter.add(index, stream.mse_per_frame(frames))
        return AnchorPoint(self.crf(position), size, meter.psnr, meter.psnr_of_mean_mse)

    def _encode(self, index: int, position: int) -> AnchorStream:
        return encode_anchor(
            self.codec,
            self.videos[index],
            fps=self.fps[index],
            crf=self.crf(position),
            preset=self.preset,
            tune=self.tune,
        )

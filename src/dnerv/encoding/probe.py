"""Measure a corpus before designing for it: code a sample of its keyframes, blend them, look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs import SvtAv1, blended, decode_packets, mse, psnr, search_crf
from dnerv.video import CachedVideo, Timeline

PROBE_PRESET = 5  # of SVT-AV1: quick, and a little larger than what slower presets make of the same crf
SAMPLE_VIDEOS = 8  # at most, spread over the corpus
SAMPLE_FRAMES = 129  # of each, at most, from its middle
_FIRST_CRF = 50.0
_MOST_TRIALS = 5  # codings of the sample, at most, for one distance
_CLOSE_ENOUGH = 0.03  # in log bytes: the whole corpus will be coded anew anyway
SAMPLE_SIDE = 320  # pixels; of larger frames the centre is taken


class KeyframeProbe:
    """What keyframes cost and what blending them gives, by distance and crf, on a sample of a corpus."""

    def __init__(self, videos: Sequence[CachedVideo]) -> None:
        chosen = np.unique(np.linspace(0, len(videos) - 1, SAMPLE_VIDEOS).round().astype(int))
        self._videos = [videos[i] for i in chosen]
        self._measured: dict[tuple[int, float], tuple[float, float]] = {}

    def bytes_per_pixel(self, every: int, crf: float) -> float:
        """Bytes of keyframes at distance `every` and quality `crf`, over the pixels of all frames."""
        return self._measure(every, crf)[0]

    def blend_psnr(self, every: int, crf: float) -> float:
        """PSNR in dB, mean over all frames, of the decoded keyframes linearly blended."""
        return self._measure(every, crf)[1]

    def crf_for(self, every: int, bytes_per_pixel: float) -> float:
        """The crf whose bytes come closest to those asked for: see `search_crf`."""
        found = search_crf(
            SvtAv1(),
            lambda crf: self.bytes_per_pixel(every, crf),
            max(bytes_per_pixel, 1e-12),
            start=_FIRST_CRF,
            close_enough=_CLOSE_ENOUGH,
            most=_MOST_TRIALS,
        )
        return found.nearest

    def _measure(self, every: int, crf: float) -> tuple[float, float]:
        key = (every, crf)
        if key not in self._measured:
            parts = [self._measure_video(video, every, crf) for video in self._videos]
            size, pixels = sum(p[0] for p in parts), sum(p[1] for p in parts)
            self._measured[key] = (size / pixels, float(np.concatenate([p[2] for p in parts]).mean()))
        return self._measured[key]

    def _measure_video(self, video: CachedVideo, every: int, crf: float) -> tuple[int, int, NDArray[np.float64]]:
        keyframes, frames = self._keyframes(video, every)
        packets = SvtAv1(preset=PROBE_PRESET).keyframes(keyframes, crf)
        height, width = frames.shape[1:3]
        decoded = np.stack(list(decode_packets([p.data for p in packets], height=height, width=width)))
        blends = blended(decoded, Timeline(len(frames), 1, every))
        quality = np.array([psnr(mse(frame, blend)) for frame, blend in zip(frames, blends, strict=True)])
        return sum(len(p.data) for p in packets), frames[..., 0].size, quality

    def _keyframes(self, video: CachedVideo, every: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Keyframes and all frames of the sample of one video."""
        frames = centre(video)
        return frames[Timeline(len(frames), 1, every).keyframe_positions], frames


def centre(video: CachedVideo, most_frames: int = SAMPLE_FRAMES) -> NDArray[np.uint8]:
    """The middle of a video: up to `most_frames` frames, uint8 [n, H, W, 3], their sides cut to `SAMPLE_SIDE`."""
    count = min(most_frames, video.timing.num_frames)
    first = (video.timing.num_frames - count) // 2
    height, width = min(video.height, SAMPLE_SIDE), min(video.width, SAMPLE_SIDE)
    top, left = (video.height - height) // 2, (video.width - width) // 2
    region = (slice(top, top + height), slice(left, left + width))
    # Frame by frame: a long read of a large video would hold all of its pixels.
    return np.stack([video.store[first + i][region] for i in range(count)])

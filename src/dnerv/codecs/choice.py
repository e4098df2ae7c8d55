"""Whether the keyframes of a corpus should predict each other: measured on a sample, not guessed.

Neighbouring keyframes of a slow camera share nearly everything; those of a montage, coded far apart, share
nothing, and then stills are as small and cost less to reach.
"""

from collections.abc import Sequence
from math import exp, log

import numpy as np

from dnerv.codecs.av1 import decode_packets
from dnerv.codecs.fidelity import mse, psnr
from dnerv.codecs.keyframes import Frame
from dnerv.codecs.svtav1 import Mode, SvtAv1
from dnerv.errors import InputError

_CRF_STRIDE = 6.0  # spacing of the measured points; log-rate is close to linear in PSNR over it


def better_mode(sample_videos: Sequence[Sequence[Frame]], crf: float) -> Mode:
    """The mode that needs fewer bytes for the quality that `inter` has at `crf`; `stills` on a tie.

    Args:
        sample_videos: keyframes of some videos of the corpus, uint8 [H, W, 3] each.
        crf: quality around which to compare, as for `SvtAv1`.

    The stills' bytes at the inter sequence's PSNR (mean over all frames) are interpolated linearly in
    log-bytes between the two nearest measured crf. Deterministic. Raises InputError without any frame.
    """
    if not any(len(video) for video in sample_videos):
        raise InputError("the sample has no frames; give keyframes of at least one video")
    size, psnr = _measure(sample_videos, "inter", crf)
    return "inter" if size < _stills_size_at(sample_videos, psnr, crf) else "stills"


def _stills_size_at(videos: Sequence[Sequence[Frame]], psnr: float, crf: float) -> float:
    """Bytes of stills at `psnr` dB; at an end of the crf range, the bytes measured there."""
    size, reached = _measure(videos, "stills", crf)
    direction = 1 if reached > psnr else -1
    while reached != psnr and SvtAv1.crf_range[0] < crf + direction * _CRF_STRIDE < SvtAv1.crf_range[1]:
        crf += direction * _CRF_STRIDE
        previous_size, previous = size, reached
        size, reached = _measure(videos, "stills", crf)
        if (reached - psnr) * direction <= 0:
            share = (psnr - previous) / (reached - previous)
            return exp(log(previous_size) + share * (log(size) - log(previous_size)))
    return size


def _measure(videos: Sequence[Sequence[Frame]], mode: Mode, crf: float) -> tuple[int, float]:
    """Total bytes, and PSNR in dB averaged over all frames."""
    codec = SvtAv1(mode=mode)
    size, values = 0, list[float]()
    for video in videos:
        if not len(video):
            continue
        data = [packet.data for packet in codec.keyframes(video, SvtAv1.nearest_crf(crf))]
        size += sum(map(len, data))
        decoded = decode_packets(data, height=video[0].shape[0], width=video[0].shape[1])
        values += [psnr(mse(original, frame)) for original, frame in zip(video, decoded, strict=True)]
    return size, float(np.mean(values))

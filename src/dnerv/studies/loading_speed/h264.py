"""H.264 at the archive's bytes: what a video file of the same size gives, decoded as fast as FFmpeg can.

It is given every advantage: the places of its keyframes are known (no container is parsed), decoding begins at the last
keyframe before a clip and ends with the clip, colours are converted the quick way, and of frame threads and several
clips at once the faster is taken. A second row restarts at every clip: it decodes no frame in vain, and pays for that
in quality, not in bytes.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from math import log
from pathlib import Path
from typing import Literal

import av
import numpy as np
import torch
from av.codec.context import ThreadType
from av.video.reformatter import Colorspace, VideoReformatter
from torch import Tensor

from dnerv.evaluation import encode_anchor
from dnerv.evaluation.anchors import RESTART, AnchorStream, crf_range
from dnerv.evaluation.machine import usable_cores
from dnerv.families import channels_first
from dnerv.studies.loading_speed.candidate import Candidate, ClipPlace, Load
from dnerv.studies.loading_speed.sample import Sample, SampledVideo

PRESET = "medium"  # x264's own default: how videos are usually made
_FIRST_CRF = 32.0
_SLOPE = -0.12  # of log bytes by crf
_CLOSE_ENOUGH = 0.02  # in log bytes
_MOST_STEPS = 6

Parallel = Literal["clips", "frames"]


@dataclass(frozen=True)
class StoredStream:
    """One video's packets, back to back in a file."""

    path: Path
    starts: tuple[int, ...]  # byte at which each packet begins, and the end of the last
    keyframes: tuple[int, ...]  # packets at which decoding can begin; as many frames come before each as packets
    size: tuple[int, int]  # height, width


def h264(
    sample: Sample,
    folder: Path,
    *,
    file_bytes: int,
    restart: int | None,
    batch_size: int,
    device: torch.device,
    advance: Callable[[], None] = lambda: None,
) -> Candidate:
    """Code the sampled videos at about their share of `file_bytes`, below `folder`.

    Args:
        restart: frames between keyframes, at most; None for x264's own choice.
        advance: called after each of up to six codings of all videos.
    """
    gap = restart or RESTART
    target = round(file_bytes * sample.share)
    crf, coded = match_size(target, lambda crf: _code(sample, crf, gap, advance))
    streams = {video: store_stream(stream, folder / f"{video}-{gap}.h264") for video, stream in coded.items()}
    size = sum(stream.size for stream in coded.values())
    name = "H.264" if restart is None else "H.264 short GOP"
    parallel = _faster(sample, streams, batch_size, device)
    how = f"{parallel} in parallel on {usable_cores()} cores"
    note = f"x264 {PRESET}, crf {crf:.2f}, a keyframe every {gap} frames or at cuts, decoded by FFmpeg, {how}"
    files = tuple(streams[video].path for video in sorted({place.video for place in sample.places}))
    opened = partial(_opened, sample, streams, parallel, device)
    return Candidate(name, "video codec", batch_size, files, size, note, opened)


def match_size(
    target: int, encode: Callable[[float], dict[int, AnchorStream]]
) -> tuple[float, dict[int, AnchorStream]]:
    """The crf, of a few, whose streams come closest to `target` bytes."""
    low, high = crf_range("x264")
    tried: dict[float, int] = {}
    crf, best = _FIRST_CRF, (0.0, dict[int, AnchorStream]())
    for _ in range(_MOST_STEPS):
        streams = encode(crf)
        tried[crf] = sum(stream.size for stream in streams.values())
        if min(tried.values(), key=lambda size: abs(log(size / target))) == tried[crf]:
            best = crf, streams
        missing = log(target / tried[crf])
        if missing < 0:
            low = max(low, crf)
        else:
            high = min(high, crf)
        crf = round(min(high, max(low, crf + missing / _SLOPE)), 2)
        if abs(missing) < _CLOSE_ENOUGH or crf in tried:
            break
    return best


def store_stream(stream: AnchorStream, path: Path) -> StoredStream:
    """Write a stream's packets to a file."""
    path.write_bytes(b"".join(stream.packets))
    keyframes = tuple(i for i, packet in enumerate(stream.packets) if _is_keyframe(packet))
    starts = (0, *accumulate(map(len, stream.packets)))
    return StoredStream(path, starts, keyframes, (stream.height, stream.width))


def decode_clip(stream: StoredStream, frames: range, parallel: Parallel) -> Tensor:
    """Frames of one clip: uint8 [t, 3, H, W]."""
    opening = bisect_right(stream.keyframes, frames.start) - 1
    first = stream.keyframes[opening]
    past = [*stream.keyframes, len(stream.starts) - 1][bisect_right(stream.keyframes, frames.stop - 1)]
    with stream.path.open("rb") as file:
        file.seek(stream.starts[first])
        data = file.read(stream.starts[past] - stream.starts[first])
    packets = (
        data[begin - stream.starts[first] : end - stream.starts[first]]
        for begin, end in zip(stream.starts[first:past], stream.starts[first + 1 : past + 1], strict=True)
    )
    height, width = stream.size
    reformatter = VideoReformatter()
    clip = np.empty((len(frames), height, width, 3), np.uint8)
    with closing(_pictures(packets, parallel)) as pictures:
        for number, picture in enumerate(islice(pictures, frames.stop - first), start=first):
            if number >= frames.start:
                rgb = reformatter.reformat(picture, format="rgb24", src_colorspace=Colorspace.ITU601)
                clip[number - frames.start] = rgb.to_ndarray()[:height, :width]
    return channels_first(clip)


def _pictures(packets: Iterator[bytes], parallel: Parallel) -> Generator[av.VideoFrame, None, None]:
    """In display order: every group between two keyframes is closed.

    What is on its way when the caller has enough is still taken out: PyAV frees a decoder without letting go of
    Python's lock, which one of its frame threads may be waiting for, and then nothing moves any more.
    """
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = usable_cores() if parallel == "frames" else 1
    decoder.thread_type = ThreadType.FRAME
    drained = False
    try:
        for data in packets:
            yield from decoder.decode(av.Packet(data))
        drained = True
        yield from decoder.decode(None)
    finally:
        if not drained:
            decoder.decode(None)


@contextmanager
def _opened(
    sample: Sample, streams: dict[int, StoredStream], parallel: Parallel, device: torch.device
) -> Iterator[Load]:
    with ThreadPoolExecutor(usable_cores() if parallel == "clips" else 1) as pool:

        def one(place: ClipPlace) -> Tensor:
            return decode_clip(streams[place.video], sample.frames_of(place), parallel).to(device)

        yield lambda batch: list(pool.map(one, batch))


def _faster(sample: Sample, streams: dict[int, StoredStream], batch_size: int, device: torch.device) -> Parallel:
    """By a trial on the sample's first clips, each way twice."""

    def seconds(parallel: Parallel) -> float:
        with _opened(sample, streams, parallel, device) as load:
            times = []
            for _ in range(2):
                start = time.perf_counter()
                load(sample.places[: 2 * batch_size])
                times.append(time.perf_counter() - start)
        return min(times)

    return "clips" if seconds("clips") <= seconds("frames") else "frames"


def _code(sample: Sample, crf: float, restart: int, advance: Callable[[], None]) -> dict[int, AnchorStream]:
    def one(video: SampledVideo) -> AnchorStream:
        frames = (video.store.read([index])[0] for index in range(len(video.store)))
        return encode_anchor("x264", frames, fps=video.fps, crf=crf, preset=PRESET, restart=restart)

    with ThreadPoolExecutor(usable_cores()) as pool:
        streams = dict(zip(sample.videos, pool.map(one, sample.videos.values()), strict=True))
    advance()
    return streams


def _is_keyframe(packet: bytes) -> bool:
    """Whether one of its NAL units is a slice of an instantaneous refresh (type 5)."""
    place = packet.find(b"\x00\x00\x01")
    while place >= 0 and place + 3 < len(packet):
        if packet[place + 3] & 31 == 5:
            return True
        place = packet.find(b"\x00\x00\x01", place + 3)
    return False

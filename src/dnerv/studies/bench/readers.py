"""Clips out of video files, in every way that people have: PyAV, torchcodec and decord.

PyAV is given every advantage: no container is parsed, decoding begins at the last restart before a clip and ends with
the clip, colours are converted the quick way, and of decoder threads and several clips at once the faster is taken. The
others read the same packets in MP4. They keep a decoder for each file and thread or, "anew", open one for every clip,
as data sets of many videos have to.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import torch
from av.codec.context import ThreadType
from av.video.reformatter import Colorspace, VideoReformatter
from torch import Tensor

from dnerv.families import channels_first
from dnerv.process import usable_cores
from dnerv.studies.bench.candidate import Candidate, ClipPlace, Load
from dnerv.studies.bench.sample import Sample
from dnerv.studies.bench.streams import StoredStream, StoredVideos
from dnerv.studies.runner import Run

Parallel = Literal["clips", "frames"]
Read = Callable[[range], Tensor]  # frames of an open file: uint8 [t, 3, H, W], H and W even


def candidates(run: Run[Any], sample: Sample, videos: StoredVideos, batch_size: int) -> Iterator[Candidate]:
    """Every way to read them that there is here."""
    streams = videos.streams
    own = [streams[video] for video in sorted({place.video for place in sample.places})]

    def candidate(
        name: str, size: int, note: str, files: list[Path], opens: Callable[..., Any], *how: Any
    ) -> Candidate:
        opened = partial(opens, sample, streams, *how, run.device)
        return Candidate(f"{videos.name} {name}", "video codec", batch_size, tuple(files), size, note, opened)

    depends_on = {"sample": sample.digest, "coding": videos.how, "batch_size": batch_size, "device": run.options.device}
    tried = run.step(
        f"{videos.name} in parallel", depends_on, lambda _: faster(sample, streams, batch_size, run.device)
    )
    parallel: Parallel = tried["parallel"]
    note = f"{videos.how}; {parallel} in parallel, beginning at the last restart before a clip"
    yield candidate("PyAV", videos.packet_bytes, note, [s.path for s in own], _opened, parallel)
    for reader in READERS:
        if unusable(reader) is None and can_read(reader, own[0].mp4):
            files, size = [s.mp4 for s in own], videos.mp4_bytes
            yield candidate(reader, size, "", files, _read, reader, True)
            yield candidate(f"{reader} anew", size, "", files, _read, reader, False)


def decode_clip(stream: StoredStream, frames: range, threads: int = 1) -> Tensor:
    """Frames of one clip, by PyAV, with as many threads of its decoder: uint8 [t, 3, H, W]."""
    opening = bisect_right(stream.restarts, frames.start) - 1
    first = stream.restarts[opening]
    past = [*stream.restarts, len(stream.starts) - 1][bisect_right(stream.restarts, frames.stop - 1)]
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
    with closing(_pictures(stream.decoder, packets, threads)) as pictures:
        for number, picture in enumerate(islice(pictures, frames.stop - first), start=first):
            if number >= frames.start:
                rgb = reformatter.reformat(picture, format="rgb24", src_colorspace=Colorspace.ITU601)
                clip[number - frames.start] = rgb.to_ndarray()[:height, :width]
    return channels_first(clip)


def missing_readers(names: Collection[str]) -> dict[str, str]:
    """Of torchcodec and decord those that take no part beside the PyAV of these candidates, and why."""
    missing = {}
    for reader in READERS:
        absent = [
            video
            for name in names
            if (video := name.removesuffix(" PyAV")) != name and f"{video} {reader}" not in names
        ]
        if absent:
            missing[reader] = unusable(reader) or f"it reads no {', '.join(sorted(absent))}"
    return missing


def unusable(reader: str) -> str | None:
    """Why torchcodec or decord cannot be used here; None where it can."""
    if find_spec(reader) is None:
        return "it is not installed"
    try:
        __import__(f"{reader}.decoders" if reader == "torchcodec" else reader)
    except (ImportError, OSError, RuntimeError) as error:  # torchcodec's: no FFmpeg that it knows
        return f"it does not import: {(str(error).splitlines() or [type(error).__name__])[0]}"
    return None


def can_read(reader: str, path: Path) -> bool:
    """Whether it opens such a file: decord knows no AV1."""
    try:
        return len(READERS[reader](path)(range(1))) == 1
    except Exception:  # each has errors of its own
        return False


def faster(
    sample: Sample, streams: Mapping[int, StoredStream], batch_size: int, device: torch.device
) -> dict[str, Parallel]:
    """By a trial on the sample's first clips, each way twice."""

    def seconds(parallel: Parallel) -> float:
        with _opened(sample, streams, parallel, device, usable_cores()) as load:
            times = []
            for _ in range(2):
                start = time.perf_counter()
                load(sample.places[: 2 * batch_size])
                times.append(time.perf_counter() - start)
        return min(times)

    return {"parallel": "clips" if seconds("clips") <= seconds("frames") else "frames"}


def _torchcodec(path: Path) -> Read:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="approximate")
    return lambda frames: decoder.get_frames_in_range(frames.start, frames.stop).data


def _decord(path: Path) -> Read:
    import decord

    decord.logging.set_level(decord.logging.FATAL)
    reader = decord.VideoReader(str(path), num_threads=1)
    return lambda frames: channels_first(reader.get_batch(list(frames)).asnumpy())


READERS: Mapping[str, Callable[[Path], Read]] = {"torchcodec": _torchcodec, "decord": _decord}


@contextmanager
def _read(
    sample: Sample,
    streams: Mapping[int, StoredStream],
    reader: str,
    is_kept: bool,
    device: torch.device,
    threads: int,
) -> Iterator[Load]:
    with ThreadPoolExecutor(threads) as pool:
        own = threading.local()

        def one(place: ClipPlace) -> Tensor:
            stream, kept = streams[place.video], vars(own) if is_kept else {}
            read = kept.get(stream.path.name) or READERS[reader](stream.mp4)
            kept[stream.path.name] = read
            height, width = stream.size
            return read(sample.frames_of(place))[..., :height, :width].to(device)

        yield lambda batch: list(pool.map(one, batch))


@contextmanager
def _opened(
    sample: Sample, streams: Mapping[int, StoredStream], parallel: Parallel, device: torch.device, threads: int
) -> Iterator[Load]:
    with ThreadPoolExecutor(threads if parallel == "clips" else 1) as pool:

        def one(place: ClipPlace) -> Tensor:
            frames, inside = sample.frames_of(place), threads if parallel == "frames" else 1
            return decode_clip(streams[place.video], frames, inside).to(device)

        yield lambda batch: list(pool.map(one, batch))


def _pictures(name: str, packets: Iterator[bytes], threads: int) -> Generator[av.VideoFrame, None, None]:
    """In display order: every group between two keyframes is closed.

    What is on its way when the caller has enough is still taken out: PyAV frees a decoder without letting go of
    Python's lock, which one of its frame threads may be waiting for, and then nothing moves any more.
    """
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = threads
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

"""H.264 at the archive's bytes: what a video file of the same size gives, read in every way that people have.

x264, one crf for all videos ─ packets ─┬─ back to back ─ PyAV, which knows where decoding can begin
                                        └─ in MP4 ─ torchcodec, decord, where they are installed

PyAV is given every advantage: no container is parsed, decoding begins at the last restart before a clip and ends with
the clip, colours are converted the quick way, and of frame threads and several clips at once the faster is taken. The
others keep a decoder for each file and thread, or open one for every clip, as data sets of many videos do. A second
file restarts at every clip: it decodes no frame in vain, and pays for that in quality, not in bytes.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import torch
from av.codec.context import ThreadType
from av.video.reformatter import Colorspace, VideoReformatter
from torch import Tensor

from dnerv import progress
from dnerv.codecs import CODECS, RESTART, Stream, search_crf
from dnerv.families import channels_first
from dnerv.process import usable_cores
from dnerv.studies.bench.candidate import Candidate, ClipPlace, Load
from dnerv.studies.bench.sample import Sample, SampledVideo
from dnerv.studies.runner import Run
from dnerv.studies.steps import make_folder
from dnerv.studies.study import Record

CODEC = CODECS["x264"]
EFFORT = "medium"  # x264's own default: how videos are usually made
_CLOSE_ENOUGH = 0.02  # in log bytes
_MOST_CODINGS = 6

Parallel = Literal["clips", "frames"]
Read = Callable[[range], Tensor]  # frames of an open file: uint8 [t, 3, H, W], H and W even


@dataclass(frozen=True)
class StoredStream:
    """One video's packets, back to back in a file, and in MP4 beside it."""

    path: Path
    starts: tuple[int, ...]  # byte at which each packet begins, and the end of the last
    restarts: tuple[int, ...]  # packets at which decoding can begin; as many frames come before each as packets
    size: tuple[int, int]  # height, width

    @property
    def mp4(self) -> Path:
        """The same packets in a container."""
        return self.path.with_suffix(".mp4")


def videos(run: Run[Any], sample: Sample, file_bytes: int, restart: int | None, batch_size: int) -> Iterator[Candidate]:
    """H.264 of the sampled videos at about their share of `file_bytes`, by PyAV and by each reader that is there.

    `restart`: frames from one restart to the next, at most; None for x264's own choice.
    """
    gap, name = restart or RESTART, f"H.264{'' if restart is None else ' short GOP'}"
    target = round(file_bytes * sample.share)

    def make(stem: Path) -> Record:
        make_folder(stem)
        crf, coded = match_size(sample, target, gap)
        progress.stage("writing H.264", len(coded))
        streams = {video: store_stream(stream, stem / f"{video}{CODEC.suffix}") for video, stream in coded.items()}
        return {
            "crf": crf,
            "bytes": sum(stream.size for stream in coded.values()),
            "streams": {str(video): [s.path.name, s.starts, s.restarts, s.size] for video, s in streams.items()},
            "parallel": _faster(sample, streams, batch_size, run.device),
            "files": run.steps.listed(path for s in streams.values() for path in (s.path, s.mp4)),
        }

    options = CODEC.describe(CODEC.usual_crf, EFFORT, fps=25, restart=gap)
    depends_on = {"sample": sample.digest, "target": target, "options": options, "encoder": CODEC.library()}
    found = run.step(name, depends_on | {"batch_size": batch_size, "device": run.options.device}, make)
    folder = run.path_of(found).parent
    streams = {
        int(video): StoredStream(folder / path, tuple(starts), tuple(restarts), (size[0], size[1]))
        for video, (path, starts, restarts, size) in found["streams"].items()
    }
    made = f"x264 {EFFORT}, crf {found['crf']:g}, a restart every {gap} frames or at cuts"
    own = [streams[video] for video in sorted({place.video for place in sample.places})]

    def candidate(name: str, note: str, files: list[Path], opened: Callable[..., Any], *arguments: Any) -> Candidate:
        opens = partial(opened, sample, streams, *arguments, run.device)
        return Candidate(name, "video codec", batch_size, tuple(files), found["bytes"], note, opens)

    parallel = f"{found['parallel']} in parallel on {usable_cores()} cores"
    yield candidate(name, f"{made}, decoded by PyAV, {parallel}", [s.path for s in own], _opened, found["parallel"])
    files, how = [s.mp4 for s in own], f"the same packets in MP4, in {usable_cores()} threads, each with a decoder"
    for reader in [r for r, reason in missing_readers().items() if reason is None and restart is None]:
        yield candidate(reader, f"{how} kept for each file", files, _read, reader, True)
        yield candidate(f"{reader} anew", f"{how} opened for each clip", files, _read, reader, False)


def match_size(sample: Sample, target: int, restart: int) -> tuple[float, Mapping[int, Stream]]:
    """The crf whose streams come closest to `target` bytes, and these, by video."""
    progress.stage(f"coding H.264, a restart every {restart} frames", _MOST_CODINGS)
    tried: dict[float, dict[int, Stream]] = {}

    def coded_bytes(crf: float) -> int:
        def one(video: SampledVideo) -> Stream:
            return CODEC.encode(video.store, fps=video.fps, crf=crf, effort=EFFORT, restart=restart)

        with ThreadPoolExecutor(usable_cores()) as pool:
            tried[crf] = dict(zip(sample.videos, pool.map(one, sample.videos.values()), strict=True))
        progress.advance()
        return sum(stream.size for stream in tried[crf].values())

    found = search_crf(CODEC, coded_bytes, target, close_enough=_CLOSE_ENOUGH, most=_MOST_CODINGS).nearest
    return found, tried[found]


def store_stream(stream: Stream, path: Path) -> StoredStream:
    """Write a stream's packets to `path`, and in MP4 beside it."""
    stream.write(path)
    starts = (0, *accumulate(map(len, stream.packets)))
    stored = StoredStream(path, starts, stream.restarts, (stream.height, stream.width))
    _write_mp4(stream, stored)
    return stored


def decode_clip(stream: StoredStream, frames: range, parallel: Parallel) -> Tensor:
    """Frames of one clip, by PyAV: uint8 [t, 3, H, W]."""
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
    with closing(_pictures(packets, parallel)) as pictures:
        for number, picture in enumerate(islice(pictures, frames.stop - first), start=first):
            if number >= frames.start:
                rgb = reformatter.reformat(picture, format="rgb24", src_colorspace=Colorspace.ITU601)
                clip[number - frames.start] = rgb.to_ndarray()[:height, :width]
    return channels_first(clip)


def missing_readers() -> dict[str, str | None]:
    """Why torchcodec and decord cannot be used here; None for one that can."""
    return {name: _missing(name) for name in READERS}


def _missing(reader: str) -> str | None:
    if find_spec(reader) is None:
        return "it is not installed"
    try:
        __import__(f"{reader}.decoders" if reader == "torchcodec" else reader)
    except (ImportError, OSError, RuntimeError) as error:  # torchcodec's: no FFmpeg that it knows
        return f"it does not import: {(str(error).splitlines() or [type(error).__name__])[0]}"
    return None


def _torchcodec(path: Path) -> Read:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="approximate")
    return lambda frames: decoder.get_frames_in_range(frames.start, frames.stop).data


def _decord(path: Path) -> Read:
    import decord

    reader = decord.VideoReader(str(path), num_threads=1)
    return lambda frames: channels_first(reader.get_batch(list(frames)).asnumpy())


READERS: Mapping[str, Callable[[Path], Read]] = {"torchcodec": _torchcodec, "decord": _decord}


@contextmanager
def _read(
    sample: Sample, streams: Mapping[int, StoredStream], reader: str, is_kept: bool, device: torch.device
) -> Iterator[Load]:
    with ThreadPoolExecutor(usable_cores()) as pool:
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
    sample: Sample, streams: Mapping[int, StoredStream], parallel: Parallel, device: torch.device
) -> Iterator[Load]:
    with ThreadPoolExecutor(usable_cores() if parallel == "clips" else 1) as pool:

        def one(place: ClipPlace) -> Tensor:
            return decode_clip(streams[place.video], sample.frames_of(place), parallel).to(device)

        yield lambda batch: list(pool.map(one, batch))


def _faster(sample: Sample, streams: Mapping[int, StoredStream], batch_size: int, device: torch.device) -> Parallel:
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


def _write_mp4(stream: Stream, stored: StoredStream) -> None:
    """The packets of a file, with the order in which frames are shown; at some rate: they are asked for by number."""
    decoder = av.CodecContext.create(CODEC.decoder, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    shown: dict[int, int] = {}  # by place among the packets, the place among the frames
    for place, data in enumerate([*stream.packets, None]):
        coded = None if data is None else av.Packet(data)
        if coded is not None:
            coded.pts = place
        for picture in decoder.decode(coded):
            shown[int(picture.pts or 0)] = len(shown)
    late = max(place - shown[place] for place in shown)
    with (
        av.open(str(stored.path), format=CODEC.suffix[1:]) as source,
        av.open(str(stored.mp4), "w", format="mp4") as target,
    ):
        made = target.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            packet.stream, packet.time_base, packet.duration = made, Fraction(1, 25), 1
            packet.pts, packet.dts = shown[place], place - late
            target.mux(packet)

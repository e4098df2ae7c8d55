"""Video files of the sample: H.264 at the archive's bytes, and AV1 as LeRobot's data sets have it.

frames ─ Coding ─ packets ─┬─ back to back in a file: PyAV's, which is told where decoding can begin
                           └─ in MP4 beside it: torchcodec's, decord's, anybody's

H.264 is by x264, at one crf for all videos that takes about the bytes that they take in the archive. A second one
restarts at every clip: it decodes no frame in vain, and pays for that in quality, not in bytes. AV1 is coded as
LeRobot's data sets are by default: every other frame a key frame, preset 12, crf 30, whatever bytes that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import av

from dnerv import progress
from dnerv.codecs import CODECS, RESTART, Stream, search_crf
from dnerv.process import side_by_side
from dnerv.studies.bench.sample import Sample, SampledVideo
from dnerv.studies.runner import Run
from dnerv.studies.steps import make_folder
from dnerv.studies.streams import LEROBOT, LEROBOT_CRF, LEROBOT_EFFORT
from dnerv.studies.study import Record

X264 = CODECS["x264"]
EFFORT = "medium"  # x264's own default: how videos are usually made
_CLOSE_ENOUGH = 0.02  # in log bytes
_MOST_CODINGS = 6

Encode = Callable[..., Stream]  # of a SampledVideo, at crf=


@dataclass(frozen=True)
class StoredStream:
    """One video's packets, back to back in a file, and in MP4 beside it."""

    path: Path
    decoder: str  # FFmpeg's name
    starts: tuple[int, ...]  # byte at which each packet begins, and the end of the last
    restarts: tuple[int, ...]  # packets at which decoding can begin; as many frames come before each as packets
    size: tuple[int, int]  # height, width

    @property
    def mp4(self) -> Path:
        """The same packets in a container."""
        return self.path.with_suffix(".mp4")


@dataclass(frozen=True)
class StoredVideos:
    """The sampled videos in one coding."""

    name: str  # in the table
    how: str  # they were coded, in words
    streams: Mapping[int, StoredStream]  # by the video's place in the archive

    @property
    def packet_bytes(self) -> int:
        """Of all videos' packets."""
        return sum(stream.starts[-1] for stream in self.streams.values())

    @property
    def mp4_bytes(self) -> int:
        """Of all videos in their containers."""
        return sum(stream.mp4.stat().st_size for stream in self.streams.values())


def h264(run: Run[Any], sample: Sample, file_bytes: int, restart: int | None) -> StoredVideos:
    """H.264 of the sampled videos at about their share of `file_bytes`.

    `restart`: frames from one restart to the next, at most; None for x264's own choice.
    """
    gap, target = restart or RESTART, round(file_bytes * sample.share)
    options = X264.describe(X264.usual_crf, EFFORT, fps=25, restart=gap)
    depends_on = {"target": target, "options": options, "encoder": X264.library()}
    coded = partial(match_size, sample, target, gap)
    name = "H.264" if restart is None else f"H.264 g{restart}"
    stored, crf = _stored(run, sample, name, depends_on, coded)
    how = f"x264 {EFFORT}, crf {crf:g}, a restart every {gap} frames or at cuts"
    return StoredVideos(name, how, stored)


def lerobot(run: Run[Any], sample: Sample) -> StoredVideos:
    """AV1 as LeRobot codes its data sets."""
    options = LEROBOT.describe(LEROBOT_CRF, LEROBOT_EFFORT, fps=25, restart=LEROBOT.group)
    depends_on = {"options": options, "encoder": LEROBOT.library()}

    def encode(video: SampledVideo, crf: float) -> Stream:
        return LEROBOT.encode(video.store, fps=video.fps, crf=crf, effort=LEROBOT_EFFORT, restart=LEROBOT.group)

    def coded() -> tuple[float, Mapping[int, Stream]]:
        progress.stage("coding AV1 as LeRobot does", len(sample.videos))
        return LEROBOT_CRF, _all_coded(sample, encode, LEROBOT_CRF)

    name = f"AV1 g{LEROBOT.group}"
    stored, crf = _stored(run, sample, name, depends_on, coded)
    how = f"SVT-AV1 as LeRobot's data sets have it, preset {LEROBOT.preset}, crf {crf:g}, -g {LEROBOT.group}"
    return StoredVideos(name, how, stored)


def match_size(sample: Sample, target: int, restart: int) -> tuple[float, Mapping[int, Stream]]:
    """The crf whose streams come closest to `target` bytes, and these, by video."""
    progress.stage(f"coding H.264, a restart every {restart} frames", _MOST_CODINGS * len(sample.videos))
    tried: dict[float, Mapping[int, Stream]] = {}

    def encode(video: SampledVideo, crf: float) -> Stream:
        return X264.encode(video.store, fps=video.fps, crf=crf, effort=EFFORT, restart=restart)

    def coded_bytes(crf: float) -> int:
        tried[crf] = _all_coded(sample, encode, crf)
        return sum(stream.size for stream in tried[crf].values())

    found = search_crf(X264, coded_bytes, target, close_enough=_CLOSE_ENOUGH, most=_MOST_CODINGS).nearest
    return found, tried[found]


def store_stream(stream: Stream, path: Path) -> StoredStream:
    """Write a stream's packets to `path`, and in MP4 beside it."""
    stream.write(path)
    starts = (0, *accumulate(len(stream.codec.packet_to_file(packet)) for packet in stream.packets))
    decoder = stream.codec.decoder
    stored = StoredStream(path, decoder, starts, stream.restarts, (stream.height, stream.width))
    _write_mp4(stored)
    return stored


def _all_coded(sample: Sample, encode: Encode, crf: float) -> Mapping[int, Stream]:
    coded = {}
    for place, stream in zip(
        sample.videos, side_by_side(partial(encode, crf=crf), [*sample.videos.values()]), strict=True
    ):
        coded[place] = stream
        progress.advance()
    return coded


def _stored(
    run: Run[Any],
    sample: Sample,
    name: str,
    depends_on: Mapping[str, Any],
    coded: Callable[[], tuple[float, Mapping[int, Stream]]],
) -> tuple[Mapping[int, StoredStream], float]:
    """Streams by video, written once, and their crf."""

    def make(stem: Path) -> Record:
        make_folder(stem)
        crf, streams = coded()
        progress.stage(f"writing {name}", len(streams))
        stored = {video: store_stream(each, stem / f"{video}{each.codec.suffix}") for video, each in streams.items()}
        return {
            "crf": crf,
            "streams": {
                str(video): [s.path.name, s.decoder, s.starts, s.restarts, s.size] for video, s in stored.items()
            },
            "files": run.steps.listed(path for s in stored.values() for path in (s.path, s.mp4)),
        }

    found = run.step(name, {"sample": sample.digest, **depends_on}, make)
    folder = run.path_of(found).parent
    return {
        int(video): StoredStream(folder / path, decoder, tuple(starts), tuple(restarts), (size[0], size[1]))
        for video, (path, decoder, starts, restarts, size) in found["streams"].items()
    }, found["crf"]


def _write_mp4(stored: StoredStream) -> None:
    """The packets of a file, with the order in which frames are shown; at some rate: they are asked for by number."""
    shown = _shown_at(stored)
    late = max(place - shown[place] for place in shown)
    form = stored.path.suffix[1:]
    with av.open(str(stored.path), format=form) as source, av.open(str(stored.mp4), "w", format="mp4") as target:
        made = target.add_stream_from_template(source.streams.video[0], opaque=True)  # nothing is coded anew
        for place, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            packet.stream, packet.time_base, packet.duration = made, Fraction(1, 25), 1
            packet.pts, packet.dts = shown[place], place - late
            target.mux(packet)


def _shown_at(stored: StoredStream) -> dict[int, int]:
    """By place among the packets, the place among the frames."""
    decoder = av.CodecContext.create(stored.decoder, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    data, shown = stored.path.read_bytes(), dict[int, int]()

    def packets() -> Iterator[av.Packet[Any] | None]:
        for place, (begin, end) in enumerate(zip(stored.starts, stored.starts[1:], strict=False)):
            packet = av.Packet(data[begin:end])
            packet.pts = place
            yield packet
        yield None

    for packet in packets():
        for picture in decoder.decode(packet):
            shown[int(picture.pts or 0)] = len(shown)
    return shown

"""How fast archives open: ten thousand clips, 1080p, and a network of 21 million parameters.

    python benchmarks/opening.py VIDEO [--clips 10000] [--json]

VIDEO is any real video; its first frames are coded once and stand in the archives under as many names as asked for.
Weights are random: what is timed does not depend on them. Frames per se are not what is measured, so networks are
small except where their size is the point.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import torch

from dnerv.archive import Archive, ArchiveConfig, CodedVideo, VideoEntry, write_archive
from dnerv.bitstream import encode_packet_table, packet_group_crc32s, unpack_weights
from dnerv.codecs import KeyframeFormat, SvtAv1
from dnerv.families import PUBLISHED, DNeRVConfig, build_model, compact_dnerv, tensor_shapes
from dnerv.video import Timeline, Timing, VideoSource

FRAMES = 96  # of the video that are used; every fourth or eighth is a keyframe
SMALL, LARGE = (64, 80), (1080, 1920)
Row = tuple[str, float, str]  # what, how much, unit


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="any real video of a second or more")
    parser.add_argument("--clips", type=int, default=10_000, help="videos in the large archive")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for part in (many_clips, large_frames, large_network) for row in part(options, Path(folder))]
    if options.json:
        print(json.dumps([{"what": what, "value": value, "unit": unit} for what, value, unit in rows], indent=1))
        return
    for what, value, unit in rows:
        print(f"{what:<64} {value:>10.4g} {unit}")


def many_clips(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Ten videos against ten thousand: opening, the whole `dnerv info`, a random clip."""
    config = compact_dnerv(4, SMALL, clip_length=8, keyframe_every=8)
    coded = _coded(options.video, SMALL, config, folder)
    yield "importing torch, a process of its own", _seconds(_process("import torch"), 3), "s"
    for count in (10, options.clips):
        path = _write(folder / f"{count}.dnerv", config, 6, _named(coded, count))
        yield f"{count} videos: bytes of the file", path.stat().st_size, "bytes"
        yield f"{count} videos: dnerv.open", _seconds(lambda path=path: Archive(path).close(), 5), "s"
        yield f"{count} videos: dnerv info, the process", _seconds(_process("info", path), 3), "s"
        with Archive(path) as archive:
            yield f"{count} videos: 8 frames at random, median of 50", _random_access(archive, 50), "s"


def large_frames(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """One 1080p video, coded in tiles: opening, one frame, and how much of the file that frame touches."""
    config = compact_dnerv(2, (256, 480), clip_length=8, keyframe_every=4)
    path = _write(folder / "large.dnerv", config, 6, [_coded(options.video, LARGE, config, folder)])
    yield "1080x1920: dnerv.open", _seconds(lambda: Archive(path).close(), 5), "s"
    for frame in (0, FRAMES // 2, FRAMES - 1):
        with Archive(path) as archive:
            archive.maker  # noqa: B018  (the network is opened once)
            read = _counted_reads(archive)
            yield f"1080x1920: frame {frame} alone", _seconds(lambda a=archive, f=frame: a["0"][f], 1), "s"
            yield f"1080x1920: keyframe bytes read for frame {frame}", sum(read), "bytes"
    with Archive(path) as archive:
        yield "1080x1920: keyframe bytes of the video", archive.entries[0].keyframe_bytes, "bytes"


def large_network(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """The paper's UCF101-S in 8 bits: normally distributed weights, the hardest to code."""
    model = PUBLISHED["ucf101-s"].config
    assert isinstance(model, DNeRVConfig)
    path = _write(folder / "network.dnerv", model, 8, [_coded(options.video, SMALL, model, folder)])
    with Archive(path) as archive:
        shapes, data = tensor_shapes(model), archive.container.read("NETW")
        yield "21.4 M parameters: bytes of the network", len(data), "bytes"
        seconds = _seconds(lambda: unpack_weights(data, shapes), 3)
        yield "21.4 M parameters: entropy decoding and dequantising", seconds, "s"
    yield "21.4 M parameters: opened and ready to decode", _seconds(lambda: Archive(path).maker, 3), "s"


def _coded(video: Path, size: tuple[int, int], config: DNeRVConfig, folder: Path) -> CodedVideo:
    frames = [frame for _, frame in islice(VideoSource(video).frames(size=size), FRAMES)]
    timeline = Timeline(len(frames), config.clip_length, config.keyframe_every)
    packets = SvtAv1("inter", 8, 16).keyframes((frames[i] for i in timeline.keyframe_positions), 50)
    data, sync = [p.data for p in packets], [p.sync for p in packets]
    table = encode_packet_table([len(d) for d in data], sync, packet_group_crc32s(data, sync))
    file = folder / f"{size[0]}.av1"
    file.write_bytes(b"".join(data))
    # Times in milliseconds that are not equally far apart: the index's largest form.
    timing = Timing(Fraction(1, 1000), [40 * i + i % 2 for i in range(len(frames))], 40)
    entry = VideoEntry("0", None, size, size, timing, len(table), file.stat().st_size)
    return CodedVideo(entry, table, file)


def _named(coded: CodedVideo, count: int) -> list[CodedVideo]:
    """The same video under many names, as a folder of classes would give them."""
    return [
        replace(coded, entry=replace(coded.entry, name=f"class{i % 20}/clip{i:05d}", label=f"class{i % 20}"))
        for i in range(count)
    ]


def _write(path: Path, model: DNeRVConfig, bits: int, videos: list[CodedVideo]) -> Path:
    torch.manual_seed(0)
    weights = {name: torch.randn_like(p).numpy() for name, p in build_model(model).named_parameters()}
    write_archive(path, ArchiveConfig(model, 16, KeyframeFormat()), weights, bits, videos)
    return path


def _random_access(archive: Archive, times: int) -> float:
    archive.maker  # noqa: B018  (the network is opened once)
    choice, seconds = random.Random(0), []
    for _ in range(times):
        name, first = choice.choice(archive.names), choice.randrange(FRAMES - 8)
        started = time.perf_counter()
        archive[name][first : first + 8]
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _counted_reads(archive: Archive) -> list[int]:
    """A list that grows by the length of every range read from now on."""
    lengths: list[int] = []
    read = archive.container.read_range

    def counted(kind: str, offset: int, length: int) -> bytes:
        lengths.append(length)
        return read(kind, offset, length)

    archive.container.read_range = counted  # type: ignore[method-assign]
    return lengths


def _process(*words: object) -> Callable[[], object]:
    """A run of `python -c WORD`, or of `python -m dnerv WORDS` where there are several."""
    code = ["-c", str(words[0])] if len(words) == 1 else ["-m", "dnerv", *map(str, words)]
    return lambda: subprocess.run([sys.executable, *code], check=True, stdout=subprocess.DEVNULL)


def _seconds(run: Callable[[], object], times: int) -> float:
    """Median of some runs."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()

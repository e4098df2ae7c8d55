"""How fast archives open: a million videos, and a network of 21 million parameters.

    python benchmarks/opening.py [--videos 1000000] [--json]

The million are synthetic: names, times, sizes and lengths of packets as robots' episodes have them (100 frames of
128x160, every second one coded, groups of four behind a reference), their packets a hole in the file; one in the middle
is real, so that a frame can be decoded. What is timed is timed in fresh processes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from zlib import crc32

import numpy as np
import torch

from dnerv.archive import Archive, NetworkConfig, NetworkLayer, PlaneFormat, VideoEntry, new_archive
from dnerv.archive.config import ArchiveConfig
from dnerv.archive.entry import OWN_INTRA
from dnerv.archive.index import encode_directory, write_blocks
from dnerv.archive.references import Reference, digest_of, encode_references
from dnerv.bitstream import encode_json, new_container, pack_weights, unpack_weights
from dnerv.codecs import Planes, SvtAv1
from dnerv.codecs.obu import split_sequence_header
from dnerv.families import PUBLISHED, build_model, tensor_shapes
from dnerv.video import Timing

FRAMES, DISTANCE, GROUP, SIZE = 100, 2, 4, (128, 160)
CODED, GROUPS = 51, 13
REFERENCES = 500
Row = tuple[str, float, str]  # what, how much, unit

_OPENED = """
import json, resource, sys, time
from pathlib import Path
from dnerv.archive import Archive

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

path, *names = sys.argv[1:]
before = peak()
started = time.perf_counter()
archive = Archive(path)
opened = time.perf_counter() - started
more, times = peak() - before, []
for name in names:
    started = time.perf_counter()
    reader = archive[name]
    times.append(time.perf_counter() - started)
again = time.perf_counter()
archive[names[-1]]
again = time.perf_counter() - again
print(json.dumps({"opened": opened, "more": more, "peak": peak(), "found": times, "again": again}))
"""
_DECODED = """
import sys, time
from dnerv.archive import Archive
started = time.perf_counter()
frame = Archive(sys.argv[1])[sys.argv[2]][50]
print(time.perf_counter() - started)
"""
_LISTED = """
import sys, time
from dnerv.archive import Archive
archive = Archive(sys.argv[1])
started = time.perf_counter()
count = len(archive.names)
print(time.perf_counter() - started)
"""


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1_000_000, help="in the large archive")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [*many_videos(Path(folder), options.videos), *large_network(Path(folder))]
    if options.json:
        print(json.dumps([{"what": what, "value": value, "unit": unit} for what, value, unit in rows], indent=1))
        return
    for what, value, unit in rows:
        print(f"{what:<64} {value:>12.5g} {unit}")


def many_videos(folder: Path, count: int) -> Iterator[Row]:
    """Opening, finding, one frame."""
    path, started = folder / "many.dnerv", time.perf_counter()
    write_many(path, count)
    yield f"{count} videos: writing the index", time.perf_counter() - started, "s"
    with Archive(path) as archive:
        sizes = archive.container.sizes
        yield "directory, which opening reads", sizes["INDX"], "bytes"
        yield "the whole tail", archive.container.slot.end - archive.container.slot.start, "bytes"
        yield "index", (sizes["INDX"] + archive.index.block_bytes) / count, "bytes a video"
    dice = np.random.default_rng(1)
    names = [name_of(int(place)) for place in dice.integers(0, count, 200)]
    found = [json.loads(_process(_OPENED, path, *names)) for _ in range(5)]
    yield "opening", statistics.median(each["opened"] for each in found), "s"
    yield "opening takes", statistics.median(each["more"] for each in found) / 1e6, "MB"
    yield "the whole process, torch imported, 200 videos found", max(each["peak"] for each in found) / 1e6, "MB"
    yield "a video by name, median", 1e3 * statistics.median(t for each in found for t in each["found"]), "ms"
    slow = sorted(t for each in found for t in each["found"])[-len(found) * len(names) // 100]
    yield "a video by name, 99 of 100 within", 1e3 * slow, "ms"
    yield "the same video again", 1e3 * statistics.median(each["again"] for each in found), "ms"
    decoded = [float(_process(_DECODED, path, name_of(count // 2))) for _ in range(5)]
    yield "opening, finding and one frame", statistics.median(decoded), "s"
    yield "all names", float(_process(_LISTED, path)), "s"


def large_network(folder: Path) -> Iterator[Row]:
    """The paper's UCF101-S in 8 bits: normally distributed weights, the hardest to code."""
    model, path = PUBLISHED["ucf101-s"].config, folder / "network.dnerv"
    torch.manual_seed(0)
    weights = {name: torch.randn_like(p).numpy() for name, p in build_model(model).named_parameters()}
    layer = NetworkLayer(NetworkConfig(model, 16, FRAMES), pack_weights(weights, 8))
    packets, form = real_packets(model.keyframe_every)
    with new_archive(path, network=layer) as writer:
        entry = entry_of("a", packets, offset=0, distance=model.keyframe_every, network_frame=0)
        writer.add_video(entry, form, [None] * entry.num_groups, b"".join(packets))
        writer.finish({})
    with Archive(path) as archive:
        shapes, data = tensor_shapes(model), archive.container.read("NETW")
    yield "21.4 M parameters: bytes of the network", len(data), "bytes"
    yield "21.4 M parameters: opening", _seconds(lambda: Archive(path).close(), 5), "s"
    yield "21.4 M parameters: decoding the weights", _seconds(lambda: unpack_weights(data, shapes), 3), "s"
    yield "21.4 M parameters: ready to decode", _seconds(lambda: Archive(path).network.decoder, 3), "s"


def write_many(path: Path, count: int) -> None:
    """An archive of as many videos, one of them real."""
    packets, form = real_packets(DISTANCE)
    lengths = np.random.default_rng(0).gamma(1.2, 60, (4096, CODED)).astype(int) + 20  # bytes; few large, many small
    lengths[:, ::GROUP] += 100
    with new_container(path) as appender:
        first = appender.end
        appender.end += count * int(lengths.sum(1).mean()) + (1 << 20)  # the packets: a hole
        end = appender.end
        offset, _, _ = appender.append(b"".join(packets))
        blob, _, _ = appender.append(bytes(2000))
        blocks = write_blocks(_entries(count, packets, offset, lengths, first, end), appender.append)
        tail = {
            "CONF": encode_json(ArchiveConfig((form,), REFERENCES, None).to_json()),
            "INDX": encode_directory(blocks),
            "REFS": encode_references([_reference(number, blob) for number in range(REFERENCES)]),
            "made": encode_json({"crf": 50}),
        }
        appender.commit([appender.section(kind, data) for kind, data in tail.items()])


def _entries(
    count: int, packets: list[bytes], offset: int, lengths: np.ndarray, first: int, end: int
) -> Iterator[VideoEntry]:
    """One after the other in the hole; the same few thousand sets of packets again and again, far apart."""
    sums = np.random.default_rng(2).integers(0, 65_536, (len(lengths), GROUPS))
    sets = [(tuple(row), sum(row), tuple(checks)) for row, checks in zip(lengths.tolist(), sums.tolist(), strict=True)]
    timing, at = Timing.constant(Fraction(25), FRAMES), first
    for place in range(count):
        if place == count // 2:
            yield entry_of(name_of(place), packets, offset=offset, distance=DISTANCE)
            continue
        row, size, checksums = sets[place % len(sets)]
        at = first if at + size > end else at
        yield VideoEntry(
            name=name_of(place),
            label=None,
            original_size=SIZE,
            coded_size=SIZE,
            timing=timing,
            distance=DISTANCE,
            group_length=GROUP,
            format=0,
            crf=50.0,
            references=(place * REFERENCES // count,) * GROUPS,
            packet_lengths=row,
            checksums=checksums,
            offset=at,
            network_frame=None,
        )
        at += size


def name_of(place: int) -> str:
    """As a set of episodes has them."""
    return f"task{place // 20_000:03d}/episode{place % 20_000:06d}"


def real_packets(distance: int) -> tuple[list[bytes], PlaneFormat]:
    """A video's, groups starting with frames of their own."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 16
    frames = [
        np.stack([128 + 90 * np.sin(x + a * y + 0.1 * i) for a in (0.3, 0.7, 1)], axis=-1).astype(np.uint8)
        for i in [*range(0, FRAMES - 1, distance), FRAMES - 1]
    ]
    planes = Planes()
    packets = [p.data for p in SvtAv1(preset=10, group=GROUP, planes=planes).keyframes(iter(frames), 50)]
    for sync in range(0, len(packets), GROUP):
        header, packets[sync] = split_sequence_header(packets[sync])
    return packets, PlaneFormat(planes=planes, shown=planes, header=header)


def entry_of(
    name: str, packets: list[bytes], *, offset: int, distance: int, network_frame: int | None = None
) -> VideoEntry:
    """Of a video of `real_packets`."""
    groups = [b"".join(packets[i : i + GROUP]) for i in range(0, len(packets), GROUP)]
    return VideoEntry(
        name=name,
        label=None,
        original_size=SIZE,
        coded_size=SIZE,
        timing=Timing.constant(Fraction(25), FRAMES),
        distance=distance,
        group_length=GROUP,
        format=0,
        crf=50.0,
        references=(OWN_INTRA,) * len(groups),
        packet_lengths=tuple(map(len, packets)),
        checksums=tuple(crc32(group) & 0xFFFF for group in groups),
        offset=offset,
        network_frame=network_frame,
    )


def _reference(number: int, offset: int) -> Reference:
    return Reference(
        digest=digest_of(b"%d" % number),
        height=SIZE[0],
        width=SIZE[1],
        format=0,
        crf=50.0,
        preset=4,
        offset=offset,
        length=1000,
        seed_offset=offset + 1000,
        seed_length=1000,
    )


def _process(code: str, *words: object) -> str:
    """What a fresh process prints."""
    run = subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout


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

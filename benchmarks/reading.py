"""Random clips out of base layers, beside other readers and beside bare loops over the very same packets.

    python benchmarks/reading.py ARCHIVE VIDEOS [--samples 48] [--repeats 9] [--wall] [--json FILE]

VIDEOS is the folder that ARCHIVE was encoded from. Its videos are coded once more as H.264 (a key frame every 8 frames)
and as LeRobot stores AV1 (every 2 frames, preset 12, crf 30); torchcodec reads those, where it is installed. All read
the same clips, in turns, with one thread; times are the processor's, so that others on the machine count for less, and
with `--wall` the clock's. The bare loops decode what the archive has to decode for these clips, with everything read
and opened before: "decoded" ends at samples, "converted" makes RGB planes of what is wanted, and mixes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import side_by_side
import torch
from side_by_side import machine, race

from dnerv.archive import Archive
from dnerv.archive.base_layer import packet_ends
from dnerv.archive.entry import OWN_INTRA
from dnerv.codecs import Planes
from dnerv.codecs.colour import ColourConverter
from dnerv.codecs.colour_tables import is_exact
from dnerv.codecs.frame_header import chroma_sample_position
from dnerv.codecs.obu import unpack_temporal_unit
from dnerv.evaluation.machine import conversion
from dnerv.video.listing import is_video_name

CLIP = 8  # frames
CODINGS = {
    "H.264, g=8": ("libx264", {"crf": "23", "g": "8", "keyint_min": "8", "sc_threshold": "0", "bf": "0"}),
    "LeRobot's AV1, g=2": ("libsvtav1", {"crf": "30", "g": "2", "preset": "12"}),
}
Sample = tuple[str, int]  # a video's name, and a clip's first frame
Run = Callable[[], object]


@dataclass(frozen=True)
class Stretch:
    """Packets that a clip needs: all of a group up to the last one that is wanted."""

    units: tuple[bytes, ...]
    wanted: frozenset[int]  # of them


def main() -> None:
    """Parse, code the videos again, measure in turns, print rates and ratios."""
    options = _options()
    torch.set_num_threads(1)
    with Archive(options.archive, layers="base", size="coded") as archive:
        samples = drawn(archive, options.samples)
        candidates = {**ours(archive, samples), **bare(archive, samples)}
        with tempfile.TemporaryDirectory() as folder:
            if not options.alone:
                candidates |= theirs(options.videos, Path(folder), samples)
            clock = time.perf_counter if options.wall else time.process_time
            seconds = race(candidates, repeats=options.repeats, clock=clock)
        both = statistics.median(race({"": two_threads(archive, samples)}, repeats=options.repeats)[""])
    side_by_side.show(seconds, work=len(samples), unit="samples/s", reference="converted")
    print(f"{'two threads, by the clock':28}{1e3 * both:7.0f} ms{len(samples) / both:12.1f}")
    rates = {name: len(samples) / statistics.median(runs) for name, runs in seconds.items()}
    print(f"{machine()}, RGB {conversion()}; {'by the clock' if options.wall else 'seconds of the processor'}")
    if options.json:
        record = {"seconds": seconds, "rates": rates, "two threads": len(samples) / both, "machine": machine()}
        options.json.write_text(json.dumps(record, indent=1))


def drawn(archive: Archive, count: int) -> list[Sample]:
    """Clips at random places of random videos."""
    dice, lengths = random.Random(0), {entry.name: entry.timing.num_frames for entry in archive.entries}
    names = [name for name, length in lengths.items() if length >= CLIP]
    chosen = [dice.choice(names) for _ in range(count)]
    return [(name, dice.randint(0, lengths[name] - CLIP)) for name in chosen]


def ours(archive: Archive, samples: list[Sample]) -> dict[str, Run]:
    """Nothing kept but the archive; and not even that."""

    def opened_once() -> None:
        for name, first in samples:
            archive[name].get_frames_in_range(first, first + CLIP)

    def opened_each_time() -> None:
        for name, first in samples:
            with Archive(archive.container.path, layers="base", size="coded") as opened:
                opened[name].get_frames_in_range(first, first + CLIP)

    return {"archive": opened_once, "archive opened each time": opened_each_time}


def two_threads(archive: Archive, samples: list[Sample]) -> Run:
    """The same by two threads."""

    def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda sample: archive[sample[0]].get_frames_in_range(sample[1], sample[1] + CLIP), samples))

    return run


def bare(archive: Archive, samples: list[Sample]) -> dict[str, Run]:
    """Loops over the packets of the clips, all of one size and format."""
    (size,) = {entry.coded_size for entry in archive.entries}
    (planes,) = {format.planes for format in archive.config.formats}
    stretches = [stretch for sample in samples for stretch in stretches_of(archive, sample)]
    decoder = av.CodecContext.create("libdav1d", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count, decoder.options = 1, {"max_frame_delay": "1"}
    (position,) = {chroma_sample_position(format.header) for format in archive.config.formats}
    converter, out = ColourConverter(planes, is_exact=is_exact(planes, position)), np.empty((3, *size), np.uint8)

    def decoded() -> None:
        for stretch in stretches:
            for unit in stretch.units:
                decoder.decode(av.Packet(unit))
            decoder.flush_buffers()

    def converted() -> None:
        for stretch in stretches:
            for place, unit in enumerate(stretch.units):
                (frame,) = decoder.decode(av.Packet(unit))
                if place in stretch.wanted:
                    converter.to_rgb_planes(frame, out)
            decoder.flush_buffers()

    return {"decoded": decoded, "converted": converted}


def stretches_of(archive: Archive, sample: Sample) -> Iterator[Stretch]:
    """What the archive decodes for a clip, group by group."""
    name, first = sample
    entry = archive[name].entry
    start, end, share, *_ = entry.timeline.conditioning(np.arange(first, first + CLIP))
    needed = {*start[share < 1].tolist(), *end[share > 0].tolist()}
    header = archive.config.formats[entry.format].header
    for group in sorted({ordinal // entry.group_length for ordinal in needed}):
        packets = archive.base.packets(entry, group, packet_ends(entry))
        own = [ordinal - group * entry.group_length for ordinal in needed if ordinal // entry.group_length == group]
        packets, before = packets[: max(own) + 1], int(entry.references[group] != OWN_INTRA)
        if before:
            packets.insert(0, archive.base.reference_packet(entry.references[group]))
        packets[0] = header + packets[0]
        yield Stretch(tuple(map(unpack_temporal_unit, packets)), frozenset(place + before for place in own))


def theirs(videos: Path, folder: Path, samples: list[Sample]) -> dict[str, Run]:
    """torchcodec on the same videos in MP4, decoders kept and opened each time; nothing where it is not installed."""
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError) as error:
        print(f"torchcodec does not import: {str(error).splitlines()[0]}")
        return {}
    sources = {str(path.relative_to(videos).with_suffix("")): path for path in videos.rglob("*") if is_video_name(path)}
    candidates: dict[str, Run] = {}
    for number, (title, (codec, settings)) in enumerate(CODINGS.items()):
        paths = {name: folder / f"{number}-{name.replace('/', '-')}.mp4" for name in {name for name, _ in samples}}
        for name, path in paths.items():
            _code(sources[name], path, codec, settings)

        def opened(path: Path) -> VideoDecoder:
            return VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="approximate")

        kept = {name: opened(path) for name, path in paths.items()}

        def run_kept(kept: dict[str, VideoDecoder] = kept) -> None:
            for name, first in samples:
                kept[name].get_frames_in_range(first, first + CLIP)

        def run_opened(paths: dict[str, Path] = paths) -> None:
            for name, first in samples:
                opened(paths[name]).get_frames_in_range(first, first + CLIP)

        candidates |= {f"{title}, kept": run_kept, f"{title}, opened": run_opened}
    return candidates


def _code(source: Path, target: Path, codec: str, settings: dict[str, str]) -> None:
    with av.open(str(source)) as video, av.open(str(target), "w") as coded:
        rate = video.streams.video[0].average_rate or Fraction(25)
        stream = None
        for number, frame in enumerate(video.decode(video=0)):
            if stream is None:
                stream = coded.add_stream(codec, rate=rate, options=settings)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, Planes(depth=8).pixel_format
                stream.time_base, stream.codec_context.thread_count = 1 / rate, 1
            frame = frame.reformat(format=Planes(depth=8).pixel_format)
            frame.pts, frame.time_base, frame.pict_type = number, 1 / rate, 0
            coded.mux(stream.encode(frame))
        assert stream is not None
        coded.mux(stream.encode(None))


def _options() -> argparse.Namespace:
    parser = side_by_side.parser(__doc__ or "")
    parser.add_argument("archive", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--samples", type=int, default=48, help="clips of 8 frames in a turn (48)")
    parser.add_argument("--repeats", type=int, default=9, help="turns (9)")
    parser.add_argument("--wall", action="store_true", help="seconds of the clock, for a machine that is idle")
    parser.add_argument("--alone", action="store_true", help="without other readers")
    parser.add_argument("--json", type=Path, help="where the record goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()

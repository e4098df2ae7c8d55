"""Make the golden archives anew, after a change of the format: `python tests/golden/make.py [NAME...]`.

One small archive for each thing that a file may hold, written without the encoder's choices; and beside them, in
`frames.json`, a hash of every frame that base layers give, and in `frames.npz` the frames that networks give here:
`test_golden.py` holds every other machine to them.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from dnerv.archive import (
    Archive,
    ArchiveWriter,
    NetworkConfig,
    NetworkLayer,
    NewReference,
    PlaneFormat,
    VideoEntry,
    changed_archive,
    new_archive,
)
from dnerv.archive.priors import PLACES
from dnerv.bitstream import pack_weights
from dnerv.bitstream.prior_file import PriorFile
from dnerv.codecs import Planes, SvtAv1, decode_packets
from dnerv.codecs.obu import split_sequence_header
from dnerv.families import DNeRVConfig, ModelConfig, NeRVConfig, Network, build_model, config_to_json
from dnerv.families.prior import PriorConfig
from dnerv.video import Timeline, Timing

HERE = Path(__file__).parent
SIZE = (32, 48)
CRF, PRESET = 45.0, 8
STEADY = Timing.constant(Fraction(25), 9)
UNEVEN = Timing(Fraction(1, 1000), (-40, 0, 90, 91, 300, 301, 340, 380, 1000, 1040), 60)
LIMITED, FULL = (False, True)
PLANES, SHOWN = Planes("bt601", LIMITED, 10), Planes("bt709", LIMITED, 8)

Picture = NDArray[np.uint8]  # [H, W, 3] RGB
Shared = tuple[NewReference, Picture]  # and what it was made from


@dataclass(frozen=True)
class Layout:
    """How a video is coded."""

    distance: int = 1
    group: int = 1 << 16
    planes: Planes = PLANES
    shown: Planes = SHOWN
    references: Sequence[Shared | None] = (None,)  # of the groups, over and over


def own(path: Path) -> None:
    """Every frame coded, groups of four or one for all; labels, and names of all kinds."""
    with new_archive(path, force=True) as writer:
        add(writer, "walk/first", STEADY, Layout(group=4), label="walk")
        add(writer, "walk/second", STEADY, Layout(), label="walk", seed=1)
        add(writer, "ünï \U0001f600\udcff", STEADY, Layout(group=1), seed=2)
        writer.finish({"dnerv": "2", "crf": CRF})


def references(path: Path) -> None:
    """Groups that start from one of two pictures or from a frame of their own; a seed that is a reference itself."""
    first, second = reference(waves(1, SIZE, 0)[0], Layout()), reference(waves(1, SIZE, 1)[0], Layout())
    remade = reference(next(decoded(first)), Layout(), seed=first[0].packet)
    with new_archive(path, force=True) as writer:
        for each in (first, second, remade):
            writer.add_reference(each[0])
        add(writer, "all", STEADY, Layout(group=3, references=[first]))
        add(writer, "half", STEADY, Layout(group=2, references=[first, None, None, second]), seed=1)
        add(writer, "none", STEADY, Layout(group=3), seed=2)
        add(writer, "remade", STEADY, Layout(references=[remade]), seed=3)
        writer.finish({})


def blends(path: Path) -> None:
    """Every second and fourth frame coded, the last one beside them; uneven times, one frame, two frames."""
    first = reference(waves(1, SIZE, 0)[0], Layout())
    with new_archive(path, force=True) as writer:
        writer.add_reference(first[0])
        add(writer, "every fourth", UNEVEN, Layout(4, 2, references=[first]))
        add(writer, "every second", STEADY, Layout(2, 2, references=[first, None]), seed=1)
        add(writer, "far apart", UNEVEN, Layout(65_535), seed=2)
        add(writer, "one", Timing(Fraction(1001, 30_000), (-7,), 3), Layout(2, 8), seed=3)
        add(writer, "two", Timing(Fraction(1001, 30_000), (2**40, 2**40 + 1), 3), Layout(2, 8), seed=3)
        writer.finish({})


def sizes(path: Path) -> None:
    """Odd sides, a single pixel, and frames that are shown larger or smaller than they are coded."""
    with new_archive(path, force=True) as writer:
        for size in ((1, 1), (27, 31), (67, 3), (65, 129)):
            add(writer, f"{size[0]}x{size[1]}", Timing.constant(Fraction(10), 3), Layout(), size=size)
        for shown in ((45, 51), (20, 100), (32, 49)):
            add(writer, f"as {shown[0]}x{shown[1]}", Timing.constant(Fraction(10), 2), Layout(), shown=shown)
        writer.finish({})


def colours(path: Path) -> None:
    """All matrices, both ranges, 8 and 10 bits; sources of other ones."""
    with new_archive(path, force=True) as writer:
        for matrix in ("bt601", "bt709", "bt2020"):
            for is_full in (LIMITED, FULL):
                for depth in (8, 10):
                    planes, other = Planes(matrix, is_full, depth), Planes(matrix, not is_full, 18 - depth)  # type: ignore[arg-type]
                    name = f"{matrix} {'full' if is_full else 'limited'} {depth}"
                    add(writer, name, Timing.constant(Fraction(25), 3), Layout(2, planes=planes, shown=other))
        writer.finish({})


def changed(path: Path) -> None:
    """An archive that videos were added to and taken out of: bytes between them are nobody's."""
    first, second = reference(waves(1, SIZE, 0)[0], Layout()), reference(waves(1, SIZE, 1)[0], Layout())
    with new_archive(path, force=True) as writer:
        writer.add_reference(first[0])
        add(writer, "stays", STEADY, Layout(2, references=[first]))
        add(writer, "goes", STEADY, Layout(2), seed=1)
        writer.finish({"changes": 0})
    with changed_archive(path) as writer:
        writer.remove_video("goes")
        add(writer, "comes", STEADY, Layout(1, 3, references=[first, None]), seed=2)
        writer.finish({"changes": 1})
    with changed_archive(path) as writer:
        writer.add_reference(second[0])
        add(writer, "comes later", UNEVEN, Layout(4, 2, Planes("bt709", LIMITED, 8), references=[None]), seed=3)
        add(writer, "goes", STEADY, Layout(3, references=[second]), seed=4)
        writer.finish({"changes": 2})


def dnerv(path: Path) -> None:
    """A network above base layers: one tile, four tiles, an odd size with a last partial clip, and a video without."""
    model = DNeRVConfig(
        base_channels=3,
        grid=(2, 3),
        strides=(4, 2, 2),
        clip_length=4,
        keyframe_every=4,
        min_channels=6,
        min_hidden=4,
        encoder_channels=6,
        stem_channels=6,
        encoding_levels=6,
        head="residual",
        contrast=True,
        refined_flow=True,
        adaptive_blend=True,
        mean=(0.4, 0.5, 0.6),
    )
    with new_archive(path, network=network(model, 30), force=True) as writer:
        add(writer, "even", STEADY, Layout(4, 2), network_frame=0)
        add(writer, "odd", UNEVEN, Layout(4), size=(27, 31), network_frame=9, seed=1)
        add(writer, "tiles", Timing.constant(Fraction(25), 6), Layout(4), size=(40, 70), network_frame=19, seed=2)
        add(writer, "without", STEADY, Layout(2), seed=3)
        writer.finish({})


def nerv(path: Path) -> None:
    """A network alone: no base layer, no format; the videos' places in its time are not all taken."""
    model = NeRVConfig(4, (2, 3), (4, 4), clip_length=4, min_channels=6, stem_channels=8, encoding_levels=8)
    with new_archive(path, network=network(model, 50), force=True) as writer:
        add(writer, "even", STEADY, None, network_frame=3)
        add(writer, "odd", UNEVEN, None, size=(27, 31), network_frame=40, shown=(54, 62))
        writer.finish({})


def prior(path: Path) -> None:
    """A prior, whole: distances of all kinds, tiles, an odd size, one frame, and a video without."""
    with new_archive(path, network=network(PRIOR, 1), force=True) as writer:
        add(writer, "all", Timing.constant(Fraction(25), 5), Layout(1, 4), network_frame=0)
        add(writer, "every second", UNEVEN, Layout(2), size=(27, 31), network_frame=0, seed=1)
        add(writer, "tiles", Timing.constant(Fraction(25), 4), Layout(3), size=(36, 52), network_frame=0, seed=2)
        add(writer, "one", Timing(Fraction(1, 25), (0,), 1), Layout(2), network_frame=0, seed=3)
        add(writer, "without", STEADY, Layout(2), seed=4)
        writer.finish({})


def adapted(path: Path) -> None:
    """A prior by its name, its weights in `golden.prior`, and what is added to some of them."""
    whole = {name: weight.detach().numpy().astype(np.float16) for name, weight in shaken(PRIOR).named_parameters()}
    known = PriorFile(whole, config_to_json(PRIOR), {"trained_on": "nothing"})
    known.write(HERE / "golden.prior")
    with new_archive(path, network=network(replace(PRIOR, prior=known.hash, addition="ends"), 1), force=True) as writer:
        add(writer, "every second", Timing.constant(Fraction(25), 4), Layout(2), network_frame=0)
        writer.finish({})


PRIOR = PriorConfig(4, SIZE, encoder_channels=3, motion_channels=3, coarse_channels=4, clip_length=4)

ARCHIVES: dict[str, Callable[[Path], None]] = {
    made.__name__: made for made in (own, references, blends, sizes, colours, changed, dnerv, nerv, prior, adapted)
}


def main() -> None:
    """Write the archives of the names given, or all, and what they decode to."""
    names = sys.argv[1:] or list(ARCHIVES)
    hashes: dict[str, dict[str, list[str]]] = json.loads((HERE / "frames.json").read_text())
    with np.load(HERE / "frames.npz") as known:
        frames = {key: known[key] for key in known if key.partition(" ")[0] not in names}
    os.environ[PLACES] = str(HERE)
    for name in names:
        path = HERE / f"{name}.dnerv"
        ARCHIVES[name](path)
        hashes[name] = base_hashes(path)
        with Archive(path, size="coded") as archive:
            for reader in archive:
                if reader.entry.network_frame is not None:
                    frames[f"{name} {reader.entry.name}"] = reader[:].numpy()
    (HERE / "frames.json").write_text(json.dumps(hashes, indent=1) + "\n")
    np.savez_compressed(HERE / "frames.npz", **frames)  # type: ignore[arg-type]


def base_hashes(path: Path) -> dict[str, list[str]]:
    """Hashes of the frames of every video that has a base layer, at the coded size."""
    with Archive(path, layers="base", size="coded") as archive:
        readers = [archive[entry.name] for entry in archive.entries if entry.distance]
        return {reader.entry.name: [*map(frame_hash, reader[:].permute(0, 2, 3, 1).numpy())] for reader in readers}


def frame_hash(frame: NDArray[np.uint8]) -> str:
    """sha256 of a frame's bytes, [H, W, 3] RGB in C order."""
    return hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest()


def add(
    writer: ArchiveWriter,
    name: str,
    timing: Timing,
    layout: Layout | None,
    *,
    size: tuple[int, int] = SIZE,
    shown: tuple[int, int] | None = None,
    label: str | None = None,
    seed: int = 0,
    network_frame: int | None = None,
) -> None:
    """Code a video and store it; without a layout it has no base layer."""
    packets: list[bytes] = []
    groups: list[Shared | None] = []
    sums: list[int] = []
    header = b""
    if layout is not None:
        frames = waves(timing.num_frames, size, seed)
        coded = [frames[place] for place in Timeline(len(frames), 1, layout.distance).keyframe_positions]
        for number, start in enumerate(range(0, len(coded), layout.group)):
            shared = layout.references[number % len(layout.references)]
            header, data = group(coded[start : start + layout.group], layout, shared)
            packets += data
            groups.append(shared)
            sums.append(crc32(b"".join(data)) & 0xFFFF)
    entry = VideoEntry(
        name=name,
        label=label,
        original_size=shown or size,
        coded_size=size,
        timing=timing,
        distance=0 if layout is None else layout.distance,
        group_length=0 if layout is None else layout.group,
        format=0,
        crf=CRF,
        references=(),
        packet_lengths=tuple(map(len, packets)),
        checksums=tuple(sums),
        offset=0,
        network_frame=network_frame,
    )
    form = None if layout is None else PlaneFormat(planes=layout.planes, shown=layout.shown, header=header)
    digests = [None if shared is None else shared[0].digest for shared in groups]
    writer.add_video(entry, form, digests, b"".join(packets))


def group(frames: Sequence[Picture], layout: Layout, shared: Shared | None) -> tuple[bytes, list[bytes]]:
    """The sequence header, and the packets of a group."""
    before = [] if shared is None else [shared[1]]
    packets = [packet.data for packet in encoder(layout).keyframes([*before, *frames], CRF)]
    header, packets[0] = split_sequence_header(packets[0])
    if shared is not None:
        assert packets.pop(0) == shared[0].packet
    return header, packets


def reference(picture: Picture, layout: Layout, seed: bytes = b"") -> Shared:
    """A picture that groups may start from."""
    header, packet = split_sequence_header(encoder(layout).keyframes([picture] * 2, CRF)[0].data)
    form = PlaneFormat(planes=layout.planes, shown=layout.shown, header=header)
    return NewReference(packet, seed, *picture.shape[:2], form, CRF, PRESET), picture


def decoded(shared: Shared) -> Iterator[Picture]:
    """A reference as groups see it."""
    made = shared[0]
    packet = made.format.header + made.packet
    return decode_packets([packet], height=made.height, width=made.width, planes=made.format.planes)


def encoder(layout: Layout) -> SvtAv1:
    return SvtAv1(preset=PRESET, group=1 << 20, shares_first=True, planes=layout.planes, threads=1)


def network(model: ModelConfig, num_frames: int) -> NetworkLayer:
    """A network of random weights: its frames are no blends."""
    weights = {name: parameter.detach().numpy() for name, parameter in shaken(model).named_parameters()}
    return NetworkLayer(NetworkConfig(model, 8, num_frames), pack_weights(weights, 6))


def shaken(model: ModelConfig) -> Network:
    """A network of random weights."""
    torch.manual_seed(0)
    module = build_model(model)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return module


def waves(count: int, size: tuple[int, int], seed: int) -> list[Picture]:
    """Drifting waves of three colours."""
    y, x = np.mgrid[: size[0], : size[1]] / (9.0 + seed)
    ways = ((1, 0.3), (0.2, 1.1), (0.7, -0.8))
    return [
        np.stack([128 + 90 * np.sin(a * x + b * y + 0.4 * i + seed) for a, b in ways], axis=-1).astype(np.uint8)
        for i in range(count)
    ]


if __name__ == "__main__":
    main()

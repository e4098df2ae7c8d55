"""Archives of tiny videos, written once: mixed and odd sizes, one frame, a partial clip, uneven times, references."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch

from dnerv.archive import (
    Archive,
    ArchiveWriter,
    NetworkConfig,
    NetworkLayer,
    NewReference,
    PlaneFormat,
    VideoEntry,
    new_archive,
)
from dnerv.archive.archive import KINDS
from dnerv.bitstream import Container, changed_container, decode_json, encode_json, pack_weights
from dnerv.codecs import Planes, SvtAv1, decode_packets
from dnerv.codecs.obu import split_sequence_header
from dnerv.families import DNeRVConfig, ModelConfig, NeRVConfig, build_model
from dnerv.video import Timeline, Timing

SMALL = DNeRVConfig(
    3,
    (1, 1),
    (4, 4, 2),
    clip_length=4,
    keyframe_every=4,
    min_channels=6,
    min_hidden=4,
    encoder_channels=6,
    stem_channels=6,
    encoding_levels=6,
    head="residual",
)
NERV = NeRVConfig(4, (1, 1), (4, 4, 2), clip_length=4, min_channels=6, stem_channels=8, encoding_levels=8)
CRF, PRESET = 40.0, 10
MADE = {"dnerv": "0", "crf": CRF, "fps": None}


def waves(count: int, size: tuple[int, int], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 16
    phases = rng.uniform(0, 6, (3, 3))
    return [
        np.stack([128 + 100 * np.sin(a * x + b * y + c + 0.4 * i) for a, b, c in phases], axis=-1).astype(np.uint8)
        for i in range(count)
    ]


@dataclass(frozen=True)
class Source:
    """One video before it is coded."""

    name: str
    coded: tuple[int, int]
    original: tuple[int, int]
    timing: Timing
    uses_network: bool = True  # where there is one
    shares: bool = False  # whether every other group starts from a reference


SOURCES = (
    Source("walk", (32, 32), (32, 32), Timing.constant(Fraction(25), 10), shares=True),
    Source("class/odd", (27, 31), (27, 31), Timing(Fraction(1, 1000), (0, 40, 90, 91, 300, 301), 60)),
    Source("one", (32, 32), (45, 51), Timing(Fraction(1, 30), (7,), 3), uses_network=False, shares=True),
    Source("wide", (32, 52), (32, 52), Timing.constant(Fraction(10), 5)),
)


@dataclass(frozen=True)
class Coded:
    """A video's base layer."""

    packets: list[bytes]
    groups: list[bytes | None]  # digest of the reference
    format: PlaneFormat
    length: int  # of a group

    @property
    def checksums(self) -> tuple[int, ...]:
        starts = range(0, len(self.packets), self.length)
        return tuple(crc32(b"".join(self.packets[i : i + self.length])) & 0xFFFF for i in starts)


def reference_of(size: tuple[int, int], planes: Planes, *, sealed: bool = False) -> tuple[NewReference, np.ndarray]:
    """A picture to start from, and what it was made from."""
    height, width = size
    seed = _encoder(planes).keyframes([*waves(1, size, 9)] * 2, 30)[0].data
    picture = next(decode_packets([seed], height=height, width=width, planes=planes))
    header, packet = split_sequence_header(_encoder(planes).keyframes([picture] * 2, CRF)[0].data)
    stored = b"" if sealed else split_sequence_header(seed)[1]
    return NewReference(
        packet, stored, height, width, PlaneFormat(planes, Planes(depth=8), header), CRF, PRESET
    ), picture


def code(
    frames: Sequence[np.ndarray], length: int, planes: Planes, reference: tuple[NewReference, np.ndarray] | None
) -> Coded:
    """Coded frames in groups, every other one behind the reference."""
    packets: list[bytes] = []
    groups: list[bytes | None] = []
    header = b""
    for start in range(0, len(frames), length):
        shares = reference is not None and start // length % 2 == 0
        before = [reference[1]] if reference is not None and shares else []
        data = [packet.data for packet in _encoder(planes).keyframes([*before, *frames[start : start + length]], CRF)]
        header, data[0] = split_sequence_header(data[0])
        if reference is not None and shares:
            assert data.pop(0) == reference[0].packet
        groups.append(reference[0].digest if reference is not None and shares else None)
        packets += data
    return Coded(packets, groups, PlaneFormat(planes, Planes(depth=8), header), length)


def _encoder(planes: Planes) -> SvtAv1:
    return SvtAv1(preset=PRESET, group=1 << 20, shares_first=True, planes=planes, threads=1)


def network_of(model: ModelConfig, num_frames: int) -> NetworkLayer:
    """Random weights: every frame differs from the blend of its keyframes."""
    torch.manual_seed(0)
    network = build_model(model)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    weights = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    return NetworkLayer(NetworkConfig(model, 8, num_frames), pack_weights(weights, 6))


def add(
    writer: ArchiveWriter,
    source: Source,
    *,
    seed: int = 0,
    distance: int = 4,
    length: int = 2,
    network_frame: int | None = None,
    planes: Planes | None = None,
) -> None:
    """Code a video and store it; with distance 0 without a base layer."""
    coded = Coded([], [], PlaneFormat(Planes(), Planes(depth=8), b""), 0)
    if distance:
        planes = planes or Planes()
        frames = waves(source.timing.num_frames, source.coded, seed)
        positions = Timeline(len(frames), 1, distance).keyframe_positions
        reference = reference_of(source.coded, planes) if source.shares else None
        if reference is not None:
            writer.add_reference(reference[0])
        coded = code([frames[i] for i in positions], length, planes, reference)
    label = source.name.split("/")[0] if "/" in source.name else None
    entry = VideoEntry(
        name=source.name,
        label=label,
        original_size=source.original,
        coded_size=source.coded,
        timing=source.timing,
        distance=distance,
        group_length=coded.length,
        format=0,
        crf=CRF,
        references=(),
        packet_lengths=tuple(map(len, coded.packets)),
        checksums=coded.checksums if distance else (),
        offset=0,
        network_frame=network_frame,
    )
    writer.add_video(entry, coded.format if distance else None, coded.groups, iter(coded.packets))


def write(
    directory: Path,
    model: ModelConfig | None = None,
    sources: Sequence[Source] = SOURCES,
    *,
    distance: int = 4,
    length: int = 2,
) -> Path:
    """An archive: of base layers alone, or with a network; a model without keyframes has no base layers."""
    path = directory / "a.dnerv"
    total = sum(source.timing.num_frames for source in sources)
    has_base = model is None or model.uses_keyframes
    with new_archive(path, network=None if model is None else network_of(model, total)) as writer:
        first = 0
        for seed, source in enumerate(sources):
            uses = model is not None and (source.uses_network or not has_base)
            step = (distance if model is None else model.keyframe_every) if has_base else 0
            add(writer, source, seed=seed, distance=step, length=length, network_frame=first if uses else None)
            first += source.timing.num_frames
        writer.finish(MADE)
    return path


SHARDS = (("a/two", "c", "z"), ("a/one", "d"), ("b",))


def write_shards(directory: Path) -> list[Path]:
    """Three archives of base layers whose names interleave."""
    paths = []
    for number, names in enumerate(SHARDS):
        folder = directory / f"{number}"
        folder.mkdir()
        timing = Timing.constant(Fraction(10), 9 + number)
        sources = [Source(name, (32, 32), (32, 32), timing, shares=name == "c") for name in names]
        paths.append(write(folder, None, sources, distance=2).rename(directory / f"shard-{number}.dnerv"))
    return paths


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same, in one folder."""
    return write_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="session")
def archive_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a network that all videos but "one" use."""
    return write(tmp_path_factory.mktemp("archive"), SMALL)


@pytest.fixture(scope="session")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base layers alone: every second frame coded, groups of two."""
    return write(tmp_path_factory.mktemp("base"), distance=2)


@pytest.fixture(scope="session")
def nerv_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network alone."""
    return write(tmp_path_factory.mktemp("nerv"), NERV)


@pytest.fixture(scope="session")
def sequential(archive_path: Path) -> dict[str, torch.Tensor]:
    """All frames of every video, read from first to last."""
    with Archive(archive_path) as archive:
        return {reader.metadata.name: torch.stack(list(reader)) for reader in archive}


@pytest.fixture(scope="session")
def base_frames(base_path: Path) -> dict[str, torch.Tensor]:
    """The same of base layers alone."""
    with Archive(base_path) as archive:
        return {reader.metadata.name: torch.stack(list(reader)) for reader in archive}


@pytest.fixture(scope="session")
def sources() -> tuple[Source, ...]:
    return SOURCES


@pytest.fixture(scope="session")
def write_videos() -> Callable[..., Path]:
    """Write an archive into a folder."""
    return write


@pytest.fixture
def add_video() -> Callable[..., None]:
    """Code a video and add it to a writer."""
    return add


@pytest.fixture(name="reference_of")
def reference_of_fixture() -> Callable[..., tuple[NewReference, np.ndarray]]:
    """A picture to start from, and what it was made from."""
    return reference_of


@pytest.fixture
def rewrite() -> Callable[..., Path]:
    """Write a copy of an archive with other sections: bytes, None to leave one out, or a function of its JSON."""

    def rewritten(path: Path, target: Path, **changes: Any) -> Path:
        shutil.copy(path, target)
        with Container.open(path, KINDS) as container, changed_container(target) as appender:
            sections = []
            for kind in container.kinds:
                content = changes.get(kind, container.section(kind))
                if callable(content):
                    content = encode_json(content(decode_json(container.read(kind))))
                if content is not None:
                    sections.append(appender.section(kind, content) if isinstance(content, bytes) else content)
            appender.commit(sections)
        return target

    return rewritten


@pytest.fixture(name="network_of")
def network_of_fixture() -> Callable[..., NetworkLayer]:
    """A network with random weights."""
    return network_of

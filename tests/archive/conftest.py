"""Archives of tiny videos, encoded once: mixed and odd sizes, one frame, a last partial clip, uneven times."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, ArchiveConfig, CodedVideo, VideoEntry, write_archive
from dnerv.bitstream import encode_packet_table, packet_group_crc32s
from dnerv.codecs import KeyframeFormat, SvtAv1
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


SOURCES = (
    Source("walk", (32, 32), (32, 32), Timing.constant(Fraction(25), 10)),
    Source("class/odd", (27, 31), (27, 31), Timing(Fraction(1, 1000), (0, 40, 90, 91, 300, 301), 60)),
    Source("one", (32, 32), (45, 51), Timing(Fraction(1, 30), (7,), 3)),
    Source("wide", (32, 52), (32, 52), Timing.constant(Fraction(10), 5)),
)


def write(directory: Path, model: ModelConfig, sources: tuple[Source, ...] = SOURCES, **changes: object) -> Path:
    """An archive with random weights: every frame differs from the blend of its keyframes."""
    torch.manual_seed(0)
    network = build_model(model)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    videos = []
    for number, source in enumerate(sources):
        table, file, size = b"", None, 0
        if model.uses_keyframes:
            frames = waves(source.timing.num_frames, source.coded, number)
            timeline = Timeline(len(frames), model.clip_length, model.keyframe_every)
            packets = SvtAv1().keyframes((frames[i] for i in timeline.keyframe_positions), 50)
            data, sync = [p.data for p in packets], [p.sync for p in packets]
            table = encode_packet_table([len(d) for d in data], sync, packet_group_crc32s(data, sync))
            file = directory / f"{number}.av1"
            file.write_bytes(b"".join(data))
            size = file.stat().st_size
        label = source.name.split("/")[0] if "/" in source.name else None
        entry = VideoEntry(source.name, label, source.original, source.coded, source.timing, len(table), size)
        videos.append(CodedVideo(entry, table, file))
    config = ArchiveConfig(model, 8, KeyframeFormat() if model.uses_keyframes else None, {"crf": 50})
    path = directory / "a.dnerv"
    weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
    write_archive(path, config, weights, 6, videos)
    return path


@pytest.fixture(scope="session")
def archive_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("archive"), SMALL)


@pytest.fixture(scope="session")
def nerv_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("nerv"), NERV)


@pytest.fixture
def write_model() -> Callable[..., Path]:
    """Write an archive of a configuration's network into a folder."""
    return write


@pytest.fixture(scope="session")
def sequential(archive_path: Path) -> dict[str, torch.Tensor]:
    """All frames of every video, read from first to last."""
    with Archive(archive_path) as archive:
        return {reader.metadata.name: torch.stack(list(reader)) for reader in archive}


@pytest.fixture(scope="session")
def sources() -> tuple[Source, ...]:
    return SOURCES


@pytest.fixture
def write_videos() -> Callable[..., Path]:
    return write

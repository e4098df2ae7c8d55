"""A tiny corpus: raw frames and keyframes on disk, no codec involved."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.families import DNeRVConfig
from dnerv.progress import Listener, TrainingProgress
from dnerv.training import ClipSet, TrainingVideo
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter, Timeline, Timing


class Told(Listener):
    """Hands on how far a training has come."""

    def __init__(self, told: Callable[[TrainingProgress], object]) -> None:
        self._told = told

    def training(self, progress: TrainingProgress) -> None:
        self._told(progress)


@pytest.fixture
def told() -> type[Told]:
    return Told


def _store(path: Path, frames: np.ndarray) -> FrameStore:
    with FrameStoreWriter(path) as writer:
        for frame in frames:
            writer.append(frame)
    return writer.store()


def moving_square(count: int, height: int, width: int) -> np.ndarray:
    """uint8 [count, height, width, 3]."""
    frames = np.full((count, height, width, 3), 60, np.uint8)
    frames[..., 1] = np.linspace(0, 200, width, dtype=np.uint8)
    for i, frame in enumerate(frames):
        frame[4 : 4 + height // 3, 2 * i : 2 * i + width // 3] = (220, 30, 120)
    return frames


def make_clips(
    directory: Path,
    config: DNeRVConfig,
    lengths: tuple[int, ...] = (6, 3),
    size: tuple[int, int] = (16, 16),
    darker: int = 0,
) -> ClipSet:
    """`darker`: levels by which keyframes are darker than the frames, so that there is something to learn."""
    directory.mkdir(parents=True, exist_ok=True)
    videos, first = [], 0
    for i, count in enumerate(lengths):
        frames = moving_square(count, *size)
        timeline = Timeline(count, config.clip_length, config.keyframe_every)
        store = _store(directory / f"{i}.rgb", frames)
        keyframes = _store(directory / f"{i}.key", np.maximum(frames[timeline.keyframe_positions], darker) - darker)
        timing = Timing.constant(Fraction(25), count)
        cached = CachedVideo(f"v{i}", None, *size, *size, timing, (), f"v{i}", store)
        videos.append(TrainingVideo(cached, timeline, keyframes, first))
        first += count
    return ClipSet(videos, config.canvas, 4, absolute_time=False)


def small_config() -> DNeRVConfig:
    return DNeRVConfig(
        3,
        (2, 2),
        (4, 2),
        clip_length=4,
        keyframe_every=4,
        min_channels=6,
        min_hidden=4,
        encoder_channels=6,
        stem_channels=6,
        encoding_levels=6,
        head="residual",
    )


@pytest.fixture(scope="session")
def config() -> DNeRVConfig:
    return small_config()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, config: DNeRVConfig) -> ClipSet:
    return make_clips(tmp_path_factory.mktemp("corpus"), config)


@pytest.fixture
def clips_of() -> Callable[..., ClipSet]:
    return make_clips


@pytest.fixture
def frames_of() -> Callable[..., np.ndarray]:
    return moving_square

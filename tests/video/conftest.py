"""Small videos made on the spot, and the real ones where they are."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

ACTION_CLIPS = Path(__file__).parents[2].parent / "shared" / "data" / "action_clips"


@pytest.fixture(scope="session")
def action_clips() -> Path:
    if not ACTION_CLIPS.is_dir():
        pytest.skip("the folder shared/data/action_clips is absent")
    return ACTION_CLIPS


def grey_levels(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Frames that tell their own number: level 10 * index + 10."""
    return [np.full((*size, 3), 10 * i + 10, np.uint8) for i in range(count)]


def level_of(frame: np.ndarray) -> int:
    return round((float(frame.mean()) - 10) / 10)


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
) -> Path:
    frames = list(frames)
    with av.open(str(path), "w") as container:
        # One thread: with more, what x264 writes depends on how busy the machine is.
        stream = container.add_stream(codec, rate=Fraction(25), options={"crf": "10", "threads": "1"} | (options or {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        for index, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = (pts[index] if pts else index), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def grey_video(tmp_path: Path) -> Callable[..., Path]:
    """Write a video of `count` frames whose grey level tells their number."""

    def make(name: str = "grey.mp4", count: int = 10, size: tuple[int, int] = (48, 64), **options: object) -> Path:
        return write_video(tmp_path / name, grey_levels(count, size), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_video() -> Callable[..., Path]:
    return write_video


@pytest.fixture
def number_of() -> Callable[[np.ndarray], int]:
    return level_of

"""What takes the place of hidden pixels depends on nothing that is hidden."""

from pathlib import Path

import numpy as np
import pytest

from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter, RandomBoxes, cache_video, discover, hide, read_mask
from dnerv.video.filling import REACH, filled_frame
from dnerv.video.writer import write_png_folder


def store(path: Path, frames: np.ndarray) -> FrameStore:
    with FrameStoreWriter(path) as writer:
        for frame in frames:
            writer.append(frame)
    return writer.store()


def masks_of(path: Path, hidden: np.ndarray) -> FrameStore:
    return store(path, np.repeat(hidden[..., None], 3, axis=-1).astype(np.uint8) * 255)


@pytest.fixture
def random_frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 9, 11, 3), np.uint8)


def test_pixels_come_from_the_nearest_frames_that_show_them(tmp_path: Path, random_frames: np.ndarray) -> None:
    hidden = np.zeros((5, 9, 11), np.bool_)
    hidden[2, 3:5, 3:5] = True
    hidden[1:4, 7, 7] = True
    hidden[:3, 0, 0] = True
    made = filled_frame(store(tmp_path / "f", random_frames), masks_of(tmp_path / "m", hidden), 2)
    assert np.array_equal(made[~hidden[2]], random_frames[2][~hidden[2]])
    mean = np.rint(random_frames[[1, 3]].mean(0))
    assert np.array_equal(made[3:5, 3:5], mean[3:5, 3:5])
    assert np.array_equal(made[7, 7], np.rint(random_frames[[0, 4], 7, 7].mean(0)))
    assert np.array_equal(made[0, 0], random_frames[3, 0, 0])


def test_what_is_hidden_throughout_comes_from_around_it(tmp_path: Path) -> None:
    frames = np.full((2, 17, 23, 3), (200, 10, 60), np.uint8)
    hidden = np.zeros((2, 17, 23), np.bool_)
    hidden[:, 2:16, 3:20] = True
    made = filled_frame(
        store(tmp_path / "f", np.where(hidden[..., None], 0, frames)), masks_of(tmp_path / "m", hidden), 0
    )
    assert np.array_equal(made, frames[0])


def test_a_video_that_is_hidden_altogether_is_grey(tmp_path: Path) -> None:
    frames = np.full((1, 3, 5, 3), 9, np.uint8)
    made = filled_frame(store(tmp_path / "f", frames), masks_of(tmp_path / "m", np.ones((1, 3, 5), np.bool_)), 0)
    assert (made == 128).all()


def test_nothing_hidden_is_the_frame_itself(tmp_path: Path, random_frames: np.ndarray) -> None:
    hidden = np.zeros((5, 9, 11), np.bool_)
    made = filled_frame(store(tmp_path / "f", random_frames), masks_of(tmp_path / "m", hidden), 4)
    assert np.array_equal(made, random_frames[4])


def cached(tmp_path: Path, name: str, frames: np.ndarray) -> CachedVideo:
    write_png_folder(tmp_path / name / "clip", frames)
    (member,) = discover([tmp_path / name / "clip"])
    return cache_video(member, tmp_path / "cache" / name)


def test_hidden_values_change_nothing(tmp_path: Path) -> None:
    rng, boxes = np.random.default_rng(2), RandomBoxes(3, 6)
    frames = rng.integers(0, 256, (2 * REACH + 3, 16, 20, 3), np.uint8)
    plain = cached(tmp_path, "one", frames)
    one = hide(plain, boxes, tmp_path / "cache" / "one")
    assert one.mask is not None
    hidden = np.stack([read_mask(one.mask, i) for i in range(len(frames))])
    assert np.array_equal(hidden, np.stack(list(boxes.of(one))))
    other_frames = np.where(hidden[..., None], 255 - frames, frames)
    other = hide(cached(tmp_path, "other", other_frames), boxes, tmp_path / "cache" / "other")
    assert one.store.path.read_bytes() == other.store.path.read_bytes()
    again = hide(plain, boxes, tmp_path / "cache" / "one")
    assert again.store.path.stat().st_mtime_ns == one.store.path.stat().st_mtime_ns
    for changed in (hide(plain, RandomBoxes(3, 5), tmp_path / "cache" / "one"), other):
        assert changed.store.path.name != one.store.path.name
        assert changed.digest not in (one.digest, plain.digest)

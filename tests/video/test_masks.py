"""Masks: random boxes, given ones at any size, and which pixels scaling spreads what is hidden over."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.video import CachedVideo, FrameStore, GivenMasks, RandomBoxes, Timing, write_mp4, write_png_folder


def video(
    count: int = 3, size: tuple[int, int] = (20, 30), original: tuple[int, int] | None = None, name: str = "a/clip"
) -> CachedVideo:
    timing = Timing.constant(Fraction(25), count)
    return CachedVideo(name, None, *size, *(original or size), timing, (), "", FrameStore(Path("none"), *size, count))


def picture(hidden: np.ndarray) -> np.ndarray:
    return np.repeat(hidden[..., None], 3, axis=2).astype(np.uint8) * 255


def test_boxes_lie_inside_and_differ_from_frame_to_frame() -> None:
    masks = list(RandomBoxes(1, 6, 3).of(video(40)))
    assert len({mask.tobytes() for mask in masks}) > 30
    for mask in masks:
        rows, columns = mask.any(1), mask.any(0)
        assert mask.shape == (20, 30)
        assert mask.sum() == 36 == rows.sum() * columns.sum()
    assert np.any([mask[0].any() for mask in masks])
    assert np.any([mask[-1].any() for mask in masks])


def test_boxes_follow_seed_and_last_part_of_the_name() -> None:
    def of(boxes: RandomBoxes, name: str) -> np.ndarray:
        return np.stack(list(boxes.of(video(name=name))))

    assert np.array_equal(of(RandomBoxes(2, 5, 0), "a/clip"), of(RandomBoxes(2, 5, 0), "clip"))
    assert not np.array_equal(of(RandomBoxes(2, 5, 0), "clip"), of(RandomBoxes(2, 5, 1), "clip"))
    assert not np.array_equal(of(RandomBoxes(2, 5, 0), "clip"), of(RandomBoxes(2, 5, 0), "other"))


@pytest.mark.parametrize("values", [(0, 5, 0), (1, 0, 0), (1, 5, -1)])
def test_impossible_boxes_are_refused(values: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match=r"allowed are . and more"):
        RandomBoxes(*values)
    with pytest.raises(InputError, match="smaller"):
        next(RandomBoxes(1, 20).of(video()))


def test_given_masks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hidden = rng.random((3, 20, 30)) > 0.5
    write_png_folder(tmp_path / "all" / "a" / "clip", map(picture, hidden))
    for path in (tmp_path / "all", tmp_path / "all" / "a" / "clip"):  # by the video's name, or for every video
        assert np.array_equal(np.stack(list(GivenMasks(path).of(video()))), hidden)
    image = tmp_path / "all" / "a" / "clip" / "00001.png"
    assert np.array_equal(np.stack(list(GivenMasks(image).of(video(5)))), hidden[[1] * 5])
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "other.png").write_bytes(image.read_bytes())
    assert np.array_equal(next(GivenMasks(tmp_path / "own").of(video(name="other"))), hidden[1])
    blocks = np.zeros((4, 20, 30), np.bool_)
    blocks[2, 4:16, 8:20] = True
    write_mp4(tmp_path / "m.mp4", map(picture, blocks), Timing.constant(Fraction(25), 4), crf=1)
    assert np.array_equal(np.stack(list(GivenMasks(tmp_path / "m.mp4").of(video(4)))), blocks)


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_masks_is_refused(tmp_path: Path, count: int) -> None:
    write_png_folder(tmp_path / "m", [picture(np.ones((20, 30), np.bool_))] * 3)
    with pytest.raises(InputError, match=f"3 masks for the {count} frames"):
        list(GivenMasks(tmp_path / "m").of(video(count)))
    with pytest.raises(InputError, match="no such"):
        GivenMasks(tmp_path / "none").to_json()


def test_masks_are_known_by_their_content(tmp_path: Path) -> None:
    write_png_folder(tmp_path / "m", [picture(np.ones((20, 30), np.bool_))] * 2)
    before = GivenMasks(tmp_path / "m").to_json()
    (tmp_path / "m").rename(tmp_path / "moved")
    os.utime(tmp_path / "moved" / "00000.png", ns=(1, 1))
    assert GivenMasks(tmp_path / "moved").to_json() == before
    image = tmp_path / "moved" / "00001.png"
    status = image.stat()
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert GivenMasks(tmp_path / "moved").to_json() != before


@pytest.mark.parametrize("wanted", [(20, 30), (31, 47), (60, 90), (9, 13)])
def test_scaled_frames_show_nothing_of_hidden_pixels(tmp_path: Path, wanted: tuple[int, int]) -> None:
    from dnerv.video import VideoSource

    rng = np.random.default_rng(1)
    hidden = np.zeros((20, 30), np.bool_)
    hidden[6:11, 9:15] = True
    write_png_folder(tmp_path / "m", [picture(hidden)])
    one = rng.integers(0, 256, (20, 30, 3), np.uint8)
    other = np.where(hidden[..., None], 255 - one, one)
    scaled = []
    for name, frame in (("one", one), ("other", other)):
        write_png_folder(tmp_path / name, [frame])
        scaled += [f for _, f in VideoSource(tmp_path / name).frames(size=wanted)]
    (mask,) = GivenMasks(tmp_path / "m" / "00000.png").of(video(1, wanted, (20, 30)))
    assert not np.array_equal(*scaled)
    assert np.array_equal(scaled[0][~mask], scaled[1][~mask])
    if wanted == (20, 30):
        assert np.array_equal(mask, hidden)
    assert not mask.all()

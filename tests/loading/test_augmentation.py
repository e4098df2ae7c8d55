from typing import Any

import pytest
import torch

from dnerv.errors import InputError
from dnerv.loading.augmentation import Augmentation, Draw, common_size


def picture(height: int = 6, width: int = 8, frames: int = 2) -> torch.Tensor:
    """uint8 [frames, 3, height, width], every pixel of a frame another value."""
    return torch.arange(frames * 3 * height * width).view(frames, 3, height, width).remainder(256).to(torch.uint8)


def test_nothing_asked_nothing_done() -> None:
    frames = picture()
    augmentation = Augmentation(dtype=torch.uint8)
    assert torch.equal(augmentation.place(frames, Draw()), frames)
    assert torch.equal(augmentation.finish(frames[None].clone(), [Draw(flip=True)])[0], frames)
    floats = Augmentation().finish(frames[None], [Draw()])
    assert floats.dtype == torch.float32
    assert torch.equal((floats[0] * 255).round().to(torch.uint8), frames)


def test_the_crop_is_in_the_centre_unless_random() -> None:
    frames = picture()
    assert torch.equal(Augmentation(crop=(4, 2)).place(frames, Draw(0, 0)), frames[..., 1:5, 3:5])
    corners = [(0.0, 0.0), (0.999, 0.999), (1.0, 0.0)]
    expected = [frames[..., :4, :2], frames[..., 2:, 6:], frames[..., 2:, :2]]
    for (top, left), crop in zip(corners, expected, strict=True):
        assert torch.equal(Augmentation(crop=(4, 2), random_crop=True).place(frames, Draw(top, left)), crop)
    assert torch.equal(Augmentation(crop=6).place(frames, Draw()), frames[..., 1:7])


def test_every_place_of_a_crop_is_as_likely() -> None:
    frames = picture(1, 8)
    crop = Augmentation(crop=(1, 5), random_crop=True)
    starts = [int(crop.place(frames, Draw.of(0, 0, index))[0, 0, 0, 0]) for index in range(800)]
    assert {start: abs(starts.count(start) - 200) < 60 for start in range(4)} == dict.fromkeys(range(4), True)


def test_flips_some_clips_and_all_of_their_frames() -> None:
    frames = picture()
    batch = torch.stack([frames, frames, frames])
    done = Augmentation(flip=True, dtype=torch.uint8).finish(batch, [Draw(flip=True), Draw(), Draw(flip=True)])
    assert torch.equal(done[0], frames.flip(-1))
    assert torch.equal(done[1], frames)
    assert torch.equal(done[2], frames.flip(-1))
    assert 30 < sum(Draw.of(0, 0, index).flip for index in range(100)) < 70


def test_draws_follow_seed_epoch_and_index() -> None:
    draws = [Draw.of(*numbers) for numbers in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]]
    assert len(set(draws)) == 4
    assert Draw.of(0, 1, 0) == draws[2]


@pytest.mark.parametrize(
    ("resize", "size"), [(3, (3, 4)), ((4, 4), (4, 4)), (12, (12, 16)), (None, (6, 8)), (6, (6, 8))]
)
def test_resize(resize: Any, size: tuple[int, int]) -> None:
    flat = torch.full((2, 3, 6, 8), 77, dtype=torch.uint8)
    placed = Augmentation(resize=resize).place(flat, Draw())
    assert tuple(placed.shape) == (2, 3, *size)
    assert torch.allclose(placed.float(), torch.tensor(77.0))
    done = Augmentation(resize=resize, dtype=torch.uint8).finish(placed[None], [Draw()])
    assert done.dtype == torch.uint8
    assert bool((done == 77).all())


def test_the_shorter_side_of_a_portrait() -> None:
    assert Augmentation(resize=100).resized((300, 200)) == (150, 100)
    assert Augmentation(resize=1).resized((1, 1)) == (1, 1)


def test_normalise() -> None:
    white = torch.full((1, 2, 3, 4, 4), 255, dtype=torch.uint8)
    mean, std = (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)
    done = Augmentation(normalise=(mean, std), dtype=torch.bfloat16).finish(white, [Draw()])
    assert done.dtype == torch.bfloat16
    assert done[0, 0, :, 0, 0].tolist() == [1.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0}, "crop is 0"),
        ({"crop": (3, 3, 3)}, "crop is"),
        ({"resize": (0, 4)}, "resize is"),
        ({"resize": 2.5}, "resize is"),
        ({"dtype": torch.int32}, "dtype is torch.int32"),
        ({"normalise": ((0, 0, 0), (1, 1, 1)), "dtype": torch.uint8}, "needs a dtype of floats"),
        ({"normalise": ((0, 0, 0), (1, 0, 1))}, "std above 0"),
        ({"normalise": ((0,), (1,))}, "three numbers each"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augmentation(**arguments)


def test_one_size_for_all() -> None:
    sizes = {"a": (10, 20), "b": (20, 10)}
    with pytest.raises(InputError, match=r"clips of 'a' would have 10x20 .* 'b' 20x10"):
        common_size(Augmentation(), sizes)
    with pytest.raises(InputError, match="'a' would have 5x10"):
        common_size(Augmentation(resize=5), sizes)
    assert common_size(Augmentation(resize=(4, 6)), sizes) == (4, 6)
    assert common_size(Augmentation(resize=5, crop=5), sizes) == (5, 5)
    with pytest.raises(InputError, match="video 'a': crop is 11x11, larger than frames of 10x20"):
        common_size(Augmentation(crop=11), sizes)

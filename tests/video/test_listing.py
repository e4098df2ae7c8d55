"""Which numbered images belong together, and which numbers are missing."""

from pathlib import Path

import pytest

from dnerv.video.listing import image_sequences, missing_numbers


def sequences(*names: str) -> dict[str, list[str]]:
    return {pattern: [p.name for p in members] for pattern, members in image_sequences([*map(Path, names)]).items()}


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (["img_00001.jpg", "img_00002.jpg", "flow_x_00001.jpg"], ["img_*.jpg", "flow_x_*.jpg"]),
        (["left0001.png", "left0002.png", "right0001.png"], ["left*.png", "right*.png"]),
        (["0001_left.png", "0001_right.png"], ["*_left.png", "*_right.png"]),
        (["v_Box_g01_c01_01.jpg", "v_Box_g01_c02_01.jpg"], ["v_Box_g01_c01_*.jpg", "v_Box_g01_c02_*.jpg"]),
        (["2021-05-03_12-00-59.jpg", "2021-05-03_12-01-00.jpg"], ["*-*-*_*-*-*.jpg"]),
        (["IMG20210503_120001.jpg", "IMG20210504_120001.jpg"], ["IMG*_*.jpg"]),
        (["0.png", "1.jpg", "2.bmp"], ["*.png"]),
        (["1.jpg", "1.png", "2.jpg", "2.png"], ["*.jpg", "*.png"]),
    ],
)  # fmt: skip
def test_images_belong_together_by_their_names(names: list[str], patterns: list[str]) -> None:
    found = sequences(*names)
    assert list(found) == patterns
    assert sorted(name for members in found.values() for name in members) == sorted(names)


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([1, 2, 3, 4], None),
        ([8, 9, 10, 11], None),
        ([0, 10, 20, 30], None),
        ([1, 2, 4, 5, 6, 10], "3, 7 to 9"),
        ([0, 10, 20, 40, 50], "30"),
        ([0], None),
        ([3, 17, 40, 99], None),  # no regular numbers
    ],
)
def test_missing_numbers(numbers: list[int], missing: str | None) -> None:
    assert missing_numbers([Path(f"img2_{number:05d}.png") for number in numbers]) == missing

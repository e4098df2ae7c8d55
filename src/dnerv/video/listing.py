"""Which files are videos, which are numbered images, which of these belong together, and in which order.

Images of one folder belong together when their names differ in their numbers alone: `img_00001.jpg`, `flow_x_00001.jpg`
are of two sequences, `img_*` and `flow_x_*`. Digits right after letters and before another number are a part of the
name: `cam1_0001.png` is of `cam1_*`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

_VIDEO_NAMES = """
    3g2 3gp apng asf avi dv f4v flv gif h264 h265 hevc ivf m2ts m2v m4v mkv mov mp4 mpeg mpg mts mxf
    obu ogv rm rmvb ts vob webm wmv y4m
"""
_IMAGE_NAMES = "bmp jpeg jpg pgm png pnm ppm tif tiff webp"
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _VIDEO_NAMES.split())
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _IMAGE_NAMES.split())
_NUMBER = re.compile(r"[0-9]+")
_PART_OF_A_NAME = re.compile(r"(?<=[A-Za-z])[0-9]{1,3}(?=.*[0-9])")  # and a number follows


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key that puts `frame9` before `frame10`; the name itself decides between `01` and `1`."""
    # Splitting on a captured group alternates text and digits, so equal positions always compare like with
    # like.
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def is_video_name(path: Path) -> bool:
    """Whether the suffix is one of a video container and the file is not hidden."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def is_image_name(path: Path) -> bool:
    """Whether the suffix is one of a still image and the file is not hidden."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def is_numbered_image_name(path: Path) -> bool:
    """Whether it is an image's name with a number in it."""
    return is_image_name(path) and _NUMBER.search(path.stem) is not None


def numbered_images(folder: Path) -> list[Path]:
    """Image files directly in `folder` with a number in their name, in natural order. Raises OSError."""
    images = [p for p in folder.iterdir() if is_numbered_image_name(p) and p.is_file()]
    return sorted(images, key=lambda p: natural_key(p.name))


def image_sequences(images: Sequence[Path]) -> dict[str, list[Path]]:
    """Numbered images by the sequence that they belong to, `img_*.jpg` for example, each in the given order.

    Where two images of a sequence have the same number in different formats, each format is a sequence.
    """
    by_name: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        by_name[_pattern(image.stem)].append(image)
    sequences: dict[str, list[Path]] = defaultdict(list)
    for pattern, members in by_name.items():
        is_double = max(Counter(image.stem for image in members).values()) > 1
        suffix = members[0].suffix
        for image in members:
            sequences[pattern + (image.suffix if is_double else suffix)].append(image)
    return dict(sequences)


def missing_numbers(images: Sequence[Path]) -> str | None:
    """Gaps in the numbers of a sequence in words, `5 to 7, 12`; None where there are none, or no regular numbers."""
    if len(images) < 3:
        return None
    numbers = [int(_NUMBER.findall(image.stem)[-1]) for image in images]
    steps = Counter(after - before for before, after in pairwise(numbers))
    step, count = steps.most_common(1)[0]
    if step < 1 or 2 * count < len(numbers) - 1:
        return None
    gaps = [
        str(before + step) if after == before + 2 * step else f"{before + step} to {after - step}"
        for before, after in pairwise(numbers)
        if after > before + step
    ]
    return ", ".join([*gaps[:5], *(["..."] if len(gaps) > 5 else [])]) or None


def _pattern(stem: str) -> str:
    """The name with `*` in place of its numbers."""
    kept = [match.span() for match in _PART_OF_A_NAME.finditer(stem)]
    return _NUMBER.sub(lambda number: number.group() if number.span() in kept else "*", stem)

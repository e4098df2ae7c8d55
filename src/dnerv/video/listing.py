"""Which files are videos, which are numbered images, and the order in which people number them."""

import re
from pathlib import Path

_VIDEO_NAMES = """
    3g2 3gp asf avi dv f4v flv gif h264 h265 hevc ivf m2ts m2v m4v mkv mov mp4 mpeg mpg mts mxf
    obu ogv rm rmvb ts vob webm wmv y4m
"""
_IMAGE_NAMES = "bmp jpeg jpg pgm png pnm ppm tif tiff webp"
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _VIDEO_NAMES.split())
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _IMAGE_NAMES.split())


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


def numbered_images(folder: Path) -> list[Path]:
    """Image files directly in `folder` with a number in their name, in natural order. Raises OSError."""
    images = [p for p in folder.iterdir() if is_image_name(p) and re.search(r"[0-9]", p.stem) and p.is_file()]
    return sorted(images, key=lambda p: natural_key(p.name))

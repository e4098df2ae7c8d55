"""Which pixels of a video are hidden: given as images, folders or videos, or random boxes.

A mask is bool [H, W], True where a pixel is hidden. White (above mid-grey in any channel) hides in a given mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.options import Options, option
from dnerv.video.cache import CachedVideo
from dnerv.video.content import content_of, digest_of
from dnerv.video.source import VideoSource

Mask = NDArray[np.bool_]  # [H, W]
_SCALER_REACH = 3  # pixels of the coarser picture: bicubic weights reach two, and rounding one more


class Masks(Protocol):
    """Masks of videos by name."""

    def of(self, video: CachedVideo) -> Iterator[Mask]:
        """One mask a frame, at the cached frames' size. Raises InputError."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What the masks depend on, as plain JSON values. Raises InputError."""
        ...


@dataclass(frozen=True)
class RandomBoxes(Options):
    """The paper's: some boxes a frame, at random places of their own in every frame, wholly inside."""

    count: int = option(5, "Random boxes a frame.", flag="--boxes", low=1)
    size: int = option(50, "Their side in pixels, of the frames as coded.", flag="--box-size", low=1)
    seed: int = option(0, "Of the boxes' places.", low=0)

    def of(self, video: CachedVideo) -> Iterator[Mask]:
        """The same boxes for the same seed, last part of the video's name, and size."""
        if self.size >= min(video.height, video.width):
            raise InputError(
                f"boxes of {self.size} pixels hide frames of {video.height}x{video.width}: give smaller ones"
            )
        name = crc32(PurePosixPath(video.name).name.encode())
        for frame in range(video.timing.num_frames):
            rng = np.random.default_rng([self.seed, name, frame])
            mask = np.zeros((video.height, video.width), np.bool_)
            for top, left in rng.integers(
                0, (video.height - self.size + 1, video.width - self.size + 1), (self.count, 2)
            ):
                mask[top : top + self.size, left : left + self.size] = True
            yield mask

    def to_json(self) -> dict[str, Any]:
        """The three numbers."""
        return {"boxes": self.count, "box_size": self.size, "seed": self.seed}


@dataclass(frozen=True)
class GivenMasks:
    """One image for all frames, a folder of numbered images or a video with one for each.

    A folder may also hold such a file or folder for each video, under the video's name.
    """

    path: Path

    def of(self, video: CachedVideo) -> Iterator[Mask]:
        """Masks at the cached size; where frames were scaled, hidden pixels hide all that scaling spread them over."""
        source = VideoSource(self._path_of(video))
        is_one = len(source.files) == 1 and source.path.is_file() and _num_frames(source) == 1
        given = (_hidden(frame, video) for _, frame in source.frames())
        if is_one:
            mask = next(given)
            yield from (mask for _ in range(video.timing.num_frames))
            return
        count = 0
        for count, mask in enumerate(given, 1):
            if count <= video.timing.num_frames:
                yield mask
        if count != video.timing.num_frames:
            raise InputError(
                f"{source.path}: {count} masks for the {video.timing.num_frames} frames of {video.name!r}; give one a "
                "frame, or a single image for all"
            )

    def to_json(self) -> dict[str, Any]:
        """Names and content of all files."""
        return {"masks": self._content}

    @cached_property
    def _content(self) -> str:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such file or folder of masks")
        files = [self.path] if self.path.is_file() else sorted(p for p in self.path.rglob("*") if p.is_file())
        return digest_of([[str(p.relative_to(self.path)) for p in files], content_of(files)])

    def _path_of(self, video: CachedVideo) -> Path:
        if not self.path.is_dir():
            return self.path
        if (self.path / video.name).exists():
            return self.path / video.name
        folder, stem = (self.path / video.name).parent, PurePosixPath(video.name).name
        own = sorted(p for p in folder.iterdir() if p.is_file() and p.stem == stem) if folder.is_dir() else []
        return own[0] if own else self.path


def _num_frames(source: VideoSource) -> int:
    """One or two: more need not be counted."""
    stream = source.frames()
    count = sum(1 for _, _ in zip(range(2), stream, strict=False))
    stream.close()
    return count


def _hidden(frame: NDArray[np.uint8], video: CachedVideo) -> Mask:
    """A frame of a mask at the video's cached size: hidden where any hidden pixel of it had a part in the pixel."""
    white = frame.max(axis=2) > 127
    sums = np.pad(white.cumsum(0, np.int64).cumsum(1), ((1, 0), (1, 0)))
    rows = _spans(white.shape[0], video.height, video.original_height)
    columns = _spans(white.shape[1], video.width, video.original_width)
    (top, bottom), (left, right) = rows, columns
    inside = sums[bottom][:, right] - sums[top][:, right] - sums[bottom][:, left] + sums[top][:, left]
    return np.asarray(inside > 0)


def _spans(given: int, wanted: int, original: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each of `wanted` pixels along an axis, the first of the `given` that count for it, and the one past."""
    reach = 0.0 if wanted == original else _SCALER_REACH * max(1.0, wanted / original)
    places = np.arange(wanted, dtype=np.float64)
    first = np.floor((places - reach) * given / wanted + 1e-9).clip(0, given)
    past = np.ceil((places + 1 + reach) * given / wanted - 1e-9).clip(0, given)
    return first.astype(np.int64), past.astype(np.int64)

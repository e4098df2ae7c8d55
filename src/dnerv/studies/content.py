"""What is coded: every frame of every video, decoded and scaled once, on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dnerv.errors import InputError
from dnerv.evaluation.metrics import SMALLEST_SIDE_OF_MS_SSIM
from dnerv.video import CachedVideo, cache_videos, discover
from dnerv.video.cache import open_cached

_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Content:
    """The videos and a digest of all that a codec can see of them. Picklable."""

    videos: tuple[CachedVideo, ...]
    digest: str
    sources: tuple[Path, ...] = ()  # files and folders that `encode` finds them in
    folder: Path = Path()  # of the cache

    @property
    def num_frames(self) -> int:
        """Frames of all videos."""
        return sum(video.timing.num_frames for video in self.videos)

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames."""
        return sum(video.timing.num_frames * video.height * video.width for video in self.videos)

    @property
    def ms_ssim_in_words(self) -> str:
        """How MS-SSIM is averaged, or why there is none."""
        side = min(min(video.height, video.width) for video in self.videos)
        if side >= SMALLEST_SIDE_OF_MS_SSIM:
            return "five scales, mean over frames, then over videos"
        return f"n/a: a side has {side} pixels, and five scales need {SMALLEST_SIDE_OF_MS_SSIM}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: names, sizes and the digest."""
        return {
            "videos": [
                {"name": v.name, "frames": v.timing.num_frames, "height": v.height, "width": v.width}
                for v in self.videos
            ],
            "frames": self.num_frames,
            "pixels": self.num_pixels,
            "digest": self.digest,
        }


def read_videos(
    inputs: Sequence[Path],
    folder: Path,
    *,
    resolution: tuple[int, int] | None = None,
    fps: Fraction | None = None,
) -> Content:
    """Decode what is not in `folder` yet, scaled to height x width, resampled. Raises InputError for a bad video."""
    videos = cache_videos(discover(inputs), folder, size=resolution, fps=fps)
    return Content(tuple(videos), digest_of_videos(videos), tuple(inputs), folder)


def cached_content(names: Sequence[str], folder: Path, digest: str) -> Content:
    """What an earlier run has read into `folder`, whatever has become of the videos themselves.

    Raises InputError where it is not there any more, or where these are other frames than `digest` says.
    """
    videos = tuple(open_cached(name, folder) for name in names)
    # Labels are not cached: there are none, or they are class folders, which names begin with.
    by_class = tuple(replace(video, label=video.name.partition("/")[0]) for video in videos)
    for found in (videos, by_class):
        if digest_of_videos(found) == digest:
            return Content(found, digest, folder=folder)
    raise InputError(f"{folder} holds other frames than the record was made of: run what has made it again")


def digest_of_videos(videos: Sequence[CachedVideo]) -> str:
    """A hash of frames, names, labels, sizes and times."""
    digest = blake2b(digest_size=16)
    for video in videos:
        facts = [video.name, video.label, video.height, video.width, video.original_height, video.original_width]
        digest.update(json.dumps([facts, video.timing.to_json()]).encode())
        with video.store.path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()

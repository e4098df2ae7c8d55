"""The frames of all videos in one condition, raw or compressed: the same requests, other pixels.

cached videos ── raw ───────────────────────────────┐
H.264 files ─ decoded once ─ frames on disk ────────┤
archive ─┬─ dnerv.Loader, once ─ frames on disk ────┼─ clips uint8 [L, 3, H, W]
         └─ dnerv.Loader, in every step (live) ─────┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from dnerv.archive import Archive
from dnerv.codecs import Frame
from dnerv.engine import Precision
from dnerv.evaluation.stream_files import decode_file
from dnerv.families import channels_first
from dnerv.loading import Loader
from dnerv.studies.content import Content
from dnerv.studies.recognition.sampling import Clip
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter

_DECODED_TOGETHER = 4  # videos


class Footage(Protocol):
    """Where frames come from."""

    def batches(self, wanted: Iterable[Sequence[Clip]]) -> Iterator[list[Tensor]]:
        """The clips of each batch, uint8 [L, 3, H, W] RGB at the coded size, on some device."""


@dataclass(frozen=True)
class RawFootage:
    """Frames as every codec was given them."""

    videos: Mapping[str, CachedVideo]

    def batches(self, wanted: Iterable[Sequence[Clip]]) -> Iterator[list[Tensor]]:
        """As `Footage` says."""
        for clips in wanted:
            yield [channels_first(self.videos[clip.name].store.read(clip.frames)) for clip in clips]


@dataclass(frozen=True)
class DecodedFootage:
    """Decoded frames of all videos, one after the other in one file on disk."""

    store: FrameStore
    starts: Mapping[str, int]  # place of each video's first frame

    def batches(self, wanted: Iterable[Sequence[Clip]]) -> Iterator[list[Tensor]]:
        """As `Footage` says."""
        for clips in wanted:
            yield [channels_first(self.store.read(clip.frames + self.starts[clip.name])) for clip in clips]


@dataclass(frozen=True)
class LiveFootage:
    """Frames decoded when they are asked for, whole videos in batches, on the archive's device."""

    archive: Archive
    lengths: Mapping[str, int]

    def batches(self, wanted: Iterable[Sequence[Clip]]) -> Iterator[list[Tensor]]:
        """As `Footage` says; all batches but the last are of one size."""
        plan = [list(clips) for clips in wanted]
        flat = [clip for clips in plan for clip in clips]
        loader = whole_videos(self.archive, [clip.name for clip in flat], self.lengths, len(plan[0]))
        for clips, (frames, _, _) in zip(plan, loader, strict=True):
            yield [frames[row, clip.frames.tolist()] for row, clip in enumerate(clips)]


def whole_videos(archive: Archive, names: Sequence[str], lengths: Mapping[str, int], batch: int) -> Loader:
    """A loader of videos from their first frame to their last, in this order, uint8; shorter ones repeat their last."""
    longest = max(lengths[name] for name in names)
    return Loader(
        archive,
        batch_size=batch,
        clip_length=longest,
        clips_per_video=1,
        videos=names,
        dtype=torch.uint8,
        world_size=1,
        rank=0,
    )


def decoded_streams(content: Content, files: Sequence[Path], path: Path, advance: Callable[[], None]) -> DecodedFootage:
    """Frames of H.264 files, one for each video; at `path` they are kept, and found again."""

    def frames() -> Iterator[Frame]:
        for video, file in zip(content.videos, files, strict=True):
            yield from decode_file(file, video.height, video.width)
            advance()

    return _stored(content, frames(), path)


def decoded_archive(
    content: Content, archive: Path, path: Path, device: str, precision: Precision, advance: Callable[[], None]
) -> DecodedFootage:
    """Frames of an archive by `dnerv.Loader`; at `path` they are kept, and found again."""

    def frames() -> Iterator[Frame]:
        with Archive(archive, device=device, precision=precision, size="coded") as opened:
            names = [video.name for video in content.videos]
            lengths = video_lengths(content)
            for batch, _, info in whole_videos(opened, names, lengths, _DECODED_TOGETHER):
                for clip, name in zip(batch.cpu(), info["video"], strict=True):
                    yield from clip[: lengths[name]].permute(0, 2, 3, 1).contiguous().numpy()
                    advance()

    return _stored(content, frames(), path)


def video_lengths(content: Content) -> dict[str, int]:
    """Frames of each video."""
    return {video.name: video.timing.num_frames for video in content.videos}


def _stored(content: Content, frames: Iterator[Frame], path: Path) -> DecodedFootage:
    starts, total = dict[str, int](), 0
    for name, count in video_lengths(content).items():
        starts[name] = total
        total += count
    first = content.videos[0]
    store = FrameStore(path, first.height, first.width, total)
    if not store.is_complete():
        with FrameStoreWriter(path) as writer:
            for frame in frames:
                writer.append(frame)
    return DecodedFootage(store, starts)

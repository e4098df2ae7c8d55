"""The frames of all videos in one condition, raw or compressed: the same requests, other pixels.

cached videos ── raw ───────────────────────────────┐
streams ─ decoded once ─ frames on disk ────────────┤
archive ─┬─ dnerv.Loader, once ─ frames on disk ────┼─ clips uint8 [L, 3, H, W]
         └─ dnerv.Loader, in every step (live) ─────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs import CODECS, Frame
from dnerv.engine import Precision
from dnerv.families import channels_first
from dnerv.loading import Loader
from dnerv.studies.content import Content
from dnerv.studies.recognition.sampling import Clip
from dnerv.studies.steps import make_folder
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter
from dnerv.video.content import digest_of

_DECODED_TOGETHER = 4  # videos
STREAMS = {"h264": "x264", "svtav1": "svtav1"}  # conditions of a stream for each video: the codec


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


@dataclass(frozen=True)
class Condition:
    """How the videos were coded: what a classifier is trained or tested on."""

    name: str  # in files and progress
    codec: str = "raw"  # or one of `STREAMS`, or a kind of archive
    files: tuple[Path, ...] = ()  # the archive, or streams in the order of the videos

    @cached_property
    def digest(self) -> str:
        """Of the coded bytes."""
        digest = blake2b(digest_size=16)
        for path in self.files:
            data = path.read_bytes()
            digest.update(len(data).to_bytes(8, "little") + data)
        return digest.hexdigest()


@dataclass
class Projector:
    """Opens the frames of conditions; used in a `with` block, those decoded to the disk go at its end."""

    content: Content
    folder: Path  # of decoded frames
    device: str
    precision: Precision
    live: bool
    _open: dict[str, Footage] = field(default_factory=dict)
    _closing: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Projector:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()
        self._open.clear()

    def key(self, condition: Condition) -> dict[str, Any]:
        """What a condition's pixels depend on, beside the content: JSON."""
        coded = {"codec": condition.codec, "coded": condition.digest}
        if condition.codec in ("raw", *STREAMS):
            return coded
        return coded | {"device": self.device, "precision": self.precision, "live": self.live}

    def footage(self, condition: Condition) -> Footage:
        """Frames of all videos; decoded at the first call."""
        if condition.name not in self._open:
            self._open[condition.name] = self._opened(condition)
        return self._open[condition.name]

    def _opened(self, condition: Condition) -> Footage:
        if condition.codec == "raw":
            return RawFootage({video.name: video for video in self.content.videos})
        if self.live and condition.codec not in STREAMS:
            archive = Archive(condition.files[0], device=self.device, precision=self.precision)
            return LiveFootage(self._closing.enter_context(archive), video_lengths(self.content))
        make_folder(self.folder)
        path = self.folder / f"{condition.name}-{digest_of(self.key(condition))[:12]}.rgb"
        self._closing.callback(path.unlink, missing_ok=True)
        progress.stage(f"decoding {condition.name}", len(self.content.videos))
        frames = self._streams(condition) if condition.codec in STREAMS else self._archive(condition)
        return _stored(self.content, frames, path)

    def _streams(self, condition: Condition) -> Iterator[Frame]:
        codec = CODECS[STREAMS[condition.codec]]
        for video, file in zip(self.content.videos, condition.files, strict=True):
            yield from codec.decode_file(file, video.height, video.width)
            progress.advance()

    def _archive(self, condition: Condition) -> Iterator[Frame]:
        names, lengths = [video.name for video in self.content.videos], video_lengths(self.content)
        with Archive(condition.files[0], device=self.device, precision=self.precision, size="coded") as opened:
            for batch, _, info in whole_videos(opened, names, lengths, _DECODED_TOGETHER):
                for clip, name in zip(batch.cpu(), info["video"], strict=True):
                    yield from clip[: lengths[name]].permute(0, 2, 3, 1).contiguous().numpy()
                    progress.advance()


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

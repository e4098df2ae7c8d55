"""What everybody loads: some videos of the archive, their frames on disk, and a random list of their clips."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dnerv.archive import Archive
from dnerv.errors import InputError
from dnerv.evaluation.archive_quality import find_originals, original_frames
from dnerv.families import channels_first
from dnerv.studies.loading_speed.candidate import ClipPlace
from dnerv.video import FrameStore, FrameStoreWriter

MOST_VIDEOS = 8
MOST_FRAMES = 128  # of a video, from its start: what lies behind is loaded just as fast
MOST_BYTES = 1 << 29  # of raw frames on disk

Frame = NDArray[np.uint8]  # [H, W, 3] RGB


@dataclass(frozen=True)
class SampledVideo:
    """The first frames of one video, as they were before (`originals`) or after coding."""

    video: int  # place in the archive
    name: str
    fps: Fraction
    store: FrameStore
    original: Path | None  # the file that it was encoded from


@dataclass(frozen=True)
class Sample:
    """Videos by place in the archive, and the list of clips."""

    videos: dict[int, SampledVideo]
    places: tuple[ClipPlace, ...]
    clip_length: int  # frames; the last clip of a video may have fewer
    share: float  # of all of the archive's pixels

    @property
    def num_frames(self) -> int:
        """Frames of all sampled videos."""
        return sum(len(video.store) for video in self.videos.values())

    def frames_of(self, place: ClipPlace) -> range:
        """Frames of a clip in its video."""
        first = place.clip * self.clip_length
        return range(first, min(first + self.clip_length, len(self.videos[place.video].store)))

    def clip(self, place: ClipPlace) -> Tensor:
        """The clip's frames before or after coding: uint8 [t, 3, H, W]."""
        return channels_first(self.videos[place.video].store.read(self.frames_of(place)))


def draw_sample(
    archive: Archive,
    originals: tuple[Path, ...],
    folder: Path,
    *,
    clips: int,
    seed: int,
    stage: Callable[[str, int], None],
    advance: Callable[[], None],
) -> Sample:
    """Choose videos and clips by `seed`, and store the videos' frames in `folder`.

    Args:
        archive: opened at its coded size. originals: what was encoded; without it the archive is decoded.
        clips: length of the list; clips are repeated only where there are not as many.

    Raises:
        InputError: an original is missing, or is not what was encoded.
    """
    members = find_originals(archive, originals) if originals else {}
    chosen = random.Random(seed).sample(range(len(archive)), min(MOST_VIDEOS, len(archive)))
    counts = {video: _frames_taken(archive, video, len(chosen)) for video in chosen}
    stage("reading originals" if originals else "decoding the content", sum(counts.values()))
    videos = {}
    for video, count in counts.items():
        name = archive.names[video]
        frames = original_frames(archive, members[name], "coded") if members else _own_frames(archive, name)
        store = _stored(_counted(islice(frames, count), advance), folder / f"{video}.rgb")
        _check(archive, video, store, count)
        rate = archive.entries[video].timing.average_fps
        videos[video] = SampledVideo(video, name, rate, store, members[name].source_path if members else None)
    places = _draw_places({v: len(s.store) for v, s in videos.items()}, archive.config.model.clip_length, clips, seed)
    pixels = sum(s.store.height * s.store.width * len(s.store) for s in videos.values())
    return Sample(videos, places, archive.config.model.clip_length, pixels / archive.num_pixels)


def _frames_taken(archive: Archive, video: int, videos: int) -> int:
    """All frames, or as many whole clips as the limits allow, at least one."""
    entry, length = archive.entries[video], archive.config.model.clip_length
    height, width = entry.coded_size
    limit = min(MOST_FRAMES, MOST_BYTES // (videos * height * width * 3))
    return min(entry.timing.num_frames, max(1, limit // length) * length)


def _draw_places(lengths: dict[int, int], clip_length: int, clips: int, seed: int) -> tuple[ClipPlace, ...]:
    """Whole clips, or where no video has one, what there is."""
    whole = [ClipPlace(v, i) for v, count in lengths.items() for i in range(count // clip_length)]
    there = whole or [ClipPlace(v, 0) for v in lengths]
    rng = random.Random(seed)
    rng.shuffle(there)
    return tuple((there * -(-clips // len(there)))[:clips])


def _own_frames(archive: Archive, name: str) -> Iterator[Frame]:
    return (frame.permute(1, 2, 0).cpu().numpy() for frame in archive[name])


def _stored(frames: Iterable[Frame], path: Path) -> FrameStore:
    with FrameStoreWriter(path) as writer:
        for frame in frames:
            writer.append(frame)
    return writer.store()


def _counted(frames: Iterable[Frame], advance: Callable[[], None]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        advance()


def _check(archive: Archive, video: int, store: FrameStore, count: int) -> None:
    if len(store) < count:
        name = archive.names[video]
        raise InputError(f"the original of {name!r} has {len(store)} frames; the archive holds {count} or more")

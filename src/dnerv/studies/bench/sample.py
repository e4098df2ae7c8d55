"""What everybody loads: some videos of the archive, their frames on disk, and a random list of their clips."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs import Frame
from dnerv.errors import InputError
from dnerv.evaluation.archive_quality import find_originals, original_frames
from dnerv.families import channels_first
from dnerv.studies.bench.candidate import ClipPlace
from dnerv.studies.runner import Run
from dnerv.video import FrameStore, FrameStoreWriter
from dnerv.video.content import digest_of

MOST_VIDEOS = 8
MOST_FRAMES = 128  # of a video, from its start: what lies behind is loaded just as fast
MOST_BYTES = 1 << 29  # of raw frames on disk
CLIP_LENGTH = 8  # frames, where no network says how many


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
    """Videos by place in the archive, and the list of clips. Picklable."""

    videos: dict[int, SampledVideo]
    places: tuple[ClipPlace, ...]
    clip_length: int  # frames; the last clip of a video may have fewer
    share: float  # of all of the archive's pixels
    digest: str  # of the archive, the originals and the draw

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
    run: Run[Any], archive: Archive, given: str, *, originals: tuple[Path, ...], clips: int, seed: int
) -> Sample:
    """Choose videos and clips by `seed`, and store the videos' frames in the folder of the run, once.

    Args:
        archive: opened at its coded size. given: a hash of it and of the originals. originals: what was encoded;
        without it the archive is decoded. clips: length of the list; clips are repeated only where there are not as
        many.

    Raises:
        InputError: an original is missing, or is not what was encoded.
    """
    members = find_originals(archive, originals) if originals else {}
    chosen = random.Random(seed).sample(range(len(archive)), min(MOST_VIDEOS, len(archive)))
    counts = {video: _frames_taken(archive, video, len(chosen)) for video in chosen}

    def write(folder: Path) -> None:
        progress.stage("reading originals" if members else "decoding the content", sum(counts.values()))
        for video, count in counts.items():
            name = archive.names[video]
            frames = original_frames(archive, members[name], "coded") if members else _own_frames(archive, name)
            written = _store(islice(frames, count), folder / f"{video}.rgb")
            if written < count:
                raise InputError(f"the original of {name!r} has {written} frames; the archive holds {count} or more")

    digest = digest_of([given, chosen, clips, seed])
    folder = run.folder_once("sample", {"digest": digest}, write)
    videos = {}
    for video, count in counts.items():
        entry = archive.entries[video]
        store = FrameStore(folder / f"{video}.rgb", *entry.coded_size, count)
        original = members[entry.name].source_path if members else None
        videos[video] = SampledVideo(video, entry.name, entry.timing.average_fps, store, original)
    length = clip_length_of(archive)
    places = draw_places(counts, length, clips, seed)
    pixels = sum(s.store.height * s.store.width * len(s.store) for s in videos.values())
    return Sample(videos, places, length, pixels / archive.num_pixels, digest)


def clip_length_of(archive: Archive) -> int:
    """Frames that are loaded together: the network's where there is one."""
    network = archive.config.network
    return CLIP_LENGTH if network is None else network.model.clip_length


def draw_places(lengths: dict[int, int], clip_length: int, clips: int, seed: int) -> tuple[ClipPlace, ...]:
    """Whole clips of videos of these lengths, or where no video has one, what there is."""
    whole = [ClipPlace(v, i) for v, count in lengths.items() for i in range(count // clip_length)]
    there = whole or [ClipPlace(v, 0) for v in lengths]
    random.Random(seed).shuffle(there)
    return tuple((there * -(-clips // len(there)))[:clips])


def _frames_taken(archive: Archive, video: int, videos: int) -> int:
    """All frames, or as many whole clips as the limits allow, at least one."""
    entry, length = archive.entries[video], clip_length_of(archive)
    height, width = entry.coded_size
    limit = min(MOST_FRAMES, MOST_BYTES // (videos * height * width * 3))
    return min(entry.timing.num_frames, max(1, limit // length) * length)


def _own_frames(archive: Archive, name: str) -> Iterable[Frame]:
    return (frame.permute(1, 2, 0).cpu().numpy() for frame in archive[name])


def _store(frames: Iterable[Frame], path: Path) -> int:
    """How many frames were written."""
    with FrameStoreWriter(path) as writer:
        for frame in frames:
            writer.append(frame)
            progress.advance()
    return len(writer.store())

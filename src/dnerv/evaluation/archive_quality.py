"""How close an archive's frames are to the originals: measured on what comes out of the file, never before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerv import progress
from dnerv.archive import Archive, VideoReader
from dnerv.archive.changing import extract
from dnerv.errors import InputError
from dnerv.evaluation.metrics import SMALLEST_SIDE_OF_MS_SSIM, QualityMeter, ms_ssim_per_frame, mse_per_frame
from dnerv.process import as_done, in_order, side_by_side
from dnerv.video import FrameStore, Member, VideoSource, discover
from dnerv.video.source_frames import at_hand

_FRAMES_AT_ONCE = 8


@dataclass(frozen=True)
class VideoQuality:
    """One video. Sizes in pixels, PSNR in dB."""

    name: str
    num_frames: int
    height: int  # at which frames were compared
    width: int
    psnr: float  # mean over frames
    worst_psnr: float  # mean over the worst twentieth of the frames
    psnr_of_mean_mse: float
    ms_ssim: float | None  # mean over frames; None where a side is too short for five scales, or it was not asked for
    bits_per_pixel: float  # its packets, and its share by pixels of all other bytes


@dataclass(frozen=True)
class ArchiveQuality:
    """All videos: means over videos, each with one vote."""

    psnr: float  # of the videos' mean PSNR over frames
    worst_psnr: float
    psnr_of_mean_mse: float
    ms_ssim: float | None  # None unless every video has one
    bits_per_pixel: float  # the whole file's
    file_bytes: int
    videos: list[VideoQuality]


_Measured = tuple[VideoQuality, Tensor]  # and the errors of its frames


def evaluate(
    path: str | PathLike[str],
    originals: Sequence[str | Path],
    *,
    at: Literal["coded", "original"] = "coded",
    device: str = "cpu",
) -> ArchiveQuality:
    """Compare the archive at `path` with the videos that it was made from.

    Args:
        originals: the files and folders that were encoded; videos are matched by name.
        at: `coded` scales the originals as encoding did; `original` scales the archive's frames back.

    Raises:
        InputError: an archived video has no original of its name, or one with another number of frames.
        ArchiveError: the archive is damaged.
    """
    with Archive(path, device=device, size=at) as archive:
        members = find_originals(archive, originals)
        progress.stage("comparing", archive.num_frames)
        return measure_archive(archive, lambda name: original_frames(archive, members[name], at))


def find_originals(archive: Archive, originals: Sequence[str | Path]) -> dict[str, Member]:
    """The original of each archived video, by name. Raises InputError where one is missing."""
    members = {member.name: member for member in discover([Path(p) for p in originals])}
    missing = [name for name in archive.names if name not in members]
    if missing:
        raise InputError(
            f"the archive's video {missing[0]!r} is not among the originals given"
            + (f", nor are {len(missing) - 1} others" if len(missing) > 1 else "")
            + f"; those are {', '.join(list(members)[:5])}"
        )
    return members


def measure_archive(
    archive: Archive,
    frames_of: Callable[[str], Iterable[NDArray[np.uint8]]],
    *,
    ms_ssim: bool = True,
    workers: Executor | None = None,
) -> ArchiveQuality:
    """Compare every video of an open archive with `frames_of(name)`, uint8 [H, W, 3] RGB each; progress is by frame.

    Videos are compared side by side, but where a network makes frames: that has all cores for itself.

    Args:
        ms_ssim: measure it, too: it takes many times as long as all the rest.
        workers: other processes that measure, of archives without a network. Each is sent the video as the file has it,
            and what `frames_of` gives: a `FrameStore`. None: threads of this process.

    Raises:
        InputError: a video has another number of frames or another size than the archive says.
    """
    common = 8 * (archive.file_bytes - archive.index.packet_bytes) / archive.num_pixels
    one_by_one = len(archive) == 1 or (archive.layers == "all" and archive.config.network is not None)
    # Threads and other processes do not know who listens: what they have done is told when their video is taken.
    tell = progress.advance if one_by_one and workers is None else None

    def measure(place: int) -> _Measured:
        reader = archive.reader(archive.entries[place], dimension_order="NCHW")
        return _measure_video(reader, frames_of(reader.entry.name), common, ms_ssim, tell)

    places = range(len(archive))
    if workers is not None:
        found: Iterable[_Measured] = _measure_elsewhere(archive, frames_of, common, ms_ssim, workers)
    else:
        found = map(measure, places) if one_by_one else side_by_side(measure, places)
    meter, videos = QualityMeter(), []
    for video, errors in found:
        videos.append(video)
        meter.add(video.name, errors)
        if tell is None:
            progress.advance(video.num_frames)
    scores = [video.ms_ssim for video in videos if video.ms_ssim is not None]
    return ArchiveQuality(
        meter.psnr,
        meter.worst_psnr,
        meter.psnr_of_mean_mse,
        float(np.mean(scores)) if len(scores) == len(videos) else None,
        archive.bits_per_pixel,
        archive.file_bytes,
        videos,
    )


def _measure_elsewhere(
    archive: Archive,
    frames_of: Callable[[str], Iterable[NDArray[np.uint8]]],
    common: float,
    ms_ssim: bool,
    workers: Executor,
) -> Iterator[_Measured]:
    """In the order of names."""
    path = archive.container.name
    work = partial(_measure_excerpt, common=common, ms_ssim=ms_ssim)
    excerpts = ((_excerpt(path, name), frames_of(name)) for name in archive.names)
    yield from in_order(as_done(work, excerpts, workers))


def _excerpt(path: str, name: str) -> bytes:
    """An archive of one video of the archive at `path`."""
    with TemporaryDirectory() as folder, progress.listening(progress.Listener()):
        return extract(path, Path(folder, "one.dnerv"), [name]).path.read_bytes()


def _measure_excerpt(given: tuple[bytes, FrameStore], common: float, ms_ssim: bool) -> _Measured:
    data, original = given
    with TemporaryDirectory() as folder, at_hand(original) as frames:
        path = Path(folder, "one.dnerv")
        path.write_bytes(data)
        with Archive(path, size="coded") as archive:
            reader = archive.reader(archive.entries[0], dimension_order="NCHW")
            return _measure_video(reader, frames, common, ms_ssim, None)


def _measure_video(
    reader: VideoReader,
    frames: Iterable[NDArray[np.uint8]],
    common: float,
    ms_ssim: bool,
    tell: Callable[[int], None] | None,
) -> _Measured:
    """A video's quality, and its frames' errors."""
    facts, meter = reader.metadata, QualityMeter()
    errors, similarity = list[Tensor](), list[Tensor]()
    first = 0
    for wanted in _batches(frames):
        if first + len(wanted) > len(reader) or tuple(wanted.shape[2:]) != (facts.height, facts.width):
            raise _mismatch(reader, f"more than {len(reader)} frames, or frames of another size")
        made = reader[first : first + len(wanted)].cpu()
        errors.append(mse_per_frame(wanted, made))
        meter.add(facts.name, errors[-1])
        if ms_ssim and min(facts.height, facts.width) >= SMALLEST_SIDE_OF_MS_SSIM:
            similarity.append(ms_ssim_per_frame(wanted, made))
        first += len(wanted)
        if tell is not None:
            tell(len(wanted))
    if first != len(reader):
        raise _mismatch(reader, f"{first} frames")
    quality = VideoQuality(
        facts.name,
        len(reader),
        facts.height,
        facts.width,
        meter.psnr,
        meter.worst_psnr,
        meter.psnr_of_mean_mse,
        float(torch.cat(similarity).mean()) if similarity else None,
        _bits_per_pixel(reader, common),
    )
    return quality, torch.cat(errors)


def _bits_per_pixel(reader: VideoReader, common: float) -> float:
    """`common`: bits per pixel of everything in the file that is no packet of a video."""
    return 8 * reader.entry.num_bytes / reader.entry.num_pixels + common


def original_frames(archive: Archive, member: Member, at: str) -> Iterator[NDArray[np.uint8]]:
    """Frames of a video as encoding saw them: uint8 [H, W, 3] RGB, scaled where `at` is "coded"."""
    height, width = archive[member.name].entry.coded_size
    size = (height, width) if at == "coded" else None
    rate = archive.made.get("fps")
    stream = VideoSource(member.source_path, part=member.part).frames(
        size=size, fps=None if rate is None else Fraction(rate)
    )
    return (frame for _, frame in stream)


def _batches(frames: Iterable[NDArray[np.uint8]]) -> Iterator[Tensor]:
    left = iter(frames)
    while batch := list(islice(left, _FRAMES_AT_ONCE)):
        yield torch.from_numpy(np.ascontiguousarray(np.stack(batch).transpose(0, 3, 1, 2)))


def _mismatch(reader: VideoReader, found: str) -> InputError:
    return InputError(
        f"the original of {reader.entry.name!r} has {found}; the archive holds {len(reader)} of "
        f"{reader.metadata.height}x{reader.metadata.width}: it was made from another file"
    )

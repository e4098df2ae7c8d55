"""How close frames come back, frame by frame: of a stream coded alone, or of an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import log10
from pathlib import Path
from statistics import fmean
from threading import Event
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from dnerv import progress
from dnerv.archive import Archive
from dnerv.archive.entry import OWN_INTRA, VideoEntry
from dnerv.codecs import Frame, Packet, Planes, SvtAv1, decode_packets
from dnerv.codecs.av1_mp4 import mp4_head
from dnerv.codecs.frame_header import read_sequence_header
from dnerv.codecs.obu import split_sequence_header
from dnerv.evaluation.metrics import SMALLEST_SIDE_OF_MS_SSIM, QualityMeter, ms_ssim_per_frame, mse_per_frame
from dnerv.families import channels_first
from dnerv.process import usable_cores
from dnerv.studies.content import Content
from dnerv.studies.measures import Frames, take
from dnerv.video import CachedVideo

T = TypeVar("T")
MS_SSIM_STEP = 5  # frames from one that is scored to the next; no multiple of a distance of coded frames
_AT_ONCE = 16  # frames


@dataclass(frozen=True)
class Scores:
    """Of the frames of one video; `similarity` and `vmaf` are None where they were not asked for, or cannot be had."""

    errors: torch.Tensor  # float64 [T], mean squared error of each
    similarity: float | None  # mean MS-SSIM of every `MS_SSIM_STEP`-th
    vmaf: float | None


def code_alone(
    codec: SvtAv1, content: Content, crf: float, measures: Sequence[str], scratch: Path, title: str
) -> dict[str, Any]:
    """All videos by one encoder, each alone in a thread: bytes of their packets, and what these give back.

    `mp4_bytes`: of the same packets in an MP4 file each, with no more beside them than the format asks for.
    """

    def one(video: CachedVideo, stop: Event) -> tuple[int, int, Scores]:
        coded = codec.keyframes(_until(video.store, stop), crf)
        packets = [packet.data for packet in coded]
        decoded = partial(decode_packets, packets, height=video.height, width=video.width, planes=codec.planes)
        scores, size = _scores(video, decoded, measures, scratch), sum(map(len, packets))
        return size, size + len(head_of(video, coded, codec.planes)), scores

    sizes, mp4_sizes, scores = zip(*_each(content.videos, title, one), strict=True)
    return _summary(content, sum(sizes), scores) | {"mp4_bytes": sum(mp4_sizes)}


def measured_layers(path: Path, content: Content, device: str, measures: Sequence[str]) -> dict[str, Any]:
    """An archive's bytes, what it gives back, and what was chosen for its videos, as JSON values."""
    with Archive(path, device=device, size="coded") as archive:

        def one(video: CachedVideo, stop: Event) -> Scores:
            reader = archive[video.name]

            def decoded() -> Iterator[Frame]:
                for first in _until(range(0, len(reader), _AT_ONCE), stop):
                    yield from reader[first : first + _AT_ONCE].permute(0, 2, 3, 1).contiguous().cpu().numpy()

            return _scores(video, decoded, measures, path.parent)

        summary = _summary(content, archive.file_bytes, _each(content.videos, "decoding the archive", one))
        entries = list(archive.entries)
        references = archive.references
        return summary | {
            "references": len(references),
            "reference_bytes": sum(reference.length + reference.seed_length for reference in references),
            "videos_by_distance": _counted([entry.distance for entry in entries]),
            "videos_by_group_length": _counted([entry.group_length for entry in entries]),
            "videos_with_reference": sum(_shared_groups(entry) > 0 for entry in entries),
            "groups": sum(entry.num_groups for entry in entries),
            "groups_with_reference": sum(map(_shared_groups, entries)),
        }


def head_of(video: CachedVideo, packets: Sequence[Packet], planes: Planes) -> bytes:
    """What stands before a video's packets in an MP4 file."""
    header, _ = split_sequence_header(packets[0].data)
    return mp4_head(
        read_sequence_header(header),
        header,
        planes,
        shown_size=(video.height, video.width),
        lengths=[len(packet.data) for packet in packets],
        durations=[1] * len(packets),
        syncs=[place for place, packet in enumerate(packets) if packet.sync],
        time_base=1 / video.timing.average_fps,
    )


def _shared_groups(entry: VideoEntry) -> int:
    return sum(place != OWN_INTRA for place in entry.references)


def _counted(values: Sequence[int]) -> dict[str, int]:
    return {str(value): values.count(value) for value in sorted(set(values))}


def _scores(video: CachedVideo, decoded: Frames, measures: Sequence[str], scratch: Path) -> Scores:
    """Raises ValueError where there are not as many frames as the video has."""
    errors, similarities = list[torch.Tensor](), list[torch.Tensor]()
    scored = "ms_ssim" in measures and min(video.height, video.width) >= SMALLEST_SIDE_OF_MS_SSIM
    frames, first = decoded(), 0
    for originals in _batches(video):
        pair = channels_first(originals), channels_first(np.stack(list(islice(frames, len(originals)))))
        errors.append(mse_per_frame(*pair))
        if scored:
            chosen = slice(-first % MS_SSIM_STEP, None, MS_SSIM_STEP)
            similarities.append(ms_ssim_per_frame(*(frames[chosen] for frames in pair)))
        first += len(originals)
    if next(frames, None) is not None:
        raise ValueError(f"{video.name} came back with more than its {first} frames")
    similarity = float(torch.cat(similarities).mean()) if similarities else None
    vmaf = take(["vmaf"], partial(iter, video.store), decoded, scratch)["vmaf"] if "vmaf" in measures else None
    return Scores(torch.cat(errors), similarity, vmaf)


def _batches(video: CachedVideo) -> Iterator[NDArray[np.uint8]]:
    count = video.timing.num_frames
    for first in range(0, count, _AT_ONCE):
        yield video.store.read(range(first, min(first + _AT_ONCE, count)))


def _summary(content: Content, size: int, scores: Sequence[Scores]) -> dict[str, Any]:
    meter = QualityMeter()
    for video, one in zip(content.videos, scores, strict=True):
        meter.add(video.name, one.errors)
    return {
        "bytes": size,
        "bits_per_pixel": 8 * size / content.num_pixels,
        "psnr": meter.psnr,
        "worst_psnr": meter.worst_psnr,
        "ms_ssim": _mean([one.similarity for one in scores]),
        "vmaf": _mean([one.vmaf for one in scores]),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """None unless every video has one."""
    there = [value for value in values if value is not None]
    return fmean(there) if len(there) == len(values) else None


def ms_ssim_in_decibels(score: float) -> float:
    """-10 log10(1 - MS-SSIM): nearly a straight line over log rates, as PSNR is."""
    return -10 * log10(max(1 - score, 1e-9))


def _each(videos: Sequence[CachedVideo], title: str, work: Callable[[CachedVideo, Event], T]) -> list[T]:
    """`work` of every video, one a thread, on all cores. An interruption ends it at the next frame."""
    progress.stage(title, len(videos))
    pool, stop, done = ThreadPoolExecutor(min(usable_cores(), len(videos))), Event(), list[T]()
    try:
        for job in [pool.submit(partial(work, video, stop)) for video in videos]:
            done.append(job.result())
            progress.advance()
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return done


class _Stopped(Exception):
    """The study was interrupted."""


def _until(values: Iterable[T], stop: Event) -> Iterator[T]:
    for value in values:
        if stop.is_set():
            raise _Stopped
        yield value

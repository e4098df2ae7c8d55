"""What the batches to come are made of: base layers, decoded on the processor by threads, ahead of time.

    video without network   its frames that are wanted, as they are; for an accelerator, samples to make them of there
    video with network      the network's clips that hold them, each with its keyframes

A video's packets are one sequence, so it is read by one thread at a time, in ascending order; different videos are read
side by side. PyAV gives up the interpreter's lock while it decodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerv.archive import Archive, BaseReader, Collection, VideoEntry
from dnerv.archive.base_on_device import SamplesToSend, is_made_alike
from dnerv.archive.sharing import Guarded, Recent
from dnerv.loading.windows import Sample

if TYPE_CHECKING:
    from dnerv.families import ClipRequest

KEPT_READERS = 16  # open decoders: each holds some frames, so memory must not grow with the videos


@dataclass(frozen=True)
class NetworkClip:
    """One of the network's own clips, and what it needs."""

    clip: int
    requests: Sequence[ClipRequest]  # one per tile


@dataclass(frozen=True)
class Footage:
    """What is there for the samples of one video in one batch: frames, or clips that the network makes frames of."""

    archive: Archive  # that has the video
    entry: VideoEntry
    indices: NDArray[np.int64]  # of the frames, ascending
    frames: Tensor | SamplesToSend | None  # uint8 [n, 3, H, W] or samples; None where the network makes them
    clips: Sequence[NetworkClip] = ()


Prepared = Mapping[int, Footage]  # by the place of the video in the archive or collection


class BaseReaders:
    """Readers of the base layers used last, each for one thread at a time. Belongs to one process."""

    def __init__(self, limit: int = KEPT_READERS) -> None:
        self._slots: Guarded[Recent[int, _Slot]] = Guarded(partial(Recent, limit))

    @contextmanager
    def reading(self, place: int, archive: Archive, entry: VideoEntry) -> Iterator[BaseReader]:
        """The reader of video number `place`, this thread's alone. Raises InputError where it has no base layer."""
        with self._slots as slots:
            slot = slots.get(place, _slot)  # one in use lives on until its thread lets go
        with slot as opened:
            yield opened.get(place, lambda _: archive.base.reader(entry))


_Slot = Guarded[Recent[int, BaseReader]]


def _slot(place: int) -> _Slot:
    return Guarded(partial(Recent, 1))


class Preparation:
    """Threads that prepare batches. Use it in a `with` statement: leaving it ends them."""

    def __init__(self, archive: Archive | Collection, *, threads: int, converts_on_device: bool = False) -> None:
        """`converts_on_device`: frames of base layers are made where they go, unless they would differ there."""
        self._archive, self._readers = archive, BaseReaders()
        self._converts_on_device = converts_on_device
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="dnerv-decoding")

    def __enter__(self) -> Preparation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def ahead(self, batches: Iterable[Sequence[Sample]], depth: int) -> Iterator[tuple[Sequence[Sample], Prepared]]:
        """Every batch with its footage, in order, while the `depth` batches that follow are being prepared.

        Raises:
            ArchiveError: packets are damaged.
        """
        pending: deque[tuple[Sequence[Sample], Mapping[int, Future[Footage]]]] = deque()
        for samples in batches:
            pending.append((samples, self._submit(samples)))
            if len(pending) > depth:
                yield _finished(*pending.popleft())
        while pending:
            yield _finished(*pending.popleft())

    def _submit(self, samples: Sequence[Sample]) -> Mapping[int, Future[Footage]]:
        wanted = wanted_frames(samples)
        return {place: self._threads.submit(self._prepare, place, indices) for place, indices in wanted.items()}

    def _prepare(self, place: int, indices: NDArray[np.int64]) -> Footage:
        archive, entry = self._archive.located(place)
        with archive.errors_name_it():
            if archive.uses_network(entry):
                return Footage(archive, entry, indices, None, self._clips(place, archive, entry, indices))
            with self._readers.reading(place, archive, entry) as reader:
                return Footage(archive, entry, indices, self._frames(archive, entry, reader, indices.tolist()))

    def _frames(
        self, archive: Archive, entry: VideoEntry, reader: BaseReader, indices: list[int]
    ) -> Tensor | SamplesToSend:
        if self._converts_on_device and is_made_alike(archive.base.format_of(entry)):
            return SamplesToSend(reader.samples(indices), archive.device)
        frames = torch.from_numpy(reader.frames(indices))
        return frames if archive.device.type == "cpu" else frames.pin_memory()

    def _clips(self, place: int, archive: Archive, entry: VideoEntry, indices: NDArray[np.int64]) -> list[NetworkClip]:
        network = archive.network
        layout, model = network.layout(entry), network.config.model
        numbers = np.unique(indices // model.clip_length).tolist()
        if not model.uses_keyframes:
            return [NetworkClip(number, layout.requests(number, None)) for number in numbers]
        with self._readers.reading(place, archive, entry) as reader:
            clips = [NetworkClip(number, layout.requests(number, reader)) for number in numbers]
        if archive.device.type == "cpu":
            return clips
        return [replace(clip, requests=[_pinned(request) for request in clip.requests]) for clip in clips]


def wanted_frames(samples: Sequence[Sample]) -> Mapping[int, NDArray[np.int64]]:
    """Frames of the samples, each once, ascending, by the place of their video."""
    wanted: dict[int, list[NDArray[np.int64]]] = {}
    for sample in samples:
        wanted.setdefault(sample.place, []).append(sample.frames)
    return {place: np.unique(np.concatenate(frames)) for place, frames in wanted.items()}


def _finished(samples: Sequence[Sample], futures: Mapping[int, Future[Footage]]) -> tuple[Sequence[Sample], Prepared]:
    return samples, {place: future.result() for place, future in futures.items()}


def _pinned(request: ClipRequest) -> ClipRequest:
    # From pinned memory without gaps, a copy to the device does not wait for what the device is doing.
    if not request.keyframes.numel():
        return request
    return replace(request, keyframes=request.keyframes.contiguous(memory_format=torch.channels_last).pin_memory())

"""What the network needs for the batches to come: keyframes, decoded on the processor by threads, ahead of time.

A video's keyframes are one sequence, so its clips are read by one thread at a time, in ascending order; different
videos are read side by side. PyAV gives up the interpreter's lock while it decodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType

import torch

from dnerv.archive import Archive, KeyframeReader
from dnerv.archive.sharing import Guarded, Recent
from dnerv.families import ClipRequest
from dnerv.loading.windows import Sample

KEPT_READERS = 16  # open keyframe decoders: each holds some frames, so memory must not grow with the videos


@dataclass(frozen=True)
class NetworkClip:
    """One of the network's own clips, and what it needs."""

    place: int
    clip: int
    requests: Sequence[ClipRequest]  # one per tile


class KeyframeReaders:
    """Readers of the videos used last, each for one thread at a time. Belongs to one process."""

    def __init__(self, archive: Archive, limit: int = KEPT_READERS) -> None:
        self._archive = archive
        self._slots: Guarded[Recent[int, _Slot]] = Guarded(partial(Recent, limit))

    @contextmanager
    def reading(self, place: int) -> Iterator[KeyframeReader | None]:
        """The reader of video number `place`, this thread's alone; None for a network without keyframes."""
        with self._slots as slots:
            slot = slots.get(place, _slot)  # one in use lives on until its thread lets go
        with slot as opened:
            yield opened.get(place, self._archive.keyframe_reader)


_Slot = Guarded[Recent[int, KeyframeReader | None]]


def _slot(place: int) -> _Slot:
    return Guarded(partial(Recent, 1))


class Preparation:
    """Threads that prepare batches. Use it in a `with` statement: leaving it ends them."""

    def __init__(self, archive: Archive, *, threads: int) -> None:
        self._archive, self._readers = archive, KeyframeReaders(archive)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="dnerv-keyframes")

    def __enter__(self) -> Preparation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def ahead(
        self, batches: Iterable[Sequence[Sample]], depth: int
    ) -> Iterator[tuple[Sequence[Sample], list[NetworkClip]]]:
        """Every batch with its clips, in order, while the `depth` batches that follow are being prepared.

        Raises:
            ArchiveError: keyframes are damaged.
        """
        pending: deque[tuple[Sequence[Sample], list[Future[list[NetworkClip]]]]] = deque()
        for samples in batches:
            pending.append((samples, self._submit(samples)))
            if len(pending) > depth:
                yield _finished(*pending.popleft())
        while pending:
            yield _finished(*pending.popleft())

    def _submit(self, samples: Sequence[Sample]) -> list[Future[list[NetworkClip]]]:
        wanted = wanted_clips(samples, self._archive.config.model.clip_length)
        return [self._threads.submit(self._prepare, place, clips) for place, clips in wanted.items()]

    def _prepare(self, place: int, clips: Sequence[int]) -> list[NetworkClip]:
        layout = self._archive.layout(place)
        with self._readers.reading(place) as reader:
            prepared = [NetworkClip(place, clip, layout.requests(clip, reader)) for clip in clips]
        if self._archive.device.type == "cpu":
            return prepared
        return [replace(clip, requests=[_pinned(request) for request in clip.requests]) for clip in prepared]


def wanted_clips(samples: Sequence[Sample], clip_length: int) -> Mapping[int, Sequence[int]]:
    """The network's clips that hold the samples' frames, each once, ascending, by the place of their video."""
    wanted: dict[int, set[int]] = {}
    for sample in samples:
        wanted.setdefault(sample.place, set()).update((sample.frames // clip_length).tolist())
    return {place: sorted(clips) for place, clips in wanted.items()}


def _finished(
    samples: Sequence[Sample], futures: Sequence[Future[list[NetworkClip]]]
) -> tuple[Sequence[Sample], list[NetworkClip]]:
    return samples, [clip for future in futures for clip in future.result()]


def _pinned(request: ClipRequest) -> ClipRequest:
    # From pinned memory without gaps, a copy to the device does not wait for what the device is doing.
    if not request.keyframes.numel():
        return request
    return replace(request, keyframes=request.keyframes.contiguous(memory_format=torch.channels_last).pin_memory())

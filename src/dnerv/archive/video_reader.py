"""One video of an archive, read like torchcodec's `VideoDecoder`: by index, by range, by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import Protocol

import torch
from torch import Tensor

from dnerv.archive.entry import VideoEntry
from dnerv.errors import FrameIndexError, InputError
from dnerv.video import scale_frames

LARGEST_FACTOR = 64  # of interpolation: beyond it a single clip would fill the memory


class FrameSource(Protocol):
    """Where a video's frames come from: its base layer, or the network. Threads may share it."""

    def frames(self, indices: Sequence[int]) -> Iterator[Tensor]:
        """Frames of ascending indices inside the video: uint8 [3, h, w] each, not to be written to.

        At the coded size, on the archive's device. Raises ArchiveError, InputError.
        """
        ...

    def interpolated(self, factor: int) -> Iterator[Tensor]:
        """All frames with `factor` - 1 more between each and the next, as `frames` gives them."""
        ...


@dataclass(frozen=True)
class VideoMetadata:
    """What is known of a video without decoding it."""

    name: str
    label: str | None
    num_frames: int
    height: int  # of the frames that decoding returns, pixels
    width: int
    coded_height: int  # of the frames that are coded, pixels
    coded_width: int
    average_fps: float
    duration_seconds: float
    begin_stream_seconds: float
    end_stream_seconds: float


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    data: Tensor  # uint8 [3, H, W], RGB
    pts_seconds: float
    duration_seconds: float

    def __iter__(self) -> Iterator[Tensor | float]:
        return iter((self.data, self.pts_seconds, self.duration_seconds))


@dataclass(frozen=True)
class FrameBatch:
    """Several decoded frames."""

    data: Tensor  # uint8 [N, 3, H, W], RGB
    pts_seconds: Tensor  # float64 [N]
    duration_seconds: Tensor  # float64 [N]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: int) -> Frame:
        return Frame(self.data[key], self.pts_seconds[key].item(), self.duration_seconds[key].item())

    def __iter__(self) -> Iterator[Frame]:
        return (self[place] for place in range(len(self)))


class VideoReader:
    """Random access to the frames of one video; only what is needed for the frames asked for is decoded.

    Frames are uint8 RGB [3, H, W] at the original size, on the archive's device. `reader[i]` is a frame,
    `reader[a:b:c]` a batch [N, 3, H, W]. Threads may share a reader: they take turns at decoding.
    """

    def __init__(
        self, entry: VideoEntry, source: FrameSource, *, device: torch.device, coded_size: bool = False
    ) -> None:
        """`device`: where `source` makes frames. `coded_size`: do not scale back to the original size."""
        self.entry, self._source = entry, source
        self._device, self._coded_size = device, coded_size

    @property
    def metadata(self) -> VideoMetadata:
        """Name, size, length and rate."""
        entry, timing = self.entry, self.entry.timing
        height, width = entry.coded_size if self._coded_size else entry.original_size
        return VideoMetadata(
            entry.name,
            entry.label,
            timing.num_frames,
            height,
            width,
            *entry.coded_size,
            float(timing.average_fps),
            timing.end_seconds - timing.begin_seconds,
            timing.begin_seconds,
            timing.end_seconds,
        )

    def __len__(self) -> int:
        return self.entry.timing.num_frames

    def __getitem__(self, key: int | slice) -> Tensor:
        if isinstance(key, slice):
            return self._frames(range(*key.indices(len(self))))
        return self._frames([self._index(index(key))])[0]

    def __repr__(self) -> str:
        facts = self.metadata
        return (
            f"<video {facts.name!r}: {len(self)} frames of {facts.height}x{facts.width}, {facts.average_fps:.2f} fps>"
        )

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def get_frame_at(self, index: int) -> Frame:
        """The frame of this index; negative ones count from the end. Raises FrameIndexError (an IndexError) outside."""
        return next(iter(self.get_frames_at([index])))

    def get_frames_at(self, indices: Sequence[int] | Tensor) -> FrameBatch:
        """Frames in the order asked for, repeats allowed. Raises InputError for an index outside."""
        wanted = indices.tolist() if isinstance(indices, Tensor) else list(indices)
        return self._batch([self._index(index(i)) for i in wanted])

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> FrameBatch:
        """Frames `start`, `start + step`, ... below `stop`. Raises InputError for a range outside the video."""
        if not (0 <= start < len(self) and start <= stop <= len(self) and step >= 1):
            raise InputError(
                f"frames {start}:{stop}:{step} of video {self.entry.name!r}: it has frames 0 to {len(self) - 1}, "
                "and the step is at least 1"
            )
        return self._batch(range(start, stop, step))

    def get_frame_played_at(self, seconds: float) -> Frame:
        """The frame on show at a time. Raises InputError before the first frame or after the last."""
        return self.get_frame_at(self.entry.timing.index_at(seconds))

    def get_frames_played_at(self, seconds: Sequence[float] | Tensor) -> FrameBatch:
        """The frames on show at some times. Raises InputError as above."""
        times = seconds.tolist() if isinstance(seconds, Tensor) else list(seconds)
        return self._batch([self.entry.timing.index_at(t) for t in times])

    def get_frames_played_in_range(self, start_seconds: float, stop_seconds: float) -> FrameBatch:
        """The frames on show at any time in [start, stop). Raises InputError for a range outside the video."""
        try:
            wanted = self.entry.timing.played_in(start_seconds, stop_seconds)
        except InputError as error:
            raise InputError(f"video {self.entry.name!r}: {error}") from None
        return self._batch(wanted)

    def interpolated(self, factor: int) -> Iterator[Tensor]:
        """All frames with `factor` - 1 more between each and the next, (N - 1) * factor + 1 in all: uint8 [3, H, W].

        The frames at multiples of `factor` are the video's own, to the bit. A network that was given a keyframe for
        every frame has never made one in between, and gives little more than the blend of two keyframes there; without
        a network they are blends. Raises InputError for a factor outside 1 to 64.
        """
        if not 1 <= factor <= LARGEST_FACTOR:
            raise InputError(f"factor {factor}: allowed are 1 to {LARGEST_FACTOR}")
        return (self._scaled(frame).clone() for frame in self._source.interpolated(factor))

    def _index(self, place: int) -> int:
        if not -len(self) <= place < len(self):
            raise FrameIndexError(
                f"frame {place} of video {self.entry.name!r}: it has {len(self)} frames, 0 to {len(self) - 1}"
            )
        return place % len(self)

    def _batch(self, indices: Sequence[int]) -> FrameBatch:
        timing, last = self.entry.timing, len(self) - 1
        starts = timing.seconds_at(indices)
        ends = timing.seconds_at([min(frame + 1, last) for frame in indices])
        ends[[frame == last for frame in indices]] = timing.end_seconds
        return FrameBatch(self._frames(indices), torch.from_numpy(starts), torch.from_numpy(ends - starts))

    def _frames(self, indices: Sequence[int]) -> Tensor:
        """Frames in the order asked for; the source is asked for each once, in ascending order."""
        if not indices:
            height, width = self.entry.coded_size if self._coded_size else self.entry.original_size
            return torch.empty(0, 3, height, width, dtype=torch.uint8, device=self._device)
        wanted = sorted(set(indices))
        made = dict(zip(wanted, map(self._scaled, self._source.frames(wanted)), strict=True))
        return torch.stack([made[index] for index in indices])

    def _scaled(self, frame: Tensor) -> Tensor:
        if self._coded_size or tuple(frame.shape[-2:]) == self.entry.original_size:
            return frame
        return scale_frames(frame[None], self.entry.original_size, "bicubic")[0]

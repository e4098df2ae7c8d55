"""One video of an archive, read like torchcodec's `VideoDecoder`: by index, by range, by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor
from operator import index
from typing import Protocol

import torch
from torch import Tensor

from dnerv.archive.choices import DimensionOrder, checked_dimension_order
from dnerv.archive.entry import VideoEntry
from dnerv.errors import ArgumentError, FrameIndexError, InputError
from dnerv.video import scale_frames
from dnerv.video.timing import MAX_FRAMES

LARGEST_FACTOR = 64  # of interpolation: beyond it a single clip would fill the memory


class FrameSource(Protocol):
    """Where a video's frames come from: its base layer, or the network. Threads may share it."""

    def frames(self, indices: Sequence[int]) -> Iterator[Tensor] | Tensor:
        """Frames of ascending indices inside the video: uint8 [3, h, w] each, not to be written to.

        At the coded size, on the archive's device. One tensor of all of them is the caller's own. Raises ArchiveError,
        InputError.
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

    data: Tensor  # uint8 [3, H, W], or [H, W, 3] with dimension_order="NHWC"; RGB
    pts_seconds: float
    duration_seconds: float

    def __iter__(self) -> Iterator[Tensor | float]:
        return iter((self.data, self.pts_seconds, self.duration_seconds))

    def __repr__(self) -> str:
        return _shown(self)


@dataclass(frozen=True)
class FrameBatch:
    """Several decoded frames, or clips of them. Indexing and iteration cut all three fields alike."""

    data: Tensor  # uint8 [N, 3, H, W], or [N, H, W, 3] with dimension_order="NHWC"; of clips [clips, N, ...]; RGB
    pts_seconds: Tensor  # float64 [N], of clips [clips, N]; on the CPU
    duration_seconds: Tensor  # the same

    def __post_init__(self) -> None:
        """Raise ArgumentError unless there is a time and a duration for each frame."""
        leading = self.data.shape[:-3]
        if self.data.ndim < 3 or not leading == self.pts_seconds.shape == self.duration_seconds.shape:
            raise ArgumentError(
                f"frames of {tuple(self.data.shape)} with times of {tuple(self.pts_seconds.shape)} and durations of "
                f"{tuple(self.duration_seconds.shape)}: there is one of each for each frame"
            )

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: int | slice | Tensor | list[int]) -> FrameBatch:
        return FrameBatch(self.data[key], self.pts_seconds[key], self.duration_seconds[key])

    def __iter__(self) -> Iterator[FrameBatch]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        return _shown(self)


def _shown(frames: Frame | FrameBatch) -> str:
    return f"<{type(frames).__name__}: {frames.data.dtype} {list(frames.data.shape)} at {frames.pts_seconds} s>"


class VideoReader:
    """Random access to the frames of one video; only what is needed for the frames asked for is decoded.

    Frames are uint8 RGB [3, H, W] at the original size, on the archive's device. `reader[i]` is a frame,
    `reader[a:b:c]` a batch [N, 3, H, W]; iteration gives one frame after the other. With `dimension_order="NHWC"` they
    are [H, W, 3] and [N, H, W, 3]. Threads may share a reader: they take turns at decoding.

    Methods, their arguments and their errors are those of torchcodec's `VideoDecoder`: see docs/api/torchcodec.md.
    """

    def __init__(
        self,
        entry: VideoEntry,
        source: FrameSource,
        *,
        device: torch.device,
        coded_size: bool = False,
        dimension_order: DimensionOrder = "NCHW",
    ) -> None:
        """`device`: where `source` makes frames. `coded_size`: do not scale back to the original size."""
        self.entry, self._source = entry, source
        self._device, self._coded_size = device, coded_size
        self._channels_last = checked_dimension_order(dimension_order) == "NHWC"

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
        return _single(self.get_frames_at([index]))

    def get_frames_at(self, indices: Sequence[int] | Tensor) -> FrameBatch:
        """Frames in the order asked for, repeats allowed. Raises FrameIndexError (an IndexError) for one outside."""
        wanted = indices.tolist() if isinstance(indices, Tensor) else list(indices)
        return self._batch([self._index(index(i)) for i in wanted])

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> FrameBatch:
        """Frames `start`, `start + step`, ... before `stop`, as a slice takes them: negative ones count from the end.

        Raises ArgumentError (a ValueError) for a step below 1.
        """
        if step < 1:
            raise ArgumentError(f"frames {start}:{stop}:{step} of video {self.entry.name!r}: the step is at least 1")
        return self._batch(range(*slice(start, stop, step).indices(len(self))))

    def get_frame_played_at(self, seconds: float) -> Frame:
        """The frame on show at a time. Raises FrameIndexError (an IndexError) outside of the video."""
        return _single(self.get_frames_played_at([seconds]))

    def get_frames_played_at(self, seconds: Sequence[float] | Tensor) -> FrameBatch:
        """The frames on show at some times, in that order. Raises FrameIndexError (an IndexError) for one outside."""
        times = seconds.tolist() if isinstance(seconds, Tensor) else list(map(float, seconds))
        return self._batch([self._index_at(time) for time in times])

    def get_frames_played_in_range(
        self, start_seconds: float, stop_seconds: float, fps: float | None = None
    ) -> FrameBatch:
        """The frames on show at any time in [start, stop).

        Args:
            fps: frames per second, by repeating and leaving out: those on show at `start`, `start + 1 / fps`, ..., as
                many as come closest to the range's length, with these times. None for the video's own.

        Raises:
            ArgumentError: (a ValueError) a range that does not begin in the video or ends after it, or an `fps` that is
                not positive.
        """
        timing = self.entry.timing
        try:
            wanted = timing.played_in(start_seconds, stop_seconds)
            timing.index_at(start_seconds)
        except InputError as error:
            raise ArgumentError(f"video {self.entry.name!r}: {error}") from None
        if fps is None:
            return self._batch(wanted)
        if not 0 < fps * (stop_seconds - start_seconds + 1) < MAX_FRAMES:
            raise ArgumentError(f"fps is {fps}; it is positive, and gives less than {MAX_FRAMES} frames")
        count = floor((stop_seconds - start_seconds) * fps + 0.5)
        times = [start_seconds + number / fps for number in range(count)]
        frames = self._frames([timing.index_at(time) for time in times])
        durations = torch.full((count,), 1 / fps, dtype=torch.float64)
        return FrameBatch(frames, torch.tensor(times, dtype=torch.float64), durations)

    def get_all_frames(self, fps: float | None = None) -> FrameBatch:
        """All frames; `fps` as above."""
        timing = self.entry.timing
        return self.get_frames_played_in_range(timing.begin_seconds, timing.end_seconds, fps)

    def interpolated(self, factor: int) -> Iterator[Tensor]:
        """All frames with `factor` - 1 more between each and the next, (N - 1) * factor + 1 in all: uint8 [3, H, W].

        The frames at multiples of `factor` are the video's own, to the bit. A network that was given a keyframe for
        every frame has never made one in between, and gives little more than the blend of two keyframes there; without
        a network they are blends. Raises InputError for a factor outside 1 to 64.
        """
        if not 1 <= factor <= LARGEST_FACTOR:
            raise InputError(f"factor {factor}: allowed are 1 to {LARGEST_FACTOR}")
        return (self._ordered(self._scaled(frame)).clone() for frame in self._source.interpolated(factor))

    def _index(self, place: int) -> int:
        if not -len(self) <= place < len(self):
            raise FrameIndexError(
                f"frame {place} of video {self.entry.name!r}: it has {len(self)} frames, 0 to {len(self) - 1}"
            )
        return place % len(self)

    def _index_at(self, seconds: float) -> int:
        try:
            return self.entry.timing.index_at(seconds)
        except InputError as error:
            raise FrameIndexError(f"video {self.entry.name!r}: {error}") from None

    def _batch(self, indices: Sequence[int]) -> FrameBatch:
        timing, last = self.entry.timing, len(self) - 1
        starts = timing.seconds_at(indices)
        ends = timing.seconds_at([min(frame + 1, last) for frame in indices])
        if last in indices:
            ends[[frame == last for frame in indices]] = timing.end_seconds
        return FrameBatch(self._frames(indices), torch.from_numpy(starts), torch.from_numpy(ends - starts))

    def _frames(self, indices: Sequence[int]) -> Tensor:
        """Frames in the order asked for; the source is asked for each once, in ascending order."""
        if not indices:
            height, width = self.entry.coded_size if self._coded_size else self.entry.original_size
            return self._ordered(torch.empty(0, 3, height, width, dtype=torch.uint8, device=self._device))
        wanted = sorted(set(indices))
        frames = self._source.frames(wanted)
        if isinstance(frames, Tensor) and wanted == list(indices) and not (self._is_scaled or self._channels_last):
            return frames
        made = dict(zip(wanted, map(self._scaled, frames), strict=True))
        return torch.stack([self._ordered(made[index]) for index in indices])

    @property
    def _is_scaled(self) -> bool:
        return not self._coded_size and self.entry.coded_size != self.entry.original_size

    def _scaled(self, frame: Tensor) -> Tensor:
        if not self._is_scaled:
            return frame
        return scale_frames(frame[None], self.entry.original_size, "bicubic")[0]

    def _ordered(self, frames: Tensor) -> Tensor:
        return frames.movedim(-3, -1) if self._channels_last else frames


def _single(batch: FrameBatch) -> Frame:
    return Frame(batch.data[0], batch.pts_seconds[0].item(), batch.duration_seconds[0].item())

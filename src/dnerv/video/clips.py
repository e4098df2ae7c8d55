"""Clips and keyframes of one video, by arithmetic alone: a timeline of any length costs three integers.

    frames      0 1 2 3 4 5 6 7 8 9          N = 10, clip length T = 4
    clips       [ clip 0][ clip 1][2 ...      the last clip repeats frame 9 to its full length
    keyframes   0       4       8 9          every K = 4, and the last frame

With K = T this is the paper's layout (clip k lies between keyframes kT and min((k+1)T, N-1)). Other distances
follow the same rules frame by frame, so that neither the model nor the format knows a fixed one.
"""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError


class Conditioning(NamedTuple):
    """What the network is told of each frame; every array has the shape of the frames asked for.

    Keyframes are given by ordinal: an index into `Timeline.keyframe_positions`.
    """

    start: NDArray[np.int64]  # keyframe that opens the frame's interval
    end: NDArray[np.int64]  # the next keyframe; the same as start where there is none
    distance: NDArray[np.float32]  # 0 at the start keyframe, 1 at the end one
    blend_at_entry: NDArray[np.float32]  # weight of the end keyframe at the network's entry, [0, 1]
    time: NDArray[np.float32]  # position in the video, [0, 1]


@dataclass(frozen=True)
class Timeline:
    """Layout of one video."""

    num_frames: int  # N >= 1
    clip_length: int  # T >= 1, frames
    keyframe_every: int  # K >= 1, frames

    def __post_init__(self) -> None:
        """Raise InputError unless all three are at least 1."""
        if min(self.num_frames, self.clip_length, self.keyframe_every) < 1:
            raise InputError(f"{self}: frames, clip length and keyframe distance must be at least 1")

    @property
    def num_clips(self) -> int:
        """ceil(N / T)."""
        return ceil(self.num_frames / self.clip_length)

    @property
    def num_keyframes(self) -> int:
        """Number of keyframes, >= 1."""
        return ceil((self.num_frames - 1) / self.keyframe_every) + 1

    @property
    def keyframe_positions(self) -> NDArray[np.int64]:
        """Frames that are keyframes, 0, K, 2K, ... and N - 1: int64 [num_keyframes], strictly increasing."""
        return self._position(np.arange(self.num_keyframes, dtype=np.int64))

    def clip(self, index: int) -> range:
        """Frames of clip `index`, without padding. Raises InputError outside [0, num_clips)."""
        if not 0 <= index < self.num_clips:
            raise InputError(f"clip {index}: allowed are 0 to {self.num_clips - 1}")
        first = index * self.clip_length
        return range(first, min(first + self.clip_length, self.num_frames))

    def padded_clip(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Frames of clip `index`, int64 [T], the last one repeated, and bool [T]: which of them are real."""
        first = self.clip(index).start
        frames = np.arange(first, first + self.clip_length, dtype=np.int64)
        return np.minimum(frames, self.num_frames - 1), frames < self.num_frames

    def conditioning(self, frames: NDArray[np.integer | np.floating]) -> Conditioning:
        """Conditioning of `frames` (in [0, N - 1], any shape). Raises InputError for one outside.

        A frame belongs to the interval that its multiple of K opens. So where N - 1 is no such multiple, the
        last frame ends the last interval (distance 1), as in the paper, and does not open one of its own.
        Positions between frames follow the same rule: 7.5 lies between the keyframes 0 and 8.
        """
        index = self._checked(frames)
        start = (index // self.keyframe_every).astype(np.int64)
        end = np.minimum(start + 1, self.num_keyframes - 1)
        since = index - self._position(start)
        span = np.maximum(1, self._position(end) - self._position(start))
        return Conditioning(
            start,
            end,
            (since / span).astype(np.float32),
            self._blend_at_entry(since),
            (index / max(1, self.num_frames - 1)).astype(np.float32),
        )

    def around(self, frame: float) -> tuple[int, int, float]:
        """Start, end and distance of `conditioning` for one frame, or a position between two; fast for a few.

        Raises InputError for one outside [0, N - 1].
        """
        if not 0 <= frame <= self.num_frames - 1:
            raise InputError(f"frame {frame} asked, allowed are 0 to {self.num_frames - 1}")
        start = int(frame // self.keyframe_every)
        first = min(start * self.keyframe_every, self.num_frames - 1)
        past = min(first + self.keyframe_every, self.num_frames - 1)
        if frame == first or past == first:
            return start, min(start + 1, self.num_keyframes - 1), 0.0
        return start, start + 1, float(np.float32((frame - first) / (past - first)))

    def clip_positions(self, index: int, phase: float = 0.0) -> NDArray[np.integer | np.floating]:
        """Positions of the T frames of `padded_clip(index)`, all `phase` frames later, but none after the last.

        They keep their distance of one frame, which is what the network's temporal layers know. Raises InputError
        for a phase outside [0, 1).
        """
        if not 0 <= phase < 1:
            raise InputError(f"phase {phase}: allowed are 0 to 1, without 1")
        frames, _ = self.padded_clip(index)
        return np.minimum(frames + phase, self.num_frames - 1) if phase else frames

    def clip_conditioning(self, index: int, phase: float = 0.0) -> Conditioning:
        """Conditioning of the T positions of `clip_positions(index, phase)`.

        The repeats at the end of a video are told the time of the frame that they repeat, but their blend at entry
        goes on as if the clip were whole: the paper interpolates over the clip's T places, real or not.
        """
        conditioning = self.conditioning(self.clip_positions(index, phase))
        places = index * self.clip_length + np.arange(self.clip_length) + phase
        since = places - self._position(conditioning.start)
        return conditioning._replace(blend_at_entry=self._blend_at_entry(since))

    def _blend_at_entry(self, since: NDArray[np.integer | np.floating]) -> NDArray[np.float32]:
        # Half-pixel centres: two samples stretched over K frames, as F.interpolate(align_corners=False) does.
        blend = (since + 0.5) * 2 / self.keyframe_every - 0.5
        return blend.clip(0, 1).astype(np.float32)

    def _position(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(ordinals * self.keyframe_every, self.num_frames - 1)

    def _checked(self, frames: NDArray[np.integer | np.floating]) -> NDArray[np.integer | np.floating]:
        index = np.asarray(frames)
        index = index.astype(np.float64 if np.issubdtype(index.dtype, np.floating) else np.int64)
        if index.size and not (index.min() >= 0 and index.max() <= self.num_frames - 1):
            raise InputError(f"frames {index.min()} to {index.max()} asked, allowed are 0 to {self.num_frames - 1}")
        return index

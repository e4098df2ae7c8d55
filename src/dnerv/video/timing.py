"""Presentation times of a video's frames, kept exactly as the source had them.

- Times are integers in units of a rational time base: no float ever decides which frame is shown.
- A constant step is held as a `range`, so a plain video costs a few bytes in memory and in the archive.
- `from_json` reads untrusted bytes of an archive: every field is checked before it is believed.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from operator import sub

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError, InputError

MAX_FRAMES = 2**26  # about 25 days at 30 frames per second: beyond it a count is nonsense, not a video
_MAX_TICK = 2**53 - 1  # integers up to here survive every JSON reader and float64
_MAX_RATIONAL = 2**31 - 1  # FFmpeg's AVRational holds two int32
_ROUNDING = 1e-6  # seconds within which a time asked for is taken for a frame's start


@dataclass(frozen=True)
class Timing:
    """When each frame of one video is shown. Equal times compare equal, given as list, tuple or range."""

    time_base: Fraction  # seconds per tick, > 0
    pts: Sequence[int]  # ticks at which each frame starts, strictly increasing; a range where steps are equal
    last_duration: int  # ticks for which the last frame is shown, >= 1

    def __post_init__(self) -> None:
        """Raise InputError for an empty, unordered or out-of-range timing."""
        if self.time_base <= 0 or max(self.time_base.as_integer_ratio()) > _MAX_RATIONAL:
            raise InputError(f"time base {self.time_base} s: allowed are positive ratios of 32-bit integers")
        if not 1 <= len(self.pts) <= MAX_FRAMES:
            raise InputError(f"a video of {len(self.pts)} frames: allowed are 1 to {MAX_FRAMES}")
        object.__setattr__(self, "pts", _compact(self.pts))
        if self.last_duration < 1:
            raise InputError(f"the last frame lasts {self.last_duration} ticks: at least 1 is needed")
        if min(self.pts[0], -1) < -_MAX_TICK or self.pts[-1] + self.last_duration > _MAX_TICK:
            raise InputError(f"frame times beyond +-{_MAX_TICK} ticks are not supported")

    @classmethod
    def constant(cls, fps: Fraction, num_frames: int) -> "Timing":
        """Timing of `num_frames` frames from time 0 at `fps` frames per second. Raises InputError."""
        if fps <= 0:
            raise InputError(f"frame rate {fps}: it must be positive")
        return cls(1 / Fraction(fps), range(num_frames), 1)

    @property
    def num_frames(self) -> int:
        """Number of frames, >= 1."""
        return len(self.pts)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Start of each frame in seconds, float64 [num_frames], strictly increasing."""
        numerator, denominator = self.time_base.as_integer_ratio()
        if max(abs(self.pts[0]), abs(self.pts[-1])) * numerator < 2**53:
            # Products that float64 holds exactly: the one division rounds as `_to_seconds` does.
            return np.array(self.pts, np.float64) * numerator / denominator
        return np.fromiter(map(self._to_seconds, self.pts), np.float64, self.num_frames)

    def seconds_at(self, frames: Sequence[int]) -> NDArray[np.float64]:
        """Start in seconds of the frames of these indices, in [0, num_frames): float64, one each."""
        pts, (numerator, denominator) = self.pts, self.time_base.as_integer_ratio()
        return np.array([pts[frame] * numerator / denominator for frame in frames], np.float64)

    @property
    def begin_seconds(self) -> float:
        """Time in seconds at which the first frame appears."""
        return self._to_seconds(self.pts[0])

    @property
    def end_seconds(self) -> float:
        """Time in seconds at which the last frame disappears (exclusive)."""
        return self._to_seconds(self.pts[-1] + self.last_duration)

    @property
    def average_fps(self) -> Fraction:
        """Frames per second over the whole video, exact."""
        ticks = self.pts[-1] + self.last_duration - self.pts[0]
        return self.num_frames / (ticks * self.time_base)

    def index_at(self, seconds: float) -> int:
        """Index of the frame being shown at `seconds`, so that `index_at(seconds[i]) == i`.

        A time within a microsecond before a frame's start is that start, rounded: frame 1 of 24 a second is asked for
        by float32(1 / 24), too. Raises InputError outside [begin_seconds, end_seconds), give or take as much.
        """
        if not self.begin_seconds - _ROUNDING <= seconds < self.end_seconds:
            allowed = f"{self.begin_seconds} <= time < {self.end_seconds}"
            raise InputError(f"time {seconds} s is outside the video: allowed are {allowed}")
        return self._first_from(seconds, past=True) - 1

    def played_in(self, start: float, stop: float) -> range:
        """Indices of the frames being shown at any time in [start, stop), both rounded as in `index_at`.

        Raises InputError for a range outside the video.
        """
        begin, end = self.begin_seconds, self.end_seconds
        if not begin - _ROUNDING <= start <= stop <= end + _ROUNDING:
            raise InputError(f"seconds {start:g} to {stop:g} are asked for, and the video plays from {begin} to {end}")
        if start == stop or start >= end:
            return range(0)
        return range(self.index_at(start), self._first_from(stop, past=False))

    def _first_from(self, seconds: float, *, past: bool) -> int:
        """Index of the first frame that starts at `seconds` (with `past`: after them), num_frames where there is none.

        A start within a microsecond counts as equal where no other start is closer.
        """
        place = bisect_left(self.pts, seconds, key=self._to_seconds)
        near = [i for i in (place - 1, place) if 0 <= i < self.num_frames]
        closest = min(near, key=lambda i: abs(self._to_seconds(self.pts[i]) - seconds))
        if abs(self._to_seconds(self.pts[closest]) - seconds) <= _ROUNDING:
            return closest + past
        return place

    def to_json(self) -> dict[str, object]:
        """JSON value in ticks: `start`, `step` and `count` for a constant step, else `start` and `deltas`."""
        common: dict[str, object] = {
            "time_base": list(self.time_base.as_integer_ratio()),
            "start": self.pts[0],
            "last_duration": self.last_duration,
        }
        if isinstance(self.pts, range):
            return common | {"step": self.pts.step, "count": self.num_frames}
        return common | {"deltas": [after - before for before, after in pairwise(self.pts)]}

    @classmethod
    def from_json(cls, value: object) -> "Timing":
        """Read what `to_json` wrote. Raises ArchiveError for anything else."""
        if not isinstance(value, dict):
            raise ArchiveError(f"timing: an object is expected, not {type(value).__name__}")
        try:
            return cls(_read_time_base(value), _read_pts(value), _integer(value, "last_duration", 1))
        except InputError as error:
            raise ArchiveError(f"timing: {error}") from error

    def _to_seconds(self, ticks: int) -> float:
        # Integer product and one true division: correctly rounded, and the same for every caller.
        return ticks * self.time_base.numerator / self.time_base.denominator


def _compact(pts: Sequence[int]) -> range | tuple[int, ...]:
    """The same times as a range where the step is constant. Raises InputError unless strictly increasing."""
    if isinstance(pts, range) and pts.step > 0 and (len(pts) > 1 or pts.step == 1):
        return range(pts[0], pts[-1] + 1, pts.step)
    # Ten thousand videos are read at once, each with hundreds of times: these are loops in C.
    times = tuple(map(int, pts))
    steps = set(map(sub, times[1:], times))
    if steps and min(steps) < 1:
        raise InputError("frame times must be strictly increasing")
    if len(steps) > 1:
        return times
    return range(times[0], times[-1] + 1, steps.pop() if steps else 1)


def _integer(fields: dict[str, object], name: str, low: int, high: int = _MAX_TICK) -> int:
    return _checked(fields.get(name), name, low, high)


def _checked(value: object, name: str, low: int, high: int = _MAX_TICK) -> int:
    """`value` if it is an integer in [low, high]; JSON's true and false are not. Raises ArchiveError."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ArchiveError(f"timing: {name} is {str(value)[:40]!r}, allowed are integers from {low} to {high}")
    return value


def _read_time_base(fields: dict[str, object]) -> Fraction:
    pair = fields.get("time_base")
    if not isinstance(pair, list) or len(pair) != 2:
        raise ArchiveError("timing: time_base must be [numerator, denominator]")
    return Fraction(*(_checked(number, "time_base", 1, _MAX_RATIONAL) for number in pair))


def _read_pts(fields: dict[str, object]) -> Sequence[int]:
    start = _integer(fields, "start", -_MAX_TICK)
    if "deltas" not in fields:
        count = _integer(fields, "count", 1, MAX_FRAMES)
        step = _integer(fields, "step", 1)
        return range(start, start + step * count, step)
    deltas = fields["deltas"]
    if not isinstance(deltas, list) or not len(deltas) < MAX_FRAMES:
        raise ArchiveError(f"timing: deltas must be a list of fewer than {MAX_FRAMES} integers")
    if not set(map(type, deltas)) <= {int} or not 1 <= min(deltas, default=1) <= max(deltas, default=1) <= _MAX_TICK:
        raise ArchiveError(f"timing: deltas are integers from 1 to {_MAX_TICK}")
    return tuple(accumulate(deltas, initial=start))

"""Frame times while frames stream: repair of broken ones, resampling to a constant rate.

Both look only backwards, so that one frame is held at a time however long the video is.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import TypeVar

from dnerv.errors import InputError

Frame = TypeVar("Frame")

_LONGEST_FRAME = 600  # seconds; a longer gap is a broken time stamp, and resampling would fill it with copies
_LARGEST_TICK = 2**50  # beyond it a stamp is garbage; leaves head room below float64's exact integers
_HIGHEST_FPS = 1000
_LARGEST_RATIO = 2**31 - 1  # FFmpeg's rationals hold two int32


class Clock:
    """Gives every frame a time later than the one before, keeping the source's own where it is sane."""

    def __init__(self, time_base: Fraction, step: int) -> None:
        """`step`: ticks (of `time_base` seconds) per frame at the average rate, for frames without a time."""
        self._step = step
        self._longest = max(step, int(_LONGEST_FRAME / time_base))
        self._last: int | None = None
        self.last_duration = step  # ticks

    @property
    def end(self) -> int:
        """Tick at which the last stamped frame disappears."""
        return (self._last or 0) + self.last_duration

    def stamp(self, pts: int | None, duration: int | None) -> int:
        """Presentation time in ticks of the next frame, given what the source says of it (None: nothing)."""
        if self._last is None:
            stamped = pts if pts is not None and abs(pts) <= _LARGEST_TICK else 0
        elif pts is not None and self._last < pts <= self._last + self._longest:
            stamped = pts
        else:
            stamped = self._last + self._step
        self._last = stamped
        self.last_duration = duration if duration and 0 < duration <= self._longest else self._step
        return stamped


def average_step(time_base: Fraction, fps: Fraction | None) -> int:
    """Ticks of `time_base` seconds per frame at `fps`, at least 1; 25 fps where the header is no help."""
    if not fps or not 0 < fps <= _HIGHEST_FPS:
        fps = Fraction(25)
    return max(1, round(1 / (fps * time_base)))


def checked_rate(fps: Fraction) -> Fraction:
    """`fps` if it is a usable frame rate. Raises InputError."""
    if not 0 < fps <= _HIGHEST_FPS or max(Fraction(fps).as_integer_ratio()) > _LARGEST_RATIO:
        raise InputError(f"frame rate {fps}: allowed are ratios such as 25 or 30000/1001, up to {_HIGHEST_FPS}")
    return Fraction(fps)


def resample(
    stamped: Iterable[tuple[int, Frame]], end: Callable[[], int], time_base: Fraction, fps: Fraction
) -> Iterator[tuple[int, Frame]]:
    """Yield (tick, frame) at every tick of 1/fps seconds: the frame being shown at that moment, as FFmpeg's
    fps filter.

    `stamped` gives frames with strictly increasing times in units of `time_base`; `end()` is asked once they
    are exhausted and gives the time at which the last one disappears. The first tick is the first frame's
    time.
    """
    # A time stamp is only known to half a tick: without this slack a 29.97 Hz video in milliseconds would
    # drop and double frames when resampled to its own rate. The second bound keeps a coarse time base from
    # shifting frames.
    slack = min(time_base / 2, 1 / (8 * fps))
    origin = Fraction(0)
    held: list[Frame] = []
    emitted = first_tick = 0
    for pts, frame in stamped:
        if held:
            due = ceil((pts * time_base - slack - origin) * fps)
            yield from ((first_tick + tick, held[0]) for tick in range(emitted, due))
            emitted = max(emitted, due)
        else:
            origin = pts * time_base
            first_tick = round(origin * fps)
        held = [frame]
    if held:
        due = max(1, ceil((end() * time_base - slack - origin) * fps))
        yield from ((first_tick + tick, held[0]) for tick in range(emitted, due))

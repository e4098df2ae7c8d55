"""Frame times while frames stream: repair of broken ones, resampling to a constant rate.

A time is judged by the ones around it, so that two frames are held at a time however long the video is.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import TypeVar

from dnerv.errors import InputError

Frame = TypeVar("Frame")

_LONGEST_FRAME = 600  # seconds; a longer gap is believed where time goes on behind it (cameras that wait for events)
_LONGEST_FILLED = 86_400  # seconds of one frame that resampling fills with its copies
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

    def stamp(self, pts: int | None, duration: int | None, following: int | None = None) -> int:
        """Presentation time in ticks of the next frame.

        Given is what the source says of it, and of the presentation time of the frame behind it (None: nothing).
        """
        if self._last is None:
            stamped = pts if pts is not None and abs(pts) <= _LARGEST_TICK else 0
        elif pts is None:
            stamped = self._last + self.last_duration
        elif self._is_sane(pts, following):
            stamped = pts
            self._longest = max(self._longest, pts - self._last)
        else:
            stamped = self._last + self._step
        self._last = stamped
        self.last_duration = duration if duration and 0 < duration <= self._longest else self._step
        return stamped

    def _is_sane(self, pts: int, following: int | None) -> bool:
        """Whether a stamp may be believed: later than the last one, and near it or followed by later ones."""
        assert self._last is not None
        if not self._last < pts <= _LARGEST_TICK:
            return False
        return pts <= self._last + self._longest or following is None or following > pts


def stamped(
    frames: Iterable[Frame], clock: Clock, facts: Callable[[Frame], tuple[int | None, int | None]]
) -> Iterator[tuple[int, Frame]]:
    """(tick, frame) of every frame, `facts` being what the source says of one: its time and its duration."""
    held: list[Frame] = []
    for frame in frames:
        if held:
            yield clock.stamp(*facts(held[0]), facts(frame)[0]), held[0]
        held = [frame]
    if held:
        yield clock.stamp(*facts(held[0])), held[0]


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
            if due - emitted > _LONGEST_FILLED * fps:
                raise InputError(
                    f"a frame lasts {float((due - emitted) / fps):.0f} s: a constant rate would fill that with copies; "
                    "leave --fps out"
                )
            yield from ((first_tick + tick, held[0]) for tick in range(emitted, due))
            emitted = max(emitted, due)
        else:
            origin = pts * time_base
            first_tick = round(origin * fps)
        held = [frame]
    if held:
        due = max(1, ceil((end() * time_base - slack - origin) * fps))
        yield from ((first_tick + tick, held[0]) for tick in range(emitted, due))

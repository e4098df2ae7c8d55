"""A crf for a number of bytes: the one search that all who need it share.

    coded_bytes(crf) ── secant steps in log bytes, on the codec's own grid ──> CrfSearch: what was tried

Log bytes fall nearly evenly with crf, so that two to four codings are enough. Where they jump, the two sides of the
target close in by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Literal

from dnerv.codecs.codec import Codec
from dnerv.errors import InputError

Goal = Literal["near", "not above", "around"]
_FLATTEST = -0.01  # of log bytes by crf: a secant through noise may rise
_PATIENCE = 8  # secant steps, before every further one halves what is left
_OVERSHOOT = 0.01  # in log bytes: where both sides are wanted, aim a little beyond the target


@dataclass(frozen=True)
class CrfSearch:
    """What a search has tried."""

    target: float  # bytes
    sizes: Mapping[float, float]  # bytes by crf, in the order of trials

    @property
    def nearest(self) -> float:
        """The crf whose bytes come closest, by ratio."""
        return min(self.sizes, key=lambda crf: abs(log(self.sizes[crf] / self.target)))

    @property
    def below(self) -> float | None:
        """The crf of the most bytes that are not above the target; None where all are."""
        fitting = [crf for crf, size in self.sizes.items() if size <= self.target]
        return max(fitting, key=lambda crf: (self.sizes[crf], -crf), default=None)

    @property
    def above(self) -> float | None:
        """The crf of the fewest bytes above the target; None where there are none."""
        larger = [crf for crf, size in self.sizes.items() if size > self.target]
        return min(larger, key=lambda crf: (self.sizes[crf], -crf), default=None)

    @property
    def not_above(self) -> float:
        """`below`, or, where nothing is as small, the crf of the fewest bytes."""
        return min(self.sizes, key=lambda crf: (self.sizes[crf], crf)) if self.below is None else self.below

    @property
    def gap(self) -> float | None:
        """Log bytes from `below` to `above`; None where one is missing."""
        if self.below is None or self.above is None:
            return None
        return log(self.sizes[self.above] / self.sizes[self.below])

    def at_target(self, value: Mapping[float, float]) -> float:
        """A value by crf, a PSNR for example, at exactly the target: linear in log bytes from `below` to `above`.

        Where the codec does not reach the target, the value at the end that it reaches.
        """
        if self.below is None or self.above is None:
            return value[self.nearest]
        share = log(self.target / self.sizes[self.below]) / log(self.sizes[self.above] / self.sizes[self.below])
        return value[self.below] + share * (value[self.above] - value[self.below])


def search_crf(
    codec: Codec,
    coded_bytes: Callable[[float], float],
    target: float,
    *,
    start: float | None = None,
    goal: Goal = "near",
    close_enough: float = 0.02,
    most: int = 8,
) -> CrfSearch:
    """Code at one crf after another until the bytes are as wanted.

    Args:
        codec: whose grid of crf is searched.
        coded_bytes: codes at a crf of that grid, and gives the bytes; called once for each. They fall with the crf.
        target: bytes.
        start: the first crf; None for the codec's usual one.
        goal: "near" ends within `close_enough` of the target, "not above" does so from below, "around" ends when
            `below` and `above` are no further apart than that.
        close_enough: in log bytes; 0.02 is 2 %. With 0 the search ends at neighbours on the grid.
        most: codings, at most.

    Raises:
        InputError: a target that is not positive.
    """
    if target <= 0:
        raise InputError(f"the target is {target} bytes; it is positive")
    sizes: dict[float, float] = {}
    crf = codec.nearest_crf(codec.usual_crf if start is None else start)
    while crf not in sizes and len(sizes) < most:
        sizes[crf] = coded_bytes(crf)
        found = CrfSearch(target, sizes)
        if _is_reached(found, crf, goal, close_enough):
            break
        crf = _next_crf(codec, found, goal)
    return CrfSearch(target, sizes)


def _is_reached(found: CrfSearch, crf: float, goal: Goal, close_enough: float) -> bool:
    if goal == "around":
        return found.gap is not None and found.gap < close_enough
    off = log(found.sizes[crf] / found.target)
    return -close_enough <= off <= (close_enough if goal == "near" else 0)


def _next_crf(codec: Codec, found: CrfSearch, goal: Goal) -> float:
    sizes, target = found.sizes, found.target
    points = sorted(sizes, key=lambda crf: abs(log(sizes[crf] / target)))
    slope = codec.slope
    if len(points) > 1:
        slope = min(_FLATTEST, log(sizes[points[0]] / sizes[points[1]]) / (points[0] - points[1]))
    missing = log(target / sizes[points[0]])
    if goal == "around":
        missing += _OVERSHOOT if missing >= 0 else -_OVERSHOOT
    # Half a step further where the bytes shall end below the target rather than above.
    crf = codec.nearest_crf(points[0] + missing / slope + (codec.crf_step / 2 if goal == "not above" else 0))
    left = max((c for c, size in sizes.items() if size > target), default=None)
    right = min((c for c, size in sizes.items() if size <= target), default=None)
    if left is not None and right is not None and (len(sizes) > _PATIENCE or not left < crf < right):
        return codec.nearest_crf((left + right) / 2)
    if crf in sizes:
        return codec.nearest_crf(crf + (codec.crf_step if right is None else -codec.crf_step))
    return crf

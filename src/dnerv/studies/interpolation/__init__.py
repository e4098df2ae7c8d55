"""Frames that training never saw: `dnerv study interpolation`.

videos ─┬─ every second frame ─ encode ─ archive ─┬─ its network at the times in between ─┐
        │                                         └─ its frames, blended two by two ──────┼─ PSNR, picture
        └─ the frames held out ───────────────────────────────────────────────────────────┘

The archive knows nothing of the frames held out; both ways to fill the gaps are given the same file.
"""

from dnerv.studies.interpolation.picture import draw
from dnerv.studies.interpolation.report import tables
from dnerv.studies.interpolation.study import interpolation

__all__ = ["draw", "interpolation", "tables"]

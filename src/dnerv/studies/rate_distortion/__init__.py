"""Rate-distortion on anybody's videos: `dnerv compare`.

videos ── content (frames, scaled, cached once)
             ├─ dnerv, NeRV: an archive at every rate ──────────── decoded in a fresh process ─┐
             └─ x264, x265, SVT-AV1, libaom, VVC: settings that ───────── decoded from files ──┼─ curves, deltas
                cover the rates                                         published points ──────┘

Every point is a JSON file and the coded bytes beside it, in `points/`; what is there already is not made again, so an
interrupted comparison goes on when the same command is given, and another rate or codec adds only its own points. The
frames in `frames/` are a cache: without them they are decoded again.
"""

from dnerv.studies.rate_distortion.options import CompareOptions
from dnerv.studies.rate_distortion.report import tables
from dnerv.studies.rate_distortion.study import compare

__all__ = ["CompareOptions", "compare", "tables"]

"""One model for all videos, or one for each: `dnerv study joint`, the paper's figure 2.

    videos, in an order drawn by a seed ─┬─ the first n together ─ one archive ───────┐
                                         └─ each by itself ─ n archives, bytes added ─┴─ decoded in fresh processes

Both are asked for the same bits per pixel, index and headers included, and pass over every frame equally often.
"""

from dnerv.studies.joint.options import JointOptions
from dnerv.studies.joint.picture import draw
from dnerv.studies.joint.report import tables
from dnerv.studies.joint.study import joint

__all__ = ["JointOptions", "draw", "joint", "tables"]

"""How much diversity costs: `dnerv study diversity`, the paper's figure of NeRV and D-NeRV on few and many sources.

    videos ─ sources, drawn by a seed ─ as many clips from few of them as from many ─ NeRV, D-NeRV: an archive each,
                                                                                      decoded in a fresh process

Few sources and many give the same number of clips of the same length at the same bytes: what differs is how much of
one clip another one tells.
"""

from dnerv.studies.diversity.options import DiversityOptions
from dnerv.studies.diversity.picture import draw
from dnerv.studies.diversity.report import tables
from dnerv.studies.diversity.study import diversity

__all__ = ["DiversityOptions", "diversity", "draw", "tables"]

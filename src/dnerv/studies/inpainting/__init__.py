"""Inpainting: `dnerv inpaint`, and `dnerv study inpainting`, the paper's table.

videos ─ masks ─ fill ─ encode (hidden pixels left out of the loss) ─ archive ─ frames: the original outside the mask,
                                                                                the network's inside

The fill is made before anything else sees the frames (`dnerv.video.filling`), so that nothing in an archive depends on
what is hidden; the study shows how far the fill alone comes.
"""

from dnerv.studies.inpainting.inpaint import inpaint
from dnerv.studies.inpainting.picture import draw, draw_study
from dnerv.studies.inpainting.report import study_tables, tables
from dnerv.studies.inpainting.study import inpainting

__all__ = ["draw", "draw_study", "inpaint", "inpainting", "study_tables", "tables"]

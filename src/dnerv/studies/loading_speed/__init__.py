"""The paper's table of loading speed, remade on the machine at hand: `dnerv bench`.

archive ── sample (random clips, their frames) ─┬─ stored frames: JPEG, PNG ──────┐
   │                                            ├─ H.264 at the archive's bytes ──┤
   │                                            └─ any command (`--decoder`) ─────┤
   ├─ a NeRV of the same bytes ───────────────────────────────────────────────────┼─ rounds, cold and warm ─ record
   ├─ the plain modules in float32, one clip at a time: the reference ────────────┤     table, bars
   └─ the archive in every precision and batch size ──────────────────────────────┘

Every way to load is a `Candidate` (`candidate.py`): a name, the files it reads, and how to open it. To add one, write a
function that makes it and name that function in `contenders.py`.
"""

from dnerv.studies.loading_speed.options import BenchOptions, Opponent
from dnerv.studies.loading_speed.report import tables
from dnerv.studies.loading_speed.study import BenchListener, bench

__all__ = ["BenchListener", "BenchOptions", "Opponent", "bench", "tables"]

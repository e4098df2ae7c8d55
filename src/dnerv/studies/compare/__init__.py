"""Rate-distortion on anybody's videos: `dnerv compare`.

videos ── content (frames, scaled, cached once)
             ├─ networks: an archive at every rate ─────────────── decoded in a fresh process ─┐
             └─ codecs: settings that cover the rates ────────────────── decoded from files ──┼─ curves, deltas
                                                                     published points ─────────┘

Every point is a step: another rate or codec adds only its own.
"""

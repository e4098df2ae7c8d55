"""Archives without a network against files of AV1: `dnerv study layers`.

    frames of all videos, cached ─┬─ SVT-AV1, each video alone, its default tools ─┬─ A: one group for each video
                                  │                                                ├─ B: a sync frame every 8 frames
                                  │                                                └─ C: every 2 frames, preset 12
                                  └─ archives: access, distance, references ─ decoded in a fresh process ─┐
                                                        BD-rates of all frames, of the worst, by MS-SSIM ─┴─ tables

Anchors have the effort and the conversion of colours of the archives. Every anchor and archive at every crf is a step.
"""

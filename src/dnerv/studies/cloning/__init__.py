"""Behaviour cloning from compressed videos: `dnerv study cloning`.

videos, actions ─ content ─┬─ the originals' frames ──────────────────────┐
                           ├─ AV1 as LeRobot has it, a stream each ───────┼─ a policy trained on some of each task's
                           └─ archives without a network, at some rates ──┘  episodes, tested on the others

What a policy trained from an archive loses against one that is trained from the originals. All codings have the same
episodes, batches and shifts in the same order; only pixels differ. Streams, archives and policies are steps.
"""

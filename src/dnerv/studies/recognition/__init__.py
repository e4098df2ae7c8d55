"""Action recognition on compressed videos: `dnerv study recognition`.

videos, split ─ content ─┬─ raw frames ──────────────────────────────┐
                         ├─ archives of some kinds ─ dnerv.Loader ───┼─ TSM: trained raw, tested compressed,
                         └─ video codecs at an archive's bytes ──────┘       and trained compressed, tested raw

Both protocols of the paper, on one split or on each of several folds. All conditions see the same clips, crops and
flips in the same order; only pixels differ. The classifier is trained from scratch: no pretrained weights can be had,
and the paper's levels rest on them, so its orderings and differences are what can be compared. Archives, streams,
classifiers and their tests are steps.
"""

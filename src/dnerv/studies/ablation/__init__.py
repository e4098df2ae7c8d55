"""The paper's ablations on anybody's videos: `dnerv study ablation`.

videos ── content (frames, scaled, cached once)
             └─ groups of rows ─ each row's network, alike but for one thing ─ an archive of the bytes asked for
                                    and a seed ──────────────────────────────── decoded in a fresh process ─ figures

All rows are trained with one recipe, ours, for as many epochs; the network is as wide as its share of the bytes allows,
and keyframes fill the rest. The networks are the paper's, part for part, scaled down (`dnerv.families.scaled_dnerv`),
but for the row that is the whole of ours. A row that stands in several groups is encoded once, and more seeds add only
their own archives.
"""

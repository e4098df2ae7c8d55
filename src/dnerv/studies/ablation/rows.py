"""From points to rows: means over seeds, differences, and whether neighbours are ordered as the paper orders them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any

from dnerv.studies.ablation.published import PUBLISHED, SETS
from dnerv.studies.ablation.variants import Group, Variant
from dnerv.studies.points import Record


def group_record(group: Group, points_of: Callable[[Variant], Sequence[Record]]) -> Record:
    """One group of `results.json`. `points_of`: a variant's points, one for each seed, from seed 0."""
    rows = [_row(title, variant, points_of(variant)) for title, variant in group.rows]
    reference = next(row["psnr"] for row in rows if row["variant"] == group.reference)
    for row in rows:
        row["psnr_difference"] = row["psnr"] - reference
    return {
        "name": group.name,
        "title": group.title,
        "reference": next(row["name"] for row in rows if row["variant"] == group.reference),
        "rows": rows,
        "neighbours": [_order(*pair) for pair in pairwise(rows)],
    }


def _row(title: str, variant: Variant, points: Sequence[Record]) -> Record:
    seeds = [_seed(seed, point) for seed, point in enumerate(points)]
    scores = [seed["ms_ssim"] for seed in seeds]
    return {
        "name": title,
        "variant": variant.name,
        **{key: round(fmean(seed[key] for seed in seeds)) for key in ("bytes", "network_bytes", "keyframe_bytes")},
        "bits_per_pixel": fmean(seed["bits_per_pixel"] for seed in seeds),
        "parameters": points[0]["model"]["parameters"],
        "psnr": fmean(seed["psnr"] for seed in seeds),
        "psnr_deviation": stdev(seed["psnr"] for seed in seeds) if len(seeds) > 1 else None,
        "ms_ssim": None if None in scores else fmean(scores),
        "seeds": seeds,
        "published": PUBLISHED.get(variant.name),
    }


def _seed(seed: int, point: Record) -> Record:
    parts = point["breakdown"]
    return {
        "seed": seed,
        "file": point["files"][0]["path"],
        "bytes": point["bytes"],
        "bits_per_pixel": point["bits_per_pixel"],
        "network_bytes": sum(size for name, size in parts.items() if name.startswith("network ")),
        "keyframe_bytes": parts["keyframes"] + parts["keyframe tables"],
        "psnr": point["psnr"],
        "ms_ssim": point["ms_ssim"],
    }


def _order(before: Record, after: Record) -> Record:
    """How much better the second is, here and in the paper; `agrees` is whether the sign is the same."""
    measured = after["psnr"] - before["psnr"]
    published = {name: _published_difference(name, before, after) for name in SETS}
    agrees = {name: None if other is None else measured * other > 0 for name, other in published.items()}
    names = [before["name"], after["name"]]
    return {"rows": names, "measured": measured, "published": published, "agrees": agrees}


def _published_difference(name: str, before: Record, after: Record) -> float | None:
    figures: list[Any] = [(row["published"] or {}).get(name) for row in (before, after)]
    return None if None in figures else figures[1]["psnr"] - figures[0]["psnr"]

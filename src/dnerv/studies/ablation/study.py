"""Encode every row, take means over seeds, and compare with the group's reference and with the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Literal, get_args

from dnerv.encoding.options import EncodeOptions
from dnerv.options import like, option
from dnerv.studies.ablation.variants import GROUPS, SETS, Group, Variant
from dnerv.studies.charts import Bar, Bars, Chart
from dnerv.studies.study import PAPER, FramesOptions, Record, Study
from dnerv.studies.tables import content_line, figures_table, off_the_rate
from dnerv.tables import Part, Table

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run

DEFAULT_EPOCHS = 20
_TOLERANCE = 0.03  # of the bytes asked for
GroupName = Literal["components", "flow", "fusion", "temporal", "head", "clip", "share"]


@dataclass(frozen=True)
class AblationOptions(FramesOptions):
    """Which rows, and how they are encoded."""

    bits_per_pixel: float = like(EncodeOptions, "bits_per_pixel", default=0.05)
    epochs: int | None = like(EncodeOptions, "epochs", help="Passes over all clips.", unset=str(DEFAULT_EPOCHS))
    budget_seconds: float | None = like(EncodeOptions, "budget_seconds", help="Training time instead.", unset="epochs")
    seeds: int = option(1, "Encodings of every row, with seeds from --seed.", low=1, high=1000)
    parts: tuple[GroupName, ...] = option(get_args(GroupName), "Groups of rows.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.encoding(epochs=self.passes)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Those chosen, in the study's order."""
        return tuple(group for group in GROUPS if group.name in self.parts)

    @property
    def passes(self) -> int | None:
        """Epochs of each archive; None where time bounds the training."""
        return DEFAULT_EPOCHS if self.epochs is None and self.budget_seconds is None else self.epochs

    def encoding_of(self, variant: Variant, seed: int) -> EncodeOptions:
        """Of one archive."""
        from dnerv.families import Components

        return self.encoding(
            every=variant.clip_length if variant.uses_keyframes else None,
            clip_length=variant.clip_length,
            components=Components(**variant.parts),
            network_share=variant.network_share,
            references=False,
            epochs=self.passes,
            seed=seed,
        )


class Ablation(Study[AblationOptions, "Content", dict[str, list[Record]]]):
    """The study."""

    name = "ablation"
    title = "Ablation"
    question = "What does each part of the network contribute, at equal bytes?"
    options = AblationOptions

    def plan(self, run: Run[AblationOptions]) -> Content:
        """The videos' frames."""
        return run.content()

    def measure(self, run: Run[AblationOptions], plan: Content) -> dict[str, list[Record]]:
        """Of each variant its archives, seed by seed: all rows are there after the first seed's round."""
        variants = {variant.name: variant for group in run.options.groups for _, variant in group.rows}
        found: dict[str, list[Record]] = {name: [] for name in variants}
        for seed in range(run.options.seed, run.options.seed + run.options.seeds):
            for name, variant in variants.items():
                encoding = run.options.encoding_of(variant, seed)
                found[name].append(run.archive(f"{name} seed {seed}", plan, encoding, facts={"seed": seed}))
        return found

    def rows(self, run: Run[AblationOptions], plan: Content, measured: dict[str, list[Record]]) -> Mapping[str, Any]:
        """One for each variant of each group."""
        return {
            "content": plan.to_json(),
            "measures": {
                "bits_per_pixel": "the whole file",
                "psnr": "RGB, 8 bits, mean over frames, then over videos, dB; then over seeds",
                "psnr_deviation": "sample standard deviation over seeds, dB",
                "ms_ssim": plan.ms_ssim_in_words,
            },
            "groups": [group_record(group, measured) for group in run.options.groups],
            "published": {"source": f"{PAPER}, ablation tables", "sets": SETS},
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """What was coded, then for each group its rows and how they are ordered."""
        parts: list[Part] = _heading(record)
        for group in record["groups"]:
            parts += ["", f"{group['name']}: {group['title']}", _table(group), *_ordering(group)]
        return [*parts, "", *_notes(record)]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """For each group how far its rows are from the reference, here and in the paper."""
        return [_chart(group) for group in record["groups"]]


def group_record(group: Group, found: Mapping[str, Sequence[Record]]) -> Record:
    """One group of the record. `found`: each variant's archives, one for each seed."""
    rows = [_row(title, variant, found[variant.name]) for title, variant in group.rows]
    reference = next(row for row in rows if row["variant"] == group.reference)
    for row in rows:
        row["psnr_difference"] = row["psnr"] - reference["psnr"]
    return {
        "name": group.name,
        "title": group.title,
        "reference": reference["name"],
        "rows": rows,
        "neighbours": [_order(*pair) for pair in pairwise(rows)],
    }


def _row(title: str, variant: Variant, found: Sequence[Record]) -> Record:
    seeds = [_seed(one) for one in found]
    scores = [seed["ms_ssim"] for seed in seeds]
    return {
        "name": title,
        "variant": variant.name,
        **{key: round(fmean(seed[key] for seed in seeds)) for key in ("bytes", "network_bytes", "keyframe_bytes")},
        "bits_per_pixel": fmean(seed["bits_per_pixel"] for seed in seeds),
        "parameters": found[0]["model"]["parameters"],
        "psnr": fmean(seed["psnr"] for seed in seeds),
        "psnr_deviation": stdev(seed["psnr"] for seed in seeds) if len(seeds) > 1 else None,
        "ms_ssim": None if None in scores else fmean(scores),
        "seeds": seeds,
        "published": variant.published,
    }


def _seed(found: Record) -> Record:
    parts = found["breakdown"]
    return {
        "seed": found["seed"],
        "file": found["files"][0]["path"],
        "bytes": found["bytes"],
        "bits_per_pixel": found["bits_per_pixel"],
        "network_bytes": sum(size for name, size in parts.items() if name.startswith("network ")),
        "keyframe_bytes": parts["base layers"],
        "psnr": found["psnr"],
        "ms_ssim": found["ms_ssim"],
    }


def _order(before: Record, after: Record) -> Record:
    """How much better the second is, here and in the paper; `agrees` is whether the sign is the same."""
    measured = after["psnr"] - before["psnr"]
    published = {name: _published_difference(name, before, after) for name in SETS}
    agrees = {name: None if other is None else measured * other > 0 for name, other in published.items()}
    names = [before["name"], after["name"]]
    return {"rows": names, "measured": measured, "published": published, "agrees": agrees}


def _published_difference(name: str, before: Record, after: Record) -> float | None:
    if not (name in before["published"] and name in after["published"]):
        return None
    difference: float = after["published"][name]["psnr"] - before["published"][name]["psnr"]
    return difference


def _table(group: Record) -> Table:
    rows = group["rows"]
    with_score = any(row["ms_ssim"] is not None for row in rows)
    with_deviation = any(row["psnr_deviation"] is not None for row in rows)
    score, deviation = ["MS-SSIM"][: int(with_score)], ["±"][: int(with_deviation)]
    sets = SETS.values()
    table = figures_table("", "bytes", "network", "weights", "PSNR dB", *deviation, "differs", *score, *sets)
    for row in rows:
        published = [f"{row['published'][n]['psnr']:.2f}" if n in row["published"] else "" for n in SETS]
        table.add_row(
            row["name"],
            f"{row['bytes']:,}",
            f"{row['network_bytes'] / row['bytes']:.0%}",
            f"{row['parameters']:,}",
            f"{row['psnr']:.2f}",
            *([f"{row['psnr_deviation']:.2f}"] if with_deviation else []),
            "-" if row["name"] == group["reference"] else f"{row['psnr_difference']:+.2f}",
            *([f"{row['ms_ssim']:.4f}"] if with_score else []),
            *published,
        )
    return table


def _ordering(group: Record) -> list[str]:
    """Which neighbours the paper orders otherwise, for each of its sets."""
    lines = []
    for name, title in SETS.items():
        compared = [pair for pair in group["neighbours"] if pair["agrees"][name] is not None]
        if not compared:
            continue
        others = [" / ".join(pair["rows"]) for pair in compared if not pair["agrees"][name]]
        agreeing = f"{len(compared) - len(others)} of {len(compared)} neighbours"
        lines.append(f"ordered as on {title}: {agreeing}{'; not ' + ', '.join(others) if others else ''}")
    return lines


def _heading(record: Mapping[str, Any]) -> list[Part]:
    options = record["options"]
    training = (
        f"{options['budget_seconds']:g} s" if options["budget_seconds"] is not None else f"{_epochs(options)} epochs"
    )
    seeds = "one seed" if options["seeds"] == 1 else f"{options['seeds']} seeds"
    return [
        f"{content_line(record['content'])}; PSNR: {record['measures']['psnr']}",
        f"every archive: {options['bits_per_pixel']:g} bits per pixel asked for, trained {training}, {seeds}",
    ]


def _epochs(options: Mapping[str, Any]) -> int:
    return DEFAULT_EPOCHS if options["epochs"] is None else options["epochs"]


def _notes(record: Mapping[str, Any]) -> list[str]:
    """What a reader could misread, said."""
    rows = {row["variant"]: row for group in record["groups"] for row in group["rows"]}
    notes = [
        "network: its share of the file; keyframes and a few hundred bytes of index are the rest. differs: from the "
        "row marked -, dB. UVG, UCF101: the paper's PSNR, of other videos, larger networks and longer training "
        f"({record['published']['source']}).",
    ]
    if "nerv" in rows:
        notes.append(
            "NeRV, + GTMLP: no keyframes, time runs over all videos; stem and head are those of the rows below."
        )
    if "ours" in rows:
        notes.append("ours: compact_dnerv whole, with contrast, refined flow, adaptive blend and half-size features.")
    notes += off_the_rate(list(rows.items()), record["options"]["bits_per_pixel"], _TOLERANCE)
    if record["measures"]["ms_ssim"].startswith("n/a"):
        notes.append(f"MS-SSIM {record['measures']['ms_ssim']}.")
    if record["options"]["seeds"] == 1:
        notes.append("One seed: differences of a few hundredths of a decibel say nothing (--seeds 3).")
    return notes


def _chart(group: Record) -> Bars:
    reference = next(row for row in group["rows"] if row["name"] == group["reference"])
    bars = []
    for row in group["rows"]:
        differences = {f"the paper, {SETS[n]}": _published_difference(n, reference, row) for n in SETS}
        marks = {name: difference for name, difference in differences.items() if difference is not None}
        seeds = [seed["psnr"] - reference["psnr"] for seed in row["seeds"]]
        style = "dnerv" if row["variant"] in ("dnerv", "ours") else "plain"
        text, singles = f"{row['psnr']:.2f} dB", seeds if len(seeds) > 1 else ()
        bars.append(Bar(row["name"], row["psnr_difference"], style, text, singles=singles, marks=marks))
    return Bars(group["title"], f"PSNR, dB, against {group['reference']}; on the right, PSNR itself", bars)

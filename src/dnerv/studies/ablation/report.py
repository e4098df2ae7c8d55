"""The tables of the ablations, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dnerv.studies.tables import content_line, figures_table, machine_line

Record = Mapping[str, Any]
_TOLERANCE = 0.03  # of the bytes asked for


def tables(record: Record) -> Sequence[Table | str]:
    """What was coded, then for each group its rows and how they are ordered."""
    parts: list[Table | str] = _heading(record)
    for group in record["groups"]:
        parts += ["", f"{group['name']}: {group['title']}", group_table(group), *_ordering(group, record)]
    return [*parts, "", *_notes(record), "", f"{record['output']}: results.json, ablation.png, points/ (archives)"]


def group_table(group: Record) -> Table:
    """A row for each variant."""
    rows = group["rows"]
    with_score = any(row["ms_ssim"] is not None for row in rows)
    with_deviation = any(row["psnr_deviation"] is not None for row in rows)
    score, deviation = ["MS-SSIM"][: int(with_score)], ["±"][: int(with_deviation)]
    table = figures_table("", "bytes", "network", "weights", "PSNR dB", *deviation, "differs", *score, "UVG", "UCF101")
    for row in rows:
        scores = [f"{row['ms_ssim']:.4f}"] if with_score else []
        deviations = [f"{row['psnr_deviation']:.2f}"] if with_deviation else []
        table.add_row(
            row["name"],
            f"{row['bytes']:,}",
            f"{row['network_bytes'] / row['bytes']:.0%}",
            f"{row['parameters']:,}",
            f"{row['psnr']:.2f}",
            *deviations,
            "-" if row["name"] == group["reference"] else f"{row['psnr_difference']:+.2f}",
            *scores,
            _published(row, "uvg"),
            _published(row, "ucf101"),
        )
    return table


def _published(row: Record, name: str) -> str:
    figure = (row["published"] or {}).get(name)
    return "" if figure is None else f"{figure['psnr']:.2f}"


def _ordering(group: Record, record: Record) -> list[str]:
    """Which neighbours the paper orders otherwise, for each of its sets."""
    lines = []
    for name, title in record["published"]["sets"].items():
        compared = [pair for pair in group["neighbours"] if pair["agrees"][name] is not None]
        if not compared:
            continue
        others = [" / ".join(pair["rows"]) for pair in compared if not pair["agrees"][name]]
        agreeing = f"{len(compared) - len(others)} of {len(compared)} neighbours"
        lines.append(f"ordered as on {title}: {agreeing}{'; not ' + ', '.join(others) if others else ''}")
    return lines


def _heading(record: Record) -> list[Table | str]:
    options = record["options"]
    training = f"{options['budget_seconds']:g} s" if options["epochs"] is None else f"{options['epochs']} epochs"
    seeds = "one seed" if options["seeds"] == 1 else f"{options['seeds']} seeds"
    return [
        f"{content_line(record['content'])}; PSNR: {record['measures']['psnr']}",
        f"every archive: {options['bits_per_pixel']:g} bits per pixel asked for, trained {training}, {seeds}",
        machine_line(record["machine"]),
    ]


def _notes(record: Record) -> list[str]:
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
    wanted = record["options"]["bits_per_pixel"]
    missed = [n for n, row in rows.items() if abs(row["bits_per_pixel"] / wanted - 1) > _TOLERANCE]
    if missed:
        notes.append(f"More than {_TOLERANCE:.0%} off the bytes asked for: {', '.join(missed)}.")
    if record["measures"]["ms_ssim"].startswith("n/a"):
        notes.append(f"MS-SSIM {record['measures']['ms_ssim']}.")
    if record["options"]["seeds"] == 1:
        notes.append("One seed: differences of a few hundredths of a decibel say nothing (--seeds 3).")
    return notes

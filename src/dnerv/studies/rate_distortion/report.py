"""The tables of `dnerv compare`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dnerv.studies.measures import DIGITS, TITLES
from dnerv.studies.tables import content_line, figures_table, machine_line

Record = Mapping[str, Any]
NAMES = {"dnerv": "dnerv", "nerv": "NeRV", "x264": "x264", "x265": "x265", "svtav1": "SVT-AV1"} | {
    "aom": "libaom",
    "vvc": "VVC",
}
_NETWORKS = ("dnerv", "nerv")
_GOOD_CURVE = 4  # points; Bjontegaard's own number
_TOLERANCE = 0.15  # of the rate asked for


def tables(record: Record) -> Sequence[Table | str]:
    """What was coded, all points, deltas, published points, what was left out."""
    return [
        *_heading(record),
        "",
        points_table(record),
        "",
        deltas_table(record),
        "",
        *_notes(record),
        *_published(record),
        "",
        f"{record['output']}: results.json, curves.png, points/ (archives and streams)",
    ]


def points_table(record: Record) -> Table:
    """A row for each point, at rising rates."""
    measures = record["options"]["measures"]
    table = figures_table(
        "", "setting", "bytes", "bits/pixel", "PSNR dB", "of mean MSE", "MS-SSIM", *(TITLES[m] for m in measures)
    )
    for codec, found in record["codecs"].items():
        for place, point in enumerate(_rising(found["points"])):
            scores = [f"{point[m]:.{DIGITS[m]}f}" for m in measures]
            table.add_row(
                NAMES[codec] if place == 0 else "",
                point["setting"],
                f"{point['bytes']:,}",
                f"{point['bits_per_pixel']:.4f}",
                f"{point['psnr']:.2f}",
                f"{point['psnr_of_mean_mse']:.2f}",
                "n/a" if point["ms_ssim"] is None else f"{point['ms_ssim']:.4f}",
                *scores,
            )
        table.add_section()
    return table


def deltas_table(record: Record) -> Table:
    """A row for each codec but the anchor."""
    anchor = NAMES[record["options"]["anchor"]]
    table = figures_table(f"against {anchor}", "BD-rate", "over dB", "BD-PSNR", "over bits/pixel")
    for row in record["deltas"]:
        rate, psnr = row["rate"], row["psnr"]
        table.add_row(
            NAMES[row["codec"]],
            row["rate_note"] if rate is None else f"{rate['value']:+.1f}%",
            "" if rate is None else f"{rate['low']:.2f} - {rate['high']:.2f}",
            row["psnr_note"] if psnr is None else f"{psnr['value']:+.2f} dB",
            "" if psnr is None else f"{psnr['low']:.4f} - {psnr['high']:.4f}",
        )
    return table


def _heading(record: Record) -> list[str]:
    options = record["options"]
    training = f"{options['epochs']} epochs" if options["epochs"] is not None else f"{_budget(options):g} s"
    networks = f"archives trained {training} each; " if {"dnerv", "nerv"} & set(record["codecs"]) else ""
    return [
        f"{content_line(record['content'])}; PSNR: {record['measures']['psnr']}",
        f"{networks}other codecs: {options['preset']}, tuned for PSNR, one setting for all videos",
        machine_line(record["machine"]),
    ]


def _budget(options: Record) -> float:
    from dnerv.studies.rate_distortion.options import DEFAULT_BUDGET_SECONDS

    return DEFAULT_BUDGET_SECONDS if options["budget_seconds"] is None else float(options["budget_seconds"])


def _notes(record: Record) -> list[str]:
    """What a reader could misread, said."""
    anchor, measures = NAMES[record["options"]["anchor"]], record["measures"]
    notes = [
        f"BD-rate: how many more bits than {anchor} for the same PSNR, negative for fewer; BD-PSNR: how much more PSNR "
        "for the same bits. Means over the range that both curves cover; nothing is extrapolated. Not rising: "
        "somewhere more bits gave a lower PSNR, so no rate can be read off."
    ]
    few = [NAMES[c] for c, found in record["codecs"].items() if len(found["points"]) < _GOOD_CURVE]
    if few:
        notes.append(f"Fewer than {_GOOD_CURVE} points, so their deltas are rough: {', '.join(few)}.")
    missed = [f"{NAMES[c]} {p['setting']}" for c in _NETWORKS for p in _points(record, c) if _misses(p)]
    if missed:
        notes.append(f"More than {_TOLERANCE:.0%} off the rate asked for: {', '.join(missed)}.")
    if measures["ms_ssim"].startswith("n/a"):
        notes.append(f"MS-SSIM {measures['ms_ssim']}.")
    notes += [f"{TITLES[m]}: {measures[m]}." for m in record["options"]["measures"]]
    notes += [f"{NAMES[codec]} is left out: {reason}." for codec, reason in record["left_out"].items()]
    return notes


def _points(record: Record, codec: str) -> Sequence[Record]:
    found: Sequence[Record] = record["codecs"].get(codec, {"points": []})["points"]
    return found


def _misses(point: Record) -> bool:
    return abs(float(point["bits_per_pixel"]) / float(point["rate"]) - 1) > _TOLERANCE


def _published(record: Record) -> list[Table | str]:
    found = record["published"]
    if found is None:
        return []
    table = figures_table("published, not measured here", "bits/pixel", "PSNR dB", "MS-SSIM")
    for curve in found["curves"]:
        for place, point in enumerate(curve["points"]):
            score = "" if point["ms_ssim"] is None else f"{point['ms_ssim']:.4f}"
            table.add_row(curve["name"] if place == 0 else "", f"{point['bpp']:.4f}", f"{point['psnr']:.2f}", score)
        table.add_section()
    sources = [f"{c['name']} ({c['type']}): {c['source']}." for c in found["curves"]]
    rates = [f"{r['name']} against {r['against']}: published BD-rate {r['percent']:+.1f}%." for r in found["bd_rates"]]
    claim = f"Published points are for {found['title']}; that the videos above are these is the user's word."
    return ["", table, "", claim, *sources, *rates]


def _rising(points: Sequence[Record]) -> list[Record]:
    return sorted(points, key=lambda point: float(point["bits_per_pixel"]))

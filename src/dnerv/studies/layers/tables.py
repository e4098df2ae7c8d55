"""The tables of `dnerv study layers`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnerv.studies.tables import content_line, figures_table
from dnerv.tables import Part, Table

Record = Mapping[str, Any]
_MEASURES = {"psnr": "all frames", "worst_psnr": "worst 5 %", "ms_ssim": "MS-SSIM", "vmaf": "VMAF"}


def tables(record: Record) -> Sequence[Part]:
    """BD-rates, ratios, what was chosen, all points."""
    parts: list[Part] = [content_line(record["content"])]
    parts += [f"{name}: SVT-AV1, {found['title']}" for name, found in record["anchors"].items()]
    for name in record["anchors"]:
        if rows := [row for row in record["deltas"] if row["anchor"] == name]:
            parts += ["", _deltas_table(name, rows, _measured(record)), *_in_files(name, rows)]
    if rows := record.get("over_base", []):  # records of before have none
        parts += ["", _deltas_table("no prior", rows, _measured(record))]
    parts += [*_ratios(record["ratios"]), "", _choices_table(record), "", _points_table(record), ""]
    return [*parts, *_notes(record)]


def _measured(record: Record) -> list[str]:
    """Measures that some point has."""
    points = [p for part in ("anchors", "ways") for found in record[part].values() for p in found["points"]]
    return [measure for measure in _MEASURES if any(point[measure] is not None for point in points)]


def _deltas_table(anchor: str, rows: Sequence[Record], measures: Sequence[str]) -> Table:
    table = figures_table(f"access, against {anchor}", *(_MEASURES[measure] for measure in measures), "over dB")
    for row in rows:
        ranged = row["psnr"]
        over = "" if isinstance(ranged, str) else f"{ranged['low']:.2f} - {ranged['high']:.2f}"
        figures = [row[measure] for measure in measures]
        words = [figure if isinstance(figure, str) else f"{figure['value']:+.1f}%" for figure in figures]
        table.add_row(row["way"], *words, over)
    return table


def _in_files(anchor: str, rows: Sequence[Record]) -> list[str]:
    """The first column again, against files; records of before do not have it."""
    deltas = [(row["way"], row["in_mp4"]) for row in rows if "in_mp4" in row]
    words = [f"access {way}: " + ("-" if isinstance(d, str) else f"{d['value']:+.1f}%") for way, d in deltas]
    return [f"all frames, {anchor}'s packets in MP4 files: {', '.join(words)}"] if words else []


def _ratios(rows: Sequence[Record]) -> list[str]:
    if not rows:
        return []
    figures = ", ".join(f"access {r['way']}: " + ("-" if r["ratio"] is None else f"{r['ratio']:.1f}") for r in rows)
    return ["", f"times fewer bytes than C at its {rows[0]['psnr']:.2f} dB: {figures}"]


def _choices_table(record: Record) -> Table:
    """What was chosen: references, and how many videos have which distance."""
    distances = sorted({int(d) for f in record["ways"].values() for p in f["points"] for d in p["videos_by_distance"]})
    counted = "videos every " + "/".join(map(str, distances))
    table = figures_table("access", "crf", "seconds", "pictures", "share", "used by", counted)
    for name, found in record["ways"].items():
        for place, point in enumerate(found["points"]):
            table.add_row(
                "" if place else name,
                f"{point['crf']:g}",
                f"{point['encoding_seconds']:.0f}",
                str(point["references"]),
                f"{point['reference_bytes'] / point['bytes']:.1%}",
                str(point["videos_with_reference"]),
                "/".join(str(point["videos_by_distance"].get(str(distance), 0)) for distance in distances),
            )
        table.add_section()
    return table


def _points_table(record: Record) -> Table:
    more = {"ms_ssim": 4, "vmaf": 1}  # digits behind the point
    shown = [measure for measure in _measured(record) if measure in more]
    titles = [_MEASURES[measure] for measure in shown]
    table = figures_table("", "crf", "bytes", "bits/pixel", "PSNR dB", "worst", *titles)
    for name, found in {**record["anchors"], **record["ways"]}.items():
        for place, point in enumerate(found["points"]):
            table.add_row(
                "" if place else name,
                f"{point['crf']:g}",
                f"{point['bytes']:,}",
                f"{point['bits_per_pixel']:.4f}",
                f"{point['psnr']:.2f}",
                f"{point['worst_psnr']:.2f}",
                *("n/a" if point[name] is None else f"{point[name]:.{more[name]}f}" for name in shown),
            )
        table.add_section()
    return table


def _notes(record: Record) -> list[str]:
    measures = record["measures"]
    return [
        "access: how many frames are decoded at most to reach any one, beside a shared picture. Every frame: all are "
        "coded; otherwise the distance is chosen for each video, and frames between are blends. Alone: without shared "
        "pictures. BD-rate: how many more bits than the anchor for the same quality, negative for fewer. Anchors are "
        "packets alone, but where MP4 files are named.",
        "Pictures: shared ones, their share of the file, the videos that use them.",
        f"PSNR: {measures['psnr']}. Worst: {measures['worst_psnr']}. MS-SSIM: {measures['ms_ssim']}. VMAF: "
        f"{measures['vmaf']}.",
    ]

"""The tables of `dnerv bench`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnerv.codecs import PSNR_OF_IDENTICAL_FRAMES
from dnerv.studies.tables import figures_table
from dnerv.tables import Part, Table

Record = Mapping[str, Any]
_BESIDE = 2  # precisions in one table of stages: more would squeeze the stages' names out of 80 columns
_OWN = ("archive", "reference", "loader")  # kinds that decode the archive itself


def tables(record: Record) -> Sequence[Part]:
    """What was measured on, speeds, quality, breakdown, notes."""
    return [
        *_heading(record),
        "",
        speed_table(record),
        "",
        *_explanations(record),
        "",
        quality_table(record),
        "",
        *(line for table in breakdown_tables(record) for line in (table, "")),
        *(f"{name}: {note}." for name, note in _notes(record).items()),
        *(f"{name} takes no part: {reason}." for name, reason in record["missing"].items()),
    ]


def speed_table(record: Record) -> Table:
    """A row for each candidate and batch size: warm, then cold."""
    table = figures_table("", "batch", "clips/s", "frames/s", "spread", "ratio", "cold c/s", "f/s", "ratio")
    kind = None
    for row in record["rows"]:
        if kind not in (None, row["kind"]):
            table.add_section()
        kind, warm, cold = row["kind"], row["warm"], row["cold"]
        frames = warm["frames_per_second"]
        spread = (frames["high"] - frames["low"]) / 2 / frames["median"]
        table.add_row(
            row["name"],
            str(row["batch_size"]),
            _figure(warm["clips_per_second"]),
            _figure(frames["median"]),
            f"±{spread:.0%}",
            _figure(warm["ratio"]["median"]),
            _figure(cold["clips_per_second"]),
            _figure(cold["frames_per_second"]["median"]),
            _figure(cold["ratio"]["median"]),
        )
    return table


def quality_table(record: Record) -> Table:
    """Bytes, and dB to the reference path and to the originals."""
    table = figures_table("", "bytes", "x archive", "dB to reference", "dB to originals", "cost dB")
    rows = {row["name"]: row for row in record["rows"]}
    own = rows["reference"]["bytes"]
    for one in record["quality"]:
        size = rows[one["name"]]["bytes"]
        table.add_row(
            one["name"],
            f"{size:,}",
            f"{size / own:.2f}",
            _decibels(one["psnr_to_reference"]),
            _decibels(one["psnr_to_originals"]),
            _cost(one["cost"]) if rows[one["name"]]["kind"] in _OWN else "",
        )
    return table


def breakdown_tables(record: Record) -> list[Table]:
    """Milliseconds of each stage, and shares of the time per clip; as many precisions beside each other as fit."""
    parts = record["breakdown"]
    return [_breakdown_table(parts[i : i + _BESIDE]) for i in range(0, len(parts), _BESIDE)]


def _breakdown_table(parts: Sequence[Record]) -> Table:
    table = figures_table(
        f"batch {parts[0]['batch_size']}", *(c for p in parts for c in (f"{p['precision']} ms", "share"))
    )
    for stage in _stages(parts, "once"):
        cells = [(f"{p['once'][stage]:.2f}" if stage in p["once"] else "-", "") for p in parts]
        table.add_row(f"once: {stage}", *(cell for pair in cells for cell in pair))
    table.add_section()
    totals = [sum(p["per_clip"].values()) for p in parts]
    for stage in _stages(parts, "per_clip"):
        cells = [_share(p["per_clip"].get(stage), total) for p, total in zip(parts, totals, strict=True)]
        table.add_row(f"a clip: {stage}", *(cell for pair in cells for cell in pair))
    table.add_row("a clip", *(cell for total in totals for cell in (f"{total:.2f}", "100%")))
    return table


def _heading(record: Record) -> list[str]:
    archive, content = record["archive"], record["content"]
    network = "no network"
    if archive["model"] is not None:
        canvas = "x".join(map(str, archive["canvas"]))
        network = f"{archive['model']['parameters']:,} parameters, canvas {canvas}"
    frames = "the originals'" if content["from"] == "originals" else "the archive's own, since no --originals are given"
    return [
        f"{archive['path']}: {archive['file_bytes']:,} bytes, {network}",
        f"{content['clips']} random clips of {content['clip_length']} frames, from {len(content['videos'])} videos; "
        f"frames that JPEG, PNG and H.264 store: {frames}",
    ]


def _explanations(record: Record) -> list[str]:
    repeats = record["options"]["repeats"]
    return [
        f"From disk to tensors on the device. Medians of {repeats} rounds in which all take turns; spread: half of the "
        "distance from the slowest round to the fastest. Ratios are to the reference, taken within each round: fp32, "
        "the plain modules, one clip at a time. Cold: the system is asked to drop the files' pages, all is opened "
        "anew, the first batch is timed; importing torch is not.",
        f"Automatic precision here: {record['automatic_precision']}.",
    ]


def _notes(record: Record) -> dict[str, str]:
    """Those of opponents, once each."""
    return {row["name"]: row["note"].rstrip(".") for row in record["rows"] if row["kind"] not in _OWN}


def _stages(parts: Sequence[Record], which: str) -> list[str]:
    return list(dict.fromkeys(stage for part in parts for stage in part[which]))


def _share(milliseconds: float | None, total: float) -> tuple[str, str]:
    return ("-", "") if milliseconds is None else (f"{milliseconds:.2f}", f"{milliseconds / total:.0%}")


def _figure(value: float) -> str:
    """Three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _decibels(value: float | None) -> str:
    if value is None:
        return "-"
    return "same" if value >= PSNR_OF_IDENTICAL_FRAMES else f"{value:.2f}"


def _cost(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

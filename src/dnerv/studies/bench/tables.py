"""The tables of `dnerv bench`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
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
        *_with_workers(record),
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


def _with_workers(record: Record) -> list[Part]:
    parts: list[Part] = []
    for table in worker_tables(record):
        parts += [table, "", *_about_workers(record), ""]
    return parts


def worker_tables(record: Record) -> list[Table]:
    """Samples a second and milliseconds to the first batch, by processes; bytes on disk, and of memory."""
    rows, every = [row for row in record["rows"] if row["workers"]], record["options"]["workers"]
    tables = []
    for counts in (every[i : i + _BESIDE] for i in range(0, len(every), _BESIDE)) if rows else ():
        heads = [head for count in counts for head in (f"{count} {'worker' if count == 1 else 'workers'}", "ms")]
        table, kind = figures_table("", "bytes", *heads, "MiB"), None
        for row in rows:
            if kind not in (None, row["kind"]):
                table.add_section()
            kind, found = row["kind"], [row["workers"][str(count)] for count in counts]
            figures = [
                _figure(one[name]["median"])
                for one in found
                for name in ("samples_per_second", "first_batch_milliseconds")
            ]
            memory = max(one["peak_bytes"]["median"] for one in found)
            table.add_row(row["name"], f"{row['bytes']:,}", *figures, f"{memory / 2**20:,.0f}")
        tables.append(table)
    return tables


def speed_table(record: Record) -> Table:
    """A row for each candidate and batch size: one process with all cores, warm; and its first batch, cold."""
    table = figures_table("", "batch", "clips/s", "frames/s", "spread", "ratio", "first ms")
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
            _figure(1000 * median(one["seconds"] for one in cold["rounds"])),
        )
    return table


def quality_table(record: Record) -> Table:
    """Bytes, and dB to the reference path and to the originals."""
    table = figures_table("", "bytes", "ratio", "dB to ref.", "dB to orig.", "cost")
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
        f"frames that JPEG, PNG, H.264 and AV1 store: {frames}",
    ]


def _about_workers(record: Record) -> list[str]:
    content, batch = record["content"], max(row["batch_size"] for row in record["rows"])
    return [
        f"Samples ({content['clip_length']} frames) a second, in batches of {batch}, of worker processes that have one "
        "core each and open everything for themselves; ms from opening to the first batch, the files' pages dropped "
        f"before; MiB of memory at most, all of a worker. Medians of {record['options']['repeats']} rounds in turns. "
        "g: frames from one restart to the next. torchcodec and decord read MP4 with a decoder kept for each file or, "
        "anew, opened for each clip.",
    ]


def _explanations(record: Record) -> list[str]:
    repeats = record["options"]["repeats"]
    return [
        f"One process with all cores, from disk to tensors on the device. Medians of {repeats} rounds in turns; "
        "spread: half of the distance from the slowest round to the fastest. Ratios are to the reference, taken "
        "within each round: fp32, the plain modules, one clip at a time. First: the system is asked to drop the files' "
        "pages, all is opened anew, the first batch is timed; importing torch is not.",
        f"Automatic precision here: {record['automatic_precision']}.",
    ]


def _notes(record: Record) -> dict[str, str]:
    """Those of opponents that have one, once each."""
    rows = [row for row in record["rows"] if row["note"] and row["kind"] not in _OWN]
    return {row["name"]: row["note"].rstrip(".") for row in rows}


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

"""The table of `dnerv study recognition`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dnerv.studies.tables import figures_table, machine_line

Record = Mapping[str, Any]
NAMES = {"h264": "H.264", "nerv": "NeRV", "dnerv": "D-NeRV"}
TITLES = {
    "trained_raw_tested_compressed": "trained raw, tested compressed",
    "trained_compressed_tested_raw": "trained compressed, tested raw",
}


def tables(record: Record) -> Sequence[Table | str]:
    """What was classified, how well, and the paper's figures."""
    return [
        *_heading(record),
        "",
        accuracy_table(record),
        "",
        *_notes(record),
        "",
        published_table(record["published"]),
        f"published, by bits per pixel: {record['published']['set']} ({record['published']['source']}).",
        "",
        f"{record['output']}: results.json, recognition.png, points/ (archives and streams), classifiers/",
    ]


def accuracy_table(record: Record) -> Table:
    """A row for each codec and rate."""
    table = figures_table("top-1, %", "bytes", "bits/pixel", "PSNR dB", "raw->comp.", "", "comp.->raw", "")
    table.add_row("raw", "", "", "", *_figures(record["raw"]), *_figures(record["raw"]))
    table.add_section()
    codec = None
    for row in record["rows"]:
        if codec not in (None, row["codec"]):
            table.add_section()
        accuracies = [text for protocol in TITLES for text in _figures(row[protocol])]
        facts = f"{row['bytes']:,}", f"{row['bits_per_pixel']:.4f}", f"{row['psnr']:.2f}"
        table.add_row("" if row["codec"] == codec else NAMES[row["codec"]], *facts, *accuracies)
        codec = row["codec"]
    return table


def published_table(published: Record) -> Table:
    """The paper's: both protocols of each size of its models."""
    table = figures_table("published, raw->comp. / comp.->raw", *(f"{rate:g}" for rate in published["bits_per_pixel"]))
    table.add_row("raw", f"{published['raw']:.1f}")
    for codec, name in NAMES.items():
        pairs = zip(*(published[protocol][codec] for protocol in TITLES), strict=True)
        table.add_row(name, *(f"{tested:.1f} / {trained:.1f}" for tested, trained in pairs))
    return table


def _heading(record: Record) -> list[str]:
    content, split, options = (record[name] for name in ("content", "split", "options"))
    training = "for 5 minutes" if options["budget_seconds"] is None else f"for {options['budget_seconds']:g} s"
    if options["epochs"] is not None:
        training = f"for {options['epochs']} epochs"
    return [
        f"{content['videos']} videos, {content['frames']} frames of {content['height']}x{content['width']}, "
        f"{len(record['classes'])} classes; {split['train']} to train on, {split['test']} to test on "
        f"(split: {split['from']})",
        f"archives trained {training} each; H.264: x264 {options['preset']}, one crf for all videos",
        machine_line(record["machine"]),
    ]


def _notes(record: Record) -> list[str]:
    raw, split, options = record["raw"], record["split"], record["options"]
    low, high = raw["test_set"]
    notes = [
        f"raw->comp.: trained on raw frames, tested on compressed ones; comp.->raw the other way round. Means over "
        f"{len(raw['seeds'])} seeds of the classifier, beside them half the 95 % interval (Student's t). The choice of "
        f"{split['test']} test videos adds to it: at {raw['top1']:.1f} % alone {low:.1f} to {high:.1f} % (95 %, "
        "binomial), the same videos for every row.",
        f"Chance, the most frequent class of the test: {100 * split['most_frequent']:.1f} %.",
        f"TSM from scratch ({options['classifier']['epochs']} epochs): the paper's network was pretrained, so that "
        "orderings and differences are to be compared, not levels.",
    ]
    for name, words in (("missing", "listed in the split, and not given"), ("unused", "in no part of the split")):
        if split[name]:
            notes.append(f"{len(split[name])} videos are {words}: {', '.join(split[name][:3])} ...")
    return notes


def _figures(found: Record) -> tuple[str, str]:
    interval = found["interval"]
    return f"{found['top1']:.1f}", "" if interval is None else f"±{(interval[1] - interval[0]) / 2:.1f}"

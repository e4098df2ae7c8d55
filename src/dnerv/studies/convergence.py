"""How long networks gain from training: `dnerv study convergence`.

    videos ─ each kind of network, learning rate and number of passes ─ an archive, decoded in a fresh process
                                                                          └─ PSNR by passes and by seconds

A schedule ends where the learning rate is zero, so every number of passes is a training of its own. A kind has levelled
off where twice as many passes bring its best learning rate less than `LEVEL_DB`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log2
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.archive_kinds import KINDS, by_kind, in_order
from dnerv.studies.charts import Chart, Lines, Series
from dnerv.studies.paired import paired
from dnerv.studies.study import FramesOptions, Record, Study
from dnerv.studies.tables import content_line, figures_table, off_the_rate
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run

LEVEL_DB = 0.1  # of twice as many passes
NetworkName = Literal["nerv", "paper", "dnerv"]


@dataclass(frozen=True)
class ConvergenceOptions(FramesOptions):
    """Which networks, how fast and how long they learn."""

    archives: tuple[NetworkName, ...] = option(("nerv", "dnerv"), "Kinds of networks that take part.")
    epochs: tuple[int, ...] = option((40, 160, 640), "Passes over all clips, each a training of its own.", low=1)
    learning_rates: tuple[float, ...] = option(
        (0.001, 0.003, 0.009), "Of AdamW, at their height.", low=1e-9, high=1, metavar="X,..."
    )
    bits_per_pixel: float = like(EncodeOptions, "bits_per_pixel", default=0.05)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.epochs) < 2:
            raise InputError(
                f"--epochs is {self.epochs[0]}: give two numbers or more, their difference is the question"
            )


class Convergence(Study[ConvergenceOptions, "Content", list[Record]]):
    """The study."""

    name = "convergence"
    title = "Convergence"
    question = "How long does a network gain from training, and at which learning rate?"
    options = ConvergenceOptions

    def plan(self, run: Run[ConvergenceOptions]) -> Content:
        """The frames."""
        return run.content()

    def measure(self, run: Run[ConvergenceOptions], plan: Content) -> list[Record]:
        """The short trainings first: a run that is interrupted has compared something."""
        options = run.options
        return [
            run.archive(
                f"{kind} {epochs} epochs rate {rate:g}",
                plan,
                KINDS[kind].encoding(options, epochs=epochs, learning_rate=rate),
                facts={"kind": kind, "epochs": epochs, "learning_rate": rate},
                is_timed=True,
            )
            for epochs in sorted(options.epochs)
            for kind in in_order(options.archives)
            for rate in sorted(options.learning_rates)
        ]

    def rows(self, run: Run[ConvergenceOptions], plan: Content, measured: list[Record]) -> Mapping[str, Any]:
        """One for each archive; of each kind by learning rate, then by passes."""
        rows = [_row(found) for found in measured]
        kinds = in_order(run.options.archives)
        rows.sort(key=lambda row: (kinds.index(row["model"]), row["learning_rate"], row["epochs"]))
        return {"content": plan.to_json(), "rows": rows}

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """PSNR by passes, seconds of them, which kinds have levelled off, and how far they are from each other."""
        options, rows = record["options"], record["rows"]
        passes = [f"{epochs:,}" for epochs in sorted(options["epochs"])]
        quality = figures_table("PSNR dB", "rate", *passes, "a doubling")
        times = figures_table("seconds of encoding", "rate", *passes)
        for _, kind, mine in by_kind(rows):
            for place, curve in enumerate(_curves(mine)):
                named = "" if place else kind.title, f"{curve[0]['learning_rate']:g}"
                quality.add_row(*named, *(f"{row['psnr']:.2f}" for row in curve), f"{doubling(curve):+.2f}")
                times.add_row(*named, *(f"{row['encoding_seconds']:,.0f}" for row in curve))
            quality.add_section()
            times.add_section()
        shown = [(f"{KINDS[row['model']].title} {row['epochs']} {row['learning_rate']:g}", row) for row in rows]
        return [
            f"{content_line(record['content'])}; {options['bits_per_pixel']:g} bits per pixel asked of all",
            "",
            quality,
            "",
            times,
            "",
            *_levels(rows),
            *_apart(rows),
            *off_the_rate(shown, options["bits_per_pixel"]),
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """PSNR against the seconds of encoding; dashed: learning rates that are not their kind's best."""
        series = [
            Series(
                f"{kind.title}, rate {curve[0]['learning_rate']:g}",
                kind.style,
                [(row["encoding_seconds"], row["psnr"]) for row in curve],
                (),
                curve != best(mine),
            )
            for _, kind, mine in by_kind(record["rows"])
            for curve in _curves(mine)
        ]
        return [Lines("PSNR by time", "seconds of encoding", "PSNR, dB (mean over videos)", series, "log")]


def best(rows: Sequence[Record]) -> list[Record]:
    """Of one kind's rows those of the learning rate that is ahead after the most passes, by rising passes."""
    return max(_curves(rows), key=lambda curve: float(curve[-1]["psnr"]))


def doubling(curve: Sequence[Record]) -> float:
    """What twice as many passes bring at a curve's end, dB: its last rise, by the doublings that it took."""
    before, last = curve[-2:]
    return float((last["psnr"] - before["psnr"]) / log2(last["epochs"] / before["epochs"]))


def gain(ours: Sequence[Record], theirs: Sequence[Record]) -> dict[str, Any]:
    """The last row of one kind's `best` less that of another's, dB, by video, as `paired` has it."""
    pairs = zip(best(ours)[-1]["psnrs"], best(theirs)[-1]["psnrs"], strict=True)
    return paired([[our - their for our, their in pairs]])


def _row(found: Record) -> Record:
    psnrs = [video["psnr"] for video in found["videos"]]
    kept = ("learning_rate", "epochs", "bytes", "bits_per_pixel", "encoding_seconds")
    return {
        "model": found["kind"],
        **{name: found[name] for name in kept},
        "psnr": fmean(psnrs),
        "psnrs": psnrs,  # of each video
        "archives": [file["path"] for file in found["files"]],
    }


def _curves(rows: Sequence[Record]) -> list[list[Record]]:
    """One kind's rows by learning rate, each by rising passes."""
    by_rate = sorted(rows, key=lambda row: (row["learning_rate"], row["epochs"]))
    return [list(curve) for _, curve in groupby(by_rate, key=lambda row: row["learning_rate"])]


def _levels(rows: Sequence[Record]) -> Iterator[str]:
    for _, kind, mine in by_kind(rows):
        curve, curves = best(mine), _curves(mine)
        rise, rate = doubling(curve), curve[-1]["learning_rate"]
        has = "has levelled off" if abs(rise) < LEVEL_DB else "still gains" if rise > 0 else "loses by more passes"
        edge = "highest" if curve == curves[-1] else "lowest" if curve == curves[0] else ""
        at = f", the {edge} tried" if edge and len(curves) > 1 else ""
        passes = f"{curve[-1]['epochs']:,} passes"
        yield f"{kind.title} {has} at {passes}: {rise:+.2f} dB for twice as many (rate {rate:g}{at})."


def _apart(rows: Sequence[Record]) -> Iterator[str]:
    """The last kind less each of the others."""
    *others, (_, ours, mine) = by_kind(rows)
    for _, kind, theirs in others:
        found = gain(mine, theirs)
        interval = found["interval"]
        sure = "one video" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f}, 95 % over videos"
        yield f"The best {ours.title} less the best {kind.title}: {found['mean']:+.2f} dB ({sure})."

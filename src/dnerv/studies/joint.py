"""One archive of all videos, or one of each: `dnerv study joint`, the paper's figure 2.

    videos, in an order drawn by a seed ─┬─ the first n together ─ one archive ───────┐
                                         └─ each by itself ─ n archives, bytes added ─┴─ decoded in fresh processes

Both are asked for the same bits per pixel, index and headers included, and pass over every frame equally often. A
network of n videos then makes about n times the steps of one of each: `separate_epochs`, n times as many, evens that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.archive_kinds import KINDS, ArchiveKind, KindName, by_kind, in_order
from dnerv.studies.charts import Chart, Lines, Series
from dnerv.studies.study import PAPER, FramesOptions, Record, Study
from dnerv.studies.tables import figures_table, off_the_rate
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.studies.runner import Run
    from dnerv.video import Member

WAYS = {"separate": "one for each", "joint": "one for all"}
PUBLISHED = {
    "psnr": {"separate": 31.27, "joint": 31.87},
    "set": "NeRV, the seven videos of UVG",
    "source": f"{PAPER}, figure 2",
}


@dataclass(frozen=True)
class JointOptions(FramesOptions):
    """How many videos, and how they are encoded."""

    counts: tuple[int, ...] = option((1, 2, 4, 8), "Numbers of videos held together.", low=1)
    archives: tuple[KindName, ...] = option(("nerv", "dnerv", "base", "alone"), "Kinds of archives that take part.")
    bits_per_pixel: float = like(EncodeOptions, "bits_per_pixel", default=0.05, help="Bits per pixel, both ways.")
    epochs: int = like(EncodeOptions, "epochs", default=40, help="Of networks, passes over all clips.", low=1)
    separate_epochs: int | None = like(
        EncodeOptions, "epochs", default=None, help="The same of networks of one video.", low=1, unset="as --epochs"
    )

    @property
    def epochs_apart(self) -> int:
        """Of networks of one video."""
        return self.separate_epochs or self.epochs


class Encoded(NamedTuple):
    """The archives of one row: of one kind, in one way, of so many videos."""

    kind: str
    way: str
    videos: int
    archives: Sequence[Record]


class Joint(Study[JointOptions, list["Member"], list[Encoded]]):
    """The study."""

    name = "joint"
    title = "Joint or separate"
    question = "Is one archive of all videos better than one of each, at equal bytes?"
    options = JointOptions

    def plan(self, run: Run[JointOptions]) -> list[Member]:
        """The videos, in the order in which they are added. Raises InputError for fewer than are asked for."""
        most = max(run.options.counts)
        if len(run.members) < most:
            raise InputError(f"--counts asks for {most} videos, and there are {len(run.members)}")
        order = np.random.default_rng(run.options.seed).permutation(len(run.members))[:most]
        return [run.members[i] for i in order]

    def measure(self, run: Run[JointOptions], plan: list[Member]) -> list[Encoded]:
        """Of one video both ways are the same archive."""
        rows = []
        for kind in in_order(run.options.archives):
            apart = [_archive(run, kind, [member], run.options.epochs_apart) for member in plan]
            counts = sorted(run.options.counts)
            rows += [Encoded(kind, "separate", count, apart[:count]) for count in counts]
            for count in counts:
                together = apart[0] if count == 1 else _archive(run, kind, plan[:count], run.options.epochs)
                rows.append(Encoded(kind, "joint", count, [together]))
        return rows

    def rows(self, run: Run[JointOptions], plan: list[Member], measured: list[Encoded]) -> Mapping[str, Any]:
        """One for each kind of archive, way and number of videos."""
        return {
            "videos": [member.name for member in plan],
            "rows": [_row(encoded) for encoded in measured],
            "published": PUBLISHED,
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """PSNR and bytes of both ways by number of videos, how long they took, and what the paper found."""
        table = figures_table("", "videos", "separate: bytes", "PSNR dB", "joint: bytes", "PSNR dB", "gain dB")
        for kind, rows in _by_way(record):
            for place, (apart, together) in enumerate(zip(*(rows[way] for way in WAYS), strict=True)):
                figures = [
                    figure for row in (apart, together) for figure in (f"{row['bytes']:,}", f"{row['psnr']:.2f}")
                ]
                gain = f"{together['psnr'] - apart['psnr']:+.2f}"
                table.add_row("" if place else kind.title, str(apart["videos"]), *figures, gain)
            table.add_section()
        published, options = record["published"], record["options"]
        apart, together = (published["psnr"][way] for way in WAYS)
        named = [(f"{KINDS[row['model']].title} {row['way']} {row['videos']}", row) for row in record["rows"]]
        more = options.get("separate_epochs")
        return [
            f"{options['bits_per_pixel']:g} bits per pixel asked of both ways, {options['epochs']} epochs"
            + (f", {more} of separate networks" if more else ""),
            "",
            table,
            *_times(record),
            "",
            *off_the_rate(named, options["bits_per_pixel"]),
            f"published: separate {apart:.2f}, joint {together:.2f} ({together - apart:+.2f}) dB ({published['set']}; "
            f"{published['source']})",
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """PSNR against the number of videos, together and apart."""
        series = [
            Series(
                f"{kind.title}, {WAYS[way]}",
                kind.style,
                [(r["videos"], r["psnr"]) for r in rows[way]],
                (),
                way == "separate",
            )
            for kind, rows in _by_way(record)
            for way in WAYS
        ]
        return [Lines("PSNR by number of videos", "videos", "PSNR, dB (mean over videos)", series, "counts")]


def _archive(run: Run[JointOptions], kind: str, members: Sequence[Member], epochs: int) -> Record:
    from dnerv.video import discover

    content = run.content([member.source_path for member in members])
    which = f"{len(members)} videos" if len(members) > 1 else f"{members[0].source_path.stem} alone"
    encoding = KINDS[kind].encoding(run.options, epochs=epochs)
    facts = {"pixels": content.num_pixels}
    found = run.archive(f"{kind} {which}", content, encoding, facts=facts, is_timed=True)
    names = {member.source_path: member.name for member in discover(content.sources)}  # as this archive has them
    psnr = {video["name"]: video["psnr"] for video in found["videos"]}
    return found | {"psnrs": [psnr[names[member.source_path]] for member in members]}


def _row(encoded: Encoded) -> Record:
    """The bytes of all archives of a way, and the mean over videos of what they give back."""
    archives = encoded.archives
    size = sum(found["bytes"] for found in archives)
    psnrs = [psnr for found in archives for psnr in found["psnrs"]]
    return {
        "model": encoded.kind,
        "way": encoded.way,
        "videos": encoded.videos,
        "bytes": size,
        "bits_per_pixel": 8 * size / sum(found["pixels"] for found in archives),
        "psnr": fmean(psnrs),
        "psnrs": psnrs,  # of each video, in the order in which they are added
        "encoding_seconds": sum(found["encoding_seconds"] for found in archives),
        "archives": [file["path"] for found in archives for file in found["files"]],
    }


def _by_way(record: Mapping[str, Any]) -> Iterator[tuple[ArchiveKind, dict[str, list[Record]]]]:
    """Rows of each kind by way, at rising numbers of videos."""
    for _, kind, rows in by_kind(record["rows"]):
        yield kind, {way: [row for row in rows if row["way"] == way] for way in WAYS}


def _times(record: Mapping[str, Any]) -> list[Part]:
    """Nothing of records that have none."""
    if not all("encoding_seconds" in row for row in record["rows"]):
        return []
    table = figures_table("seconds of encoding", "videos", *WAYS.values())
    for kind, rows in _by_way(record):
        for place, pair in enumerate(zip(*(rows[way] for way in WAYS), strict=True)):
            seconds = (f"{row['encoding_seconds']:.0f}" for row in pair)
            table.add_row("" if place else kind.title, str(pair[0]["videos"]), *seconds)
        table.add_section()
    return ["", table]

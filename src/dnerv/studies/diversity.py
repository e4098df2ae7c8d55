"""How much diversity costs: `dnerv study diversity`, the paper's figure of NeRV and D-NeRV on few and many sources.

    videos ─ sources, drawn by a seed ─ as many clips from few of them as from many ─ an archive of each kind,
                                                                                      decoded in a fresh process

Few sources and many give the same number of clips of the same length at the same bytes: what differs is how much of
one clip another one tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dnerv import progress
from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.archive_kinds import KINDS, KindName, by_kind, in_order
from dnerv.studies.charts import Chart, Lines, Series
from dnerv.studies.study import PAPER, FramesOptions, Record, Study
from dnerv.studies.tables import figures_table, off_the_rate
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run
    from dnerv.video import CachedVideo, Member

PUBLISHED = {
    "sources": [10, 100],
    "psnr": {"nerv": [27.95, 26.66], "dnerv": [29.74, 29.36]},
    "set": "1,000 videos of UCF101 from 10 and from 100 classes",
    "source": PAPER,
}


@dataclass(frozen=True)
class DiversityOptions(FramesOptions):
    """How many clips of how many sources, and how they are encoded."""

    sources: tuple[int, ...] = option((4, 12, 48), "Numbers of sources that the clips come from.", low=1)
    by: Literal["video", "label"] = option("video", "What a source is: a video, or a class.")
    clips: int = option(48, "Clips, whatever the number of sources.", low=1)
    length: int = option(8, "Frames of a clip.", low=2)
    archives: tuple[KindName, ...] = option(("nerv", "dnerv", "base"), "Kinds of archives that take part.")
    draws: int = option(3, "Choices of sources, each with its own seed.", low=1)
    bits_per_pixel: float = like(EncodeOptions, "bits_per_pixel", default=0.05)
    epochs: int = like(EncodeOptions, "epochs", default=40, help="Of networks, passes over all clips.", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for count in self.sources:
            if self.clips % count:
                raise InputError(f"--clips {self.clips} cannot come from {count} sources in equal parts")


class Draw(NamedTuple):
    """The clips of one choice of sources."""

    sources: int
    number: int
    content: Content


class Diversity(Study[DiversityOptions, list[Draw], list[Record]]):
    """The study."""

    name = "diversity"
    title = "Diversity"
    question = "What is lost when the same number of clips comes from more sources?"
    options = DiversityOptions

    def plan(self, run: Run[DiversityOptions]) -> list[Draw]:
        """Draw sources and cut their clips. Raises InputError for too few sources that are long enough."""
        counts = sorted(run.options.sources)
        return [Draw(n, draw, _clips(run, n, draw)) for n in counts for draw in range(run.options.draws)]

    def measure(self, run: Run[DiversityOptions], plan: list[Draw]) -> list[Record]:
        """An archive of each kind of the clips of each draw."""
        options = run.options
        return [
            run.archive(
                f"{kind} {draw.sources} sources draw {draw.number}",
                draw.content,
                # The clips are files, at their size and rate already.
                KINDS[kind].encoding(options, resolution=None, fps=None, seed=options.seed + draw.number),
                facts={"kind": kind, "sources": draw.sources, "draw": draw.number},
            )
            for draw in plan
            for kind in in_order(options.archives)
        ]

    def rows(self, run: Run[DiversityOptions], plan: list[Draw], measured: list[Record]) -> Mapping[str, Any]:
        """One for each kind of archive and number of sources."""
        rows = [
            _row([found for found in measured if (found["kind"], found["sources"]) == (kind, count)])
            for kind in in_order(run.options.archives)
            for count in sorted(run.options.sources)
        ]
        return {"videos": len(run.members), "rows": rows, "published": PUBLISHED}

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """PSNR of each kind by number of sources, and what the paper found."""
        options, published = record["options"], record["published"]
        table = figures_table("", "sources", "clips each", "bits/pixel", "PSNR dB", "over draws", "from fewest")
        for _, kind, rows in by_kind(record["rows"]):
            for place, row in enumerate(rows):
                spread = "" if row["psnr_deviation"] is None else f"+- {row['psnr_deviation']:.2f}"
                change = f"{row['psnr'] - rows[0]['psnr']:+.2f}" if place else ""
                figures = f"{row['bits_per_pixel']:.4f}", f"{row['psnr']:.2f}", spread, change
                each = str(options["clips"] // row["sources"])
                table.add_row("" if place else kind.title, str(row["sources"]), each, *figures)
            table.add_section()
        named = [(f"{kind.title} {row['sources']}", row) for _, kind, rows in by_kind(record["rows"]) for row in rows]
        few, many = published["sources"]
        said = [
            f"{KINDS[network].title} {a:.2f} to {b:.2f} ({b - a:+.2f}) dB"
            for network, (a, b) in published["psnr"].items()
        ]
        return [
            f"{options['clips']} clips of {options['length']} frames, {options['epochs']} epochs, {options['draws']} "
            f"draws of sources; a source is a {'video' if options['by'] == 'video' else 'class'}; +- one standard "
            "deviation",
            "",
            table,
            "",
            *off_the_rate(named, options["bits_per_pixel"]),
            f"published, from {few} to {many} classes: {', '.join(said)} ({published['set']}; {published['source']})",
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """PSNR against the number of sources."""
        series = [
            Series(
                kind.title, kind.style, [(row["sources"], row["psnr"]) for row in rows], [_around(row) for row in rows]
            )
            for _, kind, rows in by_kind(record["rows"])
        ]
        across = f"{record['options']['by']}s that the clips come from"
        up = "PSNR, dB (bars: one standard deviation over draws)"
        return [Lines("PSNR by number of sources", across, up, series, "counts")]


class Cut(NamedTuple):
    """Consecutive frames of a video."""

    video: CachedVideo
    first: int  # frame


def groups(members: Sequence[Member], by: str) -> dict[str, list[Member]]:
    """The sources: each video by its own, or the videos of a class together.

    Raises InputError for videos without a class.
    """
    if by == "video":
        return {member.name: [member] for member in members}
    found: dict[str, list[Member]] = {}
    for member in members:
        if member.label is None:
            raise InputError(f"{member.source_path}: has no class; --by label needs a folder of class folders")
        found.setdefault(member.label, []).append(member)
    return found


def draw_cuts(
    sources: Mapping[str, Sequence[Member]],
    count: int,
    per_source: int,
    length: int,
    seed: int,
    read: Callable[[Member], CachedVideo],
) -> list[Cut]:
    """`per_source` cuts of `length` frames from each of `count` sources; those too short are passed over.

    Raises InputError where there are too few sources that are long enough.
    """
    random, names = np.random.default_rng(seed), sorted(sources)
    cuts: list[Cut] = []
    for place in random.permutation(len(names)):
        if len(cuts) == count * per_source:
            break
        members = sources[names[place]]
        shuffled = [members[i] for i in random.permutation(len(members))]
        cuts += _cuts_of(shuffled, per_source, length, read)
    if len(cuts) < count * per_source:
        raise InputError(
            f"{count} sources with {per_source} clips of {length} frames each are needed, and of the {len(names)} "
            f"given {len(cuts) // per_source} have as many: ask for fewer or shorter clips, or for fewer sources"
        )
    return cuts


def _cuts_of(members: Sequence[Member], wanted: int, length: int, read: Callable[[Member], CachedVideo]) -> list[Cut]:
    """Cuts of one source, from as many of its videos as there are; none where it has too few.

    Those of one video do not overlap, and are spread evenly over it.
    """
    videos: list[CachedVideo] = []
    room = 0
    for member in members:
        if len(videos) == wanted:
            break
        video = read(member)
        if video.timing.num_frames >= length:
            videos.append(video)
            room += video.timing.num_frames // length
    if room < wanted:
        return []
    shares = [0] * len(videos)
    while sum(shares) < wanted:  # one of each, then a second one, ...
        for place, video in enumerate(videos):
            if sum(shares) < wanted and shares[place] < video.timing.num_frames // length:
                shares[place] += 1
    return [cut for video, share in zip(videos, shares, strict=True) for cut in _spread(video, share, length)]


def _spread(video: CachedVideo, share: int, length: int) -> list[Cut]:
    windows = video.timing.num_frames // length
    return [Cut(video, int((place + 0.5) * windows / share) * length) for place in range(share)]


def _clips(run: Run[DiversityOptions], count: int, draw: int) -> Content:
    """One draw's clips, each a folder of PNG images, named by number: their names cost bytes."""
    from dnerv.studies.content import digest_of_videos
    from dnerv.video import write_png_folder

    options = run.options
    progress.stage(f"cutting clips of {count} sources, draw {draw + 1}", options.clips)
    each, seed = options.clips // count, options.seed + draw
    cuts = draw_cuts(groups(run.members, options.by), count, each, options.length, seed, run.cached)

    def write(folder: Path) -> None:
        for number, (video, first) in enumerate(cuts):
            write_png_folder(folder / str(number), (video.store[first + i] for i in range(options.length)))
            progress.advance()

    frames = digest_of_videos(list({cut.video.name: cut.video for cut in cuts}.values()))
    told = {"cuts": [[cut.video.name, cut.first] for cut in cuts], "length": options.length, "frames": frames}
    folder = run.folder_once(f"{count} sources draw {draw}", told, write)
    return run.content([folder], part=f"{folder.name}-cache", scaled=False)


def _row(found: Sequence[Record]) -> Record:
    """Mean and standard deviation over draws."""
    values = [one["psnr"] for one in found]
    return {
        "model": found[0]["kind"],
        "sources": found[0]["sources"],
        "psnr": fmean(values),
        "psnr_deviation": stdev(values) if len(values) > 1 else None,
        "bits_per_pixel": fmean(one["bits_per_pixel"] for one in found),
        "bytes": fmean(one["bytes"] for one in found),
        "seeds": [{"seed": p["draw"], "psnr": p["psnr"], "bytes": p["bytes"], "files": p["files"]} for p in found],
    }


def _around(row: Record) -> tuple[float, float] | None:
    deviation = row["psnr_deviation"]
    return None if deviation is None else (row["psnr"] - deviation, row["psnr"] + deviation)

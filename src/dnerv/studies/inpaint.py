"""Hide pixels and have the network make them up: `dnerv inpaint`.

videos ─ masks ─ fill ─ encode (hidden pixels left out of the loss) ─ archive ─ frames: the original outside the mask,
                                                                                the network's inside

The fill is made before anything else sees the frames (`dnerv.video.filling`), so that nothing in an archive depends on
what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dnerv import progress
from dnerv.codecs.fidelity import mse, psnr
from dnerv.encoding.options import EncodeOptions
from dnerv.errors import InputError
from dnerv.options import like, option
from dnerv.studies.charts import Bar, Bars, Cell, Sheet
from dnerv.studies.study import ArchiveOptions, Record, Study
from dnerv.studies.tables import figures_table
from dnerv.tables import LONGEST_LIST, Part

if TYPE_CHECKING:
    from dnerv.archive import Archive
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run
    from dnerv.studies.views import Clip, Picture
    from dnerv.video import CachedVideo, Masks

Frame = NDArray[np.uint8]  # [H, W, 3] RGB
ARCHIVE, VIDEOS = "inpainted.dnerv", "videos"  # in the output folder
MOST_ROWS = 8  # of the picture
_HIDDEN = (255, 0, 200)  # a colour that stands out


@dataclass(frozen=True)
class InpaintOptions(ArchiveOptions):
    """What is hidden, and how it is encoded."""

    masks: Path | None = option(
        None,
        "What to hide is white: one image for all frames, or one a frame; in a folder also by video name.",
        metavar="IMAGE|FOLDER|VIDEO",
        unset="random boxes",
        group="What is hidden",
    )
    boxes: int = option(5, "Without --masks: random boxes a frame.", low=1, group="What is hidden")
    box_size: int = option(50, "Their side in pixels.", low=1, group="What is hidden")
    model: str = like(EncodeOptions, "model")


class Plan(NamedTuple):
    """The videos as they are and with their hidden pixels filled, in the same order."""

    original: Content
    hidden: Content
    masks: Masks


class Inpaint(Study[InpaintOptions, Plan, Record]):
    """One archive of videos with hidden pixels, and the videos with these pixels made up.

    How close the hidden pixels come is told where they are known, that is, for random boxes.
    """

    name = "inpaint"
    title = "Inpainted videos"
    question = "What does the network make up where pixels are hidden?"
    options = InpaintOptions

    def files(self, run: Run[InpaintOptions]) -> Iterable[Path]:
        """The videos, and the masks."""
        return [*super().files(run), *([] if run.options.masks is None else [run.options.masks])]

    def plan(self, run: Run[InpaintOptions]) -> Plan:
        """Hide the pixels. Raises InputError for masks that do not fit."""
        from dnerv.video import GivenMasks, RandomBoxes

        asked, content = run.options, run.content()
        masks = RandomBoxes(asked.boxes, asked.box_size, asked.seed) if asked.masks is None else GivenMasks(asked.masks)
        return Plan(content, hidden_content(content, masks), masks)

    def measure(self, run: Run[InpaintOptions], plan: Plan) -> Record:
        """The archive, and `videos/NAME.mp4`: the original outside the mask, the network's pixels inside."""
        from dnerv.archive import Archive
        from dnerv.video import write_mp4

        found = run.archive(
            "inpainted",
            plan.original,
            run.options.encoding(model=run.options.model),
            masks=plan.masks,
            measure=measured_inside,
            arguments=[plan.hidden],
        )
        copyfile(run.path_of(found), run.folder / ARCHIVE)
        with Archive(run.folder / ARCHIVE, device=run.options.device, size="coded") as archive:
            progress.stage("writing videos", archive.num_frames)
            for original, covered in zip(plan.original.videos, plan.hidden.videos, strict=True):
                target = run.folder / VIDEOS / f"{original.name}.mp4"
                frames = _composed(archive, original, covered)
                write_mp4(target, frames, archive[original.name].entry.timing, force=True)
        return found

    def rows(self, run: Run[InpaintOptions], plan: Plan, measured: Record) -> Record:
        """How much is hidden, and PSNR inside, where the truth is known, and outside."""
        known = run.options.masks is None
        return {
            "masks": plan.masks.to_json(),
            "frames": plan.original.folder.relative_to(run.folder).as_posix(),
            "archive": {
                "path": str(run.folder / ARCHIVE),
                "file_bytes": measured["bytes"],
                "bpp": measured["bits_per_pixel"],
            },
            "videos": [v if known else v | {"psnr_inside": None} for v in measured["videos"]],
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """A row for each video."""
        table = figures_table("video", "frames", "hidden", "inside dB", "outside dB")
        for video in record["videos"][:LONGEST_LIST]:
            figures = decibels(video["psnr_inside"]), decibels(video["psnr_outside"])
            table.add_row(video["name"], str(video["frames"]), f"{video['hidden']:.1%}", *figures)
        table.add_rest(record["videos"])
        archive = record["archive"]
        line = f"{archive['path']}: {archive['file_bytes']:,} bytes, {archive['bpp']:.4f} bits per pixel"
        return [table, line, f"{VIDEOS}/: the original outside the mask, the network's pixels inside"]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Bars]:
        """PSNR inside, where the truth is known."""
        known = [video for video in record["videos"] if video["psnr_inside"] is not None]
        bars = [Bar(v["name"], v["psnr_inside"], "dnerv", f"{v['psnr_inside']:.2f} dB") for v in known]
        return [Bars("PSNR inside the hidden pixels", "dB", bars, kind="dots")] if bars else []

    def sheets(self, run: Run[InpaintOptions], plan: Plan, record: Mapping[str, Any]) -> Mapping[str, Sheet]:
        """The middle frame of each video, with its hidden pixels and as they were made up."""
        rows = [
            sheet_row(original, covered, [(run.folder / ARCHIVE, original.name)])
            for original, covered in zip(plan.original.videos[:MOST_ROWS], plan.hidden.videos, strict=False)
        ]
        heading = "Inpainting: hidden pixels, and what stands there"
        return {"picture": Sheet(heading, ("original", "hidden", "made up"), rows)}

    def views(self, record: Mapping[str, Any], folder: Path, *, frames: int, rate: float | None) -> Iterator[Clip]:
        """What is hidden, and what was made up."""
        masks = record["masks"]
        for original, covered in hidden_before(record, masks, folder):
            ways = {"made up": (folder / ARCHIVE, original.name)}
            yield masked_clip(original, covered, ways, frames, is_known="boxes" in masks)


def hidden_content(content: Content, masks: Masks) -> Content:
    """The videos with their hidden pixels filled, and `mask` set. Raises InputError for masks that do not fit."""
    from dnerv.studies.content import Content
    from dnerv.video import hide
    from dnerv.video.content import digest_of

    progress.stage("hiding pixels", len(content.videos))
    videos = []
    for video in content.videos:
        videos.append(hide(video, masks, content.folder))
        progress.advance()
    return Content(tuple(videos), digest_of([content.digest, masks.to_json()]), content.sources, content.folder)


def hidden_before(
    record: Mapping[str, Any], masks: Mapping[str, Any], folder: Path
) -> Iterator[tuple[CachedVideo, CachedVideo]]:
    """Each video of a record, and the same with its hidden pixels filled, from the study's cache.

    Raises InputError where they are not there any more.
    """
    from dnerv.video import hide
    from dnerv.video.cache import open_cached

    frames = folder / record["frames"]
    for video in record["videos"]:
        original = open_cached(video["name"], frames)
        yield original, hide(original, _MasksBefore(masks), frames)


@dataclass(frozen=True)
class _MasksBefore:
    """Masks that lie in the cache, by what the record says of them."""

    said: Mapping[str, Any]

    def of(self, video: CachedVideo) -> Iterator[NDArray[np.bool_]]:
        """Raise InputError: the cache has lost them."""
        raise InputError(f"{video.store.path.parent} has no masks of {video.name!r}: run what has made it again")

    def to_json(self) -> dict[str, Any]:
        """What the fill depends on."""
        return dict(self.said)


def masked_clip(
    original: CachedVideo,
    covered: CachedVideo,
    ways: Mapping[str, tuple[Path, str]],
    frames: int,
    *,
    is_known: bool = True,
    with_fill: bool = False,
) -> Clip:
    """The original around hidden pixels; inside them a colour, the fill, and what each way's archive gives.

    Args:
        ways: by its label, an archive and the video's name in it. is_known: what is hidden is the truth.
    """
    from dnerv.archive import Archive
    from dnerv.studies.views import Clip, View, decoded, middle

    span = middle(original.timing.num_frames, frames)
    originals, hidden = list(original.store.read(list(span))), [mask_of(covered, index) for index in span]
    colour = [np.broadcast_to(np.array(_HIDDEN, np.uint8), frame.shape) for frame in originals]
    made = {"fill alone": list(covered.store.read(list(span)))} if with_fill else {}
    for label, (path, name) in ways.items():
        with Archive(path, size="coded") as archive:
            made[label] = decoded(archive, name, span)

    def inside(pictures: Sequence[Picture]) -> list[Picture]:
        return [_inside(one, mask) for one, mask in zip(pictures, hidden, strict=True)]

    shares = [f"{mask.mean():.1%} hidden" for mask in hidden]
    views = [View("original", originals), View("hidden", inside(colour), shares, "what the network never saw.")]
    for label, pictures in made.items():
        figures = [_figure_inside(*each) for each in zip(originals, pictures, hidden, strict=True)] if is_known else ()
        note = "its pixels where they were hidden, the original around them."
        views.append(View(label, inside(pictures), figures, note))
    fps = float(original.timing.average_fps)
    return Clip(original.name, span, original.timing.num_frames, fps, views, 1, len(views) - 1)


def _inside(picture: Frame, mask: NDArray[np.bool_]) -> Picture:
    """The picture where the mask is, nothing elsewhere: uint8 [H, W, 4]."""
    return np.dstack((np.where(mask[..., None], picture, np.uint8(128)), mask * np.uint8(255)))


def _figure_inside(original: Frame, made: Frame, mask: NDArray[np.bool_]) -> str:
    return f"{psnr(float(mse(original[mask], made[mask]))):.2f} dB" if mask.any() else "nothing hidden"


def measured_inside(path: Path, original: Content, device: str, hidden: Content) -> Record:
    """The archive at `path` against the original frames: bytes, and what `masked_quality` says of each video."""
    from dnerv.archive import Archive

    with Archive(path, device=device, size="coded") as archive:
        videos = [
            masked_quality(video, covered, made_frames(archive, video.name))
            for video, covered in zip(original.videos, hidden.videos, strict=True)
        ]
        return {"bytes": archive.file_bytes, "bits_per_pixel": archive.bits_per_pixel, "videos": videos}


def masked_quality(original: CachedVideo, covered: CachedVideo, frames: Iterable[Frame]) -> Record:
    """PSNR in dB of the pixels inside the mask and outside, means over the frames that have such; None for none."""
    inside: list[float] = []
    outside: list[float] = []
    hidden: list[float] = []
    for index, made in enumerate(frames):
        mask, frame = mask_of(covered, index), original.store[index]
        hidden.append(float(mask.mean()))
        for chosen, found in ((mask, inside), (~mask, outside)):
            if chosen.any():
                found.append(psnr(float(mse(frame[chosen], made[chosen]))))
        progress.advance()
    return {
        "name": original.name,
        "frames": original.timing.num_frames,
        "height": original.height,
        "width": original.width,
        "hidden": fmean(hidden),  # of all pixels
        "psnr_inside": fmean(inside) if inside else None,
        "psnr_outside": fmean(outside) if outside else None,
    }


def made_frames(archive: Archive, name: str) -> Iterator[Frame]:
    """Frames of a video out of an archive."""
    return (frame.permute(1, 2, 0).contiguous().cpu().numpy() for frame in archive[name])


def mask_of(covered: CachedVideo, index: int) -> NDArray[np.bool_]:
    """The hidden pixels of a frame, [H, W]."""
    from dnerv.video import read_mask

    assert covered.mask is not None
    return read_mask(covered.mask, index)


def sheet_row(original: CachedVideo, covered: CachedVideo, ways: Iterable[tuple[Path, str]]) -> list[Cell]:
    """The middle frame, what is hidden of it, and what each archive, under its name there, puts in its place."""
    from dnerv.archive import Archive

    index = original.timing.num_frames // 2
    frame, hidden = original.store[index], mask_of(covered, index)
    shown = np.where(hidden[..., None], np.array(_HIDDEN, np.uint8), frame)
    cells = [Cell(frame, f"{original.name}, frame {index}"), Cell(shown, f"{hidden.mean():.0%} hidden")]
    for path, name in ways:
        with Archive(path, size="coded") as archive:
            made: Frame = np.ascontiguousarray(archive[name][index].permute(1, 2, 0).numpy())
        cells.append(Cell(np.where(hidden[..., None], made, frame), _figure_inside(frame, made, hidden)))
    return cells


def decibels(value: float | None) -> str:
    """For a table."""
    return "-" if value is None else f"{value:.2f}"


def _composed(archive: Archive, original: CachedVideo, covered: CachedVideo) -> Iterator[Frame]:
    for index, made in enumerate(made_frames(archive, original.name)):
        yield np.where(mask_of(covered, index)[..., None], made, original.store[index])
        progress.advance()

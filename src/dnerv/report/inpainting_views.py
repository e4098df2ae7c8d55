"""Videos of the inpainting studies: what was hidden, what stands in its place, and the original around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs.fidelity import mse, psnr
from dnerv.errors import InputError
from dnerv.report.embedding import Embedder, Picture
from dnerv.report.options import ReportOptions
from dnerv.report.views import Clip, View, middle, patch
from dnerv.studies.inpaint import ARCHIVE, mask_of
from dnerv.studies.inpainting import archive_of
from dnerv.video import CachedVideo, hide
from dnerv.video.cache import open_cached
from dnerv.video.masks import Mask

Record = Mapping[str, Any]
_NAMES = {"nerv": "NeRV, one each", "nerv_joint": "NeRV, one for all", "dnerv": "D-NeRV"}
_HIDDEN = "#ff00c8"  # a colour that stands out


@dataclass(frozen=True)
class _KnownMasks:
    """Masks of an earlier run, by what its record says of them: they are in its cache."""

    said: Mapping[str, Any]

    def of(self, video: CachedVideo) -> Iterator[Mask]:
        """Raise InputError: the cache has lost them."""
        raise InputError(f"{video.store.path.parent} has no masks of {video.name!r}: run what has made it again")

    def to_json(self) -> dict[str, Any]:
        """What they depend on."""
        return dict(self.said)


def inpainted_videos(record: Record, folder: Path, options: ReportOptions, embed: Embedder) -> list[Clip]:
    """Decode what `folder` holds. Raises InputError where archives, frames or masks are not there any more."""
    is_study = record["study"] == "inpainting"
    masks = _KnownMasks(record["boxes"] if is_study else record["masks"])
    names = [video["name"] for video in record["videos"][: options.videos]]
    progress.stage("decoding what is shown", len(names))
    clips = []
    frames = folder / record["frames"]
    for place, name in enumerate(names):
        original = open_cached(name, frames)
        covered = hide(original, masks, frames)
        ways = _archives(record, place, folder) if is_study else {"made": (folder / ARCHIVE, name)}
        known = "boxes" in masks.said  # else what is hidden may be what should not be there
        clips.append(_clip(original, covered, ways, options.frames, embed, with_fill=is_study, is_known=known))
        progress.advance()
    return clips


def _archives(record: Record, place: int, folder: Path) -> dict[str, tuple[Path, str]]:
    """The archive of each way, and the video's name in it."""
    return {way: archive_of(record, way, place, folder) for way in _NAMES}


def _clip(
    original: CachedVideo,
    covered: CachedVideo,
    ways: Mapping[str, tuple[Path, str]],
    frames: int,
    embed: Embedder,
    *,
    with_fill: bool,
    is_known: bool,
) -> Clip:
    span = middle(original.timing.num_frames, frames)
    originals = list(original.store.read(list(span)))
    hidden = [mask_of(covered, index) for index in span]
    nothing = [""] * len(span)
    shares = [f"{mask.mean():.1%} hidden" for mask in hidden]
    views = [
        View("original", "Original", nothing, [embed.embed(frame) for frame in originals]),
        View(
            "hidden", "Hidden", shares, note="what the network never saw, in a colour.", under="original", paint=_HIDDEN
        ),
    ]
    if with_fill:
        filled = list(covered.store.read(list(span)))
        note = "what keyframes hold in place of hidden pixels, from neighbouring frames, uncoded."
        views.append(_composed("fill", "Fill alone", filled, originals, hidden, embed, note, is_known))
    for way, (path, name) in ways.items():
        label, made = _made(path, name, span)
        note = "its pixels inside the mask, the original outside."
        views.append(_composed(way, _NAMES.get(way, label), made, originals, hidden, embed, note, is_known))
    masks = [embed.embed_mask(mask) for mask in hidden]
    size, fps = (original.height, original.width), float(original.timing.average_fps)
    last = views[-1].key
    return Clip(original.name, span.start, original.timing.num_frames, fps, *size, views, "hidden", last, masks)


def _made(path: Path, name: str, span: range) -> tuple[str, list[Picture]]:
    """The network's name, and its frames."""
    if not path.exists():
        raise InputError(f"{path}: no such file; run the study again, or give its results.json alone")
    with Archive(path, size="coded") as archive:
        frames = archive[name][span.start : span.stop]
        family = "D-NeRV" if archive.config.model.uses_keyframes else "NeRV"
        return family, list(np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy()))


def _composed(
    key: str,
    label: str,
    made: Sequence[Picture],
    originals: Sequence[Picture],
    hidden: Sequence[Mask],
    embed: Embedder,
    note: str,
    is_known: bool,
) -> View:
    figures, images = [], []
    for frame, one, mask in zip(originals, made, hidden, strict=True):
        inside = f"{psnr(float(mse(frame[mask], one[mask]))):.2f} dB inside" if mask.any() else "nothing hidden"
        figures.append(inside if is_known else "")
        images.append(embed.embed(patch(one, mask), mask))
    return View(key, label, figures, images, note, under="original")

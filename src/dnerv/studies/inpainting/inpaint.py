"""One archive of videos with hidden pixels, and the videos with these pixels made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeOptions, encode
from dnerv.evaluation import QualityMeter, psnr
from dnerv.studies.prepared import Frame, claim, write_results
from dnerv.video import CachedVideo, Masks, Member, RandomBoxes, cache_video, discover, hide, read_mask, write_mp4
from dnerv.video.masks import Mask

ARCHIVE, VIDEOS, FRAMES = "inpainted.dnerv", "videos", "frames"  # in the output folder


def inpaint(
    inputs: Sequence[Path],
    folder: Path,
    options: EncodeOptions,
    masks: Masks,
    listener: EncodeListener,
    *,
    device: str = "cpu",
) -> dict[str, Any]:
    """Inpaint in `folder`, or go on with it, and return the record that `results.json` holds.

    It leaves the archive, `videos/NAME.mp4` at the size that was coded, and the frames it worked on. How close the
    hidden pixels come is told where they are known, that is, for random boxes.

    Raises:
        InputError: masks that do not fit, a loss that cannot leave pixels out, or a folder of other work.
    """
    members = discover(inputs)
    job = {"encode": options.to_json(), "masks": masks.to_json()}
    claim(folder, members, job | {"device": device})
    hidden = hidden_videos(members, masks, folder, options, listener)
    path = folder / ARCHIVE
    if not path.exists():
        encode(inputs, path, options, masks=masks, device=device, listener=listener)
    record: dict[str, Any] = {"study": "inpaint", "masks": masks.to_json(), "videos": []}
    with Archive(path, device=device, size="coded") as archive:
        record["archive"] = {"path": str(path), "file_bytes": archive.file_bytes, "bpp": archive.bits_per_pixel}
        listener.stage("writing videos", archive.num_frames)
        for original, covered in hidden:
            name, target = original.name, folder / VIDEOS / f"{original.name}.mp4"
            frames = composed(archive, original, covered, listener.advance)
            write_mp4(target, frames, archive[name].entry.timing, force=True)
            record["videos"].append(_facts(archive, original, covered, known=isinstance(masks, RandomBoxes)))
    return write_results(folder, record)


def hidden_videos(
    members: Sequence[Member], masks: Masks, folder: Path, options: EncodeOptions, listener: EncodeListener
) -> list[tuple[CachedVideo, CachedVideo]]:
    """Each video as it is and with its hidden pixels filled, kept in `folder`."""
    listener.stage("hiding pixels", len(members))
    videos = []
    for member in members:
        original = cache_video(member, folder / FRAMES, size=options.resolution, fps=options.fps)
        videos.append((original, hide(original, masks, folder / FRAMES)))
        listener.advance()
    return videos


def composed(
    archive: Archive, original: CachedVideo, covered: CachedVideo, advance: Callable[[], None]
) -> Iterator[Frame]:
    """The original outside the mask, the network's pixels inside: uint8 [H, W, 3] a frame."""
    for index, made in enumerate(made_frames(archive, original.name)):
        hidden = mask_of(covered, index)[..., None]
        yield np.where(hidden, made, original.store.read([index])[0])
        advance()


def made_frames(archive: Archive, name: str) -> Iterator[Frame]:
    """Frames of a video out of an archive."""
    return (frame.permute(1, 2, 0).contiguous().cpu().numpy() for frame in archive[name])


def mask_of(covered: CachedVideo, index: int) -> Mask:
    """The hidden pixels of a frame."""
    assert covered.mask is not None
    return read_mask(covered.mask, index)


def add_errors(meter: QualityMeter, original: CachedVideo, covered: CachedVideo, frames: Iterator[Frame]) -> None:
    """Count the errors inside the mask, frame by frame; frames that hide nothing are passed over."""
    for index, made in enumerate(frames):
        hidden = mask_of(covered, index)
        if hidden.any():
            meter.add(original.name, masked_error(original.store.read([index])[0], made, hidden))


def masked_error(original: Frame, made: Frame, chosen: Mask) -> torch.Tensor:
    """Mean squared error of the chosen pixels: float64 [1]."""
    difference = original[chosen].astype(np.float64) - made[chosen]
    return torch.tensor([np.square(difference).mean()], dtype=torch.float64)


def _facts(archive: Archive, original: CachedVideo, covered: CachedVideo, *, known: bool) -> dict[str, Any]:
    inside: list[float] = []
    outside: list[float] = []
    share = 0.0
    for index, made in enumerate(made_frames(archive, original.name)):
        hidden, frame = mask_of(covered, index), original.store.read([index])[0]
        share += hidden.mean() / original.timing.num_frames
        for chosen, errors in ((hidden, inside), (~hidden, outside)):
            if chosen.any():
                errors.append(psnr(masked_error(frame, made, chosen)).item())
    return {
        "name": original.name,
        "frames": original.timing.num_frames,
        "hidden": share,  # of all pixels
        "psnr_inside": float(np.mean(inside)) if known and inside else None,
        "psnr_outside": float(np.mean(outside)) if outside else None,
    }

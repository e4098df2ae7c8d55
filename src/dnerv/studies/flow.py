"""How the network moves its keyframes, in the colours that flow is usually shown in."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from dnerv.archive import Archive
from dnerv.families import assemble
from dnerv.studies.views import Picture

Flow = NDArray[np.float32]  # [H, W, 2], (dx, dy) in pixels
# Baker et al., A Database and Evaluation Methodology for Optical Flow (Middlebury): steps from one pure colour to the
# next, more of them where the eye sees more.
_STEPS = (
    ("red", "yellow", 15),
    ("yellow", "green", 6),
    ("green", "cyan", 4),
    ("cyan", "blue", 11),
    ("blue", "magenta", 13),
    ("magenta", "red", 6),
)
_PURE = {
    "red": (255, 0, 0),
    "yellow": (255, 255, 0),
    "green": (0, 255, 0),
    "cyan": (0, 255, 255),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
}


def flow_to_keyframe(archive: Archive, name: str, first: int, count: int) -> Flow | None:
    """The finest flow of frames `first` ... of a video, to the keyframe before each: [count, H, W, 2] at coded size.

    It says where, in the keyframe before, the network looks for what each pixel shows. None where there is no network
    for it, or one that has no keyframes or no flow.
    """
    entry = archive[name].entry
    if entry.network_frame is None or not archive.network.config.model.uses_keyframes:
        return None
    network, reader = archive.network, archive.base.reader(entry)
    layout, length, parts = network.layout(entry), network.config.model.clip_length, []
    for clip in range(first // length, (first + count - 1) // length + 1):
        tiles = []
        for request in layout.requests(clip, reader):
            with torch.inference_mode():
                motion = network.model.motion(assemble([request]))
            if motion is None:
                return None
            tiles.append(motion.to_start)
        whole = layout.grid.join(torch.stack(tiles))[: len(layout.timeline.clip(clip))]
        parts.append(whole.permute(0, 2, 3, 1).float().numpy())
    start = first - first // length * length
    return np.concatenate(parts)[start : start + count]


def full_colour(flow: Flow) -> float:
    """Length in pixels that is given full colour: the longest, but for the half per cent that is longer still."""
    return max(0.2, float(np.quantile(np.hypot(flow[..., 0], flow[..., 1]), 0.995)))


def middlebury_colours(flow: Flow, full: float) -> Picture:
    """Flow [..., 2] as RGB uint8 [..., 3]: hue is the direction, white is rest, full colour is `full` pixels.

    Right is red, down yellow, left cyan to blue, up violet; what is longer than `full` is darkened.
    """
    wheel = _wheel()
    dx, dy = flow[..., 0] / full, flow[..., 1] / full
    length = np.hypot(dx, dy)[..., None]
    turn = (np.arctan2(-dy, -dx) / np.pi + 1) / 2 * (len(wheel) - 1)
    low = np.floor(turn).astype(int)
    share = (turn - low)[..., None]
    pure = (1 - share) * wheel[low] + share * wheel[(low + 1) % len(wheel)]
    colour = np.where(length <= 1 + 1e-6, 1 - length * (1 - pure), 0.75 * pure)
    return np.asarray(np.floor(255 * colour.clip(0, 1)), np.uint8)


@cache
def _wheel() -> NDArray[np.float64]:
    """RGB in [0, 1] of 55 directions, [55, 3]."""
    parts = [np.linspace(_PURE[a], _PURE[b], steps, endpoint=False) for a, b, steps in _STEPS]
    return np.floor(np.concatenate(parts)) / 255

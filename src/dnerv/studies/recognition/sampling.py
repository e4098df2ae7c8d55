"""Which frames of which videos a classifier sees, and from where: drawn from seed and epoch alone.

The pixels play no part in it, so that raw and compressed videos are seen in the same clips, crops and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerv.loading.augmentation import Draw

_ORDER_DRAW, _FRAME_DRAW = 5, 6  # first word of a seed: no two kinds of draws share their numbers


@dataclass(frozen=True)
class Clip:
    """Some frames of one video, and how they are cropped and flipped."""

    name: str
    frames: NDArray[np.int64]  # [T], ascending
    draw: Draw


def segment_frames(num_frames: int, count: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
    """One frame of each of `count` equal stretches of a video: int64 [count], ascending.

    Anywhere in its stretch, or in the middle where there is no `rng`. Short videos repeat frames.
    """
    shares = np.full(count, 0.5) if rng is None else rng.random(count)
    places = (np.arange(count) + shares) * (num_frames / count)
    return np.minimum(places.astype(np.int64), num_frames - 1)


def training_batches(
    lengths: Mapping[str, int], names: Sequence[str], *, frames: int, batch: int, seed: int, epoch: int
) -> list[list[Clip]]:
    """One epoch: every video once, in an order of its own, in whole batches; the few that do not fill one wait.

    Args:
        lengths: frames of each video. names: of those to train on.
    """
    order = np.random.default_rng((_ORDER_DRAW, seed, epoch)).permutation(len(names)).tolist()
    clips = []
    for place in order:
        rng = np.random.default_rng((_FRAME_DRAW, seed, epoch, place))
        chosen = segment_frames(lengths[names[place]], frames, rng)
        clips.append(Clip(names[place], chosen, Draw.of(seed, epoch, place)))
    whole = max(batch, len(clips) // batch * batch)  # all in one where there are fewer than a batch
    return list(_cut(clips[:whole], batch))


def centred_batches(lengths: Mapping[str, int], names: Sequence[str], *, frames: int, batch: int) -> list[list[Clip]]:
    """Every video once, in order: the middles of its stretches, the centre of its frames."""
    return list(_cut([Clip(name, segment_frames(lengths[name], frames), Draw()) for name in names], batch))


def _cut(clips: Sequence[Clip], batch: int) -> Iterator[list[Clip]]:
    return (list(clips[start : start + batch]) for start in range(0, len(clips), batch))

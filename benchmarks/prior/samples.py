"""Pairs in the accelerator's memory, and batches drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from prior.pairs import Pair
from torch import Tensor

_LOWEST_ERROR = 2e-5  # mean squared, of frames in [0, 1]: 47 dB; better frames count no more than these
_MISSING = 0.05  # of batches' neighbours, and of their anchors: as at the borders of groups


@dataclass(frozen=True)
class Batch:
    """Frames to restore."""

    shown: Tensor  # float [B, 5, 3, H, W], RGB in [0, 1]: as `Prior` takes them
    conditions: Tensor  # float [B, 12]
    wanted: Tensor  # float [B, 3, H, W]
    weight: Tensor  # float [B], one over the mean squared error of the current frame


class Samples:
    """Grows until it is full; then pairs that come are dropped."""

    def __init__(self, capacity: int, size: tuple[int, int], device: torch.device) -> None:
        """`capacity`: frames, decoded; half as many sources."""
        self.device, self.dropped = device, 0
        self._decoded = torch.empty(capacity, 3, *size, dtype=torch.uint8, device=device)
        self._sources = torch.empty(capacity // 2, 3, *size, dtype=torch.uint8, device=device)
        rows = 2 * capacity
        self._frames = torch.empty(rows, 7, dtype=torch.int64, device=device)  # first, second, shown, source
        self._numbers = torch.empty(rows, 14, dtype=torch.float32, device=device)  # share, weight, conditions
        self._num_decoded = self._num_sources = self._num_rows = 0
        self._first_source: dict[tuple[str, int], int] = {}

    def __len__(self) -> int:
        return self._num_rows

    @property
    def num_decoded(self) -> int:
        """Frames of base layers."""
        return self._num_decoded

    def add(self, pair: Pair) -> None:
        """Take a pair in."""
        key = (str(pair.job.path), pair.window)
        count, coded = len(pair.source), len(pair.decoded)
        new_sources = 0 if key in self._first_source else count
        if (
            self._num_decoded + coded > len(self._decoded)
            or self._num_sources + new_sources > len(self._sources)
            or self._num_rows + count > len(self._frames)
        ):
            self.dropped += 1
            return
        if new_sources:
            self._first_source[key] = self._num_sources
            self._sources[self._num_sources : self._num_sources + count] = torch.from_numpy(pair.source)
            self._num_sources += count
        first_decoded = self._num_decoded
        self._decoded[first_decoded : first_decoded + coded] = torch.from_numpy(pair.decoded)
        self._num_decoded += coded
        seen = pair.context
        places = torch.column_stack([torch.from_numpy(part) for part in (seen.first, seen.second, seen.shown)])
        places = places.to(self.device) + first_decoded
        sources = torch.arange(count, device=self.device) + self._first_source[key]
        share = torch.from_numpy(seen.share).to(self.device)
        error = (self._current(places, share) - self._sources[sources].float() / 255).square().mean((1, 2, 3))
        rows = slice(self._num_rows, self._num_rows + count)
        self._frames[rows] = torch.column_stack((places, sources))
        self._numbers[rows, 0] = share
        self._numbers[rows, 1] = 1 / error.clamp(min=_LOWEST_ERROR)
        self._numbers[rows, 2:] = torch.from_numpy(seen.conditions).to(self.device)
        self._num_rows += count

    def draw(self, size: int) -> Batch:
        """Frames at random, flipped at random in space and in time."""
        rows = torch.randint(self._num_rows, (size,), device=self.device)
        places, numbers = self._frames[rows], self._numbers[rows]
        conditions = numbers[:, 2:].clone()
        places = self._with_gaps(places, conditions)
        batch = self._batch(places, numbers[:, 0], conditions, self._sources[places[:, 6]], numbers[:, 1])
        return _turned(batch)

    def all_of(self, pair: Pair) -> Batch:
        """All frames of a pair, which need not have been taken in."""
        decoded, seen = torch.from_numpy(pair.decoded).to(self.device), pair.context
        places = torch.column_stack([torch.from_numpy(part) for part in (seen.first, seen.second, seen.shown)])
        share, conditions = (torch.from_numpy(part).to(self.device) for part in (seen.share, seen.conditions))
        source = torch.from_numpy(pair.source).to(self.device)
        return self._batch(places.to(self.device), share, conditions, source, torch.ones_like(share), decoded)

    def _batch(
        self,
        places: Tensor,
        share: Tensor,
        conditions: Tensor,
        wanted: Tensor,
        weight: Tensor,
        decoded: Tensor | None = None,
    ) -> Batch:
        decoded = self._decoded if decoded is None else decoded
        others = decoded[places[:, 2:6]].float() / 255
        shown = torch.cat((self._current(places, share, decoded)[:, None], others), dim=1)
        return Batch(shown, conditions, wanted.float() / 255, weight)

    def _current(self, places: Tensor, share: Tensor, decoded: Tensor | None = None) -> Tensor:
        """The frames as the base layer shows them: coded, or a blend in whole levels."""
        decoded = self._decoded if decoded is None else decoded
        blend = torch.lerp(decoded[places[:, 0]].float(), decoded[places[:, 1]].float(), share[:, None, None, None])
        return blend.round_() / 255

    def _with_gaps(self, places: Tensor, conditions: Tensor) -> Tensor:
        """Some neighbours and anchors replaced by the frame's own, as where a group ends; conditions in place."""
        gone = torch.rand(len(places), 4, device=self.device) < _MISSING
        is_blend = conditions[:, 1:2] > 0
        gone[:, :2] &= ~is_blend  # a blend has both of its neighbours
        own = places[:, [0, 1, 0, 1]]
        # A blend's own frames are its neighbours: an anchor that is gone has their bits, and their distance.
        near = is_blend * conditions[:, [4, 5, 8, 9]]
        nothing = torch.zeros_like(near[:, :2])
        bits, distances = torch.cat((nothing, near[:, :2]), dim=1), torch.cat((nothing, near[:, 2:] / 4), dim=1)
        conditions[:, 4:8] = torch.where(gone, bits, conditions[:, 4:8])
        conditions[:, 8:] = torch.where(gone, distances, conditions[:, 8:])
        return torch.cat((places[:, :2], torch.where(gone, own, places[:, 2:6]), places[:, 6:]), dim=1)


def _turned(batch: Batch) -> Batch:
    """Mirrored in each direction for every other batch; before and after exchanged for every other frame."""
    shown, wanted = batch.shown, batch.wanted
    axes = [axis for axis in (-1, -2) if torch.rand(()) < 0.5]
    if axes:
        shown, wanted = shown.flip(axes), wanted.flip(axes)
    backwards = torch.rand(len(shown), device=shown.device) < 0.5
    order = torch.tensor([0, 2, 1, 4, 3], device=shown.device)
    shown = torch.where(backwards[:, None, None, None, None], shown[:, order], shown)
    columns = torch.tensor([0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 11, 10], device=shown.device)
    conditions = torch.where(backwards[:, None], batch.conditions[:, columns], batch.conditions)
    return Batch(shown, conditions, wanted, batch.weight)

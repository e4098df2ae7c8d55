"""Tiles: a frame larger than the model's canvas is cut into overlapping pieces and joined without a seam.

Along each axis tiles start every `tile - overlap` pixels and the last is flush with the border. Where tiles
overlap, each fades linearly into the next; the weights of all tiles sum to one at every pixel.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from dnerv.errors import InputError


@dataclass(frozen=True)
class TileGrid:
    """Places of the tiles of one frame size; all lengths in pixels."""

    height: int
    width: int
    tile_height: int
    tile_width: int
    overlap: int = 16  # shared by neighbouring tiles, at least; smaller than a tile wherever there are several

    def __post_init__(self) -> None:
        """Raise InputError for sizes that cannot be tiled."""
        for size, tile in ((self.height, self.tile_height), (self.width, self.tile_width)):
            if size < 1 or tile < 1 or self.overlap < 0 or (size > tile and self.overlap >= tile):
                raise InputError(
                    f"a side of {size} cannot be cut into tiles of {tile} that overlap by {self.overlap}: "
                    "sides are at least 1 and the overlap is from 0 to below the tile"
                )

    @property
    def positions(self) -> tuple[tuple[int, int], ...]:
        """(top, left) of every tile, row by row."""
        lefts = _starts(self.width, self.tile_width, self.overlap)
        return tuple((top, left) for top in _starts(self.height, self.tile_height, self.overlap) for left in lefts)

    @property
    def num_tiles(self) -> int:
        """Number of tiles, >= 1."""
        return _count(self.height, self.tile_height, self.overlap) * _count(self.width, self.tile_width, self.overlap)

    def cut(self, frames: Tensor) -> Tensor:
        """All tiles of frames [..., H, W], any dtype: [num_tiles, ..., tile_height, tile_width]."""
        return torch.stack([self.cut_one(frames, index) for index in range(self.num_tiles)])

    def cut_one(self, frames: Tensor, index: int) -> Tensor:
        """Tile `index` of frames [..., H, W]: [..., tile_height, tile_width]; missing edges are repeated."""
        if frames.shape[-2:] != (self.height, self.width):
            raise ValueError(f"frames of {tuple(frames.shape[-2:])} for a grid of {(self.height, self.width)}")
        row, column = divmod(index, _count(self.width, self.tile_width, self.overlap))
        top = _start(row, self.height, self.tile_height, self.overlap)
        left = _start(column, self.width, self.tile_width, self.overlap)
        tile = frames[..., top : top + self.tile_height, left : left + self.tile_width]
        return _repeat_edge(_repeat_edge(tile, -2, self.tile_height), -1, self.tile_width)

    def join(self, tiles: Tensor) -> Tensor:
        """Frames [..., H, W] of float tiles [num_tiles, ..., tile_height, tile_width], cross-faded."""
        expected = (self.num_tiles, self.tile_height, self.tile_width)
        if (tiles.shape[0], *tiles.shape[-2:]) != expected:
            raise ValueError(f"tiles of {tuple(tiles.shape)} for a grid of {expected}")
        if self.num_tiles == 1:
            return tiles[0, ..., : self.height, : self.width]
        rows = _weights(self.height, self.tile_height, self.overlap, tiles)
        columns = _weights(self.width, self.tile_width, self.overlap, tiles)
        frames = tiles.new_zeros((*tiles.shape[1:-2], self.height, self.width))
        for index, (top, left) in enumerate(self.positions):
            row, column = rows[index // len(columns)], columns[index % len(columns)]
            height, width = len(row), len(column)
            part = tiles[index, ..., :height, :width] * (row[:, None] * column)  # [..., height, width]
            frames[..., top : top + height, left : left + width] += part
        return frames


def choose_canvas(
    sizes: Iterable[tuple[int, int]],
    multiple: tuple[int, int],
    limit: tuple[int, int] = (384, 640),
    overlap: int = 16,
) -> tuple[int, int]:
    """The canvas (height, width) that covers all `sizes` with the fewest canvas pixels; of equals, the
    largest.

    sizes: (height, width) of each video, repeats count. multiple: each side of the canvas is a multiple of
    it, and at most `limit`. overlap: of neighbouring tiles, pixels. Raises InputError if there is no size or
    no such canvas.
    """
    counts = Counter(sizes)
    heights = range(multiple[0], limit[0] + 1, multiple[0])
    widths = range(multiple[1], limit[1] + 1, multiple[1])
    if not counts:
        raise InputError("there is no video to choose a canvas for")
    rows = _counts_by_tile(heights, {height for height, _ in counts}, overlap)
    columns = _counts_by_tile(widths, {width for _, width in counts}, overlap)
    if not rows or not columns:
        raise InputError(f"no canvas of multiples of {multiple} within {limit} holds tiles that overlap by {overlap}")
    costs = {
        (height, width): height * width * sum(n * down[h] * across[w] for (h, w), n in counts.items())
        for height, down in rows.items()
        for width, across in columns.items()
    }
    return min(costs, key=lambda canvas: (costs[canvas], -canvas[0] * canvas[1], -canvas[0]))


def _counts_by_tile(tiles: Iterable[int], sizes: set[int], overlap: int) -> dict[int, dict[int, int]]:
    """For each usable tile length, the number of tiles that each size takes along this axis."""
    usable = (tile for tile in tiles if tile > overlap or tile >= max(sizes))
    return {tile: {size: _count(size, tile, overlap) for size in sizes} for tile in usable}


def _count(size: int, tile: int, overlap: int) -> int:
    return 1 if size <= tile else ceil((size - overlap) / (tile - overlap))


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    """First pixel of each tile along one axis, increasing; the last tile ends where the frame does."""
    return [_start(index, size, tile, overlap) for index in range(_count(size, tile, overlap))]


def _start(index: int, size: int, tile: int, overlap: int) -> int:
    return min(index * (tile - overlap), max(0, size - tile))


def _repeat_edge(tile: Tensor, dim: int, length: int) -> Tensor:
    """`tile` grown to `length` along `dim` by repeating its last slice (torch pads only floats this way)."""
    size = tile.shape[dim]
    if size == length:
        return tile
    return tile.index_select(dim, torch.arange(length, device=tile.device).clamp(max=size - 1))


def _weights(size: int, tile: int, overlap: int, like: Tensor) -> list[Tensor]:
    """Cross-fade weights of each tile along one axis, [min(tile, size)] each, summing to 1 at every pixel."""
    starts = _starts(size, tile, overlap)
    length = min(tile, size)
    ramps = torch.zeros(len(starts), size, dtype=torch.float64)
    inside = torch.arange(1, length + 1, dtype=torch.float64)
    for index, start in enumerate(starts):
        before = start - starts[index - 1] if index else 0  # distance to a neighbour; 0: there is none
        after = starts[index + 1] - start if index + 1 < len(starts) else 0
        rising = inside / (length - before + 1) if before else torch.ones_like(inside)
        falling = inside.flip(0) / (length - after + 1) if after else torch.ones_like(inside)
        ramps[index, start : start + length] = torch.minimum(rising, falling).clamp(max=1)
    ramps /= ramps.sum(0)
    return [ramps[i, start : start + length].to(like) for i, start in enumerate(starts)]

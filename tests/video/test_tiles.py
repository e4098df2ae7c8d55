from itertools import pairwise

import pytest
import torch

from dnerv.errors import InputError
from dnerv.video import TileGrid, choose_canvas

SIZES = [(1, 1), (17, 33), (32, 48), (33, 49), (63, 95), (64, 200), (101, 151), (20, 300)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("overlap", [0, 1, 8, 15, 31])
def test_join_undoes_cut(height: int, width: int, overlap: int) -> None:
    grid = TileGrid(height, width, 32, 48, overlap)
    frames = torch.rand(2, 3, height, width)
    tiles = grid.cut(frames)
    assert tiles.shape == (grid.num_tiles, 2, 3, 32, 48)
    assert torch.allclose(grid.join(tiles), frames, atol=1e-5, rtol=0)
    assert torch.allclose(grid.join(torch.ones_like(tiles)), torch.ones(()), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_positions_cover_and_end_flush(height: int, width: int) -> None:
    grid = TileGrid(height, width, 32, 48, 8)
    assert len(grid.positions) == grid.num_tiles
    assert grid.positions[0] == (0, 0)
    assert grid.positions[-1] == (max(0, height - 32), max(0, width - 48))
    for axis, tile in ((0, 32), (1, 48)):
        starts = sorted({position[axis] for position in grid.positions})
        assert all(0 < after - before <= tile - 8 for before, after in pairwise(starts))


def test_one_tile_more_is_not_spent() -> None:
    assert TileGrid(32 + 24, 48, 32, 48, 8).num_tiles == 2
    assert TileGrid(32 + 25, 48, 32, 48, 8).num_tiles == 3


def test_small_frames_repeat_their_edge() -> None:
    frame = torch.arange(6, dtype=torch.uint8).reshape(1, 2, 3)
    tile = TileGrid(2, 3, 4, 4, 1).cut(frame)
    assert tile.dtype == torch.uint8
    assert tile[0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]


def test_the_fade_is_linear_across_the_overlap() -> None:
    grid = TileGrid(4, 12, 4, 8, 4)
    tiles = torch.stack([torch.zeros(4, 8), torch.ones(4, 8)])
    expected = torch.tensor([0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1])
    assert torch.allclose(grid.join(tiles)[2], expected, atol=1e-6)


def test_cut_one_is_cut_and_half_precision_joins() -> None:
    grid = TileGrid(50, 70, 32, 48, 8)
    frames = torch.rand(3, 50, 70)
    assert all(torch.equal(grid.cut_one(frames, i), tile) for i, tile in enumerate(grid.cut(frames)))
    half = grid.join(grid.cut(frames.bfloat16()))
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), frames, atol=0.02)


@pytest.mark.parametrize("fields", [(0, 5, 4, 4, 1), (5, 5, 0, 4, 1), (5, 5, 4, 4, 4), (5, 5, 4, 4, -1)])
def test_impossible_grids(fields: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(InputError):
        TileGrid(*fields)


def test_wrong_shapes_are_refused() -> None:
    grid = TileGrid(50, 70, 32, 48, 8)
    with pytest.raises(ValueError, match="grid"):
        grid.cut(torch.rand(3, 50, 71))
    with pytest.raises(ValueError, match="grid"):
        grid.join(torch.rand(3, 32, 48))


def brute_force(sizes: list[tuple[int, int]], multiple: tuple[int, int], limit: tuple[int, int], overlap: int) -> int:
    costs = []
    for height in range(multiple[0], limit[0] + 1, multiple[0]):
        for width in range(multiple[1], limit[1] + 1, multiple[1]):
            try:
                count = sum(TileGrid(h, w, height, width, overlap).num_tiles for h, w in sizes)
            except InputError:
                continue
            costs.append(count * height * width)
    return min(costs)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(256, 320)], (256, 320)),
        ([(240, 320)] * 3, (256, 320)),
        ([(1, 1)], (64, 64)),
        ([(384, 640)], (384, 640)),
    ],
)
def test_canvas_fits_common_sizes(sizes: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    assert choose_canvas(sizes, (64, 64)) == expected


@pytest.mark.parametrize("sizes", [[(720, 1280)], [(480, 854)], [(240, 320), (256, 340), (720, 1280)]])
def test_canvas_is_the_cheapest(sizes: list[tuple[int, int]]) -> None:
    height, width = choose_canvas(sizes, (32, 32), (384, 640), 16)
    assert height % 32 == width % 32 == 0
    assert (height, width) <= (384, 640)
    cost = sum(TileGrid(h, w, height, width, 16).num_tiles for h, w in sizes) * height * width
    assert cost == brute_force(sizes, (32, 32), (384, 640), 16)


def test_canvas_counts_repeats_and_prefers_the_larger() -> None:
    assert choose_canvas([(64, 64)] * 100 + [(64, 128)], (64, 64), overlap=0) == (64, 64)
    assert choose_canvas([(64, 128)], (64, 64), overlap=0) == (64, 128)


def test_no_canvas() -> None:
    with pytest.raises(InputError, match="no video"):
        choose_canvas([], (32, 32))
    with pytest.raises(InputError, match="no canvas"):
        choose_canvas([(500, 500)], (512, 512))

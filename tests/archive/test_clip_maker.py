"""Requests and joining, apart from what makes the frames in between."""

from pathlib import Path

import numpy as np
import torch

from dnerv.archive import Archive, ClipLayout
from dnerv.archive.clip_maker import make_clip
from dnerv.video import TileGrid, Timeline


def test_a_request_per_tile_and_no_keyframes_for_nerv() -> None:
    layout = ClipLayout(Timeline(5, 4, 4), TileGrid(8, 12, 8, 8, 2), (10, 20), 40.0)
    requests = layout.requests(1, None)
    assert len(requests) == 2
    assert tuple(requests[0].keyframes.shape) == (0, 3, 8, 8)
    np.testing.assert_allclose(requests[0].conditioning.time, [14 / 20] * 4)  # one real frame, three repeats


def test_joined_without_padding_in_eight_bits() -> None:
    layout = ClipLayout(Timeline(5, 4, 4), TileGrid(8, 12, 8, 8, 2), None, 40.0)
    tiles = torch.full((2, 4, 3, 8, 8), 0.5)
    assert layout.join(0, tiles).shape == (4, 3, 8, 12)
    last = layout.join(1, tiles)
    assert (tuple(last.shape), last.dtype) == ((1, 3, 8, 12), torch.uint8)
    assert last.unique().tolist() == [128]
    assert layout.join(1, tiles * 3).unique().tolist() == [255]


def test_all_tiles_of_many_clips_in_one_pass(archive_path: Path) -> None:
    """What a loader does gives what a reader does, but for the last place of a float."""
    with Archive(archive_path, size="coded") as archive:
        network = archive.network
        for video in filter(lambda each: archive.uses_network(each.entry), archive):
            layout, base = network.layout(video.entry), archive.base.reader(video.entry)
            clips = range(layout.timeline.num_clips)
            requests = [request for clip in clips for request in layout.requests(clip, base)]
            tiles = network.maker.batch(requests).unflatten(0, (len(clips), layout.grid.num_tiles))
            frames = torch.cat([layout.join(clip, tiles[clip]) for clip in clips])
            alone = torch.cat([make_clip(network.maker, layout, clip, base) for clip in clips])
            assert torch.equal(alone, video[:])
            assert (frames.int() - alone.int()).abs().max() <= 1

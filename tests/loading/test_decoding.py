import numpy as np
import pytest
import torch

from dnerv.loading.decoding import gather
from dnerv.loading.windows import Sample


@pytest.mark.parametrize(
    "frames",
    [[0], [5], [2, 3, 4, 5, 6], [0, 3, 6], [1, 5], [3, 3, 3], [5, 6, 6, 6], [0, 2, 4, 6, 6], [4, 6, 6], [6, 6]],
)
def test_gather(frames: list[int]) -> None:
    """Seven frames in network clips of four; each is filled with its own number."""
    video = torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1).expand(7, 3, 2, 2)
    decoded = {(9, 0): video[:4], (9, 1): video[4:], (8, 0): video[:1]}
    clip = gather(Sample(0, 9, np.array(frames, np.int64)), decoded, 4)
    assert clip.shape == (len(frames), 3, 2, 2)
    assert clip[:, 0, 0, 0].tolist() == frames

import numpy as np
import pytest
import torch

from dnerv.loading.decoding import Frames


@pytest.mark.parametrize(
    "wanted",
    [[0], [5], [2, 3, 4, 5, 6], [0, 3, 6], [1, 5], [3, 3, 3], [5, 6, 6, 6], [0, 2, 4, 6, 6], [4, 6, 6], [6, 6], [5, 1]],
)
def test_clips_are_gathered(wanted: list[int]) -> None:
    """Seven frames, each filled with its own number, of which all or just the wanted ones are there."""
    video = torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1).expand(7, 3, 2, 2)
    for there in (list(range(7)), sorted(set(wanted))):
        clip = Frames(np.array(there), video[there]).clip(np.array(wanted, np.int64))
        assert clip.shape == (len(wanted), 3, 2, 2)
        assert clip[:, 0, 0, 0].tolist() == wanted

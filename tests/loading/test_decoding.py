from pathlib import Path

import numpy as np
import pytest
import torch

from dnerv.archive import Archive
from dnerv.archive.base_on_device import SamplesToSend
from dnerv.loading.decoding import Frames, decode
from dnerv.loading.preparation import Preparation
from dnerv.loading.windows import Sample


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


def test_frames_made_of_samples_are_the_same(base_path: Path) -> None:
    """Blends and coded frames of several videos at once, some of them twice in a batch."""
    with Archive(base_path) as archive:
        counts = [entry.timing.num_frames for entry in archive.entries]
        samples = [Sample(0, place, np.arange(count)[:7:-1]) for place, count in enumerate(counts) if count > 8]
        samples += [Sample(0, place, np.arange(count)[: 2 * place + 1]) for place, count in enumerate(counts)]
        made = []
        for converts_on_device in (False, True):
            with Preparation(archive, threads=1, converts_on_device=converts_on_device) as preparation:
                ((_, prepared),) = preparation.ahead([samples], 0)
            assert {isinstance(footage.frames, SamplesToSend) for footage in prepared.values()} == {converts_on_device}
            made.append(decode(prepared))
    for place in range(len(counts)):
        assert made[0][place].indices.tolist() == made[1][place].indices.tolist()
        assert torch.equal(made[0][place].data, made[1][place].data)
        assert made[0][place].data.float().std() > 5

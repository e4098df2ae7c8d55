"""Clips stacked into a batch."""

import numpy as np
import torch

from dnerv.families import ClipRequest, assemble
from dnerv.video import Timeline


def test_each_clip_points_at_its_own_keyframes() -> None:
    long, short = Timeline(10, 4, 2), Timeline(1, 4, 2)
    numbered = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 2, 2)
    one = long.clip_conditioning(1)  # frames 4 to 7 need keyframes 2, 3 and 4
    inputs = assemble(
        [
            ClipRequest(one, 2, numbered[2:5], (40.0, 4)),
            ClipRequest(short.clip_conditioning(0), 0, numbered[5:], (47.25, 8)),
        ]
    )
    ordinals = (inputs.keyframes[:, 0, 0, 0] * 255).round().long()
    assert ordinals.tolist() == [2, 3, 4, 5]
    assert ordinals[inputs.start[0]].tolist() == [2, 2, 3, 3]
    assert ordinals[inputs.end[0]].tolist() == [3, 3, 4, 4]
    assert ordinals[inputs.start[1]].tolist() == ordinals[inputs.end[1]].tolist() == [5] * 4
    assert inputs.distance[0].tolist() == [0, 0.5, 0, 0.5]
    assert inputs.distance[1].tolist() == [0] * 4
    np.testing.assert_allclose(inputs.time[0], np.arange(4, 8) / 9, rtol=1e-6)
    assert inputs.time.dtype == inputs.distance.dtype == inputs.entry.dtype == torch.float32
    assert inputs.to("cpu").start.equal(inputs.start)

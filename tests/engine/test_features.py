"""Features of keyframes, joined."""

import torch

from dnerv.engine import Features


def test_joining_keeps_order_and_leaves_one_alone() -> None:
    parts = [Features(torch.full((n, 2, 1, 1), n), (torch.full((n, 3, 3, 4), n),), torch.full((n, 3, 6, 6), n))
             for n in (1, 2)]  # fmt: skip
    joined = Features.join(parts)
    assert joined.coarsest[:, 0, 0, 0].tolist() == joined.colours[:, 0, 0, 0].tolist() == [1, 2, 2]
    assert [tuple(each.shape) for each in joined.maps] == [(3, 3, 3, 4)]
    assert Features.join(parts[:1]) is parts[0]

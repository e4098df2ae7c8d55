import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.loading.epochs import Epochs, epoch_order
from dnerv.loading.shares import Share
from dnerv.loading.windows import Windows


def epochs(lengths: list[int], share: Share, *, drop_last: bool = False) -> Epochs:
    return Epochs(Windows(lengths, 4), [7 + i for i in range(len(lengths))], share, 2, True, 0, drop_last)


def test_one_clip() -> None:
    ((sample,),) = epochs([1], Share()).batches(0, 0)
    assert (sample.index, sample.place, sample.frames.tolist()) == (0, 7, [0, 0, 0, 0])
    assert len(epochs([1], Share(1, 2))) == 0
    assert list(epochs([1], Share(1, 2)).batches(0, 0)) == []
    with pytest.raises(InputError, match="drop_last leaves no batch: 1 clips, batch_size 2, world_size 1"):
        epochs([1], Share(), drop_last=True)


@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_from_anywhere(drop_last: bool) -> None:
    parts = [epochs([13, 4, 40], Share(part, 2), drop_last=drop_last) for part in range(2)]
    batches = [[[sample.index for sample in batch] for batch in part.batches(3, 0)] for part in parts]
    assert [len(part) for part in parts] == [len(part) for part in batches]
    taken = [index for part in batches for batch in part for index in batch]
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == (12 if drop_last else 14)
    later = [[sample.index for sample in batch] for batch in parts[1].batches(3, 2)]
    assert later == batches[1][2:]
    assert list(parts[0].batches(3, 99)) == []


def test_order() -> None:
    assert epoch_order(5, seed=1, epoch=1, shuffle=False).tolist() == [0, 1, 2, 3, 4]
    orders = [epoch_order(50, seed=s, epoch=e, shuffle=True) for s, e in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert np.array_equal(orders[1], epoch_order(50, seed=0, epoch=1, shuffle=True))

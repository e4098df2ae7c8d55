import os

import pytest

from dnerv.errors import InputError
from dnerv.loading import shares
from dnerv.loading.shares import Share, chosen_share, decoding_threads


@pytest.mark.parametrize("count", [1, 2, 7, 8, 23])
@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_all_shares_are_everything_once(count: int, of: int) -> None:
    parts = [Share(part, of).clips(count, 3, drop_last=False) for part in range(of)]
    assert [place for part in parts for place in part] == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)  # a state saved by rank 0 leaves no batch of another out


@pytest.mark.parametrize(("count", "of", "each"), [(23, 3, 6), (24, 2, 12), (24, 3, 6), (5, 2, 0), (6, 2, 3)])
def test_drop_last_gives_equal_whole_batches(count: int, of: int, each: int) -> None:
    parts = [Share(part, of).clips(count, 3, drop_last=True) for part in range(of)]
    assert [len(part) for part in parts] == [each] * of
    assert [place for part in parts for place in part] == list(range(each * of))
    assert count - each * of < 3 * of


def test_where_a_rank_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert chosen_share(None, None) == Share(0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert chosen_share(None, None) == Share(2, 4)
    assert chosen_share(0, 3) == Share(0, 3)
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    assert chosen_share(None, None) == Share(1, 2)


@pytest.mark.parametrize(("rank", "world_size"), [(0, None), (None, 2), (2, 2), (-1, 2), (0, 0)])
def test_ranks_that_are_none(rank: int | None, world_size: int | None) -> None:
    with pytest.raises(InputError, match="rank is"):
        chosen_share(rank, world_size)


def test_a_strange_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(InputError, match="RANK is 'first'"):
        chosen_share(None, None)


def test_threads_are_shared_by_the_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(24)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert decoding_threads() == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert decoding_threads() == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "100")
    assert decoding_threads() == 1


def test_workers_split_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    taken = []
    for rank in range(2):
        for worker in range(3):
            monkeypatch.setattr(shares, "get_worker_info", lambda: SimpleNamespace(num_workers=3, id=worker))  # noqa: B023
            taken += Share(rank, 2).within_worker().clips(20, 2, drop_last=False)
    assert taken == list(range(20))

"""Data sets and loaders shared by threads, and their workers where the archive has been replaced."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import threads
import torch
from torch.utils.data import DataLoader

from dnerv.errors import ArchiveError
from dnerv.loading import ClipDataset, Loader


@pytest.mark.parametrize(("name", "frames"), [("dataset", 8 * 15 * 3), ("loader", 9 * 12 * 4)])
def test_eight_threads_get_the_frames_of_one(alike_path: Path, name: str, frames: int) -> None:
    tally = threads.SHARED[name](alike_path, 8, 1)
    assert (tally.frames, tally.wrong, tally.errors) == (frames, 0, [])


def test_every_thread_has_an_epoch_of_its_own(alike_path: Path) -> None:
    loader = Loader(alike_path, batch_size=4)
    assert [loader.epoch for _ in range(3) if iter(loader)] == [0, 1, 2]


@pytest.fixture
def replaced(alike_path: Path, nerv_path: Path, tmp_path: Path) -> tuple[Path, Path]:
    """An archive to open, and another one to put in its place."""
    return Path(shutil.copy(alike_path, tmp_path / "a.dnerv")), Path(shutil.copy(nerv_path, tmp_path / "other.dnerv"))


def test_spawned_workers_refuse_another_archive(replaced: tuple[Path, Path]) -> None:
    path, other = replaced
    loader: Any = DataLoader(ClipDataset(path), num_workers=1, multiprocessing_context="spawn")
    other.replace(path)
    with pytest.raises(ArchiveError, match=r"a\.dnerv: the archive has been replaced since it was opened"):
        next(iter(loader))


def test_an_unpickled_loader_refuses_another_archive(replaced: tuple[Path, Path]) -> None:
    path, other = replaced
    loader = Loader(path, batch_size=2)
    loader.set_epoch(3)
    again = pickle.loads(pickle.dumps(loader))
    other.replace(path)
    with pytest.raises(ArchiveError, match="has been replaced"):
        next(iter(again))
    assert (again.epoch, next(iter(loader))[0].shape) == (3, (2, 4, 3, 32, 32))


def test_forked_workers_read_the_archive_that_was_opened(replaced: tuple[Path, Path]) -> None:
    """They have the open file, whatever its name stands for by then."""
    path, other = replaced
    dataset = ClipDataset(path)
    expected = [dataset[index][0] for index in range(len(dataset))]
    other.replace(path)
    loader: Any = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert [torch.equal(clip, known) for (clip, _, _), known in zip(loader, expected, strict=True)] == [True] * 12


def test_an_unpickled_data_set_opens_nothing_until_it_is_used(replaced: tuple[Path, Path]) -> None:
    path, _ = replaced
    again, unused = (pickle.loads(pickle.dumps(ClipDataset(path))) for _ in range(2))
    assert again[3][0].shape == (4, 3, 32, 32)
    path.unlink()
    assert len(unused) == 12
    for _ in range(2):
        with pytest.raises(ArchiveError, match="no such file"):
            pickle.loads(pickle.dumps(unused))[3]

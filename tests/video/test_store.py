import errno
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import InputError, OutputError
from dnerv.video import FrameStore, FrameStoreWriter


def numbered(count: int, height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def stored(path: Path, frames: np.ndarray) -> FrameStore:
    with FrameStoreWriter(path) as writer:
        for frame in frames:
            writer.append(frame)
    return writer.store()


def sum_of(store: FrameStore) -> int:
    return int(store.read(range(len(store))).astype(np.int64).sum())


def test_reads_back_any_order(tmp_path: Path) -> None:
    frames = numbered(6)
    store = stored(tmp_path / "v.rgb", frames)
    assert len(store) == 6
    assert store.is_complete()
    for indices in ([0], [5, 0, 5, 2], []):
        read = store.read(indices)
        assert read.dtype == np.uint8
        assert np.array_equal(read, frames[indices] if indices else frames[:0])


def test_appended_views_need_not_be_contiguous(tmp_path: Path) -> None:
    frames = numbered(2)[:, ::-1, ::2]
    assert np.array_equal(stored(tmp_path / "v.rgb", frames).read([0, 1]), frames)


@pytest.mark.parametrize("indices", [[-1], [3], [0, 99]])
def test_indices_outside(tmp_path: Path, indices: list[int]) -> None:
    with pytest.raises(InputError, match="0 to 2"):
        stored(tmp_path / "v.rgb", numbered(3)).read(indices)


# Later Pythons warn of forks beside threads, which is just what data loaders do.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_pickles_small_and_crosses_processes(tmp_path: Path) -> None:
    store = stored(tmp_path / "v.rgb", numbered(50, 20, 20))
    data = pickle.dumps(store)
    assert len(data) < 500
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(type(store).is_complete, (store,))
            assert np.array_equal(pool.apply(type(store).read, (store, [7])), store.read([7]))
    assert sum_of(pickle.loads(data)) == sum_of(store)


def test_truncated_or_lost_file(tmp_path: Path) -> None:
    store = stored(tmp_path / "v.rgb", numbered(3))
    os.truncate(store.path, store.frame_bytes * 2 + 1)
    assert not store.is_complete()
    assert store.read([1]).shape == (1, 5, 7, 3)
    with pytest.raises(InputError, match="end early"):
        store.read([2])
    store.path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        store.read([0])


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with FrameStoreWriter(tmp_path / "v.rgb") as writer:
            writer.append(numbered(1)[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:13]))
    frames = numbered(3)
    assert np.array_equal(stored(tmp_path / "v.rgb", frames).read([0, 1, 2]), frames)


def test_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        stored(tmp_path / "v.rgb", numbered(1))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        FrameStoreWriter(tmp_path / "none" / "v.rgb")


def test_frames_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8"):
        stored(tmp_path / "v.rgb", numbered(1).astype(np.float32))

    def two_sizes() -> None:
        with FrameStoreWriter(tmp_path / "v.rgb") as writer:
            writer.append(numbered(1)[0])
            writer.append(numbered(1, 9, 9)[0])

    with pytest.raises(ValueError, match="in a store of"):
        two_sizes()

"""What threads share, and what a forked or unpickled copy begins anew."""

import os
import pickle
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import threads

from dnerv.archive import Archive, changed_archive
from dnerv.archive.sharing import Guarded, Once, Recent, turns
from dnerv.errors import ArchiveError


def in_child(check: Callable[[], bool]) -> bool:
    """Run in a forked process; what it says, or False if it hangs."""
    child = os.fork()
    if not child:
        os._exit(0 if check() else 1)
    for _ in range(500):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


@pytest.fixture(params=["network", "base"])
def path(request: pytest.FixtureRequest, archive_path: Path, base_path: Path) -> Path:
    """Of an archive with a network, and of base layers alone."""
    return archive_path if request.param == "network" else base_path


@pytest.mark.parametrize("name", ["reader", "archive"])
def test_eight_threads_get_the_frames_of_one(path: Path, name: str) -> None:
    tally = threads.SHARED[name](path, 8, 3)
    assert (tally.frames, tally.wrong, tally.errors) == (8 * 3 * 22, 0, [])


def test_interpolation_beside_reading(path: Path) -> None:
    """Frames in between use the same keyframes and features as frames at random."""
    with Archive(path) as archive:
        reader = archive["walk"]
        expected, frames = list(reader.interpolated(2)), reader[:]
        found: dict[int, bool] = {}

        def run(number: int) -> None:
            if number % 2:
                between = list(reader.interpolated(2))
                found[number] = all((a == b).all() for a, b in zip(between, expected, strict=True))
            else:
                found[number] = all((reader[i] == frames[i]).all() for i in (9, 0, 5, 2, 8, 4) * 4)

        with threads.switching_often():
            running = [threading.Thread(target=run, args=(number,)) for number in range(8)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
    assert found == dict.fromkeys(range(8), True)


def test_frames_that_are_changed_are_the_callers_own(path: Path) -> None:
    with Archive(path) as archive:
        reader = archive["walk"]
        first = reader[0]
        for frame in reader.interpolated(1):
            frame.zero_()
        reader[0].zero_()
        archive.base.frames(reader.entry, [0]).fill(0)
        assert (reader[0] == first).all()


def test_a_lock_held_by_a_thread_is_free_in_a_forked_child() -> None:
    lock = turns()
    with lock:
        assert in_child(lambda: lock._lock.acquire(timeout=5))
        assert lock._lock.locked()
    with pickle.loads(pickle.dumps(lock)):
        assert not lock._lock.locked()


def test_a_state_is_a_processs_own() -> None:
    guarded: Guarded[Recent[int, str]] = Guarded(partial(Recent, 2))
    with guarded as recent:
        recent.get(1, str)

        def is_empty() -> bool:
            with guarded as other:
                return len(other) == 0

        assert in_child(is_empty)
    with guarded as again:
        assert again is recent
    with pickle.loads(pickle.dumps(guarded)) as other:
        assert len(other) == 0


def test_once_is_once() -> None:
    made, once = [], Once[int]()

    def make() -> int:
        time.sleep(0.01)
        made.append(1)
        return len(made)

    running = [threading.Thread(target=once.get, args=(make,)) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert made == [1]
    assert in_child(lambda: once.get(lambda: 5) == 1)  # what is made lives on in a child


def test_once_tries_again_after_an_error() -> None:
    once = Once[int]()
    with pytest.raises(ZeroDivisionError):
        once.get(lambda: 1 // 0)
    assert once.get(lambda: 3) == 3


def test_recent_makes_room_for_the_newest() -> None:
    recent, made = Recent[int, int](2), []

    def make(key: int) -> int:
        made.append(key)
        return -key

    assert [recent.get(key, make) for key in (1, 2, 1, 3, 1, 2)] == [-1, -2, -1, -3, -1, -2]
    assert made == [1, 2, 3, 2]  # 2 was used longest ago when 3 came
    assert len(recent) == 2


def test_what_was_pickled_refuses_another_file(archive_path: Path, nerv_path: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(archive_path, tmp_path / "a.dnerv"))
    with Archive(path) as archive:
        stored = [pickle.dumps(thing) for thing in (archive, archive["walk"], archive.container)]
        assert [pickle.loads(data) is not None for data in stored] == [True] * 3
        Path(shutil.copy(nerv_path, tmp_path / "other")).replace(path)
        for data in stored:
            with pytest.raises(ArchiveError, match=r"a\.dnerv: the archive has been replaced since it was opened"):
                pickle.loads(data)
        assert archive["walk"][3].shape == (3, 32, 32)  # what is open stays what it was


def test_one_changed_record_is_another_file(archive_path: Path, tmp_path: Path, rewrite: Callable[..., Path]) -> None:
    """Of the same size: the checksums in the table tell them apart."""
    one, other = (rewrite(archive_path, tmp_path / name, made=lambda _, n=name: {"is": n}) for name in "ab")
    assert one.stat().st_size == other.stat().st_size
    stored = pickle.dumps(Archive(one))
    other.replace(one)
    with pytest.raises(ArchiveError, match="replaced"):
        pickle.loads(stored)


def test_a_change_leaves_what_was_opened_before_as_it_was(archive_path: Path, tmp_path: Path) -> None:
    """Another process that unpickles it reads the state that was pickled."""
    path = Path(shutil.copy(archive_path, tmp_path / "a.dnerv"))
    with Archive(path) as archive:
        stored, expected = pickle.dumps(archive), archive["one"][0]
        with changed_archive(path) as writer:
            writer.remove_video("one")
            writer.finish({})
        for opened in (archive, pickle.loads(stored)):
            assert (opened["one"][0] == expected).all()
    with Archive(path) as archive:
        assert "one" not in archive


def test_an_index_that_a_thread_is_reading_is_free_in_a_forked_child(base_path: Path) -> None:
    with Archive(base_path) as archive, archive.index._lock:  # as by a thread
        assert in_child(lambda: "walk" in archive)

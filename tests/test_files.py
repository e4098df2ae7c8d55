"""Temporaries beside a destination: gone at the end, and after a kill with the next write."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dnerv import files
from dnerv.errors import OutputError
from dnerv.files import sweep, temporary_beside, write_atomically

KILLED = """
import os, signal, sys
from pathlib import Path
from dnerv.files import temporary_beside
with temporary_beside(Path(sys.argv[1]), is_folder=sys.argv[2] == "True") as temporary:
    target = temporary / "a" if temporary.is_dir() else temporary
    target.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_folder", [False, True])
def test_gone_unless_renamed(tmp_path: Path, is_folder: bool) -> None:
    with temporary_beside(tmp_path / "x", is_folder=is_folder) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.is_dir() == is_folder
    assert list(tmp_path.iterdir()) == []
    with temporary_beside(tmp_path / "x", is_folder=is_folder) as temporary:
        temporary.rename(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path, is_folder: bool) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "x"), str(is_folder)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    (tmp_path / ".dnerv-notes").write_text("not ours")
    with temporary_beside(tmp_path / "y", is_folder=is_folder) as ours:
        assert not left.exists()
        files._swept.clear()
        sweep(tmp_path)
        assert ours.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".dnerv-notes"]


@pytest.mark.parametrize("moment", ["open", "flock", "held"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_swept_between_its_making_and_its_locking(
    tmp_path: Path, is_folder: bool, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process begins to write into the same folder just then: a temporary that nobody locks looks abandoned."""
    open_, flock, swept = os.open, fcntl.flock, list[Path]()

    def sweep_now() -> None:
        monkeypatch.undo()
        (made,) = tmp_path.iterdir()
        swept.append(made)
        files._remove_if_abandoned(made)
        assert not made.exists()

    def open_late(path: Path, *given: Any, **options: Any) -> int:
        if moment == "open" and any(tmp_path.iterdir()):
            sweep_now()
        return open_(path, *given, **options)

    def lock_late(descriptor: int, operation: int) -> None:
        if moment == "flock":
            sweep_now()
        elif moment == "held":  # the other has locked it, and will remove it
            monkeypatch.undo()
            swept.extend(tmp_path.iterdir())
            raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable")
        flock(descriptor, operation)

    monkeypatch.setattr(os, "open", open_late)
    monkeypatch.setattr(fcntl, "flock", lock_late)
    with temporary_beside(tmp_path / "x", is_folder=is_folder) as temporary:
        assert temporary.exists()
        assert swept
        assert temporary not in swept
        files._remove_if_abandoned(temporary)
        assert temporary.exists()


def test_names_at_the_limit_have_room(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with temporary_beside(path) as temporary:
        temporary.replace(path)
    assert path.exists()


def test_a_file_is_replaced_as_a_whole_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"x\.json: cannot be written \(No space left"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]

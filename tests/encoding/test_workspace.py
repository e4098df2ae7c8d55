"""The folder of an unfinished encoding: one job, one process."""

from pathlib import Path

import pytest

from dnerv.encoding.workspace import Workspace, has_published
from dnerv.errors import InputError, OutputError

JOB = {"options": {"epochs": 1, "resolution": (32, 32)}}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "a.dnerv"


def test_resumed_by_the_same_job(output: Path) -> None:
    first = Workspace(output, JOB)
    assert not first.is_resumed
    assert first.path == output.with_name("a.dnerv.work")
    assert first.once("design", ["a"], lambda: {"width": 3}) == {"width": 3}
    first.close()
    second = Workspace(output, JOB)
    assert second.is_resumed
    assert second.once("design", ["a"], lambda: {"width": 4}) == {"width": 3}
    assert second.once("design", ["b"], lambda: {"width": 5}) == {"width": 5}  # of another source
    second.remove()
    assert not second.path.exists()


def test_another_job_is_refused_unless_restarted(output: Path) -> None:
    first = Workspace(output, JOB)
    (first.frames / "x.rgb").write_bytes(b"frames")
    first.checkpoint_of("source").write_bytes(b"weights")
    first.close()
    with pytest.raises(InputError, match=r"unfinished training of another command .* --restart"):
        Workspace(output, {"options": {"epochs": 2}})
    assert (output.with_name("a.dnerv.work") / "frames" / "x.rgb").exists()
    fresh = Workspace(output, {"options": {"epochs": 2}}, restart=True)
    assert not fresh.is_resumed
    assert list(fresh.frames.iterdir()) == []
    fresh.close()
    again = Workspace(output, {"options": {"epochs": 2}})
    assert again.is_resumed
    again.close()


def test_without_training_another_job_takes_over_and_keeps_the_frames(output: Path) -> None:
    first = Workspace(output, JOB)
    (first.frames / "x.rgb").write_bytes(b"frames")
    first.once("design", ["a"], lambda: {"width": 3})
    first.close()
    second = Workspace(output, {"options": {"epochs": 2}})
    assert not second.is_resumed
    assert (second.frames / "x.rgb").read_bytes() == b"frames"
    assert second.once("design", ["b"], lambda: {"width": 4}) == {"width": 4}
    second.close()


def test_one_process_at_a_time(output: Path) -> None:
    first = Workspace(output, JOB)
    with pytest.raises(InputError, match="in use by another encoding"):
        Workspace(output, JOB)
    with pytest.raises(InputError, match="in use by another encoding"):
        Workspace(output, JOB, restart=True)  # which must not empty it either
    assert (first.path / "job.json").exists()
    first.close()
    Workspace(output, JOB).close()


def test_nothing_done_leaves_nothing(output: Path) -> None:
    workspace = Workspace(output, JOB)
    assert workspace.frames.is_dir()
    workspace.close_unfinished()
    assert not workspace.path.exists()
    workspace = Workspace(output, JOB)
    (workspace.coded / "0.av1").write_bytes(b"work")
    workspace.close_unfinished()
    assert (workspace.path / "coded" / "0.av1").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Workspace(tmp_path / "absent" / "a.dnerv", JOB)
    (tmp_path / "b.dnerv.work").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        Workspace(tmp_path / "b.dnerv", JOB)


def test_a_checkpoint_is_of_one_source(output: Path) -> None:
    workspace = Workspace(output, JOB)
    workspace.checkpoint_of({"frames": "a"}).write_bytes(b"weights")
    assert workspace.checkpoint_of({"frames": "a"}).read_bytes() == b"weights"
    assert not workspace.checkpoint_of({"frames": "b"}).exists()
    workspace.close()


def test_published_by_a_run_that_could_not_clean_up(output: Path) -> None:
    workspace = Workspace(output, JOB)
    workspace.archive.write_bytes(b"archive")
    assert not has_published(output)
    workspace.publish(output, force=False)
    assert output.read_bytes() == b"archive"
    assert has_published(output)
    workspace.archive.write_bytes(b"other")
    with pytest.raises(OutputError, match="exists already"):
        workspace.publish(output, force=False)
    output.write_bytes(b"written by another")
    assert not has_published(output)
    workspace.remove()
    assert not has_published(output)


def test_a_link_leads_to_what_is_replaced(output: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real.dnerv").write_bytes(b"old")
    output.symlink_to(tmp_path / "disk" / "real.dnerv")
    workspace = Workspace(output, JOB)
    assert workspace.path == tmp_path / "disk" / "real.dnerv.work"
    workspace.archive.write_bytes(b"new")
    workspace.publish(output, force=True)
    workspace.remove()
    assert output.is_symlink()
    assert (tmp_path / "disk" / "real.dnerv").read_bytes() == b"new"

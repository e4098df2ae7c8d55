"""Encoding by other processes: the same bytes, with nothing but the sources in common; what fails there is told."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnerv.encoding import EncodeOptions, encode, workers
from dnerv.encoding.base_coding import BasePlan
from dnerv.encoding.reading import checked_size, read_videos, stop, warn
from dnerv.encoding.video_coding import KnownWay, Shelf, code_video
from dnerv.errors import DnervError, InputError
from dnerv.integrations.dask import cluster
from dnerv.progress import Listener, listening
from dnerv.video import Member, RandomBoxes, cache_video
from dnerv.video.corpus import OnBad
from dnerv.video.source_frames import at_hand, look_at

PLAN = BasePlan(crf=45, preset=8, distance=1, access=8, low_delay=True)


class Apart(ThreadPoolExecutor):
    """Two threads that have nothing in common with who asks them: work and results are pickled."""

    def __init__(self) -> None:
        super().__init__(2)

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        result: Future[Any] = Future()
        answer = super().submit(_work_apart, pickle.dumps((work, given, named)))
        answer.add_done_callback(lambda done: _hand_back(done, result))
        return result


def _work_apart(data: bytes) -> bytes:
    work, given, named = pickle.loads(data)
    return pickle.dumps(work(*given, **named))


def _hand_back(answer: Future[bytes], result: Future[Any]) -> None:
    if answer.cancelled():
        result.cancel()
    elif (error := answer.exception()) is not None:
        result.set_exception(error)
    else:
        result.set_result(pickle.loads(answer.result()))


@pytest.fixture(scope="module")
def small(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the scenes, of one place."""
    folder = tmp_path_factory.mktemp("small")
    for episode in (0, 1):
        shutil.copy(scenes / f"0-{episode}.mp4", folder)
    return folder


class Killer(Listener):
    """Kills a process as soon as the first video is coded."""

    def __init__(self, process: int) -> None:
        self.process, self.stage_now, self.has_killed = process, "", False

    def stage(self, title: str, total: int | None = None) -> None:
        self.stage_now = title

    def advance(self, units: int = 1) -> None:
        if self.stage_now.startswith("coding videos") and not self.has_killed:
            os.kill(self.process, signal.SIGKILL)
            self.has_killed = True


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two processes, forked where what they need is imported already."""
    distributed = pytest.importorskip("distributed")
    import dask

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("distributed.utils._forkserver_preload_set", True, raising=False)
    multiprocessing.set_forkserver_preload(["distributed", "dnerv.encoding.pipeline"])
    given = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": "CRITICAL"}
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(**given) as local,
    ):
        yield local


def test_a_cluster_gives_the_bytes_of_one_machine_though_a_worker_is_killed(
    two_workers: Any, scenes: Path, fast: EncodeOptions, undisturbed_scenes: bytes, tmp_path: Path
) -> None:
    victim = two_workers.workers[0].process.process.pid
    killer = Killer(victim)
    with listening(killer):
        encode([scenes], tmp_path / "a.dnerv", fast, workers=cluster(two_workers.scheduler_address))
    assert killer.has_killed
    assert not Path(f"/proc/{victim}").exists()
    assert (tmp_path / "a.dnerv").read_bytes() == undisturbed_scenes
    assert [path.name for path in tmp_path.iterdir()] == ["a.dnerv"]


def test_a_number_of_bytes_and_scaled_frames(small: Path, fast: EncodeOptions, tmp_path: Path, recorder: Any) -> None:
    options = replace(fast, crf=None, bits_per_pixel=0.2, resolution=(32, 40), access=8, every=1)
    here = encode([small], tmp_path / "here.dnerv", options)
    with listening(recorder):
        there = encode([small], tmp_path / "there.dnerv", options, workers=Apart())
    assert there.path.read_bytes() == here.path.read_bytes()
    assert replace(there, path=here.path, seconds=here.seconds) == here
    assert sum(stage.startswith("coding videos") for stage in recorder.stages) > 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.dnerv", "there.dnerv"]


def test_what_is_done_is_found_again_with_workers_and_without(
    small: Path, fast: EncodeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, apart = tmp_path / "a.dnerv", Apart()
    done = encode([small], output, fast, keep_work=True, workers=apart)
    coded = tmp_path / "a.dnerv.work" / "coded"
    times = {path.name: path.stat().st_mtime_ns for path in coded.iterdir()}
    first = output.read_bytes()
    # One was lost: it alone is made again, by threads of this process.
    lost = min(path for path in coded.iterdir() if path.suffix == ".json")
    lost.unlink()
    again = encode([small], output, fast, force=True, keep_work=True)
    assert output.read_bytes() == first
    assert again.quality == done.quality
    made = {path.name for path in coded.iterdir() if path.stat().st_mtime_ns != times[path.name]}
    assert made == {lost.name, lost.with_suffix(".av1").name}
    # And all are found by other processes.
    monkeypatch.setattr(Shelf, "put", None)
    encode([small], output, fast, force=True, workers=Apart())
    assert output.read_bytes() == first


def test_frames_stay_where_they_are(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    member = Member("a", small / "0-0.mp4", None)
    video = look_at(member, tmp_path / "frames", size=(32, 40))
    assert [*tmp_path.iterdir()] == []
    with at_hand(video.store) as frames:
        assert frames.path.is_relative_to(tmp_path)
        expected = frames.read(range(len(frames)))
    assert [*tmp_path.iterdir()] == []
    assert len(pickle.dumps(video)) < 10_000 < expected.nbytes
    assert (video.store[3] == expected[3]).all()  # asked for here, they come onto the disk here
    with at_hand(cache_video(member, tmp_path / "other", size=(32, 40)).store) as kept:
        assert (kept.read(range(len(kept))) == expected).all()
    assert kept.is_complete()


def test_a_source_that_changes_is_told(small: Path, scenes: Path, tmp_path: Path) -> None:
    source = Path(shutil.copy(small / "0-0.mp4", tmp_path / "a.mp4"))
    video = look_at(Member("a", source, None), tmp_path)
    shutil.copy(scenes / "1-0.mp4", source)
    for ask in (lambda: video.store[0], lambda: code_video((video, KnownWay(PLAN, (None,), {})))):
        with pytest.raises(InputError, match=r"a\.mp4: gives other frames than when it was first read"):
            ask()


def test_unusable_videos_are_left_out_or_named(small: Path, tmp_path: Path, recorder: Any) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    members = [Member(path.stem, path, None) for path in (small / "0-0.mp4", bad, small / "0-1.mp4")]

    def read(on_bad: OnBad) -> list[str]:
        videos = read_videos(members, tmp_path, on_bad, size=None, fps=None, prepare=checked_size, workers=Apart())
        return [video.name for video in videos]

    with pytest.raises(InputError, match=r"bad\.mp4.*--skip-bad"):
        read(stop)
    with listening(recorder):
        assert read(warn) == ["0-0", "0-1"]
    assert [text for text in recorder.warnings if "skipped" in text and "bad.mp4" in text]


def test_workers_with_other_software_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [*workers.for_each(abs, [-1], Apart())] == [(0, 1)]
    answers = iter(["dnerv 9", "dnerv 8"])
    monkeypatch.setattr(workers, "_software", lambda: next(answers))
    with pytest.raises(DnervError, match="a worker has dnerv 8, and here is dnerv 9"):
        list(workers.for_each(abs, [-1], Apart()))


@pytest.mark.parametrize("given", [{"masks": RandomBoxes()}, {"options": EncodeOptions(epochs=1)}], ids=str)
def test_other_work_is_not_given_away(given: dict[str, Any], small: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers code base layers alone"):
        encode([small], tmp_path / "a.dnerv", workers=Apart(), **given)
    assert [*tmp_path.iterdir()] == []

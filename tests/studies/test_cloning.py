"""`dnerv study cloning`: which frames belong to which actions, policies, and the whole study on tiny episodes."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dnerv.archive import Archive
from dnerv.errors import InputError
from dnerv.studies.cloning.episodes import Episodes, actions_file, read_episodes
from dnerv.studies.cloning.policy import Pixels, Policy, _moved, clone
from dnerv.studies.cloning.study import ORIGINALS, TESTS, Cloning, CloningOptions, PolicyOptions
from dnerv.studies.content import Content, read_videos
from dnerv.studies.record import findings
from dnerv.studies.runner import run_study
from dnerv.studies.study import Record
from dnerv.tables import Part
from dnerv.video import Timing, discover, write_mp4

CPU = torch.device("cpu")
POLICY = PolicyOptions(size=(24, 32), steps=60, width=8, batch=24, shift=1)
OPTIONS = CloningOptions(crf=(30.0, 50.0), held_out=1, seeds=2, policy=POLICY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks of three episodes: a square moves, and the action is by how much; one task's is upside down."""
    root = tmp_path_factory.mktemp("cloning") / "episodes"
    for task, sign in (("down", 1), ("up", -1)):
        (root / task).mkdir(parents=True)
        for number in range(3):
            random = np.random.default_rng(number)
            steps = random.integers(-3, 4, (12, 2))
            places = np.clip(np.cumsum(steps, 0) + np.array([16, 24]), 0, [31, 47])
            frames = np.full((12, 48, 64, 3), 70, np.uint8) + random.integers(0, 9, (12, 48, 64, 3), np.uint8)
            for frame, (top, left) in zip(frames, places, strict=True):
                frame[top : top + 16, left : left + 16] = (230, 90, 60)
            path = root / task / f"{number}.mp4"
            write_mp4(path, iter(frames), Timing.constant(Fraction(10), 12), crf=4)
            actions = sign * np.diff(places, axis=0, prepend=places[:1])
            np.savez(path.with_suffix(".npz"), action=actions[:, None].astype(np.float64), state=np.zeros((12, 5)))
    return root


@pytest.fixture(scope="module")
def content(folder: Path) -> Content:
    return read_videos([folder], folder.parent / "content")


@pytest.fixture(scope="module")
def episodes(folder: Path, content: Content) -> Episodes:
    return read_episodes(discover([folder]), content.videos, 1)


@pytest.fixture(scope="module")
def pixels(content: Content) -> Pixels:
    frames = np.concatenate([video.store.read(range(12)) for video in content.videos])
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2)[..., ::2, ::2])  # smaller, as policies see


@pytest.fixture(scope="module")
def twice(made_twice: Callable[..., tuple[Record, Record]], folder: Path) -> tuple[Record, Record]:
    return made_twice(Cloning(), [folder], folder.parent / "studies", OPTIONS)


def npy(array: NDArray[np.float64]) -> bytes:
    """A file of one array."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def damaged(array: NDArray[np.float64]) -> bytes:
    """A file of deflated arrays with other bytes in its middle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, action=array)
    data = bytearray(buffer.getvalue())
    data[60:110] = bytes(50)
    return bytes(data)


class TestEpisodes:
    def test_every_frame_has_its_action_task_and_the_frame_before(self, folder: Path, episodes: Episodes) -> None:
        assert episodes.tasks == ["down", "up"]
        assert episodes.num_values == 2
        for place, video in enumerate(episodes.videos):
            own = slice(12 * place, 12 * place + 12)
            with np.load(folder / f"{video.name}.npz") as arrays:
                assert np.array_equal(episodes.actions[own], arrays["action"][:, 0].astype(np.float32))
            assert set(episodes.task_of[own]) == {episodes.tasks.index(video.name.partition("/")[0])}
            assert list(episodes.before[own] - 12 * place) == [0, *range(11)]

    def test_the_last_of_each_task_are_kept_for_the_test(self, episodes: Episodes) -> None:
        kept = [video.name for video, kept in zip(episodes.videos, episodes.is_test[::12], strict=True) if kept]
        assert kept == ["down/2", "up/2"]
        assert episodes.is_test.sum() == 24

    def test_targets_are_scaled_by_what_is_trained_on(self, episodes: Episodes) -> None:
        trained = episodes.targets[~episodes.is_test]
        assert trained.mean(0) == pytest.approx([0, 0], abs=1e-6)
        assert trained.std(0) == pytest.approx([1, 1], rel=1e-5)

    def test_a_value_that_never_changes_is_no_division_by_zero(self, episodes: Episodes) -> None:
        still = replace(episodes, actions=np.ones_like(episodes.actions))
        assert np.array_equal(still.targets, np.zeros_like(still.actions))

    @pytest.mark.parametrize(
        ("arrays", "words"),
        [
            ({"action": np.zeros((11, 2))}, r"'action' is \[11, 2\], and the video has 12 frames"),
            ({"action": np.zeros(12)}, r"'action' is \[12\]"),
            ({"state": np.zeros((12, 2))}, "holds no array 'action'"),
            ({"action": np.full((12, 2), np.nan)}, "has values that are no numbers"),
            ({"action": np.full((12, 2), None)}, "holds no array 'action' of numbers"),
            ({"action": np.zeros((12, 3))}, "actions have 2 and 3 values"),
            (None, "not found; it holds the video's actions"),
            (b"PK\x03\x04", "holds no array 'action'"),
            (npy(np.zeros((12, 2))), "holds no array 'action'"),  # one array, not a file of several
            (damaged(np.arange(24.0).reshape(12, 2)), "holds no array 'action'"),
        ],
    )
    def test_files_that_do_not_fit_are_named(
        self, folder: Path, content: Content, tmp_path: Path, arrays: dict[str, Any] | bytes | None, words: str
    ) -> None:
        copied = Path(shutil.copytree(folder, tmp_path / "episodes"))
        path = copied / "down" / "1.npz"
        if arrays is None:
            path.unlink()
        elif isinstance(arrays, bytes):
            path.write_bytes(arrays)
        else:
            np.savez(path, **arrays)
        with pytest.raises(InputError, match=words) as error:
            read_episodes(discover([copied]), content.videos, 1)
        assert str(path) in str(error.value) or "2 and 3" in words

    def test_actions_lie_beside_their_video(self, tmp_path: Path) -> None:
        for name in ("ep.01", "ep.02"):  # folders of images
            (tmp_path / name).mkdir()
        found = [actions_file(tmp_path / name) for name in ("ep.01", "ep.02", "ep.01.mp4")]
        assert found == [tmp_path / name for name in ("ep.01.npz", "ep.02.npz", "ep.01.npz")]
        (tmp_path / "s.tar").write_bytes(b"")
        with pytest.raises(InputError, match=r"s\.tar/ep/04\.mp4: actions stand in files beside videos.*unpack it"):
            actions_file(tmp_path / "s.tar" / "ep" / "04.mp4")

    def test_a_task_without_an_episode_to_train_on(self, folder: Path, content: Content) -> None:
        with pytest.raises(InputError, match="--held-out keeps 3 episodes of each task, and task 'down' has no more"):
            read_episodes(discover([folder]), content.videos, 3)


class TestPolicy:
    def test_it_learns_what_frames_show(self, episodes: Episodes, pixels: Pixels) -> None:
        first, again = (next(clone(episodes, {"own": pixels}, replace(POLICY, steps=200), [3], CPU)) for _ in range(2))
        assert first == again  # the same seed, the same policy
        (blind,) = clone(episodes, {"own": np.zeros_like(pixels)}, replace(POLICY, steps=200), [3], CPU)
        assert np.mean(first.errors["own"]) < 0.6 < 0.8 < np.mean(blind.errors["own"])
        assert [step for step, _ in first.curve] == [34, 67, 100, 134, 167, 200]
        assert first.curve[-1][1] == pytest.approx(np.mean(first.errors["own"]))

    def test_seeds_side_by_side_are_those_one_by_one(self, episodes: Episodes, pixels: Pixels) -> None:
        options = replace(POLICY, steps=8)
        before = torch.get_rng_state()
        both = list(clone(episodes, {"own": pixels}, options, [0, 1], CPU))
        assert both == [next(clone(episodes, {"own": pixels}, options, [seed], CPU)) for seed in (0, 1)]
        assert both[0] != both[1]
        assert torch.equal(before, torch.get_rng_state())

    def test_errors_are_shares_of_what_the_mean_action_costs(self, episodes: Episodes, pixels: Pixels) -> None:
        """One step of a rate of nearly nothing: the policy says about nothing, and is wrong by about all."""
        options = replace(POLICY, steps=1, learning_rate=1e-9)
        (found,) = clone(episodes, {"own": pixels, "originals": np.flip(pixels, 1).copy()}, options, [0], CPU)
        assert set(found.errors) == {"own", "originals"}
        assert found.errors["own"] == pytest.approx([1, 1], abs=0.3)
        assert found.errors["own"] != found.errors["originals"]

    @pytest.mark.parametrize("shift", [(0, 0), (2, 0), (-1, 3), (0, -2), (-3, -3)])
    def test_frames_move_and_edges_repeat(self, shift: tuple[int, int]) -> None:
        frames = torch.rand(2, 6, 8, 9)
        rows = (torch.arange(8) - shift[0]).clamp(0, 7)
        columns = (torch.arange(9) - shift[1]).clamp(0, 8)
        assert torch.equal(_moved(frames, list(shift)), frames[:, :, rows][..., columns])

    def test_channels_come_in_groups_of_four(self) -> None:
        with pytest.raises(InputError, match="width is 6; it must be a multiple of 4"):
            PolicyOptions(width=6)

    def test_any_size(self) -> None:
        policy = Policy((17, 33), 4, 1, 3)
        assert policy(torch.zeros(2, 6, 17, 33), torch.zeros(2, dtype=torch.int64)).shape == (2, 3)


class TestStudy:
    def test_killed_and_given_again_it_finds_the_same(
        self, twice: tuple[Record, Record], located: Callable[[Record], Record]
    ) -> None:
        whole, resumed = twice
        assert located(whole) == located(resumed)

    def test_what_is_found(self, twice: tuple[Record, Record]) -> None:
        rows = twice[0]["rows"]
        assert [row["coding"] for row in rows] == [
            ORIGINALS,
            "AV1, as LeRobot",
            "archive, crf 30",
            "archive, crf 50",
        ]
        assert twice[0]["episodes"] == {"trained": 4, "tested": 2}
        assert rows[0]["originals"]["more"]["mean"] == 0
        assert all(set(TESTS) <= set(row) for row in rows[1:])
        for row in rows[1:]:
            for tested_on in TESTS:
                wanted = np.subtract(row[tested_on]["seeds"], rows[0]["originals"]["seeds"]).mean()
                assert row[tested_on]["more"]["mean"] == pytest.approx(wanted)
                assert len(row[tested_on]["tasks"]) == 2
        assert rows[2]["psnr"] > rows[3]["psnr"]

    def test_bytes_and_frames_are_those_of_the_files(self, twice: tuple[Record, Record], content: Content) -> None:
        steps = Path(twice[0]["output"]) / "steps"
        (path,) = steps.glob("archive-crf-50-*.dnerv")
        assert twice[0]["rows"][3]["bytes"] == path.stat().st_size
        with Archive(path, size="coded") as archive:
            errors = [
                (video.store.read(range(12)).astype(float) - archive[video.name][:].permute(0, 2, 3, 1).numpy()) ** 2
                for video in content.videos
            ]
        assert twice[0]["rows"][3]["psnr"] == pytest.approx(_psnr(errors))
        streams = sorted(steps.glob("svtav1-crf-30-*/*.obu"))
        assert len(streams) == 6

    def test_people_can_read_it(self, twice: tuple[Record, Record], printed: Callable[[Sequence[Part]], str]) -> None:
        text = printed(Cloning().tables(twice[0]))
        assert "6 episodes, tasks: 2, 72 frames of 48x64; 4 to train on, 2 to test on" in text
        assert all(title in text for title in TESTS.values())
        assert (Path(twice[0]["output"]) / "charts.png").stat().st_size > 10_000

    def test_archives_that_code_every_frame_are_a_line_of_their_own(
        self, measured_here: None, folder: Path, tmp_path: Path
    ) -> None:
        options = replace(OPTIONS, crf=(30.0,), every=("chosen", "2"), seeds=1, policy=replace(POLICY, steps=1))
        record = run_study(Cloning(), [folder], tmp_path / "out", options)
        assert [row["coding"] for row in record["rows"][2:]] == ["archive, crf 30", "every 2nd frame, crf 30"]
        with Archive(*(tmp_path / "out/steps").glob("every-2nd-frame-crf-30-*.dnerv")) as archive:
            assert {entry.distance for entry in archive.entries} == {2}
        assert [series.name for series in Cloning().charts(record)[0].series] == [
            "AV1, as LeRobot",
            "archive",
            "every 2nd frame",
        ]

    def test_one_seed_and_one_task_have_no_interval(self, twice: tuple[Record, Record]) -> None:
        record = findings(twice[0])
        bare = {"error": 0.4, "interval": None, "more": {"mean": 0.1, "interval": None, "visible": None}}
        rows = [row | {tested_on: bare for tested_on in TESTS if tested_on in row} for row in record["rows"]]
        parts = Cloning().tables(twice[0] | {"rows": rows})
        assert any("+25.0%" in cell for part in parts if not isinstance(part, str) for row in part.rows for cell in row)


def _psnr(errors: Sequence[NDArray[np.float64]]) -> float:
    """Mean over frames, then over videos."""
    return float(np.mean([np.mean(10 * np.log10(255**2 / error.mean((1, 2, 3)))) for error in errors]))

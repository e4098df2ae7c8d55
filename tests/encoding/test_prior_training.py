"""A prior's training: what it learns, what its card says, what it refuses, and that it can be interrupted."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dnerv.bitstream.prior_file import read_prior
from dnerv.encoding import prior_training
from dnerv.encoding.prior_options import PriorOptions
from dnerv.encoding.prior_training import MEASURED_CRFS, train_prior
from dnerv.errors import InputError, OutputError
from dnerv.progress import Listener, TrainingProgress, listening

SHORT = PriorOptions(codings=1, width=4, epochs=2, crop=(64, 80), batch_clips=1)


def test_it_learns_what_an_unseen_episode_needs(schooled: SimpleNamespace) -> None:
    gains = schooled.prior.card["gains"]
    assert [(row["distance"], row["crf"]) for row in gains] == [(d, c) for d in (1, 2) for c in MEASURED_CRFS]
    assert {row["frames"] for row in gains} == {8}
    assert all(row["gain"] > 0.1 for row in gains if row["crf"] < 60)
    assert all(row["between"] is None for row in gains if row["distance"] == 1)
    of_two = [row for row in gains if row["distance"] == 2]
    for row in of_two:  # of eight frames five are coded: every 2nd, and the last
        assert row["gain"] == pytest.approx((5 * row["coded"] + 3 * row["between"]) / 8, abs=1e-5)


def test_its_card(schooled: SimpleNamespace) -> None:
    card = read_prior(schooled.path).card
    assert card == schooled.prior.card
    assert card["trained_on"] == {"videos": 3, "frames": 24, "sources": [""], "codings": 2, "licence": ""}
    assert (card["steps"], card["frames_seen"]) == (120, 960)  # 3 videos, 2 codings, a clip each, 20 times
    points = card["curve"]
    assert [point["frames"] for point in points] == [160, 320, 480, 640, 800, 960]
    assert points[-1]["gains"]["1"] > points[0]["gains"]["1"]
    assert not schooled.path.with_name("a.prior.work").exists()


class Impatient(Listener):
    """Somebody who presses Ctrl-C once training is under way."""

    def training(self, at: TrainingProgress) -> None:
        if at.step >= 2:
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on(schooled: SimpleNamespace, tmp_path: Path) -> None:
    whole = train_prior([schooled.train], tmp_path / "whole.prior", SHORT)
    with pytest.raises(KeyboardInterrupt), listening(Impatient()):
        train_prior([schooled.train], tmp_path / "cut.prior", SHORT)
    assert (tmp_path / "cut.prior.work/checkpoint.pt").exists()
    assert not (tmp_path / "cut.prior").exists()
    resumed = train_prior([schooled.train], tmp_path / "cut.prior", SHORT)
    assert resumed.hash == whole.hash


def test_every_tenth_video_is_held_out_where_none_is_named(
    schooled: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ten"
    folder.mkdir()
    for place in range(10):
        (folder / f"{place}.mp4").write_bytes((schooled.train / "0.mp4").read_bytes())
    monkeypatch.setattr(prior_training, "MEASURED_CRFS", (45.0,))
    card = train_prior([folder], tmp_path / "a.prior", replace(SHORT, epochs=0)).card
    assert card["trained_on"]["videos"] == 9
    assert [row["frames"] for row in card["gains"]] == [8, 8]
    # Untrained: coded frames are shown as they are.
    assert [row["coded"] for row in card["gains"]] == pytest.approx([0, 0], abs=1e-5)


def test_of_fewer_than_ten_the_last_is_held_out(schooled: SimpleNamespace, tmp_path: Path) -> None:
    card = train_prior([schooled.train], tmp_path / "a.prior", replace(SHORT, epochs=0)).card
    assert card["trained_on"]["videos"] == 2
    assert len(card["gains"]) == 2 * len(MEASURED_CRFS)
    card = train_prior([schooled.held_out], tmp_path / "b.prior", replace(SHORT, epochs=0)).card
    assert (card["trained_on"]["videos"], card["gains"]) == (1, [])


def test_videos_larger_than_the_crop_are_learned_from_in_pieces(schooled: SimpleNamespace, tmp_path: Path) -> None:
    options = replace(SHORT, crop=(32, 40), held_out=(schooled.held_out,))
    card = train_prior([schooled.train], tmp_path / "a.prior", options).card
    assert card["steps"] == 2 * 3 * 4
    assert len(card["gains"]) == 2 * len(MEASURED_CRFS)


@pytest.mark.parametrize("held_out", [True, False])
def test_nothing_to_learn_from(schooled: SimpleNamespace, tmp_path: Path, held_out: bool) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        train_prior([tmp_path / "empty"], tmp_path / "a.prior", SHORT)
    assert not list(tmp_path.glob("a.prior*"))


def test_an_output_is_not_overwritten(schooled: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "a.prior").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        train_prior([schooled.train], tmp_path / "a.prior", SHORT)
    assert (tmp_path / "a.prior").read_text() == "mine"


def test_readers_could_not_find_it_under_another_name(schooled: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end in \.prior"):
        train_prior([schooled.train], tmp_path / "a.safetensors", SHORT)
    assert not list(tmp_path.iterdir())


def test_what_is_held_out_is_not_trained_on(schooled: SimpleNamespace, tmp_path: Path) -> None:
    options = replace(SHORT, epochs=0, held_out=(schooled.train / "1.mp4",))
    card = train_prior([schooled.train], tmp_path / "a.prior", options).card
    assert card["trained_on"]["videos"] == 2
    with pytest.raises(InputError, match="nothing to train on"):
        train_prior([schooled.train], tmp_path / "b.prior", replace(options, held_out=(schooled.train,)))


def test_videos_and_codings_that_are_alike(
    schooled: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share one file, which two threads would not write at once."""
    (tmp_path / "in").mkdir()
    for place in range(4):
        (tmp_path / f"in/{place}.mp4").write_bytes((schooled.train / "0.mp4").read_bytes())
    coding = prior_training.Coding(45.0, 8, 1, 8)
    monkeypatch.setattr(prior_training._Training, "_drawn", lambda training, video: [coding] * 3)
    options = replace(SHORT, epochs=1, held_out=(schooled.held_out,))
    assert train_prior([tmp_path / "in"], tmp_path / "a.prior", options).card["steps"] == 12


def test_the_curve_is_of_all_ways_of_coding(schooled: SimpleNamespace, tmp_path: Path) -> None:
    held_out = tmp_path / "held"
    held_out.mkdir()
    for place in range(20):
        (held_out / f"{place:02}.mp4").write_bytes((schooled.held_out / "3.mp4").read_bytes())
    seen = []
    gains_on = prior_training.gains_on

    def noted(network: object, tests: list, device: object) -> list:  # type: ignore[type-arg]
        seen.append([coding for _, coding in tests])
        return gains_on(network, tests, device)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prior_training, "gains_on", noted)
        train_prior([schooled.train], tmp_path / "a.prior", replace(SHORT, epochs=1, held_out=(held_out,)))
    *curve, last = seen
    assert len(last) == 160
    assert all(len(codings) == 56 for codings in curve)  # every third video
    assert all({(c.distance, c.crf) for c in codings} == {(c.distance, c.crf) for c in last} for codings in curve)


def test_measuring_takes_no_time_of_the_training(schooled: SimpleNamespace, tmp_path: Path) -> None:
    """A curve that takes twice as long as the budget leaves it to the training, and has all of its points."""
    options = replace(SHORT, epochs=None, budget_seconds=2.0, held_out=(schooled.held_out,))
    watch = prior_training._Curve.watch

    def slowly(curve: object, trainer: object) -> None:
        before = len(curve.points)  # type: ignore[attr-defined]
        watch(curve, trainer)  # type: ignore[arg-type]
        time.sleep(0.7 * (len(curve.points) - before))  # type: ignore[attr-defined]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prior_training._Curve, "watch", slowly)
        card = train_prior([schooled.train], tmp_path / "a.prior", options).card
    assert len(card["curve"]) >= 5  # 3 where the clock ran on
    assert card["curve"][-1]["seconds"] <= card["seconds"] + 0.05


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(InputError, match="at most one"):
        PriorOptions(epochs=1, budget_seconds=2)
    with pytest.raises(InputError, match="multiples of 4"):
        PriorOptions(crop=(66, 80))


def test_codings_are_drawn_by_what_a_video_shows(schooled: SimpleNamespace, tmp_path: Path) -> None:
    """The same video is coded in the same ways wherever it stands; another in others."""
    from dnerv.encoding.reading import read_videos, stop
    from dnerv.encoding.workspace import Workspace
    from dnerv.video import discover

    workspace = Workspace(tmp_path / "a.prior", {})
    training = prior_training._Training(workspace, replace(SHORT, codings=40))
    videos = read_videos(
        discover([schooled.train]), workspace.frames, stop, size=None, fps=None, prepare=lambda video: video
    )
    first, again, other = (training._drawn(video) for video in (videos[0], videos[0], videos[1]))
    assert first == again != other
    crfs = np.array([coding.crf for coding in first])
    assert 30 <= crfs.min() < 40 < 55 < crfs.max() <= 63
    assert {coding.distance for coding in first} == {1, 2, 4}
    assert {coding.group for coding in first} == {8, 16, 64}
    workspace.close()

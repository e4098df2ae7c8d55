"""`dnerv study interpolation` on tiny videos: what is held out, what is compared with what, and going on."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive
from dnerv.errors import InputError
from dnerv.evaluation import mse_per_frame, psnr
from dnerv.studies import run_study
from dnerv.studies.interpolation import Interpolation, InterpolationOptions
from dnerv.studies.record import findings
from dnerv.video import Timing, VideoSource, discover, write_mp4

OPTIONS = InterpolationOptions(epochs=1, bits_per_pixel=1.0)


def clip(path: Path, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:32, :48]
    frames = [
        np.stack([rows * 5, columns * 4, (rows + columns + 7 * i) % 256], -1).astype(np.uint8) for i in range(count)
    ]
    write_mp4(path, iter(frames), Timing.constant(Fraction(25), count), crf=4)
    return path


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, made_twice: Any) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Videos, the record of a whole run, and that of one killed half-way and given again."""
    folder = tmp_path_factory.mktemp("interpolation")
    for name, count in (("a/odd", 9), ("even", 6), ("three", 3)):
        clip(folder / "videos" / f"{name}.mp4", count)
    return folder, *made_twice(Interpolation(), [folder / "videos"], folder, OPTIONS)


@pytest.fixture(scope="module")
def studied(twice: tuple[Path, dict[str, Any], dict[str, Any]]) -> tuple[Path, Path, dict[str, Any]]:
    folder, whole, _ = twice
    return folder / "videos", folder / "whole", whole


def test_every_second_frame_is_held_out(studied: tuple[Path, Path, dict[str, Any]]) -> None:
    videos, folder, record = studied
    frames = [frame for _, frame in VideoSource(videos / "even.mp4").frames()]
    (kept,) = (folder / "frames").glob("kept-*")
    assert [member.name for member in discover([kept])] == ["a/odd", "even", "three"]
    seen = [frame for _, frame in VideoSource(kept / "even").frames()]
    assert np.array_equal(np.stack(seen), np.stack(frames[::2]))
    # The last of an even number of frames has nothing after it.
    assert [(v["name"], v["kept"], v["held_out"]) for v in record["videos"]] == [
        ("a/odd", 5, 4),
        ("even", 3, 2),
        ("three", 2, 1),
    ]


def test_figures_are_those_of_the_archive(studied: tuple[Path, Path, dict[str, Any]]) -> None:
    videos, _, record = studied
    frames = torch.stack(
        [torch.from_numpy(f.copy()).permute(2, 0, 1) for _, f in VideoSource(videos / "a/odd.mp4").frames()]
    )
    with Archive(record["archive"]["path"], size="coded") as archive:
        assert archive.file_bytes == record["archive"]["file_bytes"]
        assert archive.network.config.model.keyframe_every == 2
        made = torch.stack(list(archive["a/odd"].interpolated(2)))
    mean = ((made[:-2:2].float() + made[2::2].float()) / 2).round().to(torch.uint8)
    wanted = {"network": (frames[1::2], made[1::2]), "blend": (frames[1::2], mean), "kept": (frames[::2], made[::2])}
    (found,) = (v["psnr"] for v in record["videos"] if v["name"] == "a/odd")
    for way, pair in wanted.items():
        assert found[way] == pytest.approx(psnr(mse_per_frame(*pair)).mean().item())
        assert record["psnr"][way] == pytest.approx(np.mean([v["psnr"][way] for v in record["videos"]]))
    assert found["network"] != found["blend"]


def test_results_tables_and_pictures(studied: tuple[Path, Path, dict[str, Any]], printed: Any) -> None:
    _, folder, record = studied
    assert json.loads((folder / "results.json").read_text()) == record
    text = printed(Interpolation().tables(record))
    assert "a/odd" in text
    assert f"{record['psnr']['network']:.2f}" in text
    for name in ("picture.png", "charts.png"):
        ((_, picture),) = VideoSource(folder / name).frames()
        assert picture.std() > 20


def test_killed_half_way_and_given_again(twice: tuple[Path, dict[str, Any], dict[str, Any]], located: Any) -> None:
    _, whole, resumed = twice
    assert located(resumed) == located(whole)


def test_going_on_codes_nothing_twice(studied: tuple[Path, Path, dict[str, Any]], stages: Any) -> None:
    videos, folder, record = studied
    with stages() as titles:
        again = run_study(Interpolation(), [videos], folder, OPTIONS)
    assert findings(again) == findings(record)
    assert not {"training", "holding out every second frame"} & set(titles)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_frames_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(InputError, match="three frames"):
        run_study(Interpolation(), [clip(tmp_path / "few.mp4", count)], tmp_path / "s", OPTIONS)


def test_another_interpolator_stands_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Any) -> None:
    import dnerv.evaluation.rife

    monkeypatch.setattr(dnerv.evaluation.rife, "in_the_middle", lambda before, after, device="cpu": after)
    monkeypatch.setattr(dnerv.evaluation.rife, "check_rife", lambda: None)
    monkeypatch.setattr("dnerv.studies.runner.fresh", lambda function, *arguments: function(*arguments))
    record = run_study(Interpolation(), [clip(tmp_path / "v.mp4", 5)], tmp_path / "s", replace(OPTIONS, rife=True))
    with Archive(record["archive"]["path"], size="coded") as archive:
        made = torch.stack(list(archive["v"].interpolated(2)))
    frames = torch.stack(
        [torch.from_numpy(f.copy()).permute(2, 0, 1) for _, f in VideoSource(tmp_path / "v.mp4").frames()]
    )
    assert record["psnr"]["rife"] == pytest.approx(psnr(mse_per_frame(frames[1::2], made[2::2])).mean().item())
    assert "RIFE dB" in printed(Interpolation().tables(record))
    (chart,) = Interpolation().charts(record)
    assert [bar.name for bar in chart.bars[:3]] == ["network", "neighbours, blended", "RIFE"]


def test_an_interpolator_that_is_not_there_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dnerv.evaluation.packages.find_spec", lambda name: None)
    with pytest.raises(InputError, match="--rife"):
        run_study(Interpolation(), [clip(tmp_path / "v.mp4", 5)], tmp_path / "s", replace(OPTIONS, rife=True))
    assert not (tmp_path / "s/frames").exists()

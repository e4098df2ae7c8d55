"""`dnerv study interpolation` on tiny videos: what is held out, what is compared with what, and going on."""

from __future__ import annotations

import json
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeOptions
from dnerv.errors import InputError, OutputError
from dnerv.evaluation import mse_per_frame, psnr
from dnerv.studies.interpolation import draw, interpolation, tables
from dnerv.studies.prepared import read_frames
from dnerv.video import Timing, VideoSource, write_mp4

OPTIONS = EncodeOptions(
    epochs=1, width=2, clip_length=4, keyframe_every=2, keyframe_crf=30, keyframe_mode="inter", precision="fp32"
)

COMPARING = "comparing with the frames held out, in a fresh process"


class Listener(EncodeListener):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.left = 0

    def stage(self, title: str, total: int | None = None) -> None:
        assert self.left <= 0 or title != COMPARING
        self.stages.append(title)
        self.left = total or 0

    def advance(self) -> None:
        self.left -= 1


def clip(path: Path, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:32, :48]
    frames = [
        np.stack([rows * 5, columns * 4, (rows + columns + 7 * i) % 256], -1).astype(np.uint8) for i in range(count)
    ]
    write_mp4(path, iter(frames), Timing.constant(Fraction(25), count), crf=4)
    return path


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("interpolation")
    for name, count in (("a/odd", 9), ("even", 6), ("three", 3)):
        clip(folder / "videos" / f"{name}.mp4", count)
    listener = Listener()
    record = interpolation([folder / "videos"], folder / "study", OPTIONS, listener)
    assert listener.left == 0
    return folder / "videos", folder / "study", record


def test_every_second_frame_is_held_out(studied: tuple[Path, Path, dict[str, Any]]) -> None:
    videos, folder, record = studied
    frames = [frame for _, frame in VideoSource(videos / "even.mp4").frames()]
    for part, chosen in (("kept", frames[::2]), ("held_out", frames[1::2])):
        assert np.array_equal(np.stack(list(read_frames(folder / part / "even"))), np.stack(chosen))
    # The last of an even number of frames has nothing after it.
    assert [(v["name"], v["kept"], v["held_out"]) for v in record["videos"]] == [
        ("a/odd", 5, 4),
        ("even", 3, 2),
        ("three", 2, 1),
    ]


def test_figures_are_those_of_the_archive(studied: tuple[Path, Path, dict[str, Any]]) -> None:
    videos, folder, record = studied
    frames = torch.stack(
        [torch.from_numpy(f.copy()).permute(2, 0, 1) for _, f in VideoSource(videos / "a/odd.mp4").frames()]
    )
    with Archive(folder / "kept.dnerv", size="coded") as archive:
        assert archive.file_bytes == record["archive"]["file_bytes"]
        made = torch.stack(list(archive["a/odd"].interpolated(2)))
    mean = ((made[:-2:2].float() + made[2::2].float()) / 2).round().to(torch.uint8)
    wanted = {"network": (frames[1::2], made[1::2]), "blend": (frames[1::2], mean), "kept": (frames[::2], made[::2])}
    (found,) = (v["psnr"] for v in record["videos"] if v["name"] == "a/odd")
    for way, pair in wanted.items():
        assert found[way] == pytest.approx(psnr(mse_per_frame(*pair)).mean().item())
        assert record["psnr"][way] == pytest.approx(np.mean([v["psnr"][way] for v in record["videos"]]))
    assert found["network"] != found["blend"]


def test_results_table_and_picture(studied: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    _, folder, record = studied
    assert json.loads((folder / "results.json").read_text()) == record
    console = Console(width=80, record=True, file=StringIO())
    for part in tables(record):
        console.print(part)
    text = console.export_text()
    assert "a/odd" in text
    assert f"{record['psnr']['network']:.2f}" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    draw(folder, tmp_path / "picture.png")
    ((_, picture),) = VideoSource(tmp_path / "picture.png").frames()
    assert picture.std() > 20
    with pytest.raises(OutputError, match="cannot be written"):
        draw(folder, tmp_path / "no" / "picture.png")


def test_going_on_codes_nothing_twice(studied: tuple[Path, Path, dict[str, Any]]) -> None:
    videos, folder, record = studied
    listener = Listener()
    assert interpolation([videos], folder, OPTIONS, listener) == record
    assert listener.stages == [
        "holding out every second frame",
        "comparing with the frames held out, in a fresh process",
    ]
    with pytest.raises(InputError, match="other options"):
        interpolation([videos], folder, EncodeOptions(epochs=2), EncodeListener())


def test_what_cannot_be_studied_is_refused(tmp_path: Path) -> None:
    for count in (1, 2):
        with pytest.raises(InputError, match="three frames"):
            interpolation([clip(tmp_path / f"{count}.mp4", count)], tmp_path / f"s{count}", OPTIONS, EncodeListener())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        interpolation([tmp_path / "1.mp4"], tmp_path / "full", OPTIONS, EncodeListener())
    with pytest.raises(InputError, match="fps"):
        interpolation([tmp_path / "1.mp4"], tmp_path / "s", EncodeOptions(fps=Fraction(5)), EncodeListener())

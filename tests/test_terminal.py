"""What people are shown."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from dnerv import terminal
from dnerv.errors import InputError
from dnerv.training import Progress


def progress(epoch: int, done: float = 0.5) -> Progress:
    return Progress(done=done, epoch=epoch, step=10 * epoch, psnr=30.125, frames_per_second=81.4, seconds_left=65.2)


def quality(count: int, ms_ssim: float | None = 0.95) -> dict[str, Any]:
    video = {"num_frames": 3, "height": 64, "width": 96, "psnr": 30.0, "ms_ssim": ms_ssim, "bits_per_pixel": 0.05}
    overall = {"psnr": 30.0, "psnr_of_mean_mse": 29.5, "ms_ssim": ms_ssim, "bits_per_pixel": 0.05, "file_bytes": 1234}
    return overall | {"videos": [video | {"name": f"clip{i}"} for i in range(count)]}


def shown(record: dict[str, Any], capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> str:
    terminal.show(record, terminal.quality_tables, as_json)
    return capsys.readouterr().out


def test_json_is_the_record_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown(quality(2), capsys, as_json=True)) == quality(2)


def test_a_long_list_is_summed_up_but_counted_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(quality(50), capsys)
    assert "clip39" in text
    assert "clip40" not in text
    assert "10 more" in text
    assert "150" in next(line for line in text.splitlines() if line.startswith("all"))


def test_a_missing_ms_ssim_is_said_and_not_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(quality(1, ms_ssim=None), capsys).count("n/a") == 2


def test_paths_are_not_broken_and_prose_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    path = "/" + "long-folder/" * 9 + "file.dnerv"
    terminal.show({}, lambda record: [f"{path}: these words are more than fit on a line of forty"], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}:"
    assert len(lines) > 2
    assert all(len(line) <= 40 for line in lines[1:])


def test_a_log_gets_a_line_for_fewer_and_fewer_epochs() -> None:
    display = terminal.EncodeDisplay()
    display._console = Console(file=io.StringIO(), width=80)
    with display:
        for epoch in range(300):
            display.training(progress(epoch))
            display.training(progress(epoch))
    lines = display._console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [int(line.split()[2]) for line in lines] == [1, 2, 3, 5, 9, 17, 33, 65, 129, 229]
    assert lines[0] == "training: epoch 1  30.12 dB  81 frames/s  1:05 left"


def test_tensorboard_that_is_not_installed_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"dnerv\[tensorboard\]"):
        terminal.EncodeDisplay(tmp_path / "curves")

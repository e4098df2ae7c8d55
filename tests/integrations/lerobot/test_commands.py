"""`dnerv from-lerobot` and `dnerv to-lerobot`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dnerv.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["dnerv", *map(str, words)])
    main()


def test_there_and_back(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given, packed = folders
    output = tmp_path / "packed"
    options = ["--crf", 20, "--access", 4, "--every", 1, "--effort", "fast", "--no-references"]
    run(monkeypatch, "from-lerobot", given, "-o", output, *options, "--json")
    record = json.loads(capsys.readouterr().out)
    assert (record["episodes"], record["cameras"], record["access"]) == (3, 2, 4)
    assert record["archive_bytes"] == (packed / "videos.dnerv").stat().st_size
    assert record["video_bytes"] == sum(path.stat().st_size for path in given.rglob("*.mp4"))
    run(monkeypatch, "to-lerobot", output, "-o", tmp_path / "back", "--codec", "h264")
    files = len([*given.rglob("*.mp4")])
    assert f"back: {files} video files" in " ".join(capsys.readouterr().out.split())  # a long path has the line wrapped
    with pytest.raises(SystemExit):
        run(monkeypatch, "from-lerobot", given, "-o", output)
    assert "--force" in capsys.readouterr().err

"""`make studies`: every command is one, and a list of them runs to its report."""

import shlex
import sys
from fractions import Fraction
from pathlib import Path

import every_study
import numpy as np
import pytest
from every_study import JOBS, Job

from dnerv.cli.application import command
from dnerv.cli.parsing import parse
from dnerv.video import Timing, write_mp4


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_commands_are_those_of_the_command_line(job: Job) -> None:
    words = [*shlex.split(job.words.format(data="data")), "-o", "out", "--device", "cuda"]
    length = 2 if words[0] == "study" else 1
    parse(command(" ".join(words[:length])).takes, words[length:])


def test_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["every_study.py", "--list", "cloning-metaworld"])
    every_study.main()
    shown = " ".join(capsys.readouterr().out.split())
    assert "cloning-metaworld 1 dnerv study cloning {data}/metaworld --every chosen,1" in shown
    monkeypatch.setattr(sys, "argv", ["every_study.py", "clonign"])
    with pytest.raises(SystemExit):
        every_study.main()
    assert "no study is called clonign" in capsys.readouterr().err


def test_a_list_runs_to_its_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / "data/few").mkdir(parents=True, exist_ok=True)
        frames = random.integers(60, 90, (6, 48, 64, 3)).astype(np.uint8)
        write_mp4(tmp_path / f"data/few/{name}.mp4", iter(frames), Timing.constant(Fraction(9), 6), crf=20)
    few = Job("few", "0", "study joint {data}/few --counts 1,2 --archives alone --bpp 0.8")
    monkeypatch.setattr(every_study, "JOBS", (few, Job("broken", "0", "study joint {data}/none --counts 1")))
    folders = ["--data", str(tmp_path / "data"), "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["every_study.py", "few", *folders])
    every_study.main()
    assert (tmp_path / "few/results.json").exists()
    assert "Joint or separate" in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(sys, "argv", ["every_study.py", "few", "broken", *folders])
    with pytest.raises(SystemExit):
        every_study.main()
    assert f"not found: {tmp_path / 'data/none'}" in capsys.readouterr().err
    (tmp_path / "data/none").mkdir()
    with pytest.raises(SystemExit) as ended:
        every_study.main()
    assert ended.value.code == 1

"""`dnerv prior train` and `dnerv prior show`, and an encoding with what came out."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.bitstream.prior_file import PriorFile
from dnerv.cli.application import call
from dnerv.errors import InputError, OutputError
from dnerv.video import Timing, write_mp4

TRAIN = ["--codings", "1", "--width", "4", "--epochs", "1", "--crop", "32x48", "--batch", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("videos")
    for place in range(3):
        frames = np.random.default_rng(place).integers(0, 255, (4, 32, 48, 3), np.uint8)
        path = made / ("held" if place == 2 else "seen") / "room" / f"{place}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(path, iter(frames), Timing.constant(Fraction(25), 4))
    return made


def test_trained_shown_and_used(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prior = str(tmp_path / "a.prior")
    held = ["--held-out", str(folder / "held"), "--licence", "ours"]
    call(["prior", "train", str(folder / "seen"), "-o", prior, *TRAIN, *held, "--json"])
    made = json.loads(capsys.readouterr().out)
    assert made["path"] == prior
    assert made["card"]["trained_on"]["licence"] == "ours"
    assert {row["source"] for row in made["card"]["gains"]} == {"room"}
    call(["prior", "show", prior, "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"priors": [made]}
    call(["prior", "show", prior, "-o", str(tmp_path / "gains.png"), "--json"])
    capsys.readouterr()
    assert (tmp_path / "gains.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="exists"):
        call(["prior", "show", prior, "-o", str(tmp_path / "gains.png")])
    call(["prior", "show", prior])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert made["hash"] in text
    assert "licence: ours" in text
    assert text.count("room") == 8
    call(["encode", str(folder / "held"), "-o", str(tmp_path / "a.dnerv"), "--prior", prior, "--network", "always"])
    assert "a prior for 1 video" in " ".join(capsys.readouterr().out.split())
    call(["info", str(tmp_path / "a.dnerv")])
    assert f"prior {made['hash']} (at hand), nothing added, canvas 32x48" in " ".join(capsys.readouterr().out.split())


def test_a_card_that_is_none_of_ours(tmp_path: Path) -> None:
    PriorFile({"a": np.zeros(2, np.float16)}, {}, {"trained_on": "cats"}).write(tmp_path / "a.prior")
    with pytest.raises(InputError, match="cannot read its card"):
        call(["prior", "show", str(tmp_path / "a.prior")])


def test_a_prior_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no prior is called 'great'"):
        call(["prior", "show", "great"])

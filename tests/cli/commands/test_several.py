"""Commands that read take several archives."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnerv import cli
from dnerv.archive import Archive
from dnerv.archive.changing import extract

GOLDEN = Path(__file__).parents[2] / "golden"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and error of a command."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dnerv", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "80")
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The videos of an archive in two files, named from where the commands run."""
    monkeypatch.chdir(tmp_path)
    with Archive(GOLDEN / "references.dnerv") as archive:
        first, *others = archive.names
    paths = [Path("shards") / f"{name}.dnerv" for name in "ab"]
    paths[0].parent.mkdir()
    for path, names in zip(paths, ([first], others), strict=True):
        extract(GOLDEN / "references.dnerv", path, names)
    return paths


def test_info_has_a_line_for_each_and_sums(run: Run, shards: list[Path]) -> None:
    each = [json.loads(run("info", path, "--json")[1]) for path in shards]
    pattern = shards[0].parent / "*.dnerv"
    made = json.loads(run("info", pattern, "--json")[1])
    assert made["archives"] == each
    for fact in ("file_bytes", "frames", "pixels"):
        assert made[fact] == each[0][fact] + each[1][fact]
    assert sum(made["breakdown"].values()) == made["file_bytes"] == sum(path.stat().st_size for path in shards)
    assert made["bits_per_pixel"] == 8 * made["file_bytes"] / made["pixels"]
    code, shown, _ = run("info", *shards)
    assert code == 0
    assert [line.split()[0] for line in shown.splitlines()[:4]] == ["archive", *map(str, shards), "all"]
    assert "100.0%" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert run("info", shards[0].parent / "a*.dnerv", "--json")[1] == run("info", shards[0], "--json")[1]


def test_info_of_the_same_videos_twice(run: Run, shards: list[Path], tmp_path: Path) -> None:
    shutil.copy(shards[0], tmp_path / "copy.dnerv")
    assert run("info", shards[0], tmp_path / "copy.dnerv")[0] == 0


def frames_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


@pytest.mark.parametrize("how", [["decode"], ["interpolate", "--factor", "2"]], ids=lambda how: how[0])
def test_several_decode_as_one(run: Run, shards: list[Path], tmp_path: Path, how: list[str]) -> None:
    for name, given in (("one", [GOLDEN / "references.dnerv"]), ("two", shards), ("all", [tmp_path / "shards/*"])):
        code, _, error = run(*how, *given, "-o", tmp_path / name, "--format", "png")
        assert code == 0, error
    assert frames_of(tmp_path / "two") == frames_of(tmp_path / "all") == frames_of(tmp_path / "one") != {}


@pytest.mark.parametrize("how", ["decode", "interpolate"])
def test_videos_are_chosen_among_all(run: Run, shards: list[Path], tmp_path: Path, how: str) -> None:
    with Archive(shards[1]) as archive:
        name = archive.names[-1]
    code, shown, _ = run(how, *shards, "-o", tmp_path / "out", "--video", f"{name[:-1]}?", "--json")
    assert code == 0
    assert str(tmp_path / "out" / f"{name}.mp4") in json.loads(shown)["written"]
    code, _, error = run(how, *shards, "-o", tmp_path / "out", "--video", "x*")
    assert (code, "no video fits 'x*'" in error) == (1, True)


def test_names_that_two_have_are_refused(run: Run, shards: list[Path], tmp_path: Path) -> None:
    shutil.copy(shards[0], tmp_path / "copy.dnerv")
    code, _, error = run("decode", shards[0], tmp_path / "copy.dnerv", "-o", tmp_path / "out")
    assert (code, "a collection has each name once" in error) == (1, True)


def test_verify_goes_on_after_damage(run: Run, shards: list[Path]) -> None:
    code, shown, error = run("verify", *shards)
    assert (code, error.count("dnerv:")) == (0, 0)
    assert shown.splitlines() == [f"{path}: intact" for path in shards]
    data = bytearray(shards[0].read_bytes())
    with Archive(shards[0]) as archive:
        data[archive.entries[0].offset] ^= 1
    shards[0].write_bytes(data)
    Path("text").write_text("some other file")
    code, shown, error = run("verify", shards[0], "text", shards[1])
    assert code == 1
    assert [line.rpartition(": ")[2] for line in shown.splitlines()] == ["NOT INTACT", "NOT INTACT", "intact"]
    (line,) = [line for line in error.splitlines() if line.startswith("dnerv:")]
    assert "2 of 3 archives not intact" in line
    assert "checksum of group 0" in line
    assert line.count("text: not a dnerv archive") == 1
    made: dict[str, Any] = json.loads(run("verify", shards[0], shards[1], "--json")[1])
    assert (made["intact"], [one["intact"] for one in made["archives"]]) == (False, [False, True])


def test_a_pattern_without_a_match(run: Run, tmp_path: Path) -> None:
    for words in (["info"], ["verify"], ["decode", "-o", tmp_path / "out"]):
        code, _, error = run(*words, tmp_path / "*.dnerv")
        assert (code, "no file matches" in error) == (1, True)

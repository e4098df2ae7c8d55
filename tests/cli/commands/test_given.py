"""Commands that read take URLs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from remote import RangeServer

from dnerv import cli

pytest.importorskip("aiohttp")
ARCHIVE = Path(__file__).parents[2] / "golden" / "references.dnerv"


def test_info_verify_and_decode_of_a_url(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(*words: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["dnerv", *words, "--json"])
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as ended:
            if ended.code:
                return capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    with RangeServer({"a.dnerv": ARCHIVE.read_bytes()}) as server:
        url = f"{server.url}/a.dnerv"
        assert run("info", url) == {**run("info", str(ARCHIVE)), "path": url}
        assert run("verify", f"{url}?signature=secret") == {**run("verify", str(ARCHIVE)), "path": url}
        for place, folder in ((url, "there"), (ARCHIVE, "here")):
            run("decode", str(place), "-o", str(tmp_path / folder), "--format", "png", "--frames", "0:1")
        there, here = (sorted(p for p in (tmp_path / f).rglob("*.png")) for f in ("there", "here"))
        assert [path.read_bytes() for path in there] == [path.read_bytes() for path in here]
        assert len(there) == len(run("info", url)["videos"])
        missing = run("info", f"{server.url}/b.dnerv")
        assert missing.strip().endswith(f"{server.url}/b.dnerv: no such file")


@pytest.mark.parametrize(
    "words",
    [
        "evaluate URL x",
        "evaluate x URL",
        "serve URL",
        "compact URL",
        "add URL x",
        "add x URL",
        "remove URL x",
        "extract URL x -o y",
        "extract x y -o URL",
        "merge x URL -o y",
        "encode URL -o y",
        "encode x -o URL",
        "decode x -o URL",
    ],
)
def test_other_commands_and_outputs_say_that_they_take_files(
    words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    url = "https://host/a.dnerv"
    monkeypatch.setattr(sys, "argv", ["dnerv", *words.replace("URL", url).split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert f"is '{url}'; give a path on this machine" in capfd.readouterr().err

"""`dnerv serve`: it says where the page is, and Ctrl-C ends it as it should end."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest

from dnerv.cli.commands.serve import COMMAND
from dnerv.serving import ArchiveServer

GOLDEN = Path(__file__).parents[2] / "golden" / "own.dnerv"


def test_it_serves_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    pages: list[bytes] = []

    def serve(server: ArchiveServer, poll_interval: float = 0.5) -> None:
        thread = Thread(target=server.handle_request)
        thread.start()
        with urlopen(server.url) as answer:
            pages.append(answer.read())
        thread.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(ArchiveServer, "serve_forever", serve)
    COMMAND([str(GOLDEN), "--port", "0"])
    output = capfd.readouterr()
    assert re.search(r"http://127\.0\.0\.1:[0-9]+/ shows .*own\.dnerv", output.out + output.err)
    assert b"3 videos" in pages[0]

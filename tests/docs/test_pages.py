"""README and site: the commands that they show exist, their Python runs, the site builds and asks for no network."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv import EncodeOptions, encode
from dnerv.cli.application import command
from dnerv.cli.parsing import UsageError, parse
from dnerv.video import Timing, write_mp4

ROOT = Path(__file__).parents[2]
# What was measured and tried keeps its commands as they were.
PAGES = [
    ROOT / "README.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p.name not in ("results.md", "log.md")),
]
WORKING = [page for page in PAGES if "import dnerv" in page.read_text() and page.name != "index.md"]


def blocks(page: Path, language: str) -> list[str]:
    """Fenced code of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """What follows `dnerv` in fenced lines, and in text where it is a whole command."""
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    lines += re.findall(r"`(dnerv [^`]+ -o [^`]+)`", page.read_text().replace("\n", " "))
    found = [re.search(r"(?:^|-m )dnerv (.*)", line) for line in lines]
    return [match[1] for match in found if match and "..." not in match[1]]


@pytest.mark.parametrize(
    ("page", "line"),
    [pytest.param(page, line, id=f"{page.name}: {line[:50]}") for page in PAGES for line in commands(page)],
)
def test_commands_are_those_of_the_command_line(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)
    length = 2 if words[0] in ("study", "prior") else 1
    parse(command(" ".join(words[:length])).takes, words[length:])


def test_commands_are_found() -> None:
    counts = {page.name: len(commands(page)) for page in PAGES}
    assert counts["README.md"] >= 10
    assert counts["tutorial.md"] >= 6
    with pytest.raises(UsageError, match="--budgett"):
        parse(command("encode").takes, ["a", "-o", "b", "--budgett", "3s"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the one that `make demo` leaves, with smaller videos."""
    folder = tmp_path_factory.mktemp("demo")
    videos = folder / "demo" / "videos"
    videos.mkdir(parents=True)
    for name in ("bigbuckbunny", "bikes", "carphone_pristine"):
        frames = [np.full((64, 80, 3), 3 * i, np.uint8) for i in range(40)]
        write_mp4(videos / f"{name}.mp4", iter(frames), Timing.constant(Fraction(25), 40))
    encode([videos], folder / "clips.dnerv", EncodeOptions(crf=40))  # as the pages make it, without a network
    options = EncodeOptions(width=2, every=8, crf=40, network="always", epochs=0)
    encode([videos], folder / "small.dnerv", options)
    return folder


@pytest.mark.parametrize("page", WORKING, ids=lambda page: page.name)
def test_python_runs(page: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        if "num_workers" in block:  # `tests/loading` has workers
            block = block.replace("num_workers=2", "num_workers=0")
        exec(compile(block, page.name, "exec"), names)
    assert "dnerv" in names


def test_the_demo_takes_the_same_minutes_everywhere() -> None:
    told = dict(re.findall(r"^(DEMO|TEST)_MINUTES := (\d+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    readme = (ROOT / "README.md").read_text()
    assert re.findall(r"(\d+) minutes on two cores", readme) == [told["DEMO"], told["TEST"]]


def test_the_site_builds_and_needs_no_network(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "architecture.html").read_text()
    assert all(name in page for name in ("Vp9", "BlendConfig", "SizesOptions"))  # taken out of the examples
    assert 'id="dnerv.loading.Loader"' in (tmp_path / "api" / "index.html").read_text()
    for html in tmp_path.rglob("*.html"):
        fetched = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="?(https?:[^"\s>]*)', html.read_text())
        assert fetched == []

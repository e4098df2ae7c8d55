"""Charts and sheets, drawn: what is in the data is in the picture."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from dnerv.errors import InputError, OutputError
from dnerv.studies.charts import Bar, Bars, Cell, Level, Lines, Series, Sheet, difference
from dnerv.studies.drawing import colour_of, draw, draw_sheet, svg

LINES = Lines(
    "PSNR by rate",
    "bits per pixel",
    "PSNR, dB",
    [
        Series("D-NeRV", "dnerv", [(0.02, 28.0), (0.1, 33.0)], [(27.5, 28.5), None]),
        Series("$other$ (published)", "published-9", [(0.03, 26.0)], is_dashed=True),
    ],
    scale="log",
    levels=[Level("raw", 30.0, (29.0, 31.0))],
)
BARS = Bars(
    "parts",
    "PSNR, dB",
    [
        Bar("none <&>", 20.0, "plain", "20.00 dB", (19.0, 21.0), marks={"the paper": 22.0}, heading="first"),
        Bar("whole", 21.0, "dnerv", "21.00 dB", singles=(20.5, 21.5), is_pale=True),
    ],
)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def holds(picture: np.ndarray, colour: str) -> bool:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(picture - wanted).max(-1) <= 2).sum() > 20)


def test_every_series_is_drawn_in_its_colour(tmp_path: Path) -> None:
    draw([LINES], tmp_path / "a.png")
    draw([Lines(LINES.title, LINES.across, LINES.up, LINES.series[1:], "log")], tmp_path / "b.png")
    both, one = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png")
    assert holds(both, colour_of("dnerv"))
    assert not holds(one, colour_of("dnerv"))
    draw([BARS], tmp_path / "c.png")
    assert holds(pixels(tmp_path / "c.png"), colour_of("plain"))


@pytest.mark.parametrize("charts", [[LINES], [LINES, LINES, LINES], [BARS], [BARS, BARS]])
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_what_their_names_say(charts: list[Lines | Bars], suffix: str, tmp_path: Path) -> None:
    draw(charts, tmp_path / f"a.{suffix}", heading="3 videos")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(start)


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.png"):
        draw([LINES], tmp_path / "a.gif")
    with pytest.raises(OutputError):
        draw([LINES], tmp_path / "none" / "a.png")
    with pytest.raises(ValueError, match="lines or bars"):
        draw([LINES, BARS], tmp_path / "a.png")


def test_what_has_no_style_of_its_own_has_always_the_same(tmp_path: Path) -> None:
    draw([Lines("", "", "", [Series("VP9", "vp9", [(0, 0)])])], tmp_path / "a.png")
    # python -c "import zlib; print(zlib.crc32(b'vp9') % 8)": 6
    assert colour_of("vp9") == "#c27c9a"
    assert colour_of("vp9") != colour_of("x265")


def test_svg_for_a_page() -> None:
    text = svg(LINES, "k1")
    assert text == svg(LINES, "k1")  # the same bytes each time
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib
    words = " ".join(root.itertext())
    for word in ("D-NeRV", "$other$ (published)", "raw", "PSNR, dB", "0.02"):
        assert word in words
    assert "currentColor" in text
    assert colour_of("dnerv") in text
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert ids
    assert all(name.startswith("k1-") for name in ids)
    assert set(re.findall(r"""(?:href="|url\()#([^")]*)""", text)) <= set(ids)
    assert not set(ids) & set(re.findall(r'\bid="([^"]*)"', svg(BARS, "k2")))
    assert "none <&>" in " ".join(ElementTree.fromstring(svg(BARS, "k2")).itertext())


def test_a_sheet_shows_its_pictures(tmp_path: Path) -> None:
    red, green = (np.full((40, 60, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 200, 0)))
    sheet = Sheet("two", ["left", "right"], [[Cell(red, "$a"), Cell(green, "动画")]])
    draw_sheet(sheet, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    middle = picture.shape[1] // 2
    assert holds(picture[:, :middle], "#c80000")
    assert not holds(picture[:, :middle], "#00c800")
    assert holds(picture[:, middle:], "#00c800")


def test_differences_are_four_times_larger_around_grey() -> None:
    original, made = np.array([[[100, 100, 0]]], np.uint8), np.array([[[90, 110, 200]]], np.uint8)
    assert difference(original, made).tolist() == [[[168, 88, 0]]]

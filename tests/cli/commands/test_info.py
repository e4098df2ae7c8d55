"""What `info` says of an archive, free text included."""

from __future__ import annotations

from typing import Any

import pytest

from dnerv import terminal
from dnerv.cli.commands.info import COMMAND
from dnerv.tables import Part, Table

EIGHT = {"matrix": "bt709", "depth": 8, "full_range": False}
TEN = {"matrix": "bt601", "depth": 10, "full_range": False}
PLAIN = {"bitstream": "av1", "planes": TEN, "shown": EIGHT, "header": "0a"}
DIGEST = "0123456789abcdef"


def video(name: str = "one", **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"frames": 9, "height": 48, "width": 64, "coded_height": 48, "coded_width": 64}
    plain |= {
        "label": None,
        "fps": 25.0,
        "seconds": 0.36,
        "every": 1,
        "groups": 2,
        "group_length": 8,
        "access": 8,
        "made_frames": 0,
    }
    plain |= {"uses_network": False, "crf": 40.0, "format": 0, "references": [], "bytes": 25}
    return {"name": name} | plain | changes


def record(*videos: dict[str, Any], **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"file_bytes": 100, "bits_per_pixel": 0.05, "frames": 9, "access": 8}
    plain |= {"breakdown": {"base layers": 75, "index": 25}, "formats": [PLAIN], "network": None, "references": []}
    return plain | {"made": {}, "videos": list(videos) or [video()]} | changes


def reference(made_of: Any = None, videos: tuple[str, ...] = ("one",)) -> dict[str, Any]:
    size = {"height": 48, "width": 64, "crf": 40.0, "has_seed": False}
    return {"name": DIGEST, "bytes": 1234, "videos": list(videos), "groups": 7, "made_of": made_of} | size


def lines_of(parts: Any) -> list[str]:
    return [part for part in parts if isinstance(part, str)]


def tables_of(parts: Any) -> list[Table]:
    return [part for part in parts if isinstance(part, Table)]


def test_bytes_add_up_to_the_file() -> None:
    parts = tables_of(COMMAND.tables(record()))[-1]
    assert parts.rows == [("base layers", "75", "75.0%"), ("index", "25", "25.0%"), ("the file", "100", "100.0%")]


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({}, ("one", "9", "48x64", "25", "1", "8", "-", "25")),
        ({"groups": 1, "group_length": 9}, ("one", "9", "48x64", "25", "1", "all", "-", "25")),
        ({"every": 2, "made_frames": 4, "fps": 30000 / 1001}, ("one", "9", "48x64", "29.97", "2", "8", "blends", "25")),
        ({"every": 4, "made_frames": 9, "uses_network": True}, ("one", "9", "48x64", "25", "4", "8", "network", "25")),
        (
            {"every": None, "groups": 0, "group_length": None, "access": 0, "bytes": 0, "uses_network": True},
            ("one", "9", "48x64", "25", "-", "-", "network", "0"),
        ),
    ],
    ids=["coded", "one group", "blends", "network", "network alone"],
)
def test_what_makes_a_videos_frames(changes: dict[str, Any], row: tuple[str, ...]) -> None:
    assert tables_of(COMMAND.tables(record(video(**changes))))[0].rows == [row]


@pytest.mark.parametrize(
    ("made_of", "cells"),
    [
        (None, ("", "one", "7", "1,234", "")),
        ({"video": "one", "frame": 4, "saved": 5677.6}, ("one, 4", "one", "7", "1,234", "5,678")),
        ({"video": "one"}, ("", "one", "7", "1,234", "")),
        ({"saved": "a lot of bytes, truly"}, ("", "one", "7", "1,234", "a lot of byt")),
        ("a picture", ("", "one", "7", "1,234", "")),
    ],
    ids=str,
)
def test_references_and_what_their_encoder_said(made_of: Any, cells: tuple[str, ...]) -> None:
    _, made, _ = tables_of(COMMAND.tables(record(references=[reference(made_of)])))
    assert made.rows == [(DIGEST, *cells)]


@pytest.mark.parametrize(
    ("videos", "users"), [((), "none"), (("one",), "one"), (("one", "two", "three"), "one and 2 more")]
)
def test_who_uses_a_reference(videos: tuple[str, ...], users: str) -> None:
    _, made, _ = tables_of(COMMAND.tables(record(references=[reference(videos=videos)])))
    assert made.rows[0][2] == users


def test_formats_access_and_network_are_lines() -> None:
    deep = PLAIN | {"shown": {"matrix": "bt2020", "depth": 10, "full_range": True}}
    videos = [video("a", crf=40.0), video("b", crf=42.5, every=2, made_frames=4), video("c", format=1)]
    lines = lines_of(COMMAND.tables(record(*videos, formats=[PLAIN, deep, PLAIN], access=9)))
    assert lines == [
        "2 videos in av1, bt601, 10 bits, limited range; sources of bt709, 8 bits, limited range; crf 40 to 42.5",
        "1 video in av1, bt601, 10 bits, limited range; sources of bt2020, 10 bits, full range; crf 40",
        "any frame comes back by decoding 9 coded frames at most; 1 video with blended frames",
        "no network",
        "0.0500 bits per pixel",
    ]
    known = {"title": "D-NeRV", "width": 2, "parameters": 1234, "canvas": [64, 80], "model": {}, "prior": None}
    lines = lines_of(
        COMMAND.tables(record(*videos, video("d", uses_network=True), formats=[PLAIN, deep], network=known))
    )
    assert lines[3] == "D-NeRV of width 2, 1,234 parameters, canvas 64x80, for 1 of 4 videos"


def test_a_network_alone_has_no_coded_frames() -> None:
    alone = video(every=None, groups=0, group_length=None, access=0, format=None, crf=None, uses_network=True)
    lines = lines_of(COMMAND.tables(record(alone, access=0, formats=[])))
    assert lines[0] == "no coded frames: the network makes all of them"


def test_many_videos_are_cut_and_fit_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "a-task-with-a-long-name/episode-{}"
    videos = [
        video(name.format(i), frames=123_456, height=1080, width=1920, fps=29.97, bytes=123_456_789, uses_network=True)
        for i in range(50)
    ]
    shared = [reference({"video": name.format(1), "frame": 12345, "saved": 12_345_678}, (name.format(1),) * 50)] * 50
    parts: list[Part] = [*COMMAND.tables(record(*videos, references=shared))]
    assert [len(made.rows) for made in tables_of(parts)[:2]] == [41, 41]
    terminal.print_parts(parts)
    shown = capsys.readouterr().out
    assert shown.count("... and 10 more") == 2
    assert max(map(len, shown.splitlines())) <= 80

"""What `info` says of an archive, free text included."""

from __future__ import annotations

from typing import Any

import pytest

from dnerv.cli.commands.info import COMMAND


def record(source: dict[str, Any], **model: Any) -> dict[str, Any]:
    video = {"name": "one", "frames": 9, "height": 48, "width": 64, "coded_height": 48, "coded_width": 64}
    return {
        "file_bytes": 100,
        "network": "D-NeRV",
        "bits_per_pixel": 0.05,
        "breakdown": {"weights": 75, "keyframes": 25},
        "model": {"family": "dnerv", "base_channels": 2, "parameters": 1234} | model,
        "canvas": [64, 64],
        "keyframe_codec": {"bitstream": "av1"},
        "source": source,
        "videos": [video | {"fps": 25.0, "seconds": 0.36, "keyframe_bytes": 25}],
    }


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ({"mode": "inter", "crf": 40.0}, "av1 inter, crf 40"),
        ({"mode": "inter", "crf": 35.25}, "av1 inter, crf 35.25"),
        ({"crf": "x"}, "av1, crf x"),
        ({"crf": None}, "av1, crf None"),
        ({"crf": [1], "mode": {"a": 1}}, "av1 {'a': 1}, crf [1]"),
        ({}, "av1"),
    ],
    ids=str,
)
def test_free_text_is_shown_as_it_is(source: dict[str, Any], end: str) -> None:
    _, line, *_ = COMMAND.tables(record(source))
    assert isinstance(line, str)
    assert line.startswith("D-NeRV of width 2, 1,234 parameters, canvas 64x64, paper head; a keyframe every 8 frames")
    assert line.endswith(f", {end}")


def test_bytes_add_up_to_the_file() -> None:
    _, _, parts, _ = COMMAND.tables(record({}))
    assert not isinstance(parts, str)
    assert parts.rows == [("weights", "75", "75.0%"), ("keyframes", "25", "25.0%"), ("the file", "100", "100.0%")]

"""The tables of `evaluate` and `encode`."""

from __future__ import annotations

from typing import Any

import pytest

from dnerv.cli.commands.evaluate import quality_tables
from dnerv.tables import Table


def quality(count: int, ms_ssim: float | None = 0.95) -> dict[str, Any]:
    video = {"num_frames": 3, "height": 64, "width": 96, "psnr": 30.0, "ms_ssim": ms_ssim, "bits_per_pixel": 0.05}
    overall = {"psnr": 30.0, "psnr_of_mean_mse": 29.5, "ms_ssim": ms_ssim, "bits_per_pixel": 0.05, "file_bytes": 1234}
    return overall | {"videos": [video | {"name": f"clip{i}"} for i in range(count)]}


def made_of(record: dict[str, Any]) -> tuple[Table, str]:
    table, *_, note = quality_tables(record)
    assert isinstance(table, Table)
    assert isinstance(note, str)
    return table, note


def test_each_video_and_all() -> None:
    table, note = made_of(quality(2))
    assert table.rows == [
        ("clip0", "3", "64x96", "30.00", "0.9500", "0.0500"),
        ("clip1", "3", "64x96", "30.00", "0.9500", "0.0500"),
        ("all", "6", "", "30.00", "0.9500", "0.0500"),
    ]
    assert table.sections == [2]
    assert note == "PSNR of the mean error: 29.50 dB; file: 1,234 bytes"


@pytest.mark.parametrize(("count", "rows"), [(40, 41), (41, 42), (50, 42)])
def test_a_long_list_is_summed_up_but_counted_whole(count: int, rows: int) -> None:
    table, _ = made_of(quality(count))
    assert len(table.rows) == rows
    assert table.rows[-1][:2] == ("all", str(3 * count))
    rest = [row[0] for row in table.rows if row[0].startswith("...")]
    assert rest == ([f"... and {count - 40} more (--json lists all)"] if count > 40 else [])


def test_a_missing_ms_ssim_is_said_and_not_made_up() -> None:
    table, _ = made_of(quality(1, ms_ssim=None))
    assert [row[4] for row in table.rows] == ["n/a", "n/a"]


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ([(64, 96), (160, 640)], "its five scales need frames of 161 pixels at least on each side"),
        ([(64, 96), (161, 640)], "it takes long, and `dnerv evaluate` measures it"),
    ],
)
def test_why_there_is_no_ms_ssim(sizes: list[tuple[int, int]], reason: str) -> None:
    record = quality(2, ms_ssim=None)
    for video, (height, width) in zip(record["videos"], sizes, strict=True):
        video |= {"height": height, "width": width}
    assert quality_tables(record)[1] == f"MS-SSIM n/a: {reason}"
    assert len(quality_tables(quality(2))) == 2

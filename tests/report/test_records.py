"""Records as a report reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dnerv.errors import InputError
from dnerv.report.records import read_records


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"study": "compare"', "not whole JSON"),
        ("[1]", "no study's record"),
        ('{"psnr": 1}', "no study's record"),
        ('{"study": "astrology"}', "'astrology'.*compare"),
        ('{"study": ["compare"]}', r"\['compare'\]"),
        (
            '{"study": "compare", "codecs": {}}',
            r"r.json: does not say how it was made, it lacks command, .*run the study",
        ),
    ],
)
def test_what_is_no_record(text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=match):
        read_records([tmp_path / "r.json"])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; give a study's folder"):
        read_records([tmp_path])


def test_one_given_twice_counts_once_and_two_that_contradict_are_refused(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "results.json").read_text())
    (tmp_path / "same.json").write_text(
        json.dumps(record | {"command": "another", "ended": "2030-01-01T00:00:00+00:00"})
    )
    assert [one.folder for one in read_records([folder, tmp_path / "same.json"])] == [folder]
    record["rows"][0]["level"] += 1
    (tmp_path / "other.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"results.json and .*other.json are the same study"):
        read_records([folder, tmp_path / "other.json"])
    (tmp_path / "elsewhere.json").write_text(json.dumps(record | {"seed": 4, "options": {"seed": 4}}))
    assert [one.title for one in read_records([folder, tmp_path / "elsewhere.json"])] == ["Shades", "Shades, elsewhere"]


def test_the_order_is_that_of_the_studies(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "results.json").read_text())
    paths = [tmp_path / f"{name}.json" for name in ("joint", "compare", "shades")]
    for path in paths:
        path.write_text(json.dumps(record | {"study": path.stem}))
    assert [one.study.name for one in read_records(paths)] == ["shades", "compare", "joint"]

"""How a record says that it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dnerv.errors import InputError
from dnerv.report.origin import origin_html
from dnerv.studies.record import check_record


@pytest.fixture
def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found | {"commit": "0123456789abcdef", "started": "2026-11-26T03:00:05+00:00"}


def test_everything_that_a_stranger_needs(record: dict[str, Any]) -> None:
    record |= {"ended": "2026-11-26T05:00:00+00:00", "seconds": 600.0, "modified": True}
    text = origin_html(record, "Shades")
    assert "<code>dnerv study shades &#x27;a&lt;b&gt; &amp; &quot;c&quot;" in text
    assert "commit 0123456789, with changes that are in no commit" in text
    assert "2026-11-26 03:00:05 to 2026-11-26 05:00:00 UTC, 10 minutes of work" in text
    assert f"cores: {record['machine']['cores']}, threads: {record['machine']['threads']}" in text
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" in text  # echo -n abc | sha256sum
    assert ">seed</th><td" in text
    assert "not recorded" not in text
    assert "<b>" not in text


def test_several_commits_and_a_note(record: dict[str, Any]) -> None:
    record |= dict.fromkeys(("started", "ended", "seconds", "machine", "seed"))
    record |= {"commits": ["a" * 40, None], "inputs": {"given": ["x"], "files": []}, "note": "old & <odd>"}
    check_record(record, "here")
    text = origin_html(record, "Shades")
    assert "commit aaaaaaaaaa, unknown" in text
    assert '<p class="note">old &amp; &lt;odd&gt;</p>' in text
    assert text.count("not recorded") == 4  # time, machine, seed, hashes


@pytest.mark.parametrize("name", ["started", "ended", "seconds", "machine", "seed"])
def test_what_is_not_recorded_needs_a_note(record: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=f"here: {name}: not there, and no note says why: run the study again"):
        check_record(record | {name: None}, "here")
    check_record(record | {name: None, "note": "lost"}, "here")
    with pytest.raises(InputError, match=r"inputs\.files"):
        check_record(record | {"inputs": {"given": [], "files": []}}, "here")

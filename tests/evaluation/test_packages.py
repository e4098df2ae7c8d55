"""Files in packages that are not imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnerv.evaluation.packages import packaged_file


def test_a_file_is_found_and_nothing_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lies_here" / "weights"
    folder.mkdir(parents=True)
    (tmp_path / "lies_here/__init__.py").write_text("raise ImportError('it is read, not imported')")
    (folder / "w.bin").write_bytes(b"1")
    monkeypatch.syspath_prepend(tmp_path)
    assert packaged_file("lies_here", "weights/w.bin") == folder / "w.bin"
    assert packaged_file("lies_here", "weights/other.bin") is None
    assert packaged_file("is_nowhere", "weights/w.bin") is None

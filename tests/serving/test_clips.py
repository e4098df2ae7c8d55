"""Clips: kept for a while, previews of bounded length."""

from pathlib import Path

import pytest

from dnerv.archive import Archive
from dnerv.serving import clips


def test_the_last_clips_are_kept(served_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "_KEPT", 2)
    with Archive(served_path, size="coded") as archive:
        some = clips.Clips(archive)
        first = some.open(0)
        assert some.open(0) is first
        for place in (1, 2):
            some.open(place)
        assert some.open(0) is not first


def test_previews_have_an_end(served_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "_PREVIEW_PIXELS", 3 * 64 * 80 + 1)
    with Archive(served_path, size="coded") as archive:
        some, entry = clips.Clips(archive), archive.entries[114]
        assert some.preview_frames(entry) == 3
        clip = some.open(114)
        data = b"".join(clip.read(0, clip.size))
        assert len(data) == clip.size
        assert b"".join(clip.read(10, 20)) == data[10:20]

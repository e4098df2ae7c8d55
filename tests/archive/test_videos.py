"""What an archive and a collection of archives have in common, on both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnerv.archive import Archive, Collection
from dnerv.archive.changing import merge
from dnerv.archive.videos import Videos
from dnerv.errors import InputError, VideoNameError

NAMES = ["a/one", "a/two", "b", "c", "d", "z"]


@pytest.fixture(params=["archive", "collection"])
def videos(request: pytest.FixtureRequest, shards: list[Path], tmp_path: Path) -> Iterator[Videos]:
    if request.param == "collection":
        with Collection([Archive(path) for path in shards]) as collection:
            yield collection
        return
    merge(shards, tmp_path / "all.dnerv")
    with Archive(tmp_path / "all.dnerv") as archive:
        yield archive


def test_labels_are_class_names_once_and_in_order(videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    assert videos.class_names == ["a"]
    entries = [replace(videos.entries[0], label=label) for label in ("walk", None, "run", "walk")]
    monkeypatch.setattr(type(videos), "each_entry", lambda self: iter(entries))
    assert videos.class_names == ["run", "walk"]


def test_entries_by_place(videos: Videos) -> None:
    entries = videos.entries
    assert [entry.name for entry in entries] == [entry.name for entry in videos.each_entry()] == NAMES
    assert [entries[place].name for place in (0, 5, -1, -6)] == ["a/one", "z", "z", "a/one"]
    assert [entry.name for entry in entries[1:5:2]] == ["a/two", "c"]
    assert [entry.name for entry in entries[-2:]] == ["d", "z"]
    assert entries[9:] == []
    assert (len(entries), len(videos)) == (6, 6)
    for outside in (6, -7):
        with pytest.raises(IndexError):
            entries[outside]


def test_videos_by_name(videos: Videos) -> None:
    assert videos["c"].entry == videos.entries[videos.place_of("c") or 0]
    expected = "this archive; it holds 6" if isinstance(videos, Archive) else "3 archives; there are 6"
    with pytest.raises(VideoNameError) as raised:
        videos["e"]
    assert str(raised.value) == f"no video is called 'e' in {expected}: a/one, a/two, b, c, d, ..."
    with pytest.raises(InputError, match=r"^videos are found by their names, and 2 is none; `entries` has them by"):
        videos[2]  # type: ignore[index]


def test_its_bits_are_those_of_all_its_bytes(videos: Videos) -> None:
    assert videos.bits_per_pixel == 8 * videos.file_bytes / videos.num_pixels
    assert videos.num_pixels == sum(32 * 32 * entry.timing.num_frames for entry in videos.entries)


def test_closed_at_the_end(videos: Videos) -> None:
    with videos as opened:
        assert opened is videos
    with pytest.raises((InputError, ValueError, OSError)):
        videos["c"][0]

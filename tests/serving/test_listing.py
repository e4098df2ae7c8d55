"""Pages of videos: each once, in order, whatever the search stops at."""

from pathlib import Path

import pytest

from dnerv.archive import Archive
from dnerv.serving.listing import PAGE, listing


def names(archive: Archive, text: str, **options: float) -> list[str]:
    """Of all pages, one after the other."""
    found, start, pages = [], 0, 0
    while True:
        page = listing(archive, start, text, **options)
        found += [entry.name for _, entry in page.videos]
        assert [archive.entries[place] for place, _ in page.videos] == [entry for _, entry in page.videos]
        pages += 1
        if page.stop is None:
            return found
        assert page.stop > start
        start = page.stop


@pytest.mark.parametrize("seconds", [60.0, 0.0], ids=["at ease", "out of time"])
def test_pages_hold_each_video_once(served_path: Path, seconds: float) -> None:
    with Archive(served_path) as archive:
        assert names(archive, "", seconds=seconds) == archive.names
        plain = [name for name in archive.names if name.startswith("plain")]
        assert names(archive, "pLAIN", seconds=seconds) == plain
        assert names(archive, "no such", seconds=seconds) == []


def test_a_search_that_runs_out_of_time_says_where_it_is(served_path: Path) -> None:
    with Archive(served_path) as archive:
        page = listing(archive, 0, "plain/107", seconds=0)
        assert (page.videos, page.is_partial) == ([], True)
        whole = listing(archive, 0, "plain/107")
        assert ([entry.name for _, entry in whole.videos], whole.stop) == (["plain/107"], None)
        assert len(listing(archive).videos) == PAGE
        assert not listing(archive).is_partial
        assert listing(archive, 10**6).videos == []

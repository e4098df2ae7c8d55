"""Which videos, and their labels as numbers."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from dnerv.archive import Archive, Layers, VideoEntry
from dnerv.errors import InputError
from dnerv.loading.catalogue import Catalogue, default_clip_length, describe
from dnerv.loading.windows import Sample
from dnerv.video import Timing

PLAIN = VideoEntry(
    "", None, (48, 64), (24, 32), Timing.constant(Fraction(10), 5), 0, 0, 0, 0.0, (), (), (), 0, network_frame=0
)
ENTRIES = (
    replace(PLAIN, name="walk/a", label="walk"),
    replace(PLAIN, name="loose", coded_size=(32, 32)),
    replace(PLAIN, name="run/b", label="run", timing=Timing(Fraction(1, 10), (3, 4, 9), 2)),
)


def test_a_part_agrees_with_the_whole_on_the_numbers() -> None:
    whole, part = Catalogue(ENTRIES), Catalogue(ENTRIES, ["run/b"])
    assert whole.class_names == part.class_names == ["run", "walk"]
    assert [whole.label(place) for place in range(3)] == [1, -1, 0]
    assert (part.places, part.label(2), part.lengths) == ([2], 0, [3])


def test_videos_come_in_the_order_they_were_named_in() -> None:
    chosen = Catalogue(ENTRIES, ["run/b", "walk/a"])
    assert (chosen.places, chosen.lengths) == ([2, 0], [3, 5])


def test_the_entries_are_read_once_and_not_kept() -> None:
    """An index of a million videos is walked through, block by block."""
    read: list[int] = []

    class Entries(Sequence[VideoEntry]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, place: Any) -> Any:
            if place < 3:
                read.append(place)
            return ENTRIES[place]

    catalogue = Catalogue(Entries(), ["run/b"])
    assert (catalogue.label(0), catalogue.class_names, catalogue.coded_sizes) == (
        1,
        ["run", "walk"],
        {"run/b": (24, 32)},
    )
    assert read == [0, 1, 2]


def test_clips_are_as_long_as_the_networks_or_eight(base_path: Path, alike_path: Path) -> None:
    for path, length in ((base_path, 8), (alike_path, 4)):
        for layers in get_args(Layers):
            with Archive(path, layers=layers) as archive:
                assert default_clip_length(archive) == length


def test_sizes_are_those_of_the_videos_chosen() -> None:
    assert Catalogue(ENTRIES).coded_sizes == {"walk/a": (24, 32), "loose": (32, 32)}
    assert Catalogue(ENTRIES, ["run/b"]).coded_sizes == {"run/b": (24, 32)}


def test_times_are_the_videos_own() -> None:
    found = describe(ENTRIES[2], Sample(7, 2, np.array([2, 0, 2])))
    assert (found["video"], found["index"], found["frames"].tolist()) == ("run/b", 7, [2, 0, 2])
    assert found["seconds"].tolist() == [0.9, 0.3, 0.9]


@pytest.mark.parametrize(
    ("names", "message"),
    [("walk/a", "give a list"), (["walk"], "no video is called 'walk'"), (["loose", "loose"], "names one twice")],
)
def test_refused(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Catalogue(ENTRIES, names)

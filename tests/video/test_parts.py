"""Parts of files: the very frames, their times, and lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.video import Member, VideoSource, cache_video, discover
from dnerv.video.decoder import FileDecoder, Picture
from dnerv.video.parts import FilePart, NamedPart, read_parts, write_parts

STEP, COUNT = 512, 40  # ticks of 1/12800 s from frame to frame at 25 a second


@pytest.fixture
def film(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Forty frames in groups of 12 with B-frames; each is as bright as its number says."""
    levels = [np.full((48, 64, 3), 6 * number, np.uint8) for number in range(COUNT)]
    return make_video(tmp_path / "film.mp4", levels, options={"g": "12", "bf": "3", "crf": "1"})


def part(first: int, past: int, **changes: int) -> FilePart:
    fields = {"start": STEP * first, "stop": STEP * past, "origin": STEP * first, "num_frames": past - first}
    return FilePart(**(fields | changes))


def frames(path: Path, wanted: FilePart | None) -> tuple[list[np.ndarray], list[int]]:
    stream = VideoSource(path, part=wanted).frames()
    found = [frame for _, frame in stream]
    assert stream.timing.time_base == Fraction(1, 12800)
    return found, list(stream.timing.pts)


@pytest.mark.parametrize("span", [(0, 40), (0, 1), (11, 13), (12, 24), (17, 18), (39, 40)])
def test_frames_are_those_of_the_whole_file(film: Path, span: tuple[int, int]) -> None:
    whole, times = frames(film, None)
    found, shifted = frames(film, part(*span))
    assert np.array_equal(found, whole[slice(*span)])
    assert shifted == [time - STEP * span[0] for time in times[slice(*span)]]


def test_decoding_begins_near_the_part(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int | None] = []
    everything = FileDecoder._all_pictures

    def counted(decoder: FileDecoder) -> Iterator[Picture]:
        for picture in everything(decoder):
            seen.append(picture.pts)
            yield picture

    monkeypatch.setattr(FileDecoder, "_all_pictures", counted)
    frames(film, part(30, 33))
    assert seen[0] == STEP * 24
    assert seen[-1] == STEP * 33


def test_another_number_of_frames_is_an_error(film: Path) -> None:
    with pytest.raises(InputError, match="has 3 frames, and 5 were announced"):
        frames(film, part(2, 5, num_frames=5))
    with pytest.raises(InputError, match="has 0 frames"):
        frames(film, part(90, 92))


def test_a_list_is_an_input(film: Path, tmp_path: Path) -> None:
    given = [NamedPart("cam/1", film, "lift", part(20, 24)), NamedPart("cam/0", film, None, part(0, 20))]
    path = tmp_path / "film.parts.json"
    write_parts(path, given)
    assert read_parts(path) == given
    members = discover([path])
    assert members == [Member("cam/1", film, "lift", part(20, 24)), Member("cam/0", film, None, part(0, 20))]
    first, second = (cache_video(member, tmp_path / "cache") for member in members)
    assert (len(first.store), first.label, len(second.store)) == (4, "lift", 20)
    assert cache_video(members[0], tmp_path / "cache") == first
    other = Member("cam/1", film, "lift", part(20, 22))
    assert len(cache_video(other, tmp_path / "cache").store) == 2  # the cache knows which part it has


@pytest.mark.parametrize("text", ["{", "[1]", '[{"name": "a"}]', '[{"name":"a","path":"b","label":1}]'])
def test_what_is_no_list_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.parts.json").write_text(text)
    with pytest.raises(InputError, match=r"bad\.parts\.json: no list of parts"):
        discover([tmp_path / "bad.parts.json"])


def test_images_have_no_parts(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    with pytest.raises(InputError, match="not of images"):
        VideoSource(tmp_path, part=part(0, 1))

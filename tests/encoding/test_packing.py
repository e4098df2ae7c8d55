"""What was coded, in an archive: the same frames, and a record of how it was made."""

from collections.abc import Callable
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive, verify_archive
from dnerv.archive.entry import OWN_INTRA
from dnerv.codecs import Planes
from dnerv.encoding import EncodeOptions
from dnerv.encoding.base_coding import shown_frames
from dnerv.encoding.base_stage import BaseSettings, CodedCorpus
from dnerv.encoding.packing import record_of, references_said, write_base
from dnerv.errors import InputError
from dnerv.version import __version__
from dnerv.video import CachedVideo

Coded = tuple[CodedCorpus, Path]
Settled = Callable[..., BaseSettings]


def test_entries_and_frames_are_what_was_coded(
    videos: list[CachedVideo], coded: Coded, settings: Settled, fast: EncodeOptions, tmp_path: Path
) -> None:
    corpus, path = coded[0], tmp_path / "a.dnerv"
    path.write_bytes(b"what was there")
    given = [replace(videos[0], label="moves", original_height=48, original_width=60), *videos[1:]]
    assert write_base(path, given, corpus, fast, settings()) == path.stat().st_size
    assert verify_archive(path)["intact"]
    with Archive(path, size="coded") as archive:
        assert archive.names == [video.name for video in videos]
        for video, base, entry in zip(given, corpus.videos, archive.entries, strict=True):
            assert (entry.label, entry.original_size, entry.coded_size) == (
                video.label,
                (video.original_height, video.original_width),
                (64, 80),
            )
            assert (entry.timing, entry.network_frame) == (video.timing, None)
            assert (entry.distance, entry.group_length) == (base.plan.distance, base.plan.group_length)
            assert (entry.crf, entry.packet_lengths) == (45.0, base.packet_lengths)
            digests = [None if r == OWN_INTRA else archive.references[r].digest for r in entry.references]
            assert digests == list(base.references)
            frames = np.stack(list(shown_frames(base._load(), (64, 80), 12, corpus.by_digest)))
            assert (archive[video.name][:].permute(0, 2, 3, 1).numpy() == frames).all()


def test_references_are_stored_once_with_how_they_were_coded(
    videos: list[CachedVideo], coded: Coded, settings: Settled, fast: EncodeOptions, tmp_path: Path
) -> None:
    write_base(tmp_path / "a.dnerv", videos, coded[0], fast, settings())
    with Archive(tmp_path / "a.dnerv") as archive:
        assert {r.digest for r in archive.references} == set(coded[0].by_digest)
        for place, stored in enumerate(archive.references):
            assert (stored.height, stored.width, stored.crf, stored.preset) == (64, 80, 45.0, 8)
            assert stored.seed_length == 0
            assert archive.base.reference_packet(place) == coded[0].by_digest[stored.digest].packet
        parts = archive.breakdown()
        assert parts["references"] == sum(len(reference.packet) for reference in coded[0].references)
        assert parts["unused"] == 0


def test_planes_of_the_source_are_kept(
    videos: list[CachedVideo], coded: Coded, settings: Settled, fast: EncodeOptions, tmp_path: Path
) -> None:
    given = [replace(videos[0], matrix="bt2020", full_range=True, depth=10), *videos[1:]]
    write_base(tmp_path / "a.dnerv", given, coded[0], fast, settings())
    with Archive(tmp_path / "a.dnerv") as archive:
        shown = [archive.config.formats[entry.format].shown for entry in archive.entries]
        assert shown == [Planes("bt2020", True, 10), *[Planes("bt709", False, 8)] * 3]
        assert {archive.config.formats[entry.format].planes for entry in archive.entries} == {Planes()}
        assert archive["0-0"][5].shape == (3, 64, 80)


def test_the_record_says_how_it_was_made(coded: Coded, settings: Settled) -> None:
    options = EncodeOptions(effort="fast", fps=Fraction(30000, 1001), resolution=(64, 80))
    record = record_of(options, settings(), coded[0])
    assert record["dnerv"] == __version__
    assert record["encoder"].startswith("libsvtav1")
    assert (record["crf"], record["fps"], record["resolution"]) == (45.0, "30000/1001", [64, 80])
    assert record["options"] == options.to_json()
    assert BaseSettings(**record["base"] | {"distances": tuple(record["base"]["distances"])}) == settings()
    assert record["base"] == asdict(settings())
    alone = record_of(EncodeOptions(model="nerv", epochs=1), None, None)
    assert set(alone) == {"dnerv", "options"}


def test_what_references_save_is_said_and_adds_up(coded: Coded) -> None:
    corpus, said = coded[0], references_said(coded[0])
    first = corpus.references[0]
    assert first.made_of is not None
    fact = said[first.digest.hex()]
    assert (fact["video"], fact["frame"]) == first.made_of
    assert fact["saved"] == round(corpus.saved[first.digest]) > len(first.packet)
    more = references_said(corpus, said | {"ab": {"saved": 7}})
    assert more.pop("ab") == {"saved": 7}
    assert {name: fact["saved"] for name, fact in more.items()} == {n: 2 * fact["saved"] for n, fact in said.items()}


@pytest.mark.parametrize("name", ["", "a\0b", "../a"])
def test_names_that_no_reader_would_open_are_refused(
    videos: list[CachedVideo], coded: Coded, settings: Settled, fast: EncodeOptions, tmp_path: Path, name: str
) -> None:
    given: list[Any] = [replace(videos[0], name=name), *videos[1:]]
    with pytest.raises(InputError, match="cannot be stored"):
        write_base(tmp_path / "a.dnerv", given, coded[0], fast, settings())
    assert list(tmp_path.iterdir()) == []

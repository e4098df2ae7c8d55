"""What is decoded for which frames, how often, and what comes of damage."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive, BaseLayer, BaseReader, base_layer, new_archive
from dnerv.archive.entry import OWN_INTRA
from dnerv.codecs import Picture, Planes, blended, decode_packets
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing

Write = Callable[..., Path]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ordinals of the coded frames that decoders make, references apart."""
    made: list[int] = []
    decoder = BaseLayer.decoder

    def counted(self: BaseLayer, entry: Any, group: int, ends: Any) -> Iterator[Picture]:
        for ordinal, picture in enumerate(decoder(self, entry, group, ends), entry.group_packets(group).start):
            made.append(ordinal)
            yield picture

    monkeypatch.setattr(BaseLayer, "decoder", counted)
    return made


@pytest.fixture
def opened(base_path: Path) -> Iterator[Archive]:
    with Archive(base_path, size="coded") as archive:
        yield archive


@pytest.fixture
def walk(opened: Archive) -> BaseReader:
    """10 frames, coded 0, 2, 4, 6, 8 and 9, in groups of two, every other one behind a reference."""
    return opened.base.reader(opened["walk"].entry)


def by_hand(archive: Archive, name: str) -> np.ndarray:
    """All frames of a video by the format's page: each group a stream of its own, and blends."""
    entry = archive[name].entry
    plain, coded = archive.config.formats[entry.format], []
    for group, place in enumerate(entry.references):
        data = archive.container.read_at(*entry.group_span(group))
        ends = np.cumsum([0, *(entry.packet_lengths[i] for i in entry.group_packets(group))]).tolist()
        packets = [data[a:b] for a, b in pairwise(ends)]
        if place == OWN_INTRA:
            packets[0] = plain.header + packets[0]
        else:
            packets.insert(0, plain.header + archive.base.reference_packet(place))
        height, width = entry.coded_size
        frames = list(decode_packets(packets, height=height, width=width, planes=plain.planes))
        coded += frames[-len(entry.group_packets(group)) :]
    return np.stack(list(blended(np.stack(coded), entry.timeline))).transpose(0, 3, 1, 2)


def test_frames_are_what_the_format_says(opened: Archive) -> None:
    assert {len(set(entry.references)) for entry in opened.entries} == {1, 2}
    for entry in opened.entries:
        frames = opened.base.frames(entry, range(entry.timing.num_frames))
        assert np.array_equal(frames, by_hand(opened, entry.name))
        assert frames.std() > 5


def test_any_order_gives_the_same_bits(opened: Archive, walk: BaseReader) -> None:
    expected = by_hand(opened, "walk")
    order = np.random.default_rng(1).permutation(10).tolist()
    for index in [*order, *reversed(range(10))]:
        assert np.array_equal(walk.frames([index])[0], expected[index])
    wanted = [9, 3, 3, 0, 8, 3]
    assert np.array_equal(walk.frames(wanted), expected[wanted])
    assert walk.frames([]).shape == (0, 3, 32, 32)


def test_between_frames_lie_blends(walk: BaseReader) -> None:
    own = [frame.transpose(2, 0, 1) for frame in walk.coded([0, 1])]
    found = walk.frames([0.5, 1.0, 2.0])
    assert np.array_equal(found[0], np.rint(0.75 * own[0] + 0.25 * own[1].astype(np.float32)))
    assert np.array_equal(found[1:], walk.frames([1, 2]))
    with pytest.raises(InputError, match="frame 10 asked"):
        walk.frames([0, 10])


def test_forward_every_coded_frame_is_decoded_once(walk: BaseReader, decoded: list[int]) -> None:
    for index in range(10):
        walk.frames([index])
        walk.frames([index])
    assert decoded == [0, 1, 2, 3, 4, 5]


def test_the_last_frames_are_kept_and_no_more(
    monkeypatch: pytest.MonkeyPatch, opened: Archive, decoded: list[int]
) -> None:
    monkeypatch.setattr(base_layer, "_KEPT_BYTES", 0)
    walk = opened.base.reader(opened["walk"].entry)
    for index in (9, 8, 0, 5, 8):
        walk.frames([index])
        assert len(walk._kept) <= 2
    assert decoded == [4, 5, 0, 2, 3, 4]  # each group from its start, and a blend's two


@pytest.mark.parametrize("access", [1, 2, 4, 7])
@pytest.mark.parametrize("distance", [1, 2, 4])
def test_any_frame_by_decoding_no_more_than_was_promised(
    tmp_path: Path, write_videos: Write, sources: Any, decoded: list[int], access: int, distance: int
) -> None:
    """Access N: groups of N coded frames, one less where blends take the next group's first one, too."""
    source = replace(sources[0], timing=Timing.constant(Fraction(25), 26))
    length = access if distance == 1 else max(1, access - 1)
    path = write_videos(tmp_path, None, (source,), distance=distance, length=length)
    with Archive(path) as archive:
        entry = archive.entries[0]
        most = 0
        for index in range(26):
            decoded.clear()
            archive["walk"][index]
            most = max(most, len(decoded))
            assert len(set(decoded)) == len(decoded)
        assert most <= max(access, 1 if distance == 1 else 2)
        assert entry.num_groups == -(-entry.num_coded // length) > 1


def test_planes_are_the_videos_own(tmp_path: Path, sources: Any, add_video: Callable[..., None]) -> None:
    kinds = (Planes(), Planes("bt709"), Planes("bt2020", full_range=True), Planes(depth=8))
    with new_archive(tmp_path / "a.dnerv") as writer:
        for number, planes in enumerate(kinds):
            add_video(writer, replace(sources[0], name=f"v{number}"), planes=planes)
        writer.finish({})
    with Archive(tmp_path / "a.dnerv") as archive:
        assert [archive.config.formats[entry.format].planes for entry in archive.entries] == list(kinds)
        assert len(archive.references) == 4
        frames = [archive.base.frames(entry, range(10)) for entry in archive.entries]
        for name, own in zip(archive.names, frames, strict=True):
            assert np.array_equal(own, by_hand(archive, name))
            assert apart(own, frames[0]) < 6, name
        other = BaseLayer(archive.container.read_at, [archive.config.formats[0]] * 4, archive.references)
        for entry, own in list(zip(archive.entries, frames, strict=True))[1:3]:  # by the matrix and range of the first
            assert apart(other.frames(entry, range(10)), frames[0]) > apart(own, frames[0]) + 2


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of what is coded alike."""
    return float(np.abs(one.astype(float) - other).mean())


def test_damage_names_file_video_and_group_and_stays(base_path: Path, tmp_path: Path, base_frames: Any) -> None:
    with Archive(base_path) as archive:
        start, length = archive["walk"].entry.group_span(1)
    data = bytearray(base_path.read_bytes())
    data[start + length - 1] ^= 1
    path = tmp_path / "b.dnerv"
    path.write_bytes(data)
    with Archive(path) as archive:
        reader = archive["walk"]
        for _ in range(2):
            with pytest.raises(ArchiveError, match=rf"^{path}: video 'walk' is damaged: the checksum of group 1 does"):
                reader[4]
        assert (reader[2] == base_frames["walk"][2]).all()
        assert (archive["wide"][:] == base_frames["wide"]).all()
        with pytest.raises(ArchiveError, match="group 1"):
            archive.base.check(reader.entry)


def test_a_decoder_that_failed_is_begun_again(opened: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    walk, broken = opened.base.reader(opened["walk"].entry), [True]
    decode = base_layer.decode_pictures

    def failing(packets: Any, **arguments: Any) -> Iterator[Picture]:
        for number, picture in enumerate(decode(packets, **arguments)):
            if broken[0] and number == 1:
                raise ArchiveError("cut")
            yield picture

    monkeypatch.setattr(base_layer, "decode_pictures", failing)
    for _ in range(2):
        with pytest.raises(ArchiveError, match="cut"):
            walk.coded([1])
    broken[0] = False
    assert np.array_equal(walk.frames([2])[0], by_hand(opened, "walk")[2])


def test_a_damaged_reference_is_named(base_path: Path, tmp_path: Path) -> None:
    with Archive(base_path) as archive:
        place = archive["walk"].entry.references[0]
        offset = archive.references[place].offset
    data = bytearray(base_path.read_bytes())
    data[offset] ^= 1
    (tmp_path / "b.dnerv").write_bytes(data)
    with Archive(tmp_path / "b.dnerv") as archive:
        with pytest.raises(ArchiveError, match=r"b\.dnerv: .* reference 0 does not match its name"):
            archive["walk"][0]
        assert archive["walk"][4].float().std() > 5  # its group starts by itself
        with pytest.raises(ArchiveError, match="reference 0"):
            archive.base.check_reference(0)


@pytest.mark.parametrize("change", [{"height": 64}, {"width": 30}, {"format": 1}])
def test_a_reference_of_another_kind_is_refused(opened: Archive, change: dict[str, int]) -> None:
    references = [replace(reference, **change) for reference in opened.references]
    (own,) = opened.config.formats
    base = BaseLayer(opened.container.read_at, [own, replace(own, planes=Planes("bt709"))], references)
    for ask in (lambda entry: base.frames(entry, [0]), base.check):
        with pytest.raises(ArchiveError, match="'walk' starts from reference 0, which is of another size or format"):
            ask(opened["walk"].entry)


def test_a_reference_of_a_video_that_is_shown_otherwise_is_as_good(opened: Archive) -> None:
    (own,), entry = opened.config.formats, opened["walk"].entry
    formats = [own, replace(own, shown=Planes("bt709", True, 8))]
    base = BaseLayer(opened.container.read_at, formats, [replace(one, format=1) for one in opened.references])
    assert np.array_equal(base.frames(entry, [0]), opened.base.frames(entry, [0]))


def test_places_that_are_none(opened: Archive) -> None:
    entry = opened["walk"].entry
    with pytest.raises(ArchiveError, match="no reference 7"):
        opened.base.frames(replace(entry, references=(7,) * entry.num_groups), [0])
    with pytest.raises(ArchiveError, match="a format that the archive does not describe"):
        opened.base.frames(replace(entry, format=9), [0])


def test_seeds_are_what_references_were_made_from(opened: Archive, reference_of: Callable[..., Any]) -> None:
    reference, picture = reference_of((32, 32), Planes())
    place = [each.digest for each in opened.references].index(reference.digest)
    seed = opened.base.seed(place)
    assert seed is not None
    assert np.array_equal(seed, picture)
    sealed = BaseLayer(
        opened.container.read_at, opened.config.formats, [replace(opened.references[place], seed_length=0)]
    )
    assert sealed.seed(0) is None


def test_no_base_layer(nerv_path: Path) -> None:
    with Archive(nerv_path, layers="base") as archive:
        reader = archive["walk"]
        assert len(reader) == 10
        with pytest.raises(InputError, match="'walk' has no base layer: only the network makes its frames"):
            reader[0]
        archive.base.check(reader.entry)

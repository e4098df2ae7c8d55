"""Damage is named, wherever it is; it never becomes a frame."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.archive.archive import KINDS
from dnerv.bitstream import Container
from dnerv.bitstream.header import HEADER_SIZE, slot_position
from dnerv.errors import ArchiveError

Frames = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def reading(archive_path: Path) -> Callable[[Path], Frames]:
    def read(path: Path) -> Frames:
        with Archive(path) as archive:
            return {reader.metadata.name: reader[:] for reader in archive}

    return read


def is_intact(path: Path) -> bool:
    """By `verify`, which raises only where the header is damaged."""
    try:
        report = verify_archive(path)
    except ArchiveError:
        return False
    assert report["intact"] == (report["problem"] is None)
    return bool(report["intact"])


def places(path: Path) -> list[int]:
    """All bytes of the slot that counts, and some of all that follows, first and last of each part among them."""
    rng = np.random.default_rng(0)
    with Archive(path) as archive:
        container = archive.container
        spans = [(section.offset, section.length) for section in container.sections]
        spans += [(block.offset, block.length) for block in archive.index.blocks]
        spans += [(reference.offset, reference.length) for reference in archive.references]
        spans += [entry.group_span(group) for entry in archive.entries for group in range(entry.num_groups)]
        spans.append((container.slot.table_offset, container.slot.table_length))
        seeds = sum(reference.seed_length for reference in archive.references)
        assert sum(length for _, length in spans) == container.size - HEADER_SIZE - seeds
    chosen = [*range(12), *range(slot_position(1), slot_position(1) + 28)]
    for start, length in spans:
        sampled = rng.choice(length, min(length, 6), replace=False)
        chosen += sorted({start, start + length - 1, *(int(start + i) for i in sampled)})
    return chosen


def test_a_whole_archive(archive_path: Path, base_path: Path, nerv_path: Path) -> None:
    report = verify_archive(archive_path)
    assert (report["intact"], report["problem"], report["damaged_videos"]) == (True, None, [])
    assert report["sections"] == dict.fromkeys(("NETW", "CONF", "INDX", "REFS", "made"), True)
    assert is_intact(base_path)
    assert is_intact(nerv_path)


def test_any_flipped_byte_is_found(archive_path: Path, tmp_path: Path, reading: Callable[[Path], Frames]) -> None:
    whole = archive_path.read_bytes()
    path = tmp_path / "flipped.dnerv"
    with Container.open(archive_path, KINDS) as container:
        note = container.section("made")
    chosen = places(archive_path)
    assert len(chosen) > 140
    for place in chosen:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert not is_intact(path), place
        if not note.offset <= place < note.offset + note.length:  # decoding does without that one
            with pytest.raises(ArchiveError):
                reading(path)


def test_any_truncation_is_found_when_opening(archive_path: Path, tmp_path: Path) -> None:
    whole = archive_path.read_bytes()
    path = tmp_path / "short.dnerv"
    for length in sorted({0, 1, 8, 11, 12, 67, 68, len(whole) - 1, *np.linspace(0, len(whole) - 1, 60).astype(int)}):
        path.write_bytes(whole[:length])
        assert not is_intact(path)
        with pytest.raises(ArchiveError):
            Archive(path)


def test_damage_in_one_video_leaves_the_others(archive_path: Path, tmp_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        start, _ = archive["class/odd"].entry.group_span(0)
    damaged = bytearray(archive_path.read_bytes())
    damaged[start + 5] ^= 1
    path = tmp_path / "b.dnerv"
    path.write_bytes(damaged)
    with Archive(path) as archive:
        assert torch.equal(archive["walk"][:], sequential["walk"])
        for _ in range(2):
            with pytest.raises(ArchiveError, match=r"b\.dnerv: video 'class/odd' is damaged: .* group 0"):
                archive["class/odd"][0]
        assert torch.equal(archive["wide"][4], sequential["wide"][4])
    report = verify_archive(path)
    assert report["problem"] == "video 'class/odd' is damaged: the checksum of group 0 does not match"
    assert report["damaged_videos"] == ["class/odd"]
    assert all(report["sections"].values())


def test_a_damaged_reference_damages_those_that_start_from_it(base_path: Path, tmp_path: Path) -> None:
    with Archive(base_path) as archive:
        reference = archive.references[0]
        sharing = [entry.name for entry in archive.entries if 0 in entry.references]
    damaged = bytearray(base_path.read_bytes())
    damaged[reference.offset + 1] ^= 1
    path = tmp_path / "b.dnerv"
    path.write_bytes(damaged)
    report = verify_archive(path)
    assert report["problem"] == "the archive is damaged: reference 0 does not match its name"
    assert report["damaged_videos"] == sharing == ["one", "walk"]


def test_a_damaged_seed_is_found(base_path: Path, tmp_path: Path) -> None:
    """Videos decode without it; what is added later would not."""
    with Archive(base_path) as archive:
        reference = archive.references[0]
    damaged = bytearray(base_path.read_bytes())
    damaged[reference.seed_offset : reference.seed_offset + reference.seed_length] = bytes(reference.seed_length)
    path = tmp_path / "b.dnerv"
    path.write_bytes(damaged)
    assert verify_archive(path)["damaged_videos"] == []
    assert not is_intact(path)


def test_a_damaged_block_and_network_leave_the_rest_to_be_checked(archive_path: Path, tmp_path: Path) -> None:
    with Archive(archive_path) as archive:
        block, weights = archive.index.blocks[0], archive.container.section("NETW")
        start, _ = archive["wide"].entry.group_span(0)
    path = tmp_path / "b.dnerv"
    for places, problem, videos in (
        ([block.offset], "the archive is damaged: the checksum of a block of its index does not match", []),
        ([weights.offset, start], "section NETW does not match its checksum", ["wide"]),
    ):
        damaged = bytearray(archive_path.read_bytes())
        for place in places:
            damaged[place] ^= 1
        path.write_bytes(damaged)
        report = verify_archive(path)
        assert (report["problem"], report["damaged_videos"]) == (problem, videos)


def test_a_record_that_lies_under_a_right_checksum(
    archive_path: Path, tmp_path: Path, rewrite: Callable[..., Path]
) -> None:
    """Every section matches its checksum, and yet the network's weights do not fit: someone edited the file."""
    with Container.open(archive_path, KINDS) as container:
        weights = container.read("NETW")
    path = rewrite(archive_path, tmp_path / "b.dnerv", NETW=b"\x01" + weights[1:])
    report = verify_archive(path)
    assert all(report["sections"].values())
    assert str(report["problem"]).startswith("the weights have layout")  # a report names the file by itself
    with Archive(path) as archive, pytest.raises(ArchiveError, match=r"b\.dnerv: the weights have layout"):
        archive.breakdown()

"""Damage is named, wherever it is; it never becomes a frame."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.bitstream import Container, write_container
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
    """All bytes of the header, and some of every section, its first and last among them."""
    rng = np.random.default_rng(0)
    with Container.open(path) as container:
        sizes = container.sizes
    chosen = list(range(sizes["header"]))
    start = sizes.pop("header")
    for length in sizes.values():
        sampled = rng.choice(length, min(length, 14), replace=False)
        chosen += sorted({start, start + length - 1, *(int(start + i) for i in sampled)})
        start += length
    return chosen


def test_a_whole_archive(archive_path: Path, nerv_path: Path) -> None:
    report = verify_archive(archive_path)
    assert report["intact"] is True
    assert report["problem"] is None
    assert report["sections"] == dict.fromkeys(("CONF", "INDX", "PKTS", "NETW", "KEYF"), True)
    assert is_intact(nerv_path)


def test_any_flipped_byte_is_found(
    archive_path: Path, tmp_path: Path, sequential: Frames, reading: Callable[[Path], Frames]
) -> None:
    whole = archive_path.read_bytes()
    path = tmp_path / "flipped.dnerv"
    chosen = places(archive_path)
    assert len(chosen) > 190
    header = 12 + 24 * 5 + 4
    for place in chosen:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert not is_intact(path), place
        if place < header:
            with pytest.raises(ArchiveError):
                Archive(path)
        else:
            with pytest.raises(ArchiveError, match="damaged"):
                reading(path)


def test_any_truncation_is_found_when_opening(archive_path: Path, tmp_path: Path) -> None:
    whole = archive_path.read_bytes()
    path = tmp_path / "short.dnerv"
    for length in sorted({0, 1, 8, 11, 12, 135, 136, len(whole) - 1, *np.linspace(0, len(whole) - 1, 60).astype(int)}):
        path.write_bytes(whole[:length])
        assert not is_intact(path)
        with pytest.raises(ArchiveError):
            Archive(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ArchiveError, match="1 bytes follow"):
        Archive(path)


def test_damage_in_one_video_leaves_the_others(archive_path: Path, tmp_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        offset = sum(entry.keyframe_bytes for entry in archive.entries[:1])
        start = archive_path.stat().st_size - archive.container.sizes["KEYF"]
    damaged = bytearray(archive_path.read_bytes())
    damaged[start + offset + 5] ^= 1
    path = tmp_path / "b.dnerv"
    path.write_bytes(damaged)
    with Archive(path) as archive:
        assert torch.equal(archive["walk"][:], sequential["walk"])
        for _ in range(2):
            with pytest.raises(ArchiveError, match=r"keyframes of video 'class/odd': packets 0 to .* damaged"):
                archive["class/odd"][0]
        assert torch.equal(archive["wide"][4], sequential["wide"][4])
    report: dict[str, Any] = verify_archive(path)
    assert report["problem"] == "section KEYF does not match its checksum"
    assert [kind for kind, whole in report["sections"].items() if not whole] == ["KEYF"]


def test_a_record_that_lies_under_a_right_checksum(archive_path: Path, tmp_path: Path) -> None:
    """Every section matches its checksum, and yet the packets' own do not: someone edited the file."""
    with Container.open(archive_path) as container:
        contents = {kind: bytearray(container.read(kind)) for kind in container.kinds}
    contents["KEYF"][3] ^= 1
    write_container(tmp_path / "b.dnerv", [(kind, bytes(data)) for kind, data in contents.items()])
    report = verify_archive(tmp_path / "b.dnerv")
    assert all(report["sections"].values())
    assert "packets 0 to" in report["problem"]


def test_what_is_wrong_is_said_of_the_file(archive_path: Path, tmp_path: Path) -> None:
    """A program that reads several has to know of which; a report names the file by itself."""
    path = tmp_path / "several" / "one.dnerv"
    path.parent.mkdir()
    with Container.open(archive_path) as container:
        contents = {kind: container.read(kind) for kind in container.kinds}
    write_container(path, [*(contents | {"NETW": b"\x01" + contents["NETW"][1:]}).items()])
    with Archive(path) as archive:
        for ask in (archive.breakdown, lambda: archive.model):
            with pytest.raises(ArchiveError, match=f"^{re.escape(str(path))}: the weights"):
                ask()
    assert str(verify_archive(path)["problem"]).startswith("the weights have layout")
    write_container(path, [*(contents | {"INDX": b"{}"}).items()], force=True)
    with pytest.raises(ArchiveError, match=f"^{re.escape(str(path))}: "):
        Archive(path)

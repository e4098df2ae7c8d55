"""What is decoded for which keyframes, and how often."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive, KeyframeReader, keyframe_reader
from dnerv.errors import ArchiveError


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of packets of each group that a decoder is opened for."""
    opened: list[int] = []
    decode = keyframe_reader.decode_packets

    def counted(packets: Any, **arguments: Any) -> Iterator[Any]:
        opened.append(len(packets))
        return decode(packets, **arguments)

    monkeypatch.setattr(keyframe_reader, "decode_packets", counted)
    return opened


@pytest.fixture
def reader(archive_path: Path) -> Iterator[KeyframeReader]:
    """Of "walk": 10 frames, a keyframe every 4 and the last, in one group."""
    with Archive(archive_path) as archive:
        opened = archive.keyframe_reader(0)
        assert opened is not None
        yield opened


def test_forward_every_keyframe_is_decoded_once(reader: KeyframeReader, groups: list[int]) -> None:
    first, second, third = reader.read(0, 1), reader.read(1, 2), reader.read(2, 3)
    assert groups == [4]
    assert [run.shape for run in (first, second, third)] == [(2, 32, 32, 3)] * 3
    assert (first[1] == second[0]).all()
    assert (second[1] == third[0]).all()
    assert (third[1] != third[0]).any()


def test_backward_the_group_is_begun_again(reader: KeyframeReader, groups: list[int]) -> None:
    last = reader.read(3, 3)
    first = reader.read(0, 0)
    assert groups == [4, 4]
    assert (reader.read(0, 3) == np.concatenate([first, reader.read(1, 2), last])).all()


def test_the_last_run_is_kept_and_no_more(reader: KeyframeReader, groups: list[int]) -> None:
    for _ in range(3):
        reader.read(1, 2)
    assert groups == [4]
    reader.read(3, 3)
    reader.read(1, 2)
    assert groups == [4, 4]


def test_a_failure_names_the_video_and_stays_one(archive_path: Path, tmp_path: Path) -> None:
    data = bytearray(archive_path.read_bytes())
    data[-1] ^= 1  # of the last video's last packet
    path = tmp_path / "b.dnerv"
    path.write_bytes(data)
    with Archive(path) as archive:
        reader = archive.keyframe_reader(3)
        assert reader is not None
        for _ in range(2):
            with pytest.raises(ArchiveError, match=r"keyframes of video 'wide': packets 0 to 1 are damaged"):
                reader.read(0, 0)

"""The container, open: every byte is guarded, opening takes two reads, and a state stays the one it was."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import pytest

from dnerv.bitstream import Container, changed_container, container, new_container
from dnerv.bitstream.header import HEADER_SIZE
from dnerv.errors import ArchiveError

KINDS = ("NETW", "CONF", "made")
WEIGHTS, PACKETS = bytes(range(100)), b"packets of videos"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Sections, and bytes outside of them."""
    path = tmp_path / "a.dnerv"
    with new_container(path) as appender:
        weights = appender.section("NETW", WEIGHTS)
        appender.append(PACKETS)
        appender.commit([weights, appender.section("CONF", b"configuration"), appender.section("made", b"")])
    return path


def is_whole(path: Path) -> bool:
    try:
        with Container.open(path, KINDS) as opened:
            return all(is_right for _, is_right in opened.verify())
    except ArchiveError:
        return False


def test_round_trip(path: Path) -> None:
    with Container.open(path, KINDS) as opened:
        assert opened.kinds == ("NETW", "CONF", "made")
        assert [opened.read(kind) for kind in opened.kinds] == [WEIGHTS, b"configuration", b""]
        assert opened.verify() == [("NETW", True), ("CONF", True), ("made", True)]
        assert opened.read_at(HEADER_SIZE + 100, len(PACKETS)) == PACKETS
        assert opened.read_at(opened.section("NETW").offset + 10, 5) == bytes(range(10, 15))
        assert "CONF" in opened
        assert "INDX" not in opened
        assert opened.sizes == {"header": 68 + 3 * 24 + 4, "NETW": 100, "CONF": 13, "made": 0}
        assert opened.size == path.stat().st_size == sum(opened.sizes.values()) + len(PACKETS)


def test_opening_and_the_tail_take_two_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    pread = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        reads.append(offset)
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", counted)
    with Container.open(path, KINDS) as opened:
        assert opened.read("CONF") == b"configuration"
        assert opened.read("made") == b""
        assert reads == [0, HEADER_SIZE + 100 + len(PACKETS)]
        opened.read("NETW")
        assert len(reads) == 3


def test_of_a_long_tail_the_end_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "TAIL_BYTES", 80)
    with Container.open(path, KINDS) as opened:
        assert opened.read("CONF") == b"configuration"
        assert opened.verify() == [("NETW", True), ("CONF", True), ("made", True)]


def test_a_flipped_bit_anywhere_is_detected_or_means_nothing(path: Path) -> None:
    data = path.read_bytes()
    packets = data.index(PACKETS)
    guarded_elsewhere = {*range(40, HEADER_SIZE), *range(packets, packets + len(PACKETS))}  # empty slot, packets
    for position in range(len(data)):
        for bit in (0, 7):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            assert is_whole(path) == (position in guarded_elsewhere), (position, bit)


def test_every_truncation_is_detected_and_what_follows_the_end_means_nothing(path: Path) -> None:
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ArchiveError):
            Container.open(path, KINDS)
    path.write_bytes(data + b"what an interrupted change left behind")
    with Container.open(path, KINDS) as opened:
        assert opened.size == len(data)
        with pytest.raises(ArchiveError, match="outside the file"):
            opened.read_at(len(data), 1)


def test_a_damaged_section_is_named_and_the_others_are_read(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[HEADER_SIZE + 3] ^= 1
    path.write_bytes(data)
    with Container.open(path, KINDS) as opened:
        assert opened.read("CONF") == b"configuration"
        assert opened.verify() == [("NETW", False), ("CONF", True), ("made", True)]
        with pytest.raises(ArchiveError, match=r"a\.dnerv: .*section NETW does not match"):
            opened.read("NETW")


def test_an_essential_section_that_is_not_known_is_refused(tmp_path: Path) -> None:
    for kind, is_refused in (("MASK", True), ("mask", False), ("mASK", False)):
        with new_container(tmp_path / kind) as appender:
            appender.commit([appender.section(kind, b"x")])
        if is_refused:
            with pytest.raises(ArchiveError, match="section MASK, which this dnerv does not know: upgrade"):
                Container.open(tmp_path / kind, KINDS)
            Container.open(tmp_path / kind, [*KINDS, kind]).close()
        else:
            Container.open(tmp_path / kind, KINDS).close()


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        Container.open(tmp_path / "missing.dnerv", KINDS)
    with pytest.raises(ArchiveError, match=r"is a folder; give a \.dnerv file"):
        Container.open(tmp_path, KINDS)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveError, match="not a regular file"):
        Container.open(tmp_path / "pipe", KINDS)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ArchiveError, match="cannot be read"):
        Container.open(tmp_path / "file" / "below.dnerv", KINDS)
    with pytest.raises(ArchiveError, match="not a dnerv archive") as caught:
        Container.open(tmp_path / "file", KINDS)
    assert str(caught.value).count(str(tmp_path)) == 1


def test_bytes_and_kinds_that_are_not_there(path: Path) -> None:
    size = path.stat().st_size
    with Container.open(path, KINDS) as opened:
        for offset, length in ((-1, 2), (0, 80), (67, 1), (HEADER_SIZE, -1), (size - 1, 2), (size + 1, 0), (2**70, 1)):
            with pytest.raises(ArchiveError, match=r"a\.dnerv: .* outside the file"):
                opened.read_at(offset, length)
        with pytest.raises(ArchiveError, match="no section INDX; it has NETW, CONF, made"):
            opened.read("INDX")


def test_a_file_truncated_while_open(path: Path) -> None:
    with Container.open(path, KINDS) as opened:
        os.truncate(path, 120)
        with pytest.raises(ArchiveError, match="truncated while it was open"):
            opened.read("NETW")


def test_a_closed_container_says_so(path: Path) -> None:
    opened = Container.open(path, KINDS)
    opened.close()
    opened.close()
    for kind in ("NETW", "CONF"):
        with pytest.raises(ValueError, match="closed"):
            opened.read(kind)


def test_no_descriptor_is_left_open_by_what_is_refused(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # the table's checksum
    path.write_bytes(data)
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(5):
        with pytest.raises(ArchiveError):
            Container.open(path, KINDS)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def read_weights(opened: Container) -> bytes:
    return opened.read("NETW")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_travels_to_forked_processes(path: Path) -> None:
    opened = Container.open(path, KINDS)
    with opened, multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(read_weights, [opened] * 4) == [WEIGHTS] * 4


def test_it_pickles_as_its_path_as_spawned_processes_need(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with Container.open(path.name, KINDS) as opened:
        pickled = pickle.dumps(opened)
    monkeypatch.chdir("/")
    with pickle.loads(pickled) as opened:
        assert opened.read("CONF") == b"configuration"


def change(path: Path, content: bytes) -> None:
    with changed_container(path) as appender:
        appender.commit([appender.section("CONF", content)])


def test_unpickled_it_is_the_state_that_it_was_whatever_was_added_since(path: Path) -> None:
    with Container.open(path, KINDS) as opened:
        pickled = pickle.dumps(opened)
        for content in (b"once", b"twice", b"thrice"):
            change(path, content)
            with pickle.loads(pickled) as again:
                assert again.read("CONF") == opened.read("CONF") == b"configuration"
                assert again.read("NETW") == WEIGHTS
                assert again.identity == opened.identity
            with Container.open(path, KINDS) as newest:
                assert newest.read("CONF") == content


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_change_while_it_opens_does_no_harm(path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Before the first read, between the two, and behind them, each time as late as it can be."""
    pread, reads = os.pread, 0

    def changed(descriptor: int, length: int, offset: int) -> bytes:
        nonlocal reads
        if reads == moment:
            monkeypatch.setattr(os, "pread", pread)
            change(path, b"new" * 500)
            monkeypatch.setattr(os, "pread", changed)
        reads += 1
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", changed)
    with Container.open(path, KINDS) as opened:
        assert opened.read("NETW" if moment else "CONF") == (WEIGHTS if moment else b"new" * 500)
        assert opened.read("CONF") == (b"configuration" if moment else b"new" * 500)


@pytest.mark.parametrize("content", [b"configuratioN", b"short", b"long" * 200])
def test_unpickled_it_refuses_another_file_of_that_name(path: Path, content: bytes) -> None:
    with Container.open(path, KINDS) as opened:
        pickled = pickle.dumps(opened)
    with new_container(path, force=True) as appender:
        weights = appender.section("NETW", WEIGHTS)
        appender.append(PACKETS)
        appender.commit([weights, appender.section("CONF", content), appender.section("made", b"")])
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(
        ArchiveError, match=r"a\.dnerv: the archive has been replaced since it was opened; open it anew"
    ):
        pickle.loads(pickled)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_threads_read_at_once(path: Path) -> None:
    wrong: list[int] = []
    with Container.open(path, KINDS) as opened:

        def read(offset: int) -> None:
            for _ in range(300):
                if opened.read_at(HEADER_SIZE + offset, 10) != WEIGHTS[offset : offset + 10]:
                    wrong.append(offset)

        threads = [threading.Thread(target=read, args=(offset,)) for offset in range(0, 80, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong

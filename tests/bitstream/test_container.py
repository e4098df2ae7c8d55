"""The container: every byte is guarded, reading is bounded, writing is all or nothing."""

import multiprocessing
import os
import pickle
import resource
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from dnerv.bitstream import Container, check_target, write_container
from dnerv.bitstream.section_table import FORMAT_VERSION, MAGIC, Section, encode_table, table_size
from dnerv.errors import ArchiveError, OutputError

SECTIONS = [("CONF", b"configuration"), ("NETW", b""), ("KEYF", bytes(range(100)))]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.dnerv"
    write_container(path, SECTIONS)
    return path


def is_whole(path: Path) -> bool:
    try:
        with Container.open(path) as container:
            return all(ok for _, ok in container.verify())
    except ArchiveError:
        return False


def test_round_trip(archive: Path) -> None:
    with Container.open(archive) as container:
        assert container.kinds == ("CONF", "NETW", "KEYF")
        assert {kind: container.read(kind) for kind in container.kinds} == dict(SECTIONS)
        assert container.verify() == [("CONF", True), ("NETW", True), ("KEYF", True)]
        assert container.read_range("KEYF", 10, 5) == bytes(range(10, 15))
        assert container.read_range("KEYF", 100, 0) == b""
        assert "CONF" in container
        assert "CONF2" not in container
        assert container.sizes == {"header": 88, "CONF": 13, "NETW": 0, "KEYF": 100}
        assert sum(container.sizes.values()) == archive.stat().st_size


def test_no_sections(tmp_path: Path) -> None:
    write_container(tmp_path / "e.dnerv", [])
    with Container.open(tmp_path / "e.dnerv") as container:
        assert container.sizes == {"header": 16}
        assert container.verify() == []


def test_golden_bytes(archive: Path, tmp_path: Path) -> None:
    write_container(tmp_path / "b.dnerv", [("CONF", b"hello"), ("KEYF", [b"a", b"", b"b"])])
    assert (tmp_path / "b.dnerv").read_bytes().hex(" ") == (
        "89 44 4e 56 0d 0a 1a 0a 01 00 02 00 "
        "43 4f 4e 46 40 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 86 a6 10 36 "
        "4b 45 59 46 45 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 6d 48 83 9e "
        "61 4d c8 98 "
        "68 65 6c 6c 6f 61 62"
    )
    assert crc32(archive.read_bytes()) == GOLDEN


GOLDEN = 15802247


def test_a_flipped_bit_anywhere_is_detected(archive: Path) -> None:
    data = archive.read_bytes()
    for position in range(len(data)):
        for bit in (0, 7):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            archive.write_bytes(damaged)
            assert not is_whole(archive), (position, bit)
    archive.write_bytes(data)
    assert is_whole(archive)


def test_every_truncation_and_extension_is_detected(archive: Path) -> None:
    data = archive.read_bytes()
    for length in range(len(data)):
        archive.write_bytes(data[:length])
        with pytest.raises(ArchiveError):
            Container.open(archive)
    archive.write_bytes(data + b"\0")
    with pytest.raises(ArchiveError, match="1 bytes follow"):
        Container.open(archive)


def test_a_damaged_section_is_named_and_the_others_are_read(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[-1] ^= 1
    archive.write_bytes(data)
    with Container.open(archive) as container:
        assert container.read("CONF") == b"configuration"
        assert container.verify() == [("CONF", True), ("NETW", True), ("KEYF", False)]
        with pytest.raises(ArchiveError, match="section KEYF"):
            container.read("KEYF")


def rebuilt(sections: list[Section], version: int = FORMAT_VERSION) -> bytes:
    """A header whose checksum is right, whatever it says."""
    table = encode_table(sections)[:-4]
    table = table[:8] + struct.pack("<H", version) + table[10:]
    return table + struct.pack("<I", crc32(table))


START = table_size(2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"plain text, and rather more of it than a header has", "not a dnerv archive"),
        (b"\x89DNV\n\x1a\n" + bytes(80), "not a dnerv archive"),  # newlines converted
        (MAGIC[:5], "truncated"),
        (MAGIC + b"\x01\x00", "truncated"),
        (MAGIC + b"\x01\x00\xff\xff", "truncated"),
        (rebuilt([], version=0), "version 0"),
        (rebuilt([], version=2), "version 2; this dnerv reads version 1: upgrade"),
        (rebuilt([Section("CONF", START, 1, 0), Section("CONF", START + 1, 1, 0)]) + b"ab", "names"),
        (rebuilt([Section("CO\nF", START, 1, 0), Section("NETW", START + 1, 1, 0)]) + b"ab", "names"),
        (rebuilt([Section("CONF", START, 1, 0), Section("NETW", START + 2, 1, 0)]) + b"abc", "where"),
        (rebuilt([Section("CONF", START, 2, 0), Section("NETW", START + 1, 1, 0)]) + b"ab", "where"),
        (rebuilt([Section("CONF", 0, 1, 0), Section("NETW", START + 1, 1, 0)]) + b"ab", "where"),
        (rebuilt([Section("CONF", START, 2**64 - 1, 0), Section("NETW", START, 1, 0)]) + b"ab", "where"),
        (rebuilt([Section("CONF", START, 0, 0), Section("NETW", START, 2**64 - 1, 0)]) + b"ab", "truncated"),
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "hostile.dnerv"
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=message) as caught:
        Container.open(path)
    assert str(caught.value).count(str(path)) == 1


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        Container.open(tmp_path / "missing.dnerv")
    with pytest.raises(ArchiveError, match="not a regular file"):
        Container.open(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveError, match="not a regular file"):
        Container.open(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ArchiveError, match="cannot be read"):
        Container.open(tmp_path / "file" / "below.dnerv")


def test_ranges_and_kinds_that_are_not_there(archive: Path) -> None:
    with Container.open(archive) as container:
        for offset, length in ((-1, 2), (0, -1), (99, 2), (101, 0), (2**70, 1)):
            with pytest.raises(ArchiveError, match="beyond section KEYF"):
                container.read_range("KEYF", offset, length)
        with pytest.raises(ArchiveError, match="no section INDX; it has CONF, NETW, KEYF"):
            container.read("INDX")


def test_a_file_truncated_while_open(archive: Path) -> None:
    with Container.open(archive) as container:
        os.truncate(archive, 120)
        with pytest.raises(ArchiveError, match="truncated while it was open"):
            container.read("KEYF")


def test_a_closed_container_says_so(archive: Path) -> None:
    container = Container.open(archive)
    container.close()
    container.close()
    with pytest.raises(ValueError, match="closed"):
        container.read("CONF")


def read_keyframes(container: Container) -> bytes:
    return container.read("KEYF")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_travels_to_forked_processes(archive: Path) -> None:
    container = Container.open(archive)
    with container, multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(read_keyframes, [container] * 4) == [dict(SECTIONS)["KEYF"]] * 4


def test_it_pickles_as_its_path_as_spawned_processes_need(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(archive.parent)
    pickled = pickle.dumps(Container.open(archive.name))
    monkeypatch.chdir("/")
    with pickle.loads(pickled) as container:
        assert container.read("CONF") == b"configuration"


def test_threads_read_at_once(archive: Path) -> None:
    wrong: list[int] = []
    with Container.open(archive) as container:

        def read(offset: int) -> None:
            for _ in range(300):
                if container.read_range("KEYF", offset, 10) != bytes(range(offset, offset + 10)):
                    wrong.append(offset)

        threads = [threading.Thread(target=read, args=(offset,)) for offset in range(0, 80, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def chunks(error: BaseException | None = None) -> Iterator[bytes]:
    yield from (b"x" * 3_000_000 for _ in range(2))
    if error is not None:
        raise error


def test_sections_stream(tmp_path: Path) -> None:
    write_container(tmp_path / "s.dnerv", [("AAAA", chunks()), ("BBBB", (b"1", b"", b"2"))])
    with Container.open(tmp_path / "s.dnerv") as container:
        assert container.sizes == {"header": 64, "AAAA": 6_000_000, "BBBB": 2}
        assert all(ok for _, ok in container.verify())
    assert [path.name for path in tmp_path.iterdir()] == ["s.dnerv"]


@pytest.mark.parametrize("error", [RuntimeError("source"), KeyboardInterrupt(), OSError("source"), MemoryError()])
def test_nothing_is_left_behind(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "t.dnerv"
    with pytest.raises(type(error)):
        write_container(target, [("AAAA", chunks(error))])
    assert list(tmp_path.iterdir()) == []
    target.write_bytes(b"what was there")
    with pytest.raises(type(error)):
        write_container(target, [("AAAA", chunks(error))], force=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("t.dnerv", b"what was there")]


def test_an_existing_target_needs_force(archive: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write_container(archive, [])
    assert archive.read_bytes() == before
    write_container(archive, [], force=True)
    assert archive.stat().st_size == 16


def test_a_target_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "t.dnerv"

    def late() -> Iterator[bytes]:
        target.write_bytes(b"another's")
        yield b"mine"

    with pytest.raises(OutputError, match="exists"):
        write_container(target, [("AAAA", late())])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("t.dnerv", b"another's")]


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    cases = {
        "": "directory",
        "none/t.dnerv": "does not exist",
        "file/t.dnerv": "cannot|not exist",
        "pipe": "regular",
    }
    for name, message in cases.items():
        for force in (False, True):
            with pytest.raises(OutputError, match=message) as caught:
                write_container(tmp_path / name, [], force=force)
            assert "\n" not in str(caught.value)
            with pytest.raises(OutputError, match=message):
                check_target(tmp_path / name, force=force)
    with pytest.raises(OutputError):
        write_container(tmp_path / "loop", [])
    with pytest.raises(OutputError):
        write_container(tmp_path / ("n" * 300), [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop", "pipe"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        write_container(tmp_path / "t.dnerv", [])


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on file size stands in for a full disk: both fail in write or flush with an OSError."""
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            write_container(tmp_path / "t.dnerv", [("AAAA", chunks())])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_link_keeps_pointing_at_what_is_replaced(archive: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.dnerv"
    link.symlink_to(archive)
    write_container(link, [], force=True)
    assert link.is_symlink()
    assert archive.stat().st_size == 16


def test_permissions_are_those_of_any_new_file(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    assert archive.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("kinds", [["ABC"], ["ABCDE"], ["ÄBCD"], ["AB\nD"], ["AAAA", "AAAA"]])
def test_bad_kinds_are_refused(tmp_path: Path, kinds: list[str]) -> None:
    with pytest.raises(ValueError, match="section kinds"):
        write_container(tmp_path / "t.dnerv", [(kind, b"") for kind in kinds])
    assert list(tmp_path.iterdir()) == []

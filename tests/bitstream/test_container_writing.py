"""Files are there whole or not at all; changed, they are the old or the new, wherever the change was cut off."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dnerv.bitstream import Container, changed_container, check_target, container_writing, new_container
from dnerv.bitstream.header import HEADER_SIZE, LAST_GENERATION, Slot, decode_header, encode_header
from dnerv.errors import ArchiveError, OutputError

KINDS = ("CONF", "NETW", "AAAA", "BBBB")
Content = bytes | Iterator[bytes] | tuple[bytes, ...]


def write(path: Path, *sections: tuple[str, Content], force: bool = False) -> None:
    with new_container(path, force=force) as appender:
        appender.commit([appender.section(kind, content) for kind, content in sections])


def change(path: Path, content: Content) -> None:
    with changed_container(path) as appender:
        appender.append(b"loose bytes")
        appender.commit([appender.section("CONF", content)])


def configuration(path: Path) -> bytes:
    with Container.open(path, KINDS) as opened:
        assert all(is_right for _, is_right in opened.verify())
        return opened.read("CONF")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.dnerv"
    write(path, ("CONF", b"old"))
    return path


def chunks(error: BaseException | None = None) -> Iterator[bytes]:
    yield from (b"x" * 3_000_000 for _ in range(2))
    if error is not None:
        raise error


def test_sections_stream(tmp_path: Path) -> None:
    write(tmp_path / "s.dnerv", ("AAAA", chunks()), ("BBBB", (b"1", b"", b"2")))
    with Container.open(tmp_path / "s.dnerv", KINDS) as opened:
        assert opened.sizes == {"header": 68 + 52, "AAAA": 6_000_000, "BBBB": 2}
        assert opened.verify() == [("AAAA", True), ("BBBB", True)]
    assert [path.name for path in tmp_path.iterdir()] == ["s.dnerv"]


def test_golden_bytes(tmp_path: Path) -> None:
    """The file that docs/format.md shows in hex."""
    with new_container(tmp_path / "g.dnerv") as appender:
        appender.append(b"packets")
        appender.commit([appender.section("CONF", b"hello"), appender.section("made", b"ab")])
    assert (tmp_path / "g.dnerv").read_bytes().hex(" ") == (
        "89 44 4e 56 0d 0a 1a 0a 02 00 00 00 "
        "01 00 00 00 4b 00 00 00 00 00 00 00 34 00 00 00 86 00 00 00 00 00 00 00 4f 15 15 a7" + " 00" * 28 + " "
        "70 61 63 6b 65 74 73 68 65 6c 6c 6f 61 62 "
        "43 4f 4e 46 4b 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 86 a6 10 36 "
        "6d 61 64 65 50 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 6d 48 83 9e "
        "ef 6c 36 fb"
    )


def test_the_tail_is_what_was_written_last_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "t.dnerv"
    with new_container(path) as appender:
        first = appender.section("AAAA", b"first")
        appender.append(b"loose")
        sections = [appender.section("NETW", b""), appender.section("CONF", b"12345")]
        appender.commit([sections[1], first, sections[0]])
    with Container.open(path, KINDS) as opened:
        assert opened.slot == Slot(1, HEADER_SIZE + 10, 76, HEADER_SIZE + 15 + 76)
    with changed_container(path) as appender:
        appender.commit([first])
    with Container.open(path, KINDS) as opened:
        assert opened.slot.start == opened.slot.table_offset


@pytest.mark.parametrize("error", [RuntimeError("source"), KeyboardInterrupt(), OSError("source"), MemoryError()])
def test_nothing_is_left_behind(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "t.dnerv"
    with pytest.raises(type(error)):
        write(target, ("AAAA", chunks(error)))
    assert list(tmp_path.iterdir()) == []
    target.write_bytes(b"what was there")
    with pytest.raises(type(error)):
        write(target, ("AAAA", chunks(error)), force=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("t.dnerv", b"what was there")]


@pytest.mark.parametrize("error", [RuntimeError("source"), KeyboardInterrupt(), OSError("source"), MemoryError()])
def test_a_change_that_fails_leaves_the_file_as_it_was(path: Path, error: BaseException) -> None:
    before = path.read_bytes()
    with pytest.raises(type(error)):
        change(path, chunks(error))
    assert path.read_bytes() == before


def test_without_a_commit_nothing_is_made_or_changed(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match="nothing was committed"), new_container(tmp_path / "n.dnerv") as appender:
        appender.append(b"x")
    with changed_container(path) as appender:
        appender.append(b"x" * 3_000_000)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_after_the_commit_nothing_can_be_added(path: Path) -> None:
    with changed_container(path) as appender:
        appender.commit([appender.section("CONF", b"new")])
        with pytest.raises(ValueError, match="committed"):
            appender.append(b"x")
        with pytest.raises(ValueError, match="committed"):
            appender.commit([])
    assert configuration(path) == b"new"


def test_a_change_appends_and_writes_over_nothing_but_the_other_slot(path: Path) -> None:
    for generation, content in enumerate((b"second", b"third", b"fourth", b"fifth"), 2):
        before = path.read_bytes()
        change(path, content)
        after = path.read_bytes()
        slot = slice(12, 40) if generation % 2 else slice(40, 68)
        assert after[: slot.start] == before[: slot.start]
        assert after[slot.stop : len(before)] == before[slot.stop :]
        assert decode_header(after, len(after)).generation == generation
        assert configuration(path) == content


def test_cut_off_at_any_byte_a_change_leaves_the_old_file_or_the_new(path: Path) -> None:
    for step, content in enumerate((b"second", b"third")):  # once into each slot
        old = path.read_bytes()
        expected = configuration(path)
        change(path, content)
        new = path.read_bytes()
        slot = slice(12, 40) if step else slice(40, 68)
        for cut in range(len(old), len(new) + 1):  # appended so far
            path.write_bytes(old + new[len(old) : cut])
            assert configuration(path) == expected
        whole = old + new[len(old) :]
        for cut in range(slot.start, slot.stop):  # then the slot, written so far
            path.write_bytes(new[:cut] + whole[cut:])
            assert configuration(path) == (content if new[:cut] + whole[cut:] == new else expected)
            change(path, b"after it")  # the next change finds its way
            assert configuration(path) == b"after it"
        path.write_bytes(new)
        assert configuration(path) == content


def test_syncs_stand_between_what_is_appended_and_the_slot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def logged(name: str) -> Callable[..., object]:
        original: Callable[..., object] = getattr(os, name)

        def call(*args: object) -> object:
            place = f" at {args[2]}" if name == "pwrite" else ""
            calls.append(name + place)
            return original(*args)

        return call

    end = path.stat().st_size
    for name in ("pwrite", "fsync"):
        monkeypatch.setattr(os, name, logged(name))
    change(path, b"new")
    assert calls == [f"pwrite at {end}", "fsync", "pwrite at 40", "fsync"]


_KILLED = """
import os, sys
from dnerv.bitstream import changed_container
from pathlib import Path

path, steps = Path(sys.argv[1]), int(sys.argv[2])
pwrite = os.pwrite

def slow(descriptor, data, offset):  # byte by byte, so that a kill falls between any two
    for i in range(len(data)):
        pwrite(descriptor, data[i : i + 1], offset + i)
    return len(data)

os.pwrite = slow
print("ready", flush=True)
for step in range(steps, steps + 100_000):
    with changed_container(path) as appender:
        appender.append(b"loose bytes" * (step % 7))
        appender.commit([appender.section("CONF", b"state %d" % step)])
"""


def test_killed_at_any_moment_a_change_leaves_a_whole_file(path: Path) -> None:
    with changed_container(path) as appender:
        appender.commit([appender.section("CONF", b"state 0")])
    dice, states = random.Random(0), set()
    for _ in range(12):
        state = int(configuration(path).removeprefix(b"state "))
        child = subprocess.Popen([sys.executable, "-c", _KILLED, path, str(state + 1)], stdout=subprocess.PIPE)
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(dice.uniform(0.001, 0.05))
            child.send_signal(signal.SIGKILL)
        assert int(configuration(path).removeprefix(b"state ")) >= state
        states.add(configuration(path))
    assert len(states) > 3


def test_what_an_interrupted_change_left_is_taken_away_by_the_next(path: Path) -> None:
    clean = path.read_bytes()
    path.write_bytes(clean + b"half a change" * 100)
    change(path, b"new")
    interrupted = path.read_bytes()
    path.write_bytes(clean)
    change(path, b"new")
    assert path.read_bytes() == interrupted


def test_one_change_at_a_time(path: Path) -> None:
    with changed_container(path) as appender:
        with pytest.raises(OutputError, match=r"a\.dnerv: another process is changing it"), changed_container(path):
            pass
        appender.commit([appender.section("CONF", b"first come")])
    assert configuration(path) == b"first come"


def test_what_cannot_be_changed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"some other file")
    os.mkfifo(tmp_path / "pipe")
    cases = {
        "missing": "no such file",
        "text": "not a dnerv archive",
        "pipe": "not a regular file",
        ".": "is a folder; give a .dnerv file",
    }
    for name, message in cases.items():
        with pytest.raises(ArchiveError, match=message) as caught, changed_container(tmp_path / name):
            pass
        assert str(caught.value).count(str(tmp_path)) == 1
    assert (tmp_path / "text").read_bytes() == b"some other file"
    data = path.read_bytes()
    worn = decode_header(data, len(data))._replace(generation=LAST_GENERATION)
    path.write_bytes(encode_header(worn) + data[HEADER_SIZE:])
    assert configuration(path) == b"old"
    with pytest.raises(OutputError, match="changed too often; compact it"), changed_container(path):
        pass


def test_an_existing_target_needs_force(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write(path)
    assert path.read_bytes() == before
    write(path, force=True)
    assert path.stat().st_size == HEADER_SIZE + 4


def test_a_target_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "t.dnerv"

    def late() -> Iterator[bytes]:
        target.write_bytes(b"another's")
        yield b"mine"

    with pytest.raises(OutputError, match="exists"):
        write(target, ("AAAA", late()))
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
                write(tmp_path / name, force=force)
            assert "\n" not in str(caught.value)
            with pytest.raises(OutputError, match=message):
                check_target(tmp_path / name, force=force)
    with pytest.raises(OutputError):
        write(tmp_path / "loop")
    with pytest.raises(OutputError):
        write(tmp_path / ("n" * 300))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop", "pipe"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_what_may_not_be_written(path: Path, tmp_path: Path) -> None:
    path.chmod(0o400)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"), changed_container(path):
        pass
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        write(tmp_path / "t.dnerv")


@pytest.mark.parametrize("content", [chunks, lambda: b"x" * 4_500_000])
def test_a_full_disk(tmp_path: Path, path: Path, content: Callable[[], Content]) -> None:
    """A limit on file size stands in for a full disk: both fail with an OSError in the middle of a write."""
    before, was = resource.getrlimit(resource.RLIMIT_FSIZE), path.read_bytes()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            write(tmp_path / "t.dnerv", ("AAAA", content()))
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            change(path, content())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == was
    assert list(tmp_path.iterdir()) == [path]


def test_writes_that_come_short_are_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(container_writing.os, "pwrite", lambda d, data, offset: pwrite(d, bytes(data[:7]), offset))
    change(path, b"in pieces of seven bytes")
    assert configuration(path) == b"in pieces of seven bytes"


def test_a_link_keeps_pointing_at_what_is_replaced(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.dnerv"
    link.symlink_to(path)
    change(link, b"through the link")
    assert configuration(path) == b"through the link"
    write(link, force=True)
    assert link.is_symlink()
    assert path.stat().st_size == HEADER_SIZE + 4


def test_permissions_are_those_of_any_new_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("kind", ["ABC", "ABCDE", "ÄBCD", "AB\nD", "AB1D"])
def test_bad_kinds_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="section kinds"):
        write(tmp_path / "t.dnerv", (kind, b""))
    with pytest.raises(ValueError, match="distinct"):
        write(tmp_path / "t.dnerv", ("AAAA", b""), ("AAAA", b""))
    assert list(tmp_path.iterdir()) == []

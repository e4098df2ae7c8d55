"""What the writer lets in the reader opens; the rest is refused, and nothing is left behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dnerv.archive import Archive, ArchiveWriter, VideoEntry, changed_archive, new_archive, verify_archive
from dnerv.archive.entry import OWN_INTRA
from dnerv.codecs import Planes
from dnerv.errors import ArchiveError, InputError, OutputError

Add = Callable[..., None]


@pytest.fixture
def entry(nerv_path: Path) -> VideoEntry:
    """Of a video without packets."""
    with Archive(nerv_path) as archive:
        return archive.entries[0]


@pytest.fixture
def write(nerv_path: Path, entry: VideoEntry, network_of: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Write videos of these names."""

    def run(names: list[str]) -> Path:
        with Archive(nerv_path) as archive:
            network = network_of(archive.network.config.model, 22)
        with new_archive(tmp_path / "new.dnerv", network=network) as writer:
            for name in names:
                writer.add_video(replace(entry, name=name), None, (), b"")
            writer.finish({"crf": 50})
        return tmp_path / "new.dnerv"

    return run


def test_names_come_back_as_they_were(write: Callable[..., Path]) -> None:
    names = ["a", "class/b.mp4", "ü 🎥", "\udcff", "a\x1b[2J", "..."]
    with Archive(write(names)) as archive:
        assert sorted(archive.names) == sorted(names)
        assert archive.names == sorted(names, key=lambda name: name.encode("utf-8", "surrogatepass"))
        assert archive.made == {"crf": 50}


@pytest.mark.parametrize("names", [[""], ["../a"], ["/a"], ["a\\b"], ["a//b"], ["a\0"], ["a", "b", "a"], []], ids=repr)
def test_names_that_no_reader_would_open(write: Callable[..., Path], tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InputError):
        write(names)
    assert list(tmp_path.iterdir()) == []


def test_existing_output(tmp_path: Path) -> None:
    target = tmp_path / "there.dnerv"
    target.write_text("precious")
    with pytest.raises(OutputError, match="exists"), new_archive(target):
        pass
    assert target.read_text() == "precious"


def test_a_reference_is_stored_once_and_formats_too(
    tmp_path: Path, sources: Any, add_video: Add, reference_of: Callable[..., Any]
) -> None:
    with new_archive(tmp_path / "a.dnerv") as writer:
        for name in "ab":
            add_video(writer, replace(sources[0], name=name))
        sealed, _ = reference_of((80, 96), Planes(), sealed=True)
        assert [writer.add_reference(sealed) for _ in range(2)] == [1, 1]
        writer.finish({})
    with Archive(tmp_path / "a.dnerv") as archive:
        assert [entry.references for entry in archive.entries] == [(0, OWN_INTRA)] * 2
        assert len(archive.config.formats) == 2
        assert [reference.digest for reference in archive.references][1] == sealed.digest
        assert [reference.seed_length > 0 for reference in archive.references] == [True, False]
        assert torch.equal(archive["a"][:], archive["b"][:])


def test_a_seed_that_is_another_references_packet_is_stored_once(
    tmp_path: Path, sources: Any, add_video: Add, reference_of: Callable[..., Any]
) -> None:
    first, _ = reference_of((32, 32), Planes(), sealed=True)
    with new_archive(tmp_path / "a.dnerv") as writer:
        for reference in (first, replace(first, packet=b"made of it", seed=first.packet)):
            writer.add_reference(reference)
        add_video(writer, sources[0])
        writer.finish({})
    with Archive(tmp_path / "a.dnerv") as archive:
        one, other = archive.references
        assert (other.seed_offset, other.seed_length) == (one.offset, one.length)
        parts = archive.breakdown()
        assert (parts["references"], parts["seeds"], parts["unused"]) == (len(first.packet) + 10, 0, 0)


def test_what_does_not_fit_is_refused(tmp_path: Path, sources: Any, add_video: Add, entry: VideoEntry) -> None:
    path = tmp_path / "a.dnerv"
    with pytest.raises(ValueError, match="refers to 0000000000000000, which is no"), new_archive(path) as writer:
        writer.add_video(entry, None, [bytes(8)], b"")
    with pytest.raises(ValueError, match="has 3 bytes of packets and an entry for 0"), new_archive(path) as writer:
        writer.add_video(entry, None, (), b"abc")
    with pytest.raises(ValueError, match="was not finished"), new_archive(path) as writer:
        add_video(writer, sources[0])
    assert list(tmp_path.iterdir()) == []


def test_a_change_keeps_what_it_does_not_name(
    archive_path: Path, tmp_path: Path, sources: Any, add_video: Add, sequential: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "b.dnerv"
    before = archive_path.read_bytes()
    path.write_bytes(before)
    with changed_archive(path) as writer:
        assert writer.archive is not None
        assert ("walk" in writer, "new" in writer) == (True, False)
        add_video(writer, replace(sources[0], name="new"))
        add_video(writer, replace(sources[0], name="gone again"))
        writer.remove_video("gone again")
        writer.remove_video("one")
        writer.remove_video("class/odd")
        add_video(writer, replace(sources[1], timing=sources[3].timing))  # another one of that name
        writer.finish(dict(writer.archive.made) | {"changed": True})
    assert path.read_bytes()[100 : len(before)] == before[100:]  # beyond the header nothing is written over
    with Archive(path) as archive:
        assert archive.names == ["class/odd", "new", "walk", "wide"]
        assert archive.made["changed"] is True
        assert len(archive["class/odd"]) == 5
        assert len(archive.references) == 1  # found again
        for name in ("walk", "wide"):
            assert torch.equal(archive[name][:], sequential[name])
        parts = archive.breakdown()
        assert sum(parts.values()) == path.stat().st_size
        assert parts["unused"] > 0
    assert verify_archive(path)["intact"]


def add_twice(writer: ArchiveWriter, source: Any, add_video: Add) -> None:
    add_video(writer, replace(source, name="new"))
    add_video(writer, source)


def remove_all(writer: ArchiveWriter, *_: Any) -> None:
    for name in ("class/odd", "one", "walk", "wide"):
        writer.remove_video(name)
    writer.finish({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_twice, "two videos are named 'walk'"),
        (remove_all, "at least one video"),
        (lambda writer, *_: writer.remove_video("run"), "no video is called 'run'"),
    ],
)
def test_a_change_that_fails_changes_nothing(
    base_path: Path, tmp_path: Path, sources: Any, add_video: Add, change: Callable[..., None], message: str
) -> None:
    path = tmp_path / "b.dnerv"
    path.write_bytes(base_path.read_bytes())
    with pytest.raises(InputError, match=message), changed_archive(path) as writer:
        change(writer, sources[0], add_video)
    assert path.read_bytes() == base_path.read_bytes()


def test_only_archives_are_changed(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a text")
    with pytest.raises(ArchiveError, match="not a dnerv archive"), changed_archive(tmp_path / "text"):
        pass

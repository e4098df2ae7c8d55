"""Videos into an archive that is there: what was there stays, references serve again, and nothing is left half done."""

import hashlib
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.archive.changing import remove
from dnerv.archive.entry import OWN_INTRA
from dnerv.encoding import EncodeOptions, adding, base_coding, encode
from dnerv.encoding.adding import add
from dnerv.encoding.base_coding import CodedReference
from dnerv.errors import InputError
from dnerv.progress import listening


@pytest.fixture
def archive(undisturbed_scenes: bytes, tmp_path: Path) -> Path:
    """Two places, three episodes each."""
    path = tmp_path / "a.dnerv"
    path.write_bytes(undisturbed_scenes)
    return path


@pytest.fixture(scope="session")
def more(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three more episodes at each place, in folders `3`, `4` and `5`."""
    folder = tmp_path_factory.mktemp("more")
    for episode in (3, 4, 5):
        made.scenes(folder / str(episode), (0, 1), (episode,))
    return folder


@pytest.fixture(scope="session")
def extended(undisturbed_scenes: bytes, more: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The archive after an addition that nothing interrupted."""
    path = tmp_path_factory.mktemp("extended") / "a.dnerv"
    path.write_bytes(undisturbed_scenes)
    add(path, [more / "3"])
    return path.read_bytes()


def frames_of(path: Path) -> dict[str, str]:
    """A digest of all frames of each video."""
    with Archive(path) as archive:
        return {reader.entry.name: hashlib.sha256(reader[:].numpy().tobytes()).hexdigest() for reader in archive}


def started_from(path: Path, names: set[str]) -> set[bytes]:
    """References, by digest, that groups of these videos start from."""
    with Archive(path) as archive:
        used = {r for entry in archive.entries if entry.name in names for r in entry.references}
        return {archive.references[place].digest for place in used if place != OWN_INTRA}


def test_what_is_there_stays_to_the_bit(
    archive: Path, more: Path, scenes: Path, undisturbed_scenes: bytes, extended: bytes
) -> None:
    before = frames_of(archive)
    change = add(archive, [more / "3"])
    assert archive.read_bytes() == extended
    assert extended[168:].startswith(undisturbed_scenes[168:])  # behind the header
    after = frames_of(archive)
    assert after.items() > before.items()
    assert set(after) - set(before) == {"0-3", "1-3"}
    assert (set(change.videos), change.num_videos, change.file_bytes) == ({"0-3", "1-3"}, 8, len(extended))
    assert change.bytes_before == len(undisturbed_scenes)
    assert verify_archive(archive)["intact"]
    assert not archive.with_name("a.dnerv.work").exists()


def test_added_videos_are_as_good_as_the_others(archive: Path, more: Path, made: SimpleNamespace) -> None:
    add(archive, [more / "3"])
    with Archive(archive) as opened:
        errors = {
            name: np.square(opened[name][:].permute(0, 2, 3, 1).numpy() - made.scene(12, 0, int(name[2])).astype(float))
            for name in ("0-0", "0-3")
        }
        entries = [opened[name].entry for name in ("0-0", "0-3")]
    assert errors["0-3"].mean() == pytest.approx(errors["0-0"].mean(), rel=0.4)
    assert entries[0].crf == entries[1].crf


def test_the_first_addition_pays_for_references_and_the_next_for_none(archive: Path, more: Path) -> None:
    with Archive(archive) as opened:
        first = {reference.digest: reference for reference in opened.references}
    assert len(first) == 2
    add(archive, [more / "3", more / "4"])  # one video of a single group would not pay for a picture
    with Archive(archive) as opened:
        stored = {reference.digest: reference for reference in opened.references}
        derived = stored.keys() - first.keys()
        assert len(derived) == 2
        # Each was made of the picture of one that was there: that one's packet is its seed.
        assert {stored[digest].seed_offset for digest in derived} == {each.offset for each in first.values()}
        assert opened.breakdown()["seeds"] == 0
        said = opened.made["references"]
        assert said.keys() == {digest.hex() for digest in stored}
        saved = {digest: said[digest.hex()]["saved"] for digest in derived}
        assert all(count > 0 for count in saved.values())
    assert started_from(archive, {"0-3", "1-3", "0-4", "1-4"}) == derived

    size = archive.stat().st_size
    add(archive, [more / "5"])
    with Archive(archive) as opened:
        assert {reference.digest for reference in opened.references} == stored.keys()
        said = opened.made["references"]
        assert all(said[digest.hex()]["saved"] > saved[digest] for digest in derived)
    assert started_from(archive, {"0-5", "1-5"}) == derived
    assert archive.stat().st_size - size < 2500  # less than one intra frame


def test_another_encoder_makes_new_references(
    archive: Path, more: Path, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed's picture does not give the very bytes again."""
    add(archive, [more / "3"])
    with Archive(archive) as opened:
        before = {reference.digest for reference in opened.references}
    code = base_coding.code_reference

    def other(*given: Any) -> CodedReference:
        made = code(*given)
        return replace(made, packet=made.packet[:-1] + bytes([made.packet[-1] ^ 1]))

    monkeypatch.setattr(adding, "code_reference", other)
    with listening(recorder):
        add(archive, [more / "4"])
    assert any("another version of the encoder" in note for note in recorder.notes)
    with Archive(archive) as opened:
        assert {reference.digest for reference in opened.references} >= before
    assert started_from(archive, {"0-4", "1-4"}).isdisjoint(before)
    assert verify_archive(archive)["intact"]


def test_another_place_has_a_reference_of_its_own(archive: Path, made: SimpleNamespace, tmp_path: Path) -> None:
    with Archive(archive) as opened:
        before = {reference.digest for reference in opened.references}
    add(archive, [made.scenes(tmp_path / "new", (7,), (0, 1, 2))])
    with Archive(archive) as opened:
        new = {reference.digest for reference in opened.references} - before
        assert len(new) == 1
        assert opened.made["references"][new.pop().hex()]["video"].startswith("7-")


def test_other_sizes_and_lengths(archive: Path, corpus: Path) -> None:
    add(archive, [corpus])
    with Archive(archive) as opened:
        shapes = {name: tuple(opened[name][:].shape) for name in ("long", "odd", "still")}
    assert shapes == {"long": (9, 3, 32, 32), "odd": (4, 3, 27, 31), "still": (1, 3, 32, 32)}


def test_names_that_are_taken_are_refused_and_the_file_is_not_touched(archive: Path, scenes: Path) -> None:
    before = archive.read_bytes(), archive.stat().st_mtime_ns
    with pytest.raises(InputError, match=r"a video named '0-0' already, and 5 others: remove it first"):
        add(archive, [scenes])
    with pytest.raises(InputError, match=r"a video named '1-2' already: remove"):
        add(archive, [scenes / "1-2.mp4"])
    assert (archive.read_bytes(), archive.stat().st_mtime_ns) == before
    assert [path.name for path in archive.parent.iterdir()] == ["a.dnerv"]
    remove(archive, ["1-2"])
    assert add(archive, [scenes / "1-2.mp4"]).num_videos == 6


def test_bad_videos(archive: Path, more: Path, tmp_path: Path, recorder: Any) -> None:
    before, folder = archive.read_bytes(), tmp_path / "in"
    shutil.copytree(more / "3", folder)
    (folder / "worse.mp4").write_bytes(b"this is no video")
    with pytest.raises(InputError, match=r"worse\.mp4.*--skip-bad leaves such files out"):
        add(archive, [folder])
    assert archive.read_bytes() == before
    with pytest.raises(InputError, match="none of the videos could be read"):
        add(archive, [folder / "worse.mp4"], skip_bad=True)
    with listening(recorder):
        add(archive, [folder], skip_bad=True)
    assert len(recorder.warnings) == 1
    with Archive(archive) as opened:
        assert opened.names == ["0-0", "0-1", "0-2", "0-3", "1-0", "1-1", "1-2", "1-3"]


def test_labels_and_size_and_rate_are_those_of_the_archive(corpus: Path, fast: EncodeOptions, tmp_path: Path) -> None:
    from fractions import Fraction

    path = tmp_path / "a.dnerv"
    encode([corpus / "long.mp4"], path, replace(fast, resolution=(16, 24), fps=Fraction(5)))
    (tmp_path / "labels.csv").write_text("path,label\nodd,strange\n")
    add(path, [corpus / "odd.mp4"], labels=tmp_path / "labels.csv")
    with Archive(path, size="coded") as opened:
        entry = opened["odd"].entry
        assert (entry.label, entry.coded_size, entry.original_size) == ("strange", (16, 24), (27, 31))
        assert opened["odd"].metadata.average_fps == 5


def test_what_was_not_shared_stays_so(scenes: Path, more: Path, fast: EncodeOptions, tmp_path: Path) -> None:
    path = tmp_path / "a.dnerv"
    encode([scenes / "0-0.mp4", scenes / "0-1.mp4"], path, replace(fast, references=False, every=2, access=4))
    add(path, [more / "3" / "0-3.mp4"])
    with Archive(path) as opened:
        assert opened.references == ()
        entry = opened["0-3"].entry
        assert (entry.distance, entry.group_length) == (2, 3)


def test_an_archive_that_does_not_say_how_it_was_made(corpus: Path, more: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.dnerv"
    encode([corpus / "odd.mp4"], path, EncodeOptions(model="nerv", epochs=0, width=2, clip_length=4))
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"does not say how its base layers were coded.*`dnerv merge`"):
        add(path, [more / "3"])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        ("coding videos, crf 45 1", signal.SIGKILL),
        ("coding videos, crf 45 1", signal.SIGINT),
        ("writing the archive", signal.SIGKILL),
    ],
)
def test_stopped_and_begun_again(
    archive: Path,
    more: Path,
    undisturbed_scenes: bytes,
    extended: bytes,
    stopped: Callable[..., int],
    where: str,
    sent: signal.Signals,
) -> None:
    assert stopped("add", more / "3", archive, where, sent) == -sent
    assert archive.read_bytes() == undisturbed_scenes
    assert archive.with_name("a.dnerv.work").is_dir()
    add(archive, [more / "3"])
    assert archive.read_bytes() == extended
    assert [path.name for path in archive.parent.iterdir()] == ["a.dnerv"]


def test_who_has_it_open_reads_what_it_was(archive: Path, more: Path) -> None:
    with Archive(archive) as opened:
        first = opened["0-0"][3].clone()
        add(archive, [more / "3"])
        assert len(opened) == 6
        assert torch.equal(opened["0-0"][3], first)

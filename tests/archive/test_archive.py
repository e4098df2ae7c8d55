"""Opening, listing, breaking down, sharing between processes."""

import multiprocessing
import pickle
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from dnerv.archive import Archive, new_archive
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing

Frames = dict[str, torch.Tensor]
Rewrite = Callable[..., Path]


def test_names_and_numbers(archive_path: Path, sources: tuple[Any, ...]) -> None:
    with Archive(archive_path) as archive:
        assert archive.names == sorted(source.name for source in sources)
        assert len(archive) == 4
        assert archive.num_frames == 10 + 6 + 1 + 5
        assert archive.num_pixels == 10 * 32 * 32 + 6 * 27 * 31 + 32 * 32 + 5 * 32 * 52
        assert archive.file_bytes == archive_path.stat().st_size
        assert archive.bits_per_pixel == pytest.approx(8 * archive.file_bytes / archive.num_pixels)
        assert "walk" in archive
        assert "run" not in archive
        assert (archive.place_of("walk"), archive.place_of("run")) == (2, None)
        assert archive.made == {"dnerv": "0", "crf": 40, "fps": None}
        assert [reader.metadata.name for reader in archive] == archive.names


def test_unknown_name(archive_path: Path) -> None:
    with (
        Archive(archive_path) as archive,
        pytest.raises(InputError, match=r"no video is called 'run' .* holds 4: class/odd, one"),
    ):
        archive["run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "abacus"}, "device is 'abacus'; use 'cpu', 'cuda' or 'cuda:N'"),
        ({"precision": "int3"}, "precision is 'int3'; known: auto"),
        ({"size": "large"}, "size is 'large'; use 'original' or 'coded'"),
        ({"layers": "network"}, "layers is 'network'; use 'all' or 'base'"),
    ],
)
def test_bad_arguments(archive_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Archive(archive_path, **arguments)


def test_the_breakdown_sums_to_the_file(archive_path: Path, base_path: Path, nerv_path: Path) -> None:
    for path in (archive_path, base_path, nerv_path):
        with Archive(path) as archive:
            parts = archive.breakdown()
            assert sum(parts.values()) == path.stat().st_size
            assert (
                (parts["base layers"] > 0) == (parts["references"] > 0) == (parts["seeds"] > 0) == (path != nerv_path)
            )
            assert any(name.startswith("network") for name in parts) == (path != base_path)
            assert all(count >= 0 for count in parts.values())
            assert parts["unused"] == 0


def test_entries_are_a_sequence(archive_path: Path) -> None:
    with Archive(archive_path) as archive:
        entries = list(archive.entries)
        assert [entry.name for entry in entries] == archive.names
        assert len(archive.entries) == 4
        assert archive.entries[-1] == entries[3]
        assert archive.entries[1:3] == entries[1:3]
        assert entries[2] in archive.entries
        for outside in (4, -5):
            with pytest.raises(IndexError):
                archive.entries[outside]


def test_one_video_is_found_among_many_by_reading_one_block(
    tmp_path: Path, sources: Any, add_video: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    still = replace(sources[2], timing=Timing.constant(Fraction(1), 1), shares=False)
    monkeypatch.setattr("dnerv.archive.index.BLOCK_ROWS", 4)
    with new_archive(tmp_path / "a.dnerv") as writer:
        for number in range(40):
            add_video(writer, replace(still, name=f"v{number:02}"))
        writer.finish({})
    with Archive(tmp_path / "a.dnerv") as archive:
        read, spans = archive.container.read_at, []

        def counted(offset: int, length: int) -> bytes:
            spans.append(length)
            return read(offset, length)

        monkeypatch.setattr(archive.index, "_read_at", counted)
        assert "v17" in archive
        assert archive["v17"].entry.name == "v17"
        assert len(spans) == 1
        assert archive.names == [f"v{number:02}" for number in range(40)]
        assert len(spans) == len(archive.index.blocks) == 10


PROGRAM = """
import sys
from dnerv.archive import Archive
with Archive(sys.argv[1], layers=sys.argv[2]) as archive:
    assert archive["wide"][:].shape == (5, 3, 32, 52)
for name in sorted(sys.modules):
    rooms = ("dnerv.engine", "dnerv.families", "dnerv.training", "dnerv.archive.network", "dnerv.archive.clip")
    if name.startswith(rooms):
        print(name)
"""


def test_base_layers_are_read_without_a_network(warm_python: str, base_path: Path, archive_path: Path) -> None:
    """Also where there is one: nothing of it is read."""
    for path, layers in ((base_path, "all"), (archive_path, "base")):
        command = [warm_python, "-c", PROGRAM, str(path), layers]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split() == []


def test_two_openings_give_the_same_bits(archive_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        for name, frames in sequential.items():
            assert torch.equal(archive[name][:], frames)


def test_pickles_even_while_in_use(archive_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        reader = archive["walk"]
        reader[5]
        again, other = pickle.loads(pickle.dumps((archive, reader)))
    assert torch.equal(again["class/odd"][3], sequential["class/odd"][3])
    assert torch.equal(other[:], sequential["walk"])
    again.close()


def _read(reader: Any, queue: Any) -> None:
    queue.put(reader[9].numpy().tobytes())


def test_a_forked_process_reads_on(archive_path: Path, sequential: Frames) -> None:
    """Forking a process that has an open decoder; the parent's own place is not moved."""
    with Archive(archive_path) as archive:
        reader = archive["walk"]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a forked process cannot use the parent's pool
        try:
            reader[0]
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            child = context.Process(target=_read, args=(reader, queue))
            child.start()
            data = queue.get(timeout=60)
            child.join(60)
        finally:
            torch.set_num_threads(threads)
        assert data == sequential["walk"][9].numpy().tobytes()
        assert torch.equal(reader[9], sequential["walk"][9])


def test_no_such_file_and_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        Archive(tmp_path / "absent.dnerv")
    with pytest.raises(ArchiveError, match=r"is a folder; give a \.dnerv file"):
        Archive(tmp_path)
    (tmp_path / "text").write_text("a text")
    with pytest.raises(ArchiveError, match="not a dnerv archive"):
        Archive(tmp_path / "text")


@pytest.mark.parametrize("kind", ["CONF", "INDX", "REFS", "NETW"])
def test_a_missing_section(archive_path: Path, tmp_path: Path, rewrite: Rewrite, kind: str) -> None:
    path = rewrite(archive_path, tmp_path / "b.dnerv", **{kind: None})
    with pytest.raises(ArchiveError, match=rf"b\.dnerv: .*has no (section {kind}|{kind} section)"):
        Archive(path)


def test_no_note_on_how_it_was_made(archive_path: Path, tmp_path: Path, rewrite: Rewrite) -> None:
    with Archive(rewrite(archive_path, tmp_path / "b.dnerv", made=None)) as archive:
        assert archive.made == {}
        assert sum(archive.breakdown().values()) == archive.file_bytes
        assert archive.breakdown()["unused"] > 0
    with (
        Archive(rewrite(archive_path, tmp_path / "c.dnerv", made=lambda _: [1])) as archive,
        pytest.raises(ArchiveError, match=r"c\.dnerv: the archive's note on how it was made is no JSON object"),
    ):
        _ = archive.made


def network(**fields: Any) -> Callable[[Any], Any]:
    return lambda record: record | {"network": record["network"] | fields}


def model(**fields: Any) -> Callable[[Any], Any]:
    return lambda record: network(model=record["network"]["model"] | fields)(record)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["network"],
        network(overlap=-1),
        network(overlap=32),  # as large as the canvas
        network(frames=9),  # fewer than the videos say
        lambda record: record | {"network": None},
        lambda record: record | {"formats": []},
        lambda record: record | {"references": 0},
        lambda record: record | {"references": 7},
        lambda record: record | {"codec": 1},
        model(base_channels=10**9),
    ],
)
def test_a_hostile_configuration(archive_path: Path, tmp_path: Path, rewrite: Rewrite, change: Any) -> None:
    path = rewrite(archive_path, tmp_path / "b.dnerv", CONF=change)
    with pytest.raises(ArchiveError, match=r"b\.dnerv: "), Archive(path) as archive:
        list(archive.entries)


def test_a_reader_that_failed_fails_again(archive_path: Path, tmp_path: Path, rewrite: Rewrite) -> None:
    path = rewrite(archive_path, tmp_path / "b.dnerv", CONF=model(base_channels=4))
    with Archive(path) as archive:
        reader = archive["walk"]
        for _ in range(3):
            with pytest.raises(ArchiveError, match=r"b\.dnerv: "):
                reader[0]
        assert archive["one"][0].shape == (3, 45, 51)  # does without

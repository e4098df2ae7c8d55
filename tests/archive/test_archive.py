"""Opening, listing, breaking down, sharing between processes."""

import multiprocessing
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dnerv.archive import Archive
from dnerv.bitstream import Container, decode_json, encode_json, write_container
from dnerv.errors import ArchiveError, InputError, OutputError

Frames = dict[str, torch.Tensor]


def rewritten(path: Path, target: Path, **sections: Any) -> Path:
    """A copy of an archive with other sections: bytes, None to leave it out, or a function of its JSON."""
    with Container.open(path) as container:
        contents = {kind: container.read(kind) for kind in container.kinds}
    for kind, content in sections.items():
        contents[kind] = encode_json(content(decode_json(contents[kind]))) if callable(content) else content
    write_container(target, [(kind, data) for kind, data in contents.items() if data is not None])
    return target


def test_names_and_numbers(archive_path: Path, sources: tuple[Any, ...]) -> None:
    with Archive(archive_path) as archive:
        assert archive.names == [source.name for source in sources]
        assert len(archive) == 4
        assert archive.num_frames == 10 + 6 + 1 + 5
        assert archive.num_pixels == 10 * 32 * 32 + 6 * 27 * 31 + 32 * 32 + 5 * 32 * 52
        assert archive.file_bytes == archive_path.stat().st_size
        assert archive.bits_per_pixel == pytest.approx(8 * archive.file_bytes / archive.num_pixels)
        assert "walk" in archive
        assert "run" not in archive
        assert [reader.metadata.name for reader in archive] == archive.names


def test_unknown_name(archive_path: Path) -> None:
    with (
        Archive(archive_path) as archive,
        pytest.raises(InputError, match=r"no video is called 'run' .* holds 4: walk"),
    ):
        archive["run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "abacus"}, "device is 'abacus'"),
        ({"precision": "int3"}, "precision is 'int3'; known: auto"),
        ({"size": "large"}, "size is 'large'; use 'original' or 'coded'"),
    ],
)
def test_bad_arguments(archive_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Archive(archive_path, **arguments)


def test_the_breakdown_sums_to_the_file(archive_path: Path, nerv_path: Path) -> None:
    for path in (archive_path, nerv_path):
        with Archive(path) as archive:
            parts = archive.breakdown()
            assert sum(parts.values()) == path.stat().st_size
            assert (parts["keyframes"] > 0) == (path == archive_path)
            assert all(count >= 0 for count in parts.values())


def test_nerv_has_no_keyframes_and_absolute_time(nerv_path: Path) -> None:
    with Archive(nerv_path) as archive:
        frames = [frame for reader in archive for frame in reader]
        assert archive.config.keyframes is None
        assert torch.equal(archive["class/odd"][2], frames[12])
        time = archive.model.stem.encoding(torch.tensor(12 / 22))
        assert archive.first_frame(1) + 2 == 12
        assert time.shape == (16,)
    assert len({frame.shape for frame in frames}) == 4


@pytest.mark.parametrize(
    "parts",
    [
        {"fusion": "concatenation"},
        {"flow": "single-scale"},
        {"temporal": "convolution", "temporal_kernel": 7},
        {"temporal": "attention"},
        {"fusion": "none", "flow": "none", "head": "paper"},
    ],
    ids=str,
)
def test_networks_of_other_parts_come_back(
    archive_path: Path, parts: dict[str, Any], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    with Archive(archive_path) as known:
        config = replace(known.config.model, **parts)
    path = write_model(tmp_path, config)
    with Archive(path) as archive, Archive(path, precision="reference") as plain:
        assert archive.config.model == config
        frames = archive["walk"][:].float()
        assert (frames - plain["walk"][:].float()).abs().max() <= 1
        assert frames.std() > 1
        assert (archive.layout(1).absolute == (10, archive.num_frames)) == (parts.get("fusion") == "none")


def test_half_precision_is_close(archive_path: Path, sequential: Frames) -> None:
    with Archive(archive_path, precision="bf16") as archive:
        difference = archive["walk"][:].float() - sequential["walk"].float()
    assert difference.abs().mean() < 3


def test_two_openings_give_the_same_bits(archive_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        for name, frames in sequential.items():
            assert torch.equal(archive[name][:], frames)


def test_existing_output(archive_path: Path, write_videos: Callable[..., Path], tmp_path: Path) -> None:
    from dnerv.archive import ArchiveConfig, write_archive

    target = tmp_path / "there.dnerv"
    target.write_text("precious")
    with Archive(archive_path) as archive:
        config: ArchiveConfig = archive.config
        weights = {name: p.numpy() for name, p in archive.model.state_dict().items()}
        with pytest.raises(OutputError, match="exists"):
            write_archive(target, config, weights, 6, [])
    assert target.read_text() == "precious"


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
    with pytest.raises(ArchiveError, match="not a regular file"):
        Archive(tmp_path)
    (tmp_path / "text").write_text("a text")
    with pytest.raises(ArchiveError, match="not a dnerv archive"):
        Archive(tmp_path / "text")


@pytest.mark.parametrize("kind", ["CONF", "INDX", "PKTS", "NETW", "KEYF"])
def test_a_missing_section(archive_path: Path, tmp_path: Path, kind: str) -> None:
    path = rewritten(archive_path, tmp_path / "b.dnerv", **{kind: None})
    with pytest.raises(ArchiveError, match=f"has no {kind} section"):
        Archive(path)


def changed(**fields: Any) -> Callable[[Any], Any]:
    """Change fields of the first video's record."""

    def change(record: Any) -> Any:
        record["videos"][0].update(fields)
        return record

    return change


TIMING = {"time_base": [1, 25], "start": 0, "step": 1, "count": 10, "last_duration": 1}
BAD_TIMES = ({"count": 0}, {"count": 2**40}, {"step": 0}, {"time_base": [0, 1]})
HOSTILE_INDEX: list[Callable[[Any], Any]] = [
    *(changed(name=name) for name in ("../out", "/etc/passwd", "a/../b", "a//b", "./a", "", "a\0b", "a\\b", 5, None)),
    changed(name="wide"),  # twice
    *(changed(size=size) for size in ([0, 32], [32], [32, 32, 3], [-1, 32], [1 << 20, 32], [65536, 65536], "32x32")),
    *(changed(coded=size) for size in ([65536, 65536], [32.0, 32], [True, 32], None)),
    *(changed(timing=TIMING | change) for change in BAD_TIMES),
    changed(timing=None),
    changed(label=7),
    changed(bytes=[2**61, 2**61]),
    changed(bytes=[0, 10**30]),
    changed(bytes=[-1, 1]),
    changed(bytes=[1, 2, 3]),
    changed(colour="red"),
    lambda record: {"videos": []},
    lambda record: {"videos": {}},
    lambda record: {"videos": [[]]},
    lambda record: [],
    lambda record: record | {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE_INDEX)
def test_a_hostile_index(archive_path: Path, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    with pytest.raises(ArchiveError):
        Archive(rewritten(archive_path, tmp_path / "b.dnerv", INDX=change))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["model"],
        lambda record: record | {"overlap": -1},
        lambda record: record | {"overlap": 32},  # as large as the canvas
        lambda record: record | {"keyframes": {"bitstream": "h264", "matrix": "bt601"}},
        lambda record: {name: value for name, value in record.items() if name != "keyframes"},
        lambda record: record | {"source": []},
        lambda record: record | {"codec": 1},
        lambda record: record | {"model": record["model"] | {"base_channels": 10**9}},
    ],
)
def test_a_hostile_configuration(archive_path: Path, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    with pytest.raises(ArchiveError):
        Archive(rewritten(archive_path, tmp_path / "b.dnerv", CONF=change))


@pytest.mark.parametrize("fields", [{"base_channels": 8192, "stem_channels": 65536}, {"base_channels": 4}])
def test_weights_of_another_network(archive_path: Path, tmp_path: Path, fields: dict[str, int]) -> None:
    path = rewritten(
        archive_path, tmp_path / "b.dnerv", CONF=lambda record: record | {"model": record["model"] | fields}
    )
    with Archive(path) as archive, pytest.raises(ArchiveError):
        archive["walk"][0]


@pytest.mark.parametrize(
    "change",
    [
        changed(timing=TIMING | {"count": 9000}),
        changed(size=[96, 96]),  # the packets hold less
        changed(timing=TIMING | {"count": 3}),
    ],
)
def test_an_index_that_does_not_fit_the_keyframes(
    archive_path: Path, tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    path = rewritten(archive_path, tmp_path / "b.dnerv", INDX=change)
    with pytest.raises(ArchiveError), Archive(path) as archive:
        archive["walk"][0]


def test_a_reader_that_failed_fails_again(archive_path: Path, tmp_path: Path) -> None:
    path = rewritten(archive_path, tmp_path / "b.dnerv", INDX=changed(size=[96, 96]))
    with Archive(path) as archive:
        reader = archive["walk"]
        for _ in range(3):
            with pytest.raises(ArchiveError):
                reader[0]


def test_entries_round_trip(archive_path: Path) -> None:
    from dnerv.archive.index import VideoEntry, index_from_json, index_to_json

    with Archive(archive_path) as archive:
        entries = archive.entries
    assert index_from_json(index_to_json(entries)) == entries
    plain = replace(entries[0], table_bytes=0, keyframe_bytes=0)
    assert set(plain.to_json()) == {"name", "size", "timing"}
    assert VideoEntry.from_json(plain.to_json()) == plain

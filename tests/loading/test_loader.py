"""Every clip once, in an order that can be repeated and taken up again, with the frames that the archive holds."""

import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import active_count
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

import dnerv
from dnerv.archive import Archive, Layers
from dnerv.engine import Precision, chosen_precision
from dnerv.errors import ArchiveError, InputError
from dnerv.loading import Loader
from dnerv.loading.loader import _statistics

Batches = list[tuple[torch.Tensor, torch.Tensor, dict[str, Any]]]


def indices(batches: Iterable[Any]) -> list[list[int]]:
    return [info["index"].tolist() for _, _, info in batches]


def flat(lists: Iterable[list[int]]) -> list[int]:
    return [index for batch in lists for index in batch]


def assert_same(one: Batches, other: Batches) -> None:
    assert len(one) == len(other)
    for (clips, labels, info), (clips_again, labels_again, info_again) in zip(one, other, strict=True):
        assert torch.equal(clips, clips_again)
        assert torch.equal(labels, labels_again)
        assert info["video"] == info_again["video"]
        assert all(torch.equal(info[key], info_again[key]) for key in ("index", "frames", "seconds"))


def test_a_batch_is_what_its_documentation_says(alike_path: Path) -> None:
    loader = dnerv.Loader(alike_path, batch_size=3, clip_length=5)
    batches = list(loader)
    assert loader.class_names == ["run", "walk"]
    assert (loader.num_clips, len(loader), loader.clip_shape) == (9, 3, (5, 3, 32, 32))
    assert [clips.shape for clips, _, _ in batches] == [(3, 5, 3, 32, 32)] * 3
    clips, labels, info = batches[0]
    assert (clips.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert 0 <= clips.min() < clips.max() <= 1
    assert labels.tolist() == [-1, 0, 0]
    assert info["video"] == ["loose", "run/b", "run/d"]
    assert info["index"].tolist() == [0, 1, 2]
    assert info["frames"].tolist() == [[0] * 5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert info["seconds"].dtype == torch.float64
    assert torch.allclose(info["seconds"], info["frames"].double() / 10)
    last = batches[2]
    assert (last[2]["video"][1], last[1].tolist(), last[2]["frames"][1].tolist()) == (
        "walk/a",
        [1] * 3,
        [5, 6, 7, 8, 9],
    )
    assert "9 clips, 3 batches" in repr(loader)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("pass_pixels", [1, 1 << 20])
def test_frames_are_the_readers(alike_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, pass_pixels: int) -> None:
    """Windows that straddle the network's clips, in passes of one clip and of many."""
    monkeypatch.setitem(dnerv.loading.decoding.PASS_PIXELS, "cpu", pass_pixels)
    loader = Loader(alike_path, batch_size=4, clip_length=6, frame_step=step, clips_per_video=2, shuffle=True,
                    dtype=torch.uint8, precision="fp32")  # fmt: skip
    assert_frames_are_the_readers(loader, alike_path)


def assert_frames_are_the_readers(loader: Loader, path: Path, layers: Layers = "all") -> None:
    """To the bit where there is no network; in batches its floats may differ in the last place."""
    with Archive(path, layers=layers) as archive:
        count = 0
        for clips, _, info in loader:
            for clip, name, frames in zip(clips, info["video"], info["frames"], strict=True):
                reader = archive[name]
                expected = reader.get_frames_at(frames).data
                assert (clip.int() - expected.int()).abs().max() <= archive.uses_network(reader.entry)
                count += 1
    assert count == 10


@pytest.mark.parametrize("layers", get_args(Layers))
def test_frames_of_base_layers_are_the_readers(base_path: Path, some_path: Path, layers: Layers) -> None:
    """Alone, and beside videos that use a network."""
    for path in (base_path, some_path):
        arguments: Any = {"clip_length": 6, "clips_per_video": 2, "dtype": torch.uint8, "precision": "fp32"}
        loader = Loader(path, batch_size=4, shuffle=True, layers=layers, **arguments)
        assert_frames_are_the_readers(loader, path, layers)
        with Archive(path, layers=layers, precision="fp32") as archive:
            assert_same(list(Loader(archive, batch_size=4, shuffle=True, **arguments)), list(again_from(path, 0, {
                "batch_size": 4, "shuffle": True, "layers": layers} | arguments)))  # fmt: skip


PROGRAM = """
import sys
import dnerv
path, length, layers = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for clips, labels, info in dnerv.Loader(path, batch_size=3, shuffle=True, layers=layers):
    assert clips.shape[1:] == (length, 3, 32, 32)
with dnerv.open(path, layers=layers) as archive:
    for reader in archive:
        assert len(reader[:]) == len(reader)
print(*(name for name in sys.modules if name.startswith(("dnerv.engine", "dnerv.families", "dnerv.training"))))
"""


def test_base_layers_are_loaded_without_a_network(base_path: Path, alike_path: Path) -> None:
    """Where there is none, and where there is one that nobody wants."""
    for path, length, layers in ((base_path, 8, "all"), (alike_path, 4, "base")):
        command = [sys.executable, "-c", PROGRAM, str(path), str(length), layers]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split() == ["dnerv.engine", "dnerv.engine.precision"]  # what "auto" stands for


def test_frames_are_converted_where_they_should_be(base_path: Path) -> None:
    arguments: dict[str, Any] = {"batch_size": 4, "shuffle": True, "dtype": torch.uint8}
    assert_same(
        list(Loader(base_path, conversion="device", **arguments)),
        list(Loader(base_path, conversion="processor", **arguments)),
    )
    with pytest.raises(InputError, match="conversion is 'gpu'; use 'device' or 'processor'"):
        Loader(base_path, conversion="gpu", **arguments)


def test_tiles_odd_sizes_and_one_frame(mixed_path: Path, nerv_path: Path) -> None:
    for path in (mixed_path, nerv_path):
        with Archive(path, size="coded") as archive:
            for name in archive.names:
                loader = Loader(path, batch_size=8, clip_length=3, videos=[name], dtype=torch.uint8, precision="fp32")
                ((clips, _, info),) = list(loader)
                for clip, frames in zip(clips, info["frames"], strict=True):
                    difference = clip.int() - archive[name].get_frames_at(frames).data.int()
                    assert difference.abs().max() <= 1
                    assert clip.float().std() > 1


def test_sizes_that_differ(mixed_path: Path) -> None:
    with pytest.raises(InputError, match=r"'class/odd' would have 27x31 pixels and those of 'one' 32x32"):
        Loader(mixed_path, batch_size=2)
    for arguments in ({"crop": (27, 31)}, {"resize": (20, 24)}, {"resize": 27, "crop": 27}):
        shapes = {tuple(clips.shape[1:]) for clips, _, _ in Loader(mixed_path, batch_size=3, **arguments)}  # type: ignore[arg-type]
        assert len(shapes) == 1


def test_same_seed_same_batches_and_every_epoch_another_order(alike_path: Path) -> None:
    arguments: Any = {"batch_size": 2, "clips_per_video": 2, "shuffle": True, "flip": True, "crop": 24, "seed": 5}
    loader, again = Loader(alike_path, **arguments), Loader(alike_path, prefetch=0, threads=1, **arguments)
    epochs = [list(loader), list(loader)]
    assert_same(epochs[0], list(again))
    assert_same(epochs[1], list(again))
    orders = [indices(epoch) for epoch in epochs]
    assert orders[0] != orders[1]
    assert [sorted(flat(order)) for order in orders] == [list(range(10))] * 2
    loader.set_epoch(0)
    assert_same(list(loader), epochs[0])
    assert indices(Loader(alike_path, **(arguments | {"seed": 6}))) != orders[0]


def test_without_shuffling_every_epoch_is_alike(alike_path: Path) -> None:
    loader = Loader(alike_path, batch_size=4)
    first = list(loader)
    assert flat(indices(first)) == list(range(loader.num_clips))
    assert_same(first, list(loader))


@pytest.mark.parametrize("taken", [0, 1, 3, 4, 5])
def test_resumed_anywhere(alike_path: Path, taken: int) -> None:
    arguments: Any = {"batch_size": 3, "shuffle": True, "flip": True, "clip_length": 2}
    expected = list(Loader(alike_path, **arguments))
    assert len(expected) == 8
    loader = Loader(alike_path, **arguments)
    iterator = iter(loader)
    for _ in range(taken):
        next(iterator)
    state = pickle.loads(pickle.dumps(loader.state_dict()))
    resumed = Loader(alike_path, **arguments)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert_same(list(resumed), expected[taken:])
    assert_same(list(resumed), list(again_from(alike_path, 1, arguments)))


def again_from(path: Path, epoch: int, arguments: Any) -> Loader:
    loader = Loader(path, **arguments)
    loader.set_epoch(epoch)
    return loader


def test_a_state_after_the_last_batch_is_the_next_epochs(alike_path: Path) -> None:
    loader = Loader(alike_path, batch_size=3, shuffle=True)
    for _ in loader:
        state = loader.state_dict()
    assert (state["epoch"], state["batch"]) == (1, 0)
    assert loader.state_dict() == state
    assert loader.epoch == 1


def test_a_broken_off_epoch_is_followed_by_another_and_leaves_no_threads(alike_path: Path) -> None:
    loader = Loader(alike_path, batch_size=1, shuffle=True)
    threads = active_count()
    for _ in loader:
        assert active_count() > threads
        break
    assert active_count() == threads
    assert (loader.state_dict()["epoch"], loader.state_dict()["batch"]) == (0, 1)
    assert_same(list(loader), list(again_from(alike_path, 1, {"batch_size": 1, "shuffle": True})))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 4}, "batch_size 3, and this loader has 4"),
        ({"seed": 1}, "seed 0, and this loader has 1"),
        ({"rank": 0, "world_size": 2}, "shares 1, and this loader has 2"),
        ({"clip_length": 3}, "num_clips"),
    ],
)
def test_a_state_of_another_loader(alike_path: Path, change: dict[str, Any], message: str) -> None:
    state = Loader(alike_path, batch_size=3, shuffle=True).state_dict()
    arguments: Any = {"batch_size": 3, "shuffle": True} | change
    with pytest.raises(InputError, match=message):
        Loader(alike_path, **arguments).load_state_dict(state)


@pytest.mark.parametrize("wrong", [{}, {"epoch": "1"}, {"batch": -1}, {"batch": None}])
def test_a_state_that_is_none(alike_path: Path, wrong: dict[str, Any]) -> None:
    loader = Loader(alike_path, batch_size=3)
    with pytest.raises(InputError, match="the state"):
        loader.load_state_dict(loader.state_dict() | wrong if wrong else {})


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_an_epoch(alike_path: Path, world_size: int) -> None:
    arguments: Any = {"batch_size": 2, "clip_length": 2, "shuffle": True, "dtype": torch.uint8}
    whole = {}
    for clips, _, info in Loader(alike_path, **arguments):
        whole |= dict(zip(info["index"].tolist(), clips, strict=True))
    seen = []
    loaders = [Loader(alike_path, rank=rank, world_size=world_size, **arguments) for rank in range(world_size)]
    for loader in loaders:
        for clips, _, info in loader:
            for index, clip in zip(info["index"].tolist(), clips, strict=True):
                seen.append(index)
                assert (clip.int() - whole[index].int()).abs().max() <= 1
    assert sorted(seen) == list(range(22))
    assert max(map(len, loaders)) - min(map(len, loaders)) <= 1
    equal = [Loader(alike_path, rank=r, world_size=world_size, drop_last=True, **arguments) for r in range(world_size)]
    batches = [indices(loader) for loader in equal]
    assert {len(rank) for rank in batches} == {22 // (2 * world_size)}
    assert {len(batch) for rank in batches for batch in rank} == {2}
    taken = [index for rank in batches for index in flat(rank)]
    assert len(taken) == len(set(taken))


class _Stream(IterableDataset[Any]):
    """A loader inside the workers of a DataLoader."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __iter__(self) -> Any:
        return iter(self.loader)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_share_an_epoch(alike_path: Path, context: str) -> None:
    loader = Loader(alike_path, batch_size=2, clip_length=2, shuffle=True)
    expected = {tuple(i) for i in indices(loader)}  # the process that forks has decoded already
    loader.set_epoch(0)
    workers: Any = DataLoader(_Stream(loader), batch_size=None, num_workers=2, multiprocessing_context=context)
    seen = indices(workers)
    assert sorted(flat(seen)) == list(range(22))
    assert len(seen) in (len(expected), len(expected) + 1)


def test_clips_can_be_trained_on(alike_path: Path) -> None:
    """Frames made in inference mode would refuse to be."""
    layer = torch.nn.Conv3d(3, 1, 3)
    for arguments in ({}, {"resize": 16}, {"normalise": "archive"}):
        clips, _, _ = next(iter(Loader(alike_path, batch_size=2, **arguments)))  # type: ignore[arg-type]
        layer(clips.movedim(1, 2)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_normalised_by_the_archives_statistics(alike_path: Path, nerv_path: Path, base_path: Path) -> None:
    plain, _, _ = next(iter(Loader(alike_path, batch_size=2)))
    done, _, _ = next(iter(Loader(alike_path, batch_size=2, normalise="archive")))
    assert torch.allclose(done, (plain - 0.5) / 0.25, atol=1e-6)  # what a configuration has by default
    for path in (nerv_path, base_path):  # first frames stand for those that have none
        arguments: dict[str, Any] = {"batch_size": 2, "crop": 8, "clip_length": 2, "dtype": torch.float32}
        plain, _, _ = next(iter(Loader(path, **arguments)))
        done, _, _ = next(iter(Loader(path, **arguments, normalise="archive")))
        with Archive(path) as archive:
            pixels = torch.cat([reader[0].flatten(1) for reader in archive], 1).double() / 255
        mean, std = (values.view(3, 1, 1).float() for values in (pixels.mean(1), pixels.std(1, correction=0)))
        assert torch.allclose(done, (plain - mean) / std.clamp_min(0.02), atol=0.05)  # three digits of each


def test_networks_whose_statistics_differ_have_none_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    def archive(mean: float) -> SimpleNamespace:
        model = SimpleNamespace(statistics=((mean,) * 3, (0.25,) * 3))
        return SimpleNamespace(config=SimpleNamespace(network=SimpleNamespace(model=model)))

    monkeypatch.setattr("dnerv.loading.loader._sampled_statistics", lambda archive: "sampled")
    one, other = archive(0.5), archive(0.1)
    alike: Any = SimpleNamespace(archives=[one, archive(0.5)])
    differing: Any = SimpleNamespace(archives=[one, other])
    assert _statistics(alike) == one.config.network.model.statistics
    assert _statistics(differing) == "sampled"


def test_precision_of_the_network_and_of_the_clips(alike_path: Path) -> None:
    exact, _, _ = next(iter(Loader(alike_path, batch_size=4, precision="reference")))
    for precision in get_args(Precision):
        loader = Loader(alike_path, batch_size=4, dtype=torch.bfloat16, precision=precision)
        clips, _, _ = next(iter(loader))
        assert loader._archive.precision == chosen_precision(precision, torch.device("cpu"))
        assert clips.dtype == torch.bfloat16
        assert (clips.float() - exact).abs().mean() < 0.02


def test_an_open_archive_is_used_as_it_is(alike_path: Path) -> None:
    with Archive(alike_path, precision="bf16") as archive:
        assert Loader(archive, batch_size=1)._archive is archive
        for change, there in (({"precision": "fp32"}, "fp32"), ({"layers": "base"}, "bf16")):
            other = Loader(archive, batch_size=1, **change)._archive  # type: ignore[arg-type]
            assert other is not archive
            assert (other.precision, other.layers) == (there, change.get("layers", "all"))
        next(iter(Loader(archive, batch_size=1)))


def test_some_videos_keep_the_labels_of_all(alike_path: Path) -> None:
    loader = Loader(alike_path, batch_size=9, videos=["walk/c", "loose", "walk/a"])
    ((_, labels, info),) = list(loader)
    assert loader.class_names == ["run", "walk"]
    assert info["video"] == ["walk/c", "loose", "walk/a", "walk/a", "walk/a"]
    assert labels.tolist() == [1, -1, 1, 1, 1]


def test_pickles_with_its_place(alike_path: Path) -> None:
    loader = Loader(alike_path, batch_size=3, shuffle=True)
    expected = list(loader)
    loader.set_epoch(0)
    assert_same(list(pickle.loads(pickle.dumps(loader))), expected)


def test_damage_is_an_archive_error(alike_path: Path, tmp_path: Path) -> None:
    with Archive(alike_path) as archive:
        start, _ = archive["run/d"].entry.group_span(1)
    data = bytearray(alike_path.read_bytes())
    data[start] ^= 1
    (tmp_path / "b.dnerv").write_bytes(data)
    threads = active_count()
    with pytest.raises(ArchiveError, match=r"b\.dnerv: video 'run/d' is damaged"):
        list(Loader(tmp_path / "b.dnerv", batch_size=2))
    assert active_count() == threads


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2.0}, "batch_size is 2.0"),
        ({"clip_length": 0}, "clip_length is 0"),
        ({"frame_step": 0}, "frame_step is 0"),
        ({"clips_per_video": 0}, "clips_per_video is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"prefetch": -1}, "prefetch is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"crop": 33}, "video 'loose': crop is 33x33"),
        ({"device": "abacus"}, "device is 'abacus'"),
        ({"layers": "some"}, "layers is 'some'"),
        ({"dtype": torch.int64}, "dtype is torch.int64"),
        ({"precision": "int3"}, "precision is 'int3'"),
        ({"normalise": "x"}, "normalise is 'x'"),
        ({"normalise": ((0, 0, 0), (1, 1))}, "three numbers each"),
        ({"rank": 2, "world_size": 2}, "rank is 2"),
        ({"videos": ["run/x"]}, "no video is called 'run/x'"),
        ({"videos": ["run/b", "run/b"]}, "twice"),
        ({"videos": "run/b"}, "give a list"),
        ({"videos": []}, "no videos"),
        ({"batch_size": 100, "drop_last": True}, "drop_last leaves no batch: 12 clips"),
    ],
)
def test_refused(alike_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Loader(alike_path, **({"batch_size": 2} | arguments))


def test_no_such_archive(alike_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        Loader(alike_path.parent / "none", batch_size=2)

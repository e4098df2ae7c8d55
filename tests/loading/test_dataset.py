"""Map style, in one process and in many."""

import pickle
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

import dnerv
from dnerv.archive import Archive, Layers
from dnerv.errors import InputError
from dnerv.loading import ClipDataset


def test_an_item_is_what_its_documentation_says(alike_path: Path) -> None:
    dataset = dnerv.ClipDataset(alike_path, clip_length=5)
    assert len(dataset) == 9
    assert dataset.class_names == ["run", "walk"]
    clip, label, info = dataset[7]
    assert (clip.dtype, tuple(clip.shape), label) == (torch.uint8, (5, 3, 32, 32), 1)
    assert (info["video"], info["index"]) == ("walk/a", 7)
    assert info["frames"].tolist() == [5, 6, 7, 8, 9]
    assert torch.allclose(info["seconds"], torch.arange(5, 10, dtype=torch.float64) / 10)
    assert dataset[-1][2]["index"] == 8
    assert (dataset[0][1], dataset[0][2]["video"]) == (-1, "loose")
    assert repr(dataset) == "<9 clips of 'a.dnerv'>"
    for outside in (9, -10):
        with pytest.raises(IndexError):
            dataset[outside]


@pytest.mark.parametrize("layers", get_args(Layers))
def test_clips_are_the_readers_bits(alike_path: Path, base_path: Path, some_path: Path, layers: Layers) -> None:
    for path in (alike_path, base_path, some_path):
        dataset = ClipDataset(path, clip_length=6, frame_step=2, clips_per_video=2, layers=layers, precision="fp32")
        with Archive(path, layers=layers) as archive:
            for clip, _, info in dataset:  # type: ignore[attr-defined]  # ends by IndexError
                assert torch.equal(clip, archive[info["video"]].get_frames_at(info["frames"]).data)


def test_clips_of_base_layers_are_of_eight_frames(base_path: Path) -> None:
    dataset = ClipDataset(base_path)
    assert dataset[0][0].shape == (8, 3, 32, 32)
    assert len(dataset) == 1 + 1 + 2 + 1 + 1


def test_sizes(mixed_path: Path, nerv_path: Path) -> None:
    for path in (mixed_path, nerv_path):
        original, coded = ClipDataset(path, size="original"), ClipDataset(path)
        sizes = {info["video"]: tuple(clip.shape[-2:]) for clip, _, info in original}  # type: ignore[attr-defined]
        assert sizes == {"walk": (32, 32), "class/odd": (27, 31), "one": (45, 51), "wide": (32, 52)}
        assert {info["video"]: tuple(clip.shape[-2:]) for clip, _, info in coded}["one"] == (32, 32)  # type: ignore[attr-defined]


def test_random_places_follow_seed_and_epoch(alike_path: Path) -> None:
    def starts(dataset: ClipDataset) -> list[int]:
        return [int(info["frames"][0]) for _, _, info in dataset]  # type: ignore[attr-defined]

    dataset = ClipDataset(alike_path, clips_per_video=3, seed=7)
    first = starts(dataset)
    assert first == starts(ClipDataset(alike_path, clips_per_video=3, seed=7))
    dataset.set_epoch(1)
    assert first != starts(dataset)
    dataset.set_epoch(0)
    assert first == starts(dataset)
    assert starts(ClipDataset(alike_path, clips_per_video=3))[-6:-3] == [0, 4, 9]  # of "walk/a"


def test_few_readers_are_kept(alike_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnerv.loading.dataset._KEPT_VIDEOS", 2)
    dataset = ClipDataset(alike_path)
    for index in range(len(dataset)):
        dataset[index]
        with dataset._readers as readers:
            assert len(readers) <= 2


def collected(dataset: ClipDataset, **arguments: Any) -> dict[int, torch.Tensor]:
    loader: Any = DataLoader(dataset, batch_size=2, **arguments)
    found = {}
    for clips, labels, info in loader:
        assert labels.dtype == torch.int64
        assert len(info["video"]) == len(clips)
        for index, clip in zip(info["index"].tolist(), clips, strict=True):
            assert index not in found
            found[index] = clip
    return found


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_give_the_same_bits(alike_path: Path, context: str) -> None:
    dataset = ClipDataset(alike_path, clip_length=3)
    expected = {index: dataset[index][0] for index in range(len(dataset))}  # decoders are open while it forks
    found = collected(dataset, num_workers=2, multiprocessing_context=context, shuffle=True)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[index], expected[index]) for index in expected)
    assert torch.equal(dataset[4][0], expected[4])


def test_workers_share_base_layers(base_path: Path) -> None:
    dataset = ClipDataset(base_path, clip_length=3)
    expected = {index: dataset[index][0] for index in range(len(dataset))}
    found = collected(dataset, num_workers=2, multiprocessing_context="fork", shuffle=True)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[index], expected[index]) for index in expected)


def test_workers_that_persist_hear_of_the_epoch(alike_path: Path) -> None:
    dataset = ClipDataset(alike_path, clips_per_video=4, seed=0)
    loader: Any = DataLoader(dataset, num_workers=1, multiprocessing_context="fork", persistent_workers=True)
    epochs = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        epochs.append([info["frames"].tolist() for _, _, info in loader])
    assert epochs[0] == epochs[2] != epochs[1]


def test_a_distributed_sampler_leaves_no_clip_out(alike_path: Path) -> None:
    dataset = ClipDataset(alike_path, clip_length=2)
    seen = []
    for rank in range(2):
        sampler: Any = DistributedSampler(dataset, num_replicas=2, rank=rank, shuffle=True)
        seen += collected(dataset, sampler=sampler).keys()
    assert sorted(seen) == list(range(22))


def test_pickles_while_in_use(alike_path: Path) -> None:
    dataset = ClipDataset(alike_path, clips_per_video=2, seed=3)
    dataset.set_epoch(5)
    expected = dataset[1]
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[1][0], expected[0])
    assert torch.equal(again[1][2]["frames"], expected[2]["frames"])
    assert len(pickle.dumps(dataset)) < 20_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clip_length": 0}, "clip_length is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"size": "large"}, "size is 'large'"),
        ({"device": "abacus"}, "device is 'abacus'"),
        ({"videos": ["x"]}, "no video is called 'x'"),
    ],
)
def test_refused(alike_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClipDataset(alike_path, **arguments)


def test_no_such_epoch(alike_path: Path) -> None:
    with pytest.raises(InputError, match="epoch is -1"):
        ClipDataset(alike_path).set_epoch(-1)

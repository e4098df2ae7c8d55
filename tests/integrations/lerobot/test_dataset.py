"""Items out of an archive, and LeRobot's reader of them."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from dnerv.errors import ArgumentError, FrameIndexError, InputError
from dnerv.integrations.lerobot import FrameDataset, storage
from dnerv.integrations.lerobot.layout import LeRobotFolder

TOP, WRIST = "observation.images.top", "observation.images.wrist"
DELTAS = {TOP: [-2 / 30, 0, 1 / 30], WRIST: [0.0], "action": [0, 1 / 30, 2 / 30]}


def test_an_item_is_its_row_with_its_frames(folders: tuple[Path, Path], known: SimpleNamespace) -> None:
    dataset = FrameDataset(folders[1])
    assert (len(dataset), dataset.num_episodes) == (28, 3)
    for place in (0, 8, 9, 27, -1):
        item, row = dataset[place], place % 28
        for camera in known.cameras:
            assert (item[camera].dtype, item[camera].shape) == (torch.float32, (3, 48, 64))
            assert known.row_of(camera, 255 * item[camera]) == row
        assert torch.equal(item["action"], torch.tensor([row, row / 2]))
        assert (item["action"].dtype, item["timestamp"].dtype) == (torch.float32, torch.float32)
        assert item["said"] == [{"role": "user", "content": f"row {row}"}]
        assert item["next.done"].dtype == torch.bool
        assert (item["index"].dtype, item["index"].shape) == (torch.int64, ())
        assert item["task"] == ("push" if 9 <= row < 21 else "lift")
        assert set(item) == {*known.cameras, *LeRobotFolder(folders[0]).table.column_names, "task"}


def test_frames_and_rows_around(folders: tuple[Path, Path], known: SimpleNamespace) -> None:
    dataset = FrameDataset(folders[1], delta_timestamps=DELTAS, return_uint8=True)
    first, last = dataset[9], dataset[20]  # of episode 1
    assert (first[TOP].dtype, first[TOP].shape, first[WRIST].shape) == (torch.uint8, (3, 3, 48, 64), (3, 48, 64))
    assert [known.row_of(TOP, frame) for frame in first[TOP]] == [9, 9, 10]
    assert [known.row_of(TOP, frame) for frame in last[TOP]] == [18, 20, 20]
    assert first[f"{TOP}_is_pad"].tolist() == [True, False, False]
    assert last[f"{TOP}_is_pad"].tolist() == [False, False, True]
    assert first["action"][:, 0].tolist() == [9, 10, 11]
    assert last["action"][:, 0].tolist() == [20, 20, 20]
    assert last["action_is_pad"].tolist() == [False, True, True]
    assert known.row_of(WRIST, last[WRIST]) == 20


def test_episodes_transforms_and_copies(folders: tuple[Path, Path], known: SimpleNamespace) -> None:
    dataset = FrameDataset(folders[1], episodes=[2, 0])
    assert dataset.indices.tolist() == [*range(9), *range(21, 28)]
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[9][TOP], dataset[9][TOP])
    assert known.row_of(TOP, 255 * copy[9][TOP]) == 21
    dataset.image_transforms = lambda frames: frames[..., ::2]
    assert dataset[0][TOP].shape == (3, 48, 32)


def test_workers(folders: tuple[Path, Path]) -> None:
    loader = torch.utils.data.DataLoader(FrameDataset(folders[1]), batch_size=7, num_workers=2)
    batches = list(loader)
    assert [batch["index"].tolist() for batch in batches] == np.arange(28).reshape(4, 7).tolist()
    assert batches[0][TOP].shape == (7, 3, 48, 64)


def test_what_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    packed = folders[1]
    with pytest.raises(FrameIndexError, match="item 28: there are 28"):
        FrameDataset(packed)[28]
    with pytest.raises(InputError, match="episode 3 is asked for: there are 3"):
        FrameDataset(packed, episodes=[3])
    with pytest.raises(InputError, match="no such feature"):
        FrameDataset(packed, delta_timestamps={"nothing": [0]})
    with pytest.raises(InputError, match="values are no numbers"):
        FrameDataset(packed, delta_timestamps={"said": [0]})
    with pytest.raises(ArgumentError, match="multiples of 1/30 s"):
        FrameDataset(packed, delta_timestamps={"action": [0.01]})
    with pytest.raises(InputError, match=r"episode_000000: a frame is 0\.\d+ s from its row's time"):
        FrameDataset(packed, tolerance=1e-12)[1]
    shutil.copytree(packed, tmp_path / "other")
    info = tmp_path / "other" / "meta" / "info.json"
    told = json.loads(info.read_text())
    for change, said in (({"dtype": "image"}, "'action' are images"), ({"shape": [3]}, r"have the shape \(3,\)")):
        changed = told | {"features": told["features"] | {"action": told["features"]["action"] | change}}
        info.write_text(json.dumps(changed))
        with pytest.raises(InputError, match=said):
            FrameDataset(tmp_path / "other")
    info.write_text(json.dumps(told))
    table = next((tmp_path / "other" / "data").rglob("*.parquet"))
    table.write_bytes(table.read_bytes()[:-50])
    with pytest.raises(InputError, match=f"{table.name}: cannot be read as a table"):
        FrameDataset(tmp_path / "other")


def test_without_the_extra_it_is_named(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'dnerv\[lerobot\]'"):
        FrameDataset(folders[1])


def test_the_reader_gives_the_same_items(folders: tuple[Path, Path]) -> None:
    meta = SimpleNamespace(root=folders[1], repo_id="me/it")
    reader = storage.DATASET_READER(meta=meta, root=None, episodes=[1], delta_timestamps=DELTAS, token=None)
    dataset = FrameDataset(folders[1], episodes=[1], delta_timestamps=DELTAS)
    assert (reader.num_frames, len(reader), reader.num_episodes, reader.episodes) == (12, 12, 1, [1])
    assert reader.absolute_to_relative_idx == {index: place for place, index in enumerate(range(9, 21))}
    for mine, theirs in zip(reader.get_items([0, 5]), (dataset[0], dataset[5]), strict=True):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine if key not in ("task", "said"))
    reader.set_image_transforms(lambda frames: 0 * frames)
    assert pickle.loads(pickle.dumps(storage.DATASET_READER(meta))).num_frames == 28
    assert not reader.get_item(0)[TOP].any()
    reader.clear_image_transforms()
    assert torch.equal(reader.get_item(0)[TOP], dataset[0][TOP])
    with pytest.raises(TypeError, match="callable"):
        reader.set_image_transforms(1)  # type: ignore[arg-type]
    assert storage.DATASET_READER(meta).absolute_to_relative_idx is None


def test_it_registers_by_a_name_that_leads_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """LeRobot's register is a function of a name and a module's name; it imports the module when it needs it."""
    registered: dict[str, str] = {}
    register = ModuleType("lerobot.datasets.storage")
    register.register_dataset_reader = registered.__setitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lerobot", ModuleType("lerobot"))
    monkeypatch.setitem(sys.modules, "lerobot.datasets", ModuleType("lerobot.datasets"))
    monkeypatch.setitem(sys.modules, "lerobot.datasets.storage", register)
    storage.register()
    module = import_module(registered["dnerv"])
    assert module.DATASET_READER is storage.DnervDatasetReader
    with pytest.raises(FileNotFoundError, match="on this machine"):
        module.localize_root("me/it", "s3://it", None, token=None)

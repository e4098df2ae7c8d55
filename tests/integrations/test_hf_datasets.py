"""An archive as a Hugging Face dataset: what is in the table, when frames are decoded, and the way back."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dnerv
from dnerv.archive.base_layer import BaseReader
from dnerv.errors import InputError
from dnerv.video import Timing, write_mp4

os.environ["HF_HUB_OFFLINE"] = "1"
datasets = pytest.importorskip("datasets")

from dnerv.integrations.hf_feature import ArchiveVideo  # noqa: E402

SIZE = (64, 64)
LENGTHS = {"run/a": 9, "walk/a": 6, "walk/b": 3}


def frames_of(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    still = np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    return [np.roll(still, 2 * i, axis=1) for i in range(count)]


@pytest.fixture(scope="module")
def archive_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf")
    for seed, (name, count) in enumerate(LENGTHS.items()):
        write_mp4(folder / "videos" / f"{name}.mp4", frames_of(seed, count), Timing.constant(Fraction(25), count))
    options = dnerv.EncodeOptions(every=1, crf=20, effort="fast", network="none")
    dnerv.encode([folder / "videos"], folder / "a.dnerv", options)
    return folder / "a.dnerv"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def test_a_row_a_video(archive_path: Path) -> None:
    made = dnerv.to_hf(archive_path)
    assert made["name"][:] == list(LENGTHS)
    assert made["num_frames"][:] == list(LENGTHS.values())
    assert made.features["label"].names == ["run", "walk"]
    assert made["label"][:] == [0, 1, 1]
    assert made["fps"][:] == [25.0] * 3
    assert (made[0]["height"], made[0]["width"]) == SIZE
    with dnerv.open(archive_path) as archive:
        for row in made:
            wanted = archive[row["name"]]
            assert row["video"].metadata == wanted.metadata
            assert torch.equal(row["video"][-2:], wanted[-2:])


def test_nothing_is_decoded_before_frames_are_asked_for(archive_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    decode = BaseReader._decode
    monkeypatch.setattr(BaseReader, "_decode", lambda self, ordinal: (decoded.append(ordinal), decode(self, ordinal)))
    made = dnerv.to_hf(archive_path)
    rows = made.shuffle(seed=0).filter(lambda row: row["num_frames"] > 3)
    assert {row["video"].metadata.name for row in rows} == {"run/a", "walk/a"}
    assert decoded == []
    rows[0]["video"][0]
    assert decoded == [0]


def test_clips_for_training(archive_path: Path) -> None:
    def clips(rows: dict[str, list[Any]]) -> dict[str, Any]:
        return {"clip": [video[:3] for video in rows["video"]], "label": rows["label"]}

    made = dnerv.to_hf(archive_path).with_transform(clips)
    loader = torch.utils.data.DataLoader(made, batch_size=3, num_workers=0)
    (batch,) = list(loader)
    assert batch["clip"].shape == (3, 3, 3, *SIZE)
    assert batch["label"].tolist() == [0, 1, 1]


def test_processes_open_it_for_themselves(archive_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ)  # `map` leaves a copy in its place, which rich knows nothing of
    made = dnerv.to_hf(archive_path)
    wanted = [row["video"][1].float().mean().item() for row in made]
    means = made.map(lambda video: {"mean": video[1].float().mean().item()}, input_columns="video", num_proc=2)
    assert means["mean"][:] == pytest.approx(wanted)
    assert means[2]["video"].metadata.name == "walk/b"


def test_saved_and_loaded(archive_path: Path, tmp_path: Path) -> None:
    made = dnerv.to_hf(archive_path, layers="base", size="coded")
    made.save_to_disk(tmp_path / "saved")
    loaded = datasets.load_from_disk(tmp_path / "saved")
    assert loaded.features == made.features
    assert loaded.features["video"] == ArchiveVideo(layers="base", size="coded")
    assert torch.equal(loaded[1]["video"][:], made[1]["video"][:])
    places = loaded.cast_column("video", ArchiveVideo(decode=False))
    assert places[1]["video"] == {"archive": str(archive_path), "name": "walk/a"}


def test_from_a_generator_and_back_into_an_archive(archive_path: Path, tmp_path: Path) -> None:
    """Rows pass through a generator; their videos become a tar file of clips, and that an archive like the first."""
    made = dnerv.to_hf(archive_path)

    def rows() -> Iterator[dict[str, Any]]:
        yield from made

    again = datasets.Dataset.from_generator(rows, features=made.features, cache_dir=str(tmp_path / "cache"))
    assert again.features == made.features
    names = made.features["label"].names
    with tarfile.open(tmp_path / "clips.tar", "w") as tar:
        for row in again:
            reader, clip = row["video"], tmp_path / "clip.mp4"
            pictures = (frame.permute(1, 2, 0).numpy() for frame in reader)
            write_mp4(clip, pictures, reader.entry.timing, crf=4, force=True)
            tar.add(clip, f"{row['name']}.mp4")
            label = json.dumps({"label": names[row["label"]]}).encode()
            info = tarfile.TarInfo(f"{row['name']}.json")
            info.size = len(label)
            tar.addfile(info, io.BytesIO(label))
    options = dnerv.EncodeOptions(every=1, crf=20, effort="fast", network="none")
    dnerv.encode([tmp_path / "clips.tar"], tmp_path / "b.dnerv", options)
    with dnerv.open(archive_path) as first, dnerv.open(tmp_path / "b.dnerv") as second:
        for one, other in zip(first, second, strict=True):
            assert (one.entry.name, one.entry.label) == (other.entry.name, other.entry.label)
            assert one.entry.timing.seconds.tolist() == other.entry.timing.seconds.tolist()
            assert (one[:].float() - other[:].float()).abs().mean() < 8


def test_several_archives(archive_path: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "0.dnerv", tmp_path / "1.dnerv"]
    dnerv.extract(archive_path, parts[0], ["walk/a"])
    dnerv.extract(archive_path, parts[1], ["run/a", "walk/b"])
    made = dnerv.to_hf(parts)
    assert made["name"][:] == list(LENGTHS)
    assert [row["video"].metadata.name for row in made] == list(LENGTHS)
    with dnerv.open(parts) as opened:
        assert dnerv.to_hf(opened).to_dict() == dnerv.to_hf(str(tmp_path / "*.dnerv")).to_dict()


def test_no_labels_no_column(archive_path: Path, tmp_path: Path) -> None:
    with dnerv.open(archive_path) as archive:
        video = archive["walk/b"]
        write_mp4(tmp_path / "v.mp4", (f.permute(1, 2, 0).numpy() for f in video), video.entry.timing)
    dnerv.encode([tmp_path / "v.mp4"], tmp_path / "v.dnerv", dnerv.EncodeOptions(every=1, crf=40, effort="fast"))
    assert "label" not in dnerv.to_hf(tmp_path / "v.dnerv").features


def test_what_is_no_video_of_an_archive() -> None:
    feature = ArchiveVideo()
    for value in (None, "a.mp4", {"archive": "a.dnerv"}, {"archive": 1, "name": "a"}):
        with pytest.raises(InputError, match="came from one"):
            feature.encode_example(value)


def test_names_that_are_no_text(archive_path: Path, tmp_path: Path) -> None:
    odd = Path(__file__).parents[1] / "golden" / "own.dnerv"
    with pytest.raises(InputError, match="no Unicode text"):
        dnerv.to_hf(odd)


def test_without_the_extra(archive_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(InputError, match=r"dnerv\[hf\]"):
        dnerv.to_hf(archive_path)

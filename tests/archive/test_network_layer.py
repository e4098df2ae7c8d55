"""Frames that the network makes, out of coded ones or without, and what it is held to."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive
from dnerv.errors import ArchiveError, InputError
from dnerv.families import ClipRequest, DNeRVConfig, ModelConfig, assemble, channels_first
from dnerv.video import Timeline

Frames = dict[str, torch.Tensor]
EMPTY = torch.empty(0, 3, 32, 32, dtype=torch.uint8)


@pytest.fixture
def archive(archive_path: Path) -> Iterator[Archive]:
    with Archive(archive_path) as opened:
        yield opened


def test_frames_are_the_networks_or_blends(archive: Archive, archive_path: Path, sequential: Frames) -> None:
    with Archive(archive_path, layers="base") as base:
        for reader in base:
            is_blend = torch.equal(reader[:], sequential[reader.entry.name])
            assert is_blend == (reader.entry.name == "one")
            assert base.uses_network(reader.entry) is False
            assert archive.uses_network(reader.entry) != is_blend


def test_keyframes_are_the_base_layers_coded_frames(archive: Archive, sequential: Frames) -> None:
    entry = archive["walk"].entry
    keyframes = channels_first(np.stack(archive.base.coded(entry, range(entry.num_coded))))
    request = ClipRequest(Timeline(10, 4, 4).clip_conditioning(1), 0, keyframes, (40.0, 4))
    with torch.inference_mode():
        wanted = archive.network.model(assemble([request]))[0] * 255
    assert (sequential["walk"][4:8] - wanted).abs().max() <= 0.51


def test_frames_in_between_are_the_networks_at_that_time(archive: Archive) -> None:
    made = torch.stack(list(archive["walk"].interpolated(4)))
    entry = archive["walk"].entry
    timeline = Timeline(10, 4, 4)
    keyframes = channels_first(np.stack(archive.base.coded(entry, range(entry.num_coded))))
    for clip, step in ((0, 1), (1, 3), (2, 2)):
        positions = np.minimum(4 * clip + np.arange(4) + step / 4, 9)
        told = timeline.conditioning(positions)
        at_entry = ((np.arange(4) + step / 4 + 0.5) / 2 - 0.5).clip(0, 1).astype(np.float32)  # two over four places
        request = ClipRequest(told._replace(blend_at_entry=at_entry), 0, keyframes, (40.0, 4))
        with torch.inference_mode():
            wanted = archive.network.model(assemble([request]))[0] * 255
        for place in np.flatnonzero(positions < 9):
            frame = made[4 * (4 * clip + place) + step]
            assert (frame - wanted[place]).abs().max() <= 0.51
            assert not torch.equal(frame, made[4 * (4 * clip + place)])


def test_a_network_alone_knows_the_place_of_each_video(nerv_path: Path) -> None:
    with Archive(nerv_path) as archive:
        assert [archive.network.layout(entry).absolute for entry in archive.entries] == [
            (10, 22), (16, 22), (0, 22), (17, 22)
        ]  # fmt: skip
        made = torch.stack(list(archive["class/odd"].interpolated(2)))
        inputs = torch.tensor([[10.5, 11.5, 12.5, 13.5]]) / 22  # after the 10 frames of "walk", of 22
        asked = ClipRequest(
            Timeline(6, 4, 4).clip_conditioning(0, 0.5)._replace(time=inputs.numpy()[0]), 0, EMPTY, (0.0, 0)
        )
        with torch.inference_mode():
            wanted = archive.network.model(assemble([asked]))[0, :, :, :27, :31] * 255
    assert (made[1:8:2] - wanted).abs().max() <= 0.51


@pytest.mark.parametrize(
    "parts",
    [
        {"fusion": "concatenation"},
        {"flow": "single-scale"},
        {"temporal": "convolution", "temporal_kernel": 7},
        {"temporal": "attention"},
        {"fusion": "none", "flow": "none", "head": "paper"},
        {"keyframe_every": 1},
        {"keyframe_every": 3},
    ],
    ids=str,
)
def test_networks_of_other_parts_come_back(
    archive: Archive, parts: dict[str, Any], write_videos: Callable[..., Path], tmp_path: Path
) -> None:
    known: ModelConfig = archive.network.config.model
    assert isinstance(known, DNeRVConfig)
    config = replace(known, **parts)
    path = write_videos(tmp_path, config)
    with Archive(path) as opened, Archive(path, precision="reference") as plain:
        assert opened.network.config.model == config
        frames = opened["walk"][:].float()
        assert (frames - plain["walk"][:].float()).abs().max() <= 1
        assert frames.std() > 1
        assert (opened.network.layout(opened["walk"].entry).absolute == (0, 22)) == (parts.get("fusion") == "none")


def test_half_precision_is_close(archive_path: Path, sequential: Frames) -> None:
    with Archive(archive_path, precision="bf16") as archive:
        difference = archive["walk"][:].float() - sequential["walk"].float()
    assert difference.abs().mean() < 3


def test_no_network(base_path: Path) -> None:
    with Archive(base_path) as archive:
        assert archive.config.network is None
        with pytest.raises(InputError, match=r"a\.dnerv: the archive has no network"):
            _ = archive.network


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network_frame": None}, "'walk' does not use the network"),
        ({"distance": 2}, "'walk' has a coded frame every 2, and the network one every 4"),
    ],
)
def test_videos_that_do_not_fit_the_network(archive: Archive, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        archive.network.layout(replace(archive["walk"].entry, **change))


def test_no_video_lies_beyond_the_networks_time(nerv_path: Path) -> None:
    with Archive(nerv_path) as archive, pytest.raises(ArchiveError, match="'walk' lies beyond the 22 frames"):
        archive.network.layout(replace(archive["walk"].entry, network_frame=13))


@pytest.mark.parametrize("fields", [{"base_channels": 8192, "stem_channels": 65536}, {"base_channels": 4}])
def test_weights_of_another_network(
    archive_path: Path, tmp_path: Path, rewrite: Callable[..., Path], fields: dict[str, int]
) -> None:
    def change(record: Any) -> Any:
        return record | {"network": record["network"] | {"model": record["network"]["model"] | fields}}

    with Archive(rewrite(archive_path, tmp_path / "b.dnerv", CONF=change)) as archive:
        for ask in (lambda: archive["walk"][0], archive.breakdown, lambda: archive.network.model):
            with pytest.raises(ArchiveError, match=r"b\.dnerv: "):
                ask()


def counted_clips(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """Clips and phases that the network makes."""
    made: list[tuple[int, float]] = []
    from dnerv.archive import network_layer

    make = network_layer.make_clip

    def counted(maker: Any, layout: Any, clip: int, base: Any, known: Any, phase: float) -> torch.Tensor:
        made.append((clip, phase))
        return make(maker, layout, clip, base, known, phase)

    monkeypatch.setattr(network_layer, "make_clip", counted)
    return made


def test_only_needed_clips_are_decoded(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted_clips(archive, monkeypatch)
    reader = archive["walk"]
    reader[5]
    assert made == [(1, 0)]
    reader[4:8]
    assert made == [(1, 0)]
    reader.get_frames_at([9, 0, 9])
    assert made == [(1, 0), (0, 0), (2, 0)]
    list(reader)
    assert len(made) == 3


def test_few_clips_are_held(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnerv.archive.network_layer._KEPT_CLIPS", 1)
    made = counted_clips(archive, monkeypatch)
    archive["walk"][::-1]
    assert made == [(0, 0), (1, 0), (2, 0)]  # each once, ascending

"""Random access: torchcodec's manners, and the same bits in whatever order."""

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, FrameBatch, VideoReader, open_archives
from dnerv.errors import ArgumentError, FrameIndexError, InputError

Frames = dict[str, torch.Tensor]


@pytest.fixture(params=["network", "base"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which archive: with a network, or base layers alone."""
    return str(request.param)


@pytest.fixture
def archive(kind: str, archive_path: Path, base_path: Path) -> Iterator[Archive]:
    with Archive(archive_path if kind == "network" else base_path) as opened:
        yield opened


@pytest.fixture
def expected(kind: str, sequential: Frames, base_frames: Frames) -> Frames:
    """All frames of each video, read from first to last."""
    return sequential if kind == "network" else base_frames


def test_sizes_lengths_and_dtype(archive: Archive, expected: Frames) -> None:
    shapes = {name: tuple(frames.shape) for name, frames in expected.items()}
    assert shapes == {
        "walk": (10, 3, 32, 32),
        "class/odd": (6, 3, 27, 31),
        "one": (1, 3, 45, 51),
        "wide": (5, 3, 32, 52),
    }
    for name, frames in expected.items():
        assert frames.dtype == torch.uint8
        assert len(archive[name]) == len(frames)
        assert frames.float().std() > 5


@pytest.mark.parametrize("name", ["walk", "class/odd", "one", "wide"])
def test_any_order_gives_the_sequential_bits(archive: Archive, expected: Frames, name: str) -> None:
    reader, frames = archive[name], expected[name]
    order = np.random.default_rng(0).permutation(len(frames)).tolist()
    for i in [*order, *reversed(range(len(frames)))]:
        assert torch.equal(reader[i], frames[i])
        assert torch.equal(archive[name][i], frames[i])  # a reader that has seen nothing else
    assert torch.equal(reader.get_frames_at(order).data, frames[order])
    assert torch.equal(reader[:], frames)


@pytest.mark.parametrize(
    "key",
    [slice(None), slice(2, 9), slice(-3, None), slice(None, None, 3), slice(8, 1, -2), slice(None, None, -1),
     slice(3, 3), slice(7, 100), slice(-100, 2)],
)  # fmt: skip
def test_slices(archive: Archive, expected: Frames, key: slice) -> None:
    assert torch.equal(archive["walk"][key], expected["walk"][list(range(10))[key]])


def test_indices(archive: Archive, expected: Frames) -> None:
    reader = archive["walk"]
    assert torch.equal(reader[-1], expected["walk"][9])
    assert torch.equal(reader[np.int64(4)], expected["walk"][4])
    for index in (10, -11, 10**12):
        with pytest.raises(InputError, match=f"frame {index} of video 'walk': it has 10 frames, 0 to 9"):
            reader[index]
        with pytest.raises(InputError):
            reader.get_frames_at([0, index])


def test_get_frames_at(archive: Archive, expected: Frames) -> None:
    for wanted in ([5, 0, 5, -1, 9], torch.tensor([5, 0, 5, -1, 9])):
        batch = archive["walk"].get_frames_at(wanted)
        assert torch.equal(batch.data, expected["walk"][[5, 0, 5, 9, 9]])
        np.testing.assert_allclose(batch.pts_seconds, np.array([5, 0, 5, 9, 9]) / 25)
        np.testing.assert_allclose(batch.duration_seconds, 1 / 25)
        assert [frame.data.shape for frame in batch] == [(3, 32, 32)] * len(batch)
    walk = archive["walk"].get_frames_at([5, 0, 5])
    for cut in (walk[1], walk[torch.tensor(1)], walk[1:], walk[[1, 2]]):  # type: ignore[index]
        assert cut.pts_seconds.shape == cut.duration_seconds.shape == cut.data.shape[:-3]
        assert torch.equal(cut.data.reshape(-1, 3, 32, 32)[0], expected["walk"][0])
    assert len(archive["walk"].get_frames_at([])) == 0
    assert archive["walk"].get_frames_at([]).data.shape == (0, 3, 32, 32)


def test_get_frames_in_range(archive: Archive, expected: Frames) -> None:
    reader = archive["walk"]
    assert torch.equal(reader.get_frames_in_range(1, 10, 4).data, expected["walk"][1:10:4])
    for start, stop in [(3, 3), (4, 2), (10, 10), (-1, 3), (-4, -1), (0, 11), (-20, 99), (7, -1)]:
        assert torch.equal(reader.get_frames_in_range(start, stop).data, expected["walk"][start:stop])
    for step in (0, -1):
        with pytest.raises(ArgumentError, match="of video 'walk': the step is at least 1"):
            reader.get_frames_in_range(0, 5, step)


def test_frames_by_time(archive: Archive, expected: Frames) -> None:
    """Uneven times: frames start at 0, 40, 90, 91, 300 and 301 ms, and the last is shown for 60 ms."""
    reader, frames = archive["class/odd"], expected["class/odd"]
    for seconds, index in [(0, 0), (0.0399, 0), (0.04, 1), (0.0905, 2), (0.091, 3), (0.2999, 3), (0.301, 5), (0.36, 5)]:
        frame = reader.get_frame_played_at(seconds)
        assert torch.equal(frame.data, frames[index]), seconds
    assert frame.pts_seconds == 0.301
    assert frame.duration_seconds == pytest.approx(0.06)
    batch = reader.get_frames_played_at([0.3, 0.0, 0.3])
    assert torch.equal(batch.data, frames[[4, 0, 4]])
    assert torch.equal(reader.get_frames_played_in_range(0.05, 0.3).data, frames[1:4])
    assert torch.equal(reader.get_frames_played_in_range(0, 0.361).data, frames)
    assert len(reader.get_frames_played_in_range(0.1, 0.1)) == 0
    assert torch.equal(reader.get_all_frames().data, frames)
    for seconds in (-0.001, 0.361, 5, float("nan")):
        with pytest.raises(FrameIndexError, match="class/odd"):
            reader.get_frame_played_at(seconds)
        with pytest.raises(FrameIndexError, match="class/odd"):
            reader.get_frames_played_at([0.1, seconds])
    for span in [(-0.1, 0.2), (0.2, 0.1), (0.2, 0.5), (float("nan"), 0.2), (0.361, 0.361)]:
        with pytest.raises(ArgumentError, match="class/odd"):
            reader.get_frames_played_in_range(*span)


def test_frames_at_another_rate(archive: Archive, expected: Frames) -> None:
    """At 20 a second frames 0, 1, 3, 3, 3 and 3 of the uneven ones are on show, and 4 at 300 ms."""
    reader, frames = archive["class/odd"], expected["class/odd"]
    batch = reader.get_all_frames(fps=20)
    assert torch.equal(batch.data, frames[[0, 1, 3, 3, 3, 3, 4]])
    np.testing.assert_allclose(batch.pts_seconds, np.arange(7) / 20)
    np.testing.assert_allclose(batch.duration_seconds, 1 / 20)
    assert torch.equal(reader.get_frames_played_in_range(0.05, 0.301, fps=8).data, frames[[1, 3]])
    assert reader.get_frames_played_in_range(0.1, 0.1, fps=8).data.shape == (0, 3, 27, 31)
    for fps in (0.0, -5.0, float("nan"), float("inf"), 1e9):
        with pytest.raises(ArgumentError, match="fps"):
            reader.get_all_frames(fps)


def test_channels_last(kind: str, archive_path: Path, base_path: Path, expected: Frames) -> None:
    path = archive_path if kind == "network" else base_path
    with Archive(path, dimension_order="NHWC") as opened, open_archives(path, dimension_order="NHWC") as again:
        for archive in (opened, again, pickle.loads(pickle.dumps(opened))):
            reader, frames = archive["class/odd"], expected["class/odd"].movedim(1, -1)
            assert torch.equal(reader[2], frames[2])
            assert torch.equal(reader[1:4], frames[1:4])
            assert reader[1:4].is_contiguous()
            assert reader[3:3].shape == (0, 27, 31, 3)
            assert torch.equal(reader.get_frame_played_at(0.1).data, frames[3])
            assert torch.equal(reader.get_frames_at([5, 0]).data, frames[[5, 0]])
            assert next(reader.interpolated(2)).shape == (27, 31, 3)
    with pytest.raises(ArgumentError, match="use 'NCHW' or 'NHWC'"):
        Archive(path, dimension_order="HWC")  # type: ignore[arg-type]


def test_metadata(archive: Archive) -> None:
    odd, one = archive["class/odd"].metadata, archive["one"].metadata
    assert (odd.name, odd.label, odd.num_frames, odd.height, odd.width) == ("class/odd", "class", 6, 27, 31)
    assert (odd.begin_stream_seconds, odd.end_stream_seconds) == (0, 0.361)
    assert odd.duration_seconds == pytest.approx(0.361)
    assert odd.average_fps == pytest.approx(6 / 0.361)
    assert (one.label, one.height, one.width, one.coded_height, one.coded_width) == (None, 45, 51, 32, 32)
    assert one.begin_stream_seconds == pytest.approx(7 / 30)
    assert one.end_stream_seconds == pytest.approx(10 / 30)


def test_times_are_those_of_the_source(archive: Archive, sources: tuple[Any, ...]) -> None:
    for source in sources:
        assert archive[source.name].entry.timing == source.timing


def test_coded_size(archive_path: Path) -> None:
    with Archive(archive_path, size="coded") as archive:
        reader = archive["one"]
        assert reader[0].shape == (3, 32, 32)
        assert reader.metadata.height == 32
        assert reader[:0].shape == (0, 3, 32, 32)


def test_errors_are_also_pythons_own(archive: Archive) -> None:
    reader = archive[archive.names[0]]
    with pytest.raises(IndexError):
        reader[len(reader)]
    with pytest.raises(KeyError) as caught:
        archive["nothing"]
    assert str(caught.value).startswith("no video is called 'nothing'")
    for wrong in (1.5, "1", [1]):
        with pytest.raises(TypeError):
            reader[wrong]  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        reader.get_frames_at([1.7])  # type: ignore[list-item]
    assert torch.equal(reader[torch.tensor(0)], reader[0])  # type: ignore[call-overload]


def test_batches_and_frames_unpack(archive: Archive) -> None:
    reader = archive[archive.names[0]]
    batch = reader.get_frames_at([0])
    data, pts_seconds, duration_seconds = reader.get_frame_at(0)
    assert torch.equal(data, batch.data[0])
    assert (pts_seconds, duration_seconds) == (batch.pts_seconds[0].item(), batch.duration_seconds[0].item())
    assert repr(batch) == f"<FrameBatch: torch.uint8 [1, 3, 27, 31] at {batch.pts_seconds} s>"
    with pytest.raises(ArgumentError, match="one of each for each frame"):
        FrameBatch(batch.data, torch.zeros(2), torch.zeros(1))
    assert archive.names[0] in repr(archive[archive.names[0]])
    assert f"{len(archive)} videos" in repr(archive)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_frames_in_between_come_with_the_videos_own(archive: Archive, expected: Frames, factor: int) -> None:
    for name, frames in expected.items():
        made = torch.stack(list(archive[name].interpolated(factor)))
        assert len(made) == (len(frames) - 1) * factor + 1
        assert torch.equal(made[::factor], frames)


@pytest.mark.parametrize("factor", [0, 65])
def test_factors_outside_are_refused(archive: Archive, factor: int) -> None:
    with pytest.raises(InputError, match="factor"):
        archive["walk"].interpolated(factor)


class _Elsewhere:
    """Frames on a device that holds none."""

    def frames(self, indices: Sequence[int]) -> Iterator[torch.Tensor]:
        return (torch.empty(3, 32, 32, dtype=torch.uint8, device="meta") for _ in indices)

    def interpolated(self, factor: int) -> Iterator[torch.Tensor]:
        return self.frames(range(9 * factor + 1))


def test_no_frames_are_on_the_device_too(archive: Archive) -> None:
    reader = VideoReader(archive["walk"].entry, _Elsewhere(), device=torch.device("meta"))
    for frames in (reader[0:0], reader[2:5], reader.get_frames_in_range(3, 3).data, reader.get_frames_at([]).data):
        assert (frames.device.type, frames.dtype, frames.shape[1:]) == ("meta", torch.uint8, (3, 32, 32))

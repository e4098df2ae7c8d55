"""Random access: torchcodec's manners, and the same bits in whatever order."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, VideoReader
from dnerv.errors import InputError

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
    assert len(archive["walk"].get_frames_at([])) == 0
    assert archive["walk"].get_frames_at([]).data.shape == (0, 3, 32, 32)


def test_get_frames_in_range(archive: Archive, expected: Frames) -> None:
    reader = archive["walk"]
    assert torch.equal(reader.get_frames_in_range(1, 10, 4).data, expected["walk"][1:10:4])
    assert len(reader.get_frames_in_range(3, 3)) == 0
    for arguments in [(-1, 3), (0, 11), (10, 10), (4, 2), (0, 5, 0), (0, 5, -1)]:
        with pytest.raises(InputError, match="of video 'walk'"):
            reader.get_frames_in_range(*arguments)


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
    for seconds in (-0.001, 0.361, 5, float("nan")):
        with pytest.raises(InputError):
            reader.get_frame_played_at(seconds)
    for span in [(-0.1, 0.2), (0.2, 0.1), (0.2, 0.5), (float("nan"), 0.2)]:
        with pytest.raises(InputError):
            reader.get_frames_played_in_range(*span)


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
    batch = archive[archive.names[0]].get_frames_at([0])
    data, pts_seconds, duration_seconds = batch[0]
    assert torch.equal(data, batch.data[0])
    assert (pts_seconds, duration_seconds) == (batch.pts_seconds[0].item(), batch.duration_seconds[0].item())
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

"""The same calls on torchcodec's decoder of a file and on an archive made of that file: docs/api/torchcodec.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, FrameBatch, VideoReader
from dnerv.encoding import EncodeOptions, encode
from dnerv.evaluation import mse_per_frame, psnr
from dnerv.loading import samplers
from dnerv.video import Timing, write_mp4

try:
    from torchcodec import samplers as theirs
    from torchcodec.decoders import VideoDecoder
except (ImportError, OSError, RuntimeError) as error:  # no FFmpeg that it knows
    pytest.skip(f"torchcodec does not import: {str(error).splitlines()[0]}", allow_module_level=True)

TIMINGS = {
    "even": Timing.constant(Fraction(24), 20),
    "uneven": Timing(Fraction(1, 1000), (0, 40, 90, 91, 300, 301, 700), 60),
    "late": Timing(Fraction(1, 25), range(8, 20), 1),  # from .32 s
}
Call = Callable[[Any], Any]
FOUND: dict[str, Call] = {
    "an index": lambda d: d[3],
    "from the end": lambda d: d[-1],
    "of numpy": lambda d: d[np.int64(2)],
    "a slice": lambda d: d[2:5],
    "a slice with a step": lambda d: d[::3],
    "a slice from the end": lambda d: d[-3:],
    "an empty slice": lambda d: d[2:2],
    "a slice beyond": lambda d: d[100:200],
    "the length": len,
    "iteration": lambda d: torch.stack(list(d)),
    "get_frame_at": lambda d: d.get_frame_at(4),
    "get_frame_at from the end": lambda d: d.get_frame_at(-2),
    "get_frames_at": lambda d: d.get_frames_at([5, 0, 5, -1]),
    "get_frames_at of a tensor": lambda d: d.get_frames_at(torch.tensor([5, 0])),
    "get_frames_at of a range": lambda d: d.get_frames_at(range(1, 4)),
    "get_frames_at by name": lambda d: d.get_frames_at(indices=[1, 2]),
    "get_frames_in_range": lambda d: d.get_frames_in_range(1, 6, 2),
    "get_frames_in_range by name": lambda d: d.get_frames_in_range(start=2, stop=4),
    "get_frames_in_range from the end": lambda d: d.get_frames_in_range(-4, -1),
    "get_frames_in_range beyond": lambda d: d.get_frames_in_range(5, 100),
    "get_frames_in_range of none": lambda d: d.get_frames_in_range(30, 40),
    "get_frame_played_at": lambda d: d.get_frame_played_at(0.295),
    "get_frames_played_at": lambda d: d.get_frames_played_at([0.55, 0.21, 0.55]),
    "get_frames_played_at of a tensor": lambda d: d.get_frames_played_at(seconds=torch.tensor([0.55, 0.21])),
    "get_frames_played_at of none": lambda d: d.get_frames_played_at([]),
    "get_frames_played_in_range": lambda d: d.get_frames_played_in_range(0.25, 0.55),
    "get_frames_played_in_range of none": lambda d: d.get_frames_played_in_range(0.3, 0.3),
    "get_frames_played_in_range, 10 a second": lambda d: d.get_frames_played_in_range(0.255, 0.755, fps=10),
    "get_frames_played_in_range, 70 a second": lambda d: d.get_frames_played_in_range(0.255, 0.755, fps=70),
    "get_frames_played_in_range, 1 a second": lambda d: d.get_frames_played_in_range(0.255, 0.7, fps=1),
    "get_all_frames": lambda d: d.get_all_frames(),
    "get_all_frames, 7 a second": lambda d: d.get_all_frames(fps=7),
    "a frame of a batch": lambda d: d.get_frames_at([4, 1])[1],
    "a slice of a batch": lambda d: d.get_frames_at([4, 1, 3])[1:],
    "a batch, frame by frame": lambda d: list(d.get_frames_at([4, 1]))[-1],
    "samplers.clips_at_random_indices": lambda d: theirs.clips_at_random_indices(d, num_clips=3, num_frames_per_clip=2),
    "samplers.clips_at_regular_timestamps": lambda d: theirs.clips_at_regular_timestamps(
        d, seconds_between_clip_starts=0.17, num_frames_per_clip=2
    ),
}
REFUSED: dict[str, Call] = {
    "an index beyond": lambda d: d[20],
    "an index before": lambda d: d[-21],
    "an index that is none": lambda d: d["a"],
    "half an index": lambda d: d[1.5],
    "a slice without a step": lambda d: d[::0],
    "get_frame_at beyond": lambda d: d.get_frame_at(20),
    "get_frames_at beyond": lambda d: d.get_frames_at([0, 20]),
    "get_frames_at before": lambda d: d.get_frames_at([-21]),
    "get_frames_in_range without a step": lambda d: d.get_frames_in_range(0, 5, 0),
    "get_frame_played_at before": lambda d: d.get_frame_played_at(-0.1),
    "get_frame_played_at the end": lambda d: d.get_frame_played_at(d.metadata.end_stream_seconds),
    "get_frame_played_at no time": lambda d: d.get_frame_played_at(float("nan")),
    "a range that runs back": lambda d: d.get_frames_played_in_range(0.5, 0.3),
    "a range from before": lambda d: d.get_frames_played_in_range(-0.1, 0.3),
    "a range to behind": lambda d: d.get_frames_played_in_range(0.3, 2),
    "a range from the end": lambda d: d.get_frames_played_in_range(*[d.metadata.end_stream_seconds] * 2),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A film of each timing, and the archive of both."""
    folder = tmp_path_factory.mktemp("films")
    rows, columns = np.mgrid[:48, :64]
    files = {name: folder / f"{name}.mp4" for name in TIMINGS}
    for name, timing in TIMINGS.items():
        waves = [128 + 90 * np.sin(rows / 7 + i) * np.cos(columns / 9 - i) for i in range(timing.num_frames)]
        write_mp4(files[name], (np.stack([w, w, w], -1).astype(np.uint8) for w in waves), timing, crf=4)
    encode([folder], folder / "films.dnerv", EncodeOptions(every=1, crf=10, network="none", effort="fast"))
    return files | {"archive": folder / "films.dnerv"}


@pytest.fixture(params=["even", "uneven"], scope="module")
def both(files: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[tuple[VideoDecoder, VideoReader]]:
    with Archive(files["archive"]) as archive:
        yield VideoDecoder(files[request.param]), archive[request.param]


def seeded(call: Call, decoder: Any) -> Any:
    torch.manual_seed(7)
    return call(decoder)


def check_alike(their: Any, our: Any) -> None:
    """Same shapes, dtypes and times; pixels as near as two codings are."""
    if isinstance(their, int):
        assert their == our
        return
    if not isinstance(their, torch.Tensor):
        assert type(our).__name__ == type(their).__name__
        for name in ("pts_seconds", "duration_seconds"):
            one, other = getattr(their, name), getattr(our, name)
            assert type(one) is type(other)
            assert getattr(one, "dtype", None) == getattr(other, "dtype", None)
            np.testing.assert_allclose(np.asarray(other), np.asarray(one), atol=1e-9)
            assert np.shape(other) == np.shape(one)
        their, our = their.data, our.data
    assert (our.dtype, our.shape) == (their.dtype, their.shape)
    if our.numel():
        assert (
            psnr(mse_per_frame(their.reshape(-1, 3, *their.shape[-2:]), our.reshape(-1, 3, *our.shape[-2:]))).min() > 32
        )


@pytest.mark.parametrize("name", FOUND)
def test_the_same_frames(both: tuple[VideoDecoder, VideoReader], name: str) -> None:
    decoder, reader = both
    check_alike(seeded(FOUND[name], decoder), seeded(FOUND[name], reader))


@pytest.mark.parametrize("name", REFUSED)
def test_the_same_kind_of_error(both: tuple[VideoDecoder, VideoReader], name: str) -> None:
    for decoder in both:
        with pytest.raises((IndexError, ValueError, TypeError)) as caught:
            REFUSED[name](decoder)
        if decoder is both[0]:
            kind = caught.type
        assert issubclass(caught.type, kind)


def test_the_same_metadata(both: tuple[VideoDecoder, VideoReader]) -> None:
    decoder, reader = both
    for name in ("num_frames", "height", "width"):
        assert getattr(reader.metadata, name) == getattr(decoder.metadata, name)
    for name in ("average_fps", "duration_seconds", "begin_stream_seconds", "end_stream_seconds"):
        assert getattr(reader.metadata, name) == pytest.approx(getattr(decoder.metadata, name), rel=1e-6), name


def test_the_same_times_of_a_late_start(files: dict[str, Path]) -> None:
    """But of the last frame, whose duration some builds of FFmpeg have as 0 then: torchcodec never has it on show."""
    decoder = VideoDecoder(files["late"])
    with Archive(files["archive"]) as archive:
        reader = archive["late"]
        assert reader.metadata.begin_stream_seconds == pytest.approx(decoder.metadata.begin_stream_seconds) == 0.32
        assert reader.metadata.end_stream_seconds == pytest.approx(0.8)
        calls: list[Call] = [
            lambda d: d.get_frames_in_range(0, 11),
            lambda d: d.get_frames_played_at([0.33, 0.5]),
            lambda d: d.get_frames_played_in_range(0.35, 0.5, fps=30),
        ]
        for call in calls:
            check_alike(call(decoder), call(reader))
        for each in (decoder, reader):
            with pytest.raises(IndexError):
                each.get_frame_played_at(0.1)


def test_the_same_channels_last(files: dict[str, Path]) -> None:
    decoder = VideoDecoder(files["even"], dimension_order="NHWC")
    with Archive(files["archive"], dimension_order="NHWC") as archive:
        for call in (lambda d: d[3], lambda d: d[1:4], lambda d: d[2:2], lambda d: d.get_frames_at([3, 1]).data):
            one, other = call(decoder), call(archive["even"])
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            assert one.is_contiguous()
            assert other.is_contiguous()
    for opened in (
        lambda: VideoDecoder(files["even"], dimension_order="HWC"),  # type: ignore[arg-type]
        lambda: Archive(files["archive"], dimension_order="HWC"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match="HWC"):
            opened()


def test_what_only_ours_takes(both: tuple[VideoDecoder, VideoReader]) -> None:
    """And clean errors where torchcodec 0.12 ends in a RuntimeError of its core."""
    decoder, reader = both
    ours: list[Call] = [lambda d: d[5:2], lambda d: d[::-1], lambda d: d.get_frames_at([])]
    for call in ours:
        with pytest.raises(RuntimeError):
            call(decoder)
        call(reader)
    refused: list[tuple[Call, type[Exception]]] = [
        (lambda d: d.get_frames_in_range(5, 0, -1), ValueError),
        (lambda d: d.get_frames_played_at([2.0]), IndexError),
        (lambda d: d.get_all_frames(fps=0), ValueError),
    ]
    for call, kind in refused:
        with pytest.raises(RuntimeError):
            call(decoder)
        with pytest.raises(kind):
            call(reader)


SAMPLED: dict[str, list[dict[str, Any]]] = {
    "clips_at_random_indices": [
        {},
        {"num_clips": 5, "num_frames_per_clip": 3},
        {"num_clips": 4, "num_frames_per_clip": 3, "num_indices_between_frames": 2, "sampling_range_start": 1},
        {"num_clips": 9, "num_frames_per_clip": 4, "sampling_range_start": -4, "sampling_range_end": 1000},
        {"num_clips": 9, "num_frames_per_clip": 4, "sampling_range_end": -1, "policy": "wrap"},
        {"num_frames_per_clip": 40},
    ],
    "clips_at_regular_indices": [
        {"num_clips": 3, "num_frames_per_clip": 2},
        {"num_clips": 30},
        {"num_clips": 4, "num_frames_per_clip": 3, "sampling_range_end": 1000, "policy": "wrap"},
    ],
    "clips_at_random_timestamps": [
        {},
        {"num_clips": 5, "num_frames_per_clip": 2, "seconds_between_frames": 0.07},
        {"num_clips": 9, "num_frames_per_clip": 3, "sampling_range_start": 0.3, "sampling_range_end": 5.0},
        {"num_clips": 9, "num_frames_per_clip": 3, "sampling_range_end": 0.8, "policy": "wrap"},
    ],
    "clips_at_regular_timestamps": [
        {"seconds_between_clip_starts": 0.19},
        {"seconds_between_clip_starts": 0.07, "num_frames_per_clip": 3, "sampling_range_end": 0.77},
    ],
}
NOT_SAMPLED: dict[str, list[dict[str, Any]]] = {
    "clips_at_random_indices": [
        {"num_clips": 0},
        {"num_frames_per_clip": 0},
        {"num_indices_between_frames": 0},
        {"policy": "mirror"},
        {"sampling_range_start": 20},
        {"sampling_range_start": 5, "sampling_range_end": 5},
        {"num_frames_per_clip": 6, "sampling_range_start": 19},
        {"num_clips": 30, "num_frames_per_clip": 6, "sampling_range_end": 20, "policy": "error"},
    ],
    "clips_at_random_timestamps": [
        {"num_clips": 0},
        {"num_frames_per_clip": 0},
        {"seconds_between_frames": 0.0},
        {"sampling_range_start": -1.0},
        {"sampling_range_start": 2.0},
        {"sampling_range_end": 0.0},
        {"sampling_range_start": 0.5, "sampling_range_end": 0.4},
        {"num_frames_per_clip": 100},
        {"policy": "mirror"},
    ],
    "clips_at_regular_timestamps": [{"seconds_between_clip_starts": 0.0}],
}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [pytest.param(name, each, id=f"{name} {each}") for name, all_of in SAMPLED.items() for each in all_of],
)
def test_samplers_draw_the_same_clips(
    both: tuple[VideoDecoder, VideoReader], name: str, arguments: dict[str, Any]
) -> None:
    decoder, reader = both
    their = seeded(lambda d: getattr(theirs, name)(d, **arguments), decoder)
    our = seeded(lambda d: getattr(samplers, name)(d, **arguments), reader)
    check_alike(their, our)
    assert isinstance(our, FrameBatch)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [pytest.param(name, each, id=f"{name} {each}") for name, all_of in NOT_SAMPLED.items() for each in all_of],
)
def test_samplers_refuse_the_same(both: tuple[VideoDecoder, VideoReader], name: str, arguments: dict[str, Any]) -> None:
    for module, decoder in zip((theirs, samplers), both, strict=True):
        with pytest.raises(ValueError, match=r"\w"):
            getattr(module, name)(decoder, **arguments)


def test_samplers_have_the_same_signatures() -> None:
    from inspect import signature

    for name in SAMPLED:
        one, other = (signature(getattr(module, name)).parameters for module in (theirs, samplers))
        assert [(p.name, p.kind, p.default) for p in one.values()] == [
            (p.name, p.kind, p.default) for p in other.values()
        ]

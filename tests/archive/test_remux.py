"""Videos as mp4 of their own packets: a decoder gives the archive's frames, each at its time, from any byte range."""

from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.archive.remux import RemuxedVideo, why_not_remuxed
from dnerv.codecs.colour import ColourConverter
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing


@pytest.fixture(scope="module")
def remux_path(tmp_path_factory: pytest.TempPathFactory, write_videos: Callable[..., Path], sources: Any) -> Path:
    """Every frame coded, in groups of three, every other one behind a reference; shown wider than coded."""
    source = type(sources[0])
    uneven = Timing(Fraction(3, 1000), (7, 20, 31, 32, 100, 130, 131), 5)
    some = (
        source("walk", (64, 96), (64, 96), Timing.constant(Fraction(25), 8), shares=True),
        source("uneven", (66, 64), (66, 128), uneven, shares=True),
        source("one", (64, 64), (64, 64), Timing(Fraction(1, 30), (0,), 2)),
    )
    return write_videos(tmp_path_factory.mktemp("remux"), None, some, distance=1, length=3)


def test_frames_and_times_are_the_archives(remux_path: Path) -> None:
    with Archive(remux_path, size="coded") as archive:
        assert any(place >= 0 for place in archive["walk"].entry.references)
        converter = ColourConverter(archive.config.formats[0].planes)
        for reader in archive:
            entry = reader.entry
            video = RemuxedVideo(archive, entry)
            data = b"".join(video.read(0, video.size))
            assert len(data) == video.size
            with av.open(BytesIO(data)) as container:
                stream = container.streams.video[0]
                frames = list(container.decode(stream))
                height, width = entry.original_size
                coded_height, coded_width = entry.coded_size
                shape = Fraction(width * coded_height, height * coded_width)
                assert (stream.sample_aspect_ratio or 1) == shape
                ticks = [entry.timing.time_base * (pts - entry.timing.pts[0]) for pts in entry.timing.pts]
                assert [frame.pts * stream.time_base for frame in frames] == ticks
                lasts = entry.timing.pts[-1] + entry.timing.last_duration - entry.timing.pts[0]
                assert stream.duration * stream.time_base == lasts * entry.timing.time_base
                assert stream.codec_context.colorspace == 6  # BT.601, which the sequence header leaves open
            for frame, wanted in zip(frames, reader, strict=True):
                np.testing.assert_array_equal(converter.to_rgb(frame), wanted.permute(1, 2, 0).numpy())


def test_decoding_begins_at_every_group(remux_path: Path) -> None:
    with Archive(remux_path) as archive:
        video = RemuxedVideo(archive, archive["walk"].entry)
        with av.open(BytesIO(b"".join(video.read(0, video.size)))) as container:
            stream = container.streams.video[0]
            wanted = [frame.to_ndarray() for frame in container.decode(stream)]
            for frame in (7, 4, 2):
                container.seek(int(Fraction(frame, 25) / stream.time_base), stream=stream)
                first = next(container.decode(stream))
                assert first.time == pytest.approx(frame // 3 * 3 / 25)
                np.testing.assert_array_equal(first.to_ndarray(), wanted[frame // 3 * 3])


def test_any_range(remux_path: Path) -> None:
    with Archive(remux_path) as archive:
        video = RemuxedVideo(archive, archive["walk"].entry)
        data = b"".join(video.read(0, video.size))
        rng = np.random.default_rng(0)
        cuts = sorted({0, video.size, *rng.integers(0, video.size, 60).tolist(), *range(video.size - 3, video.size)})
        assert all(b"".join(video.read(a, b)) == data[a:b] for a, b in pairwise(cuts))


def test_what_is_not_its_packets_is_refused(archive_path: Path, base_path: Path) -> None:
    with Archive(archive_path) as archive, Archive(archive_path, layers="base") as base:
        entry = archive["walk"].entry
        with pytest.raises(InputError, match=r"'walk'.*network makes"):
            RemuxedVideo(archive, entry)
        assert "blends" in (why_not_remuxed(base, entry) or "")
        assert "margin" in (why_not_remuxed(archive, archive["one"].entry) or "")


def test_damage_is_an_error(remux_path: Path, tmp_path: Path) -> None:
    with Archive(remux_path) as archive:
        start, length = archive["walk"].entry.group_span(1)
    data = bytearray(remux_path.read_bytes())
    data[start + length - 1] ^= 1
    (tmp_path / "bad.dnerv").write_bytes(data)
    with Archive(tmp_path / "bad.dnerv") as archive:
        video = RemuxedVideo(archive, archive["walk"].entry)
        with pytest.raises(ArchiveError, match="group 1"):
            list(video.read(0, video.size))

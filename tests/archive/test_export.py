"""Archives as files for people, whole or not at all."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from zlib import crc32

import av
import numpy as np
import pytest
import torch

from dnerv.archive import Archive, PlaneFormat, VideoEntry, export_videos, interpolate_videos, new_archive
from dnerv.archive.export import interpolated_timing
from dnerv.codecs import Planes, SvtAv1
from dnerv.codecs.obu import split_sequence_header
from dnerv.errors import ArchiveError, InputError, OutputError
from dnerv.families import NeRVConfig
from dnerv.progress import Listener, listening
from dnerv.video import Timing, VideoSource
from dnerv.video.planes import CODES

Frames = dict[str, torch.Tensor]


class Heard(Listener):
    def __init__(self) -> None:
        self.frames, self.warnings = 0, list[str]()

    def advance(self, units: int = 1) -> None:
        self.frames += units

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def decoded(path: Path) -> tuple[np.ndarray, list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames]), [float(frame.time) for frame in frames]


def damaged_copy(path: Path, directory: Path, groups: dict[str, int]) -> Path:
    """The archive with a flipped bit in one group of each of these videos."""
    data = bytearray(path.read_bytes())
    with Archive(path) as archive:
        for name, group in groups.items():
            data[archive[name].entry.group_span(group)[0]] ^= 1
    (directory / "damaged.dnerv").write_bytes(data)
    return directory / "damaged.dnerv"


def test_mp4_of_all(archive_path: Path, tmp_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive, listening(heard := Heard()):
        written = export_videos(archive, tmp_path)
    assert written == [tmp_path / f"{name}.mp4" for name in ("class/odd", "one", "walk", "wide")]
    assert (heard.frames, heard.warnings) == (22, [])
    assert list(sequential) == ["class/odd", "one", "walk", "wide"]
    for path, frames in zip(written, sequential.values(), strict=True):
        made, _ = decoded(path)
        assert made.shape == tuple(frames.permute(0, 2, 3, 1).shape)
    made, times = decoded(tmp_path / "class" / "odd.mp4")
    np.testing.assert_allclose(times, [0, 0.04, 0.09, 0.091, 0.3, 0.301], atol=1e-6)
    assert np.abs(made.astype(float) - sequential["class/odd"].permute(0, 2, 3, 1).numpy()).mean() < 6


SHOWN = [Planes(matrix, full, depth) for matrix in CODES for full in (False, True) for depth in (8, 10)]
FORMATS = [(Planes(), shown) for shown in SHOWN] + [(Planes(p.matrix, p.full_range), p) for p in SHOWN]


def test_mp4_has_the_colours_of_the_source(tmp_path: Path) -> None:
    colour, size = (230, 60, 20), (64, 96)
    with new_archive(tmp_path / "a.dnerv") as writer:
        for place, (planes, shown) in enumerate(FORMATS):
            codec = SvtAv1(preset=10, planes=planes, threads=1)
            (packet,) = codec.keyframes([np.full((*size, 3), colour, np.uint8)], 4)
            header, data = split_sequence_header(packet.data)
            entry = VideoEntry(
                name=str(place),
                label=None,
                original_size=size,
                coded_size=size,
                timing=Timing(Fraction(1, 25), (0,), 1),
                distance=1,
                group_length=1,
                format=0,
                crf=4,
                references=(),
                packet_lengths=(len(data),),
                checksums=(crc32(data) & 0xFFFF,),
                offset=0,
                network_frame=None,
            )
            writer.add_video(entry, PlaneFormat(planes, shown, header), [None], data)
        writer.finish({})
    with Archive(tmp_path / "a.dnerv") as archive:
        export_videos(archive, tmp_path / "out")
        for place, (_, shown) in enumerate(FORMATS):
            assert np.abs(archive[str(place)][0].permute(1, 2, 0).numpy() - np.array(colour, float)).max() <= 2
            stream = VideoSource(tmp_path / "out" / f"{place}.mp4").frames()
            ((_, frame),) = stream
            assert stream.planes == shown
            assert np.abs(frame - np.array(colour, float)).max() <= 4


def test_png_is_exact(archive_path: Path, tmp_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        (folder,) = export_videos(archive, tmp_path, names=["class/odd"], frames=(2, 5), format="png")
    images = sorted(folder.iterdir())
    assert [image.name for image in images] == ["00002.png", "00003.png", "00004.png"]
    for image, frame in zip(images, sequential["class/odd"][2:5], strict=True):
        made, _ = decoded(image)
        assert np.array_equal(made[0], frame.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(("frames", "count"), [((2, 5), 3), ((None, 4), 4), ((8, None), 2)])
def test_parts_keep_their_times(
    archive_path: Path, tmp_path: Path, frames: tuple[int | None, int | None], count: int
) -> None:
    with Archive(archive_path) as archive:
        (path,) = export_videos(archive, tmp_path, names=["walk"], frames=frames)
    made, times = decoded(path)
    assert len(made) == count
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"names": ["walk", "run"]},
        {"frames": (0, 11), "names": ["walk"]},
        {"frames": (4, 4)},
        {"frames": (-1, 3)},
        {"frames": (0, 2)},  # one of the videos has one frame
        {"format": "gif"},
    ],
)
def test_refused_before_anything_is_written(archive_path: Path, tmp_path: Path, arguments: dict[str, Any]) -> None:
    with Archive(archive_path) as archive, pytest.raises(InputError):
        export_videos(archive, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_existing_output(archive_path: Path, tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_text("precious")
    with Archive(archive_path) as archive:
        with pytest.raises(OutputError, match=r"walk\.mp4"):
            export_videos(archive, tmp_path, names=["walk"])
        assert (tmp_path / "walk.mp4").read_text() == "precious"
        export_videos(archive, tmp_path, names=["walk"], force=True)
    assert len(decoded(tmp_path / "walk.mp4")[0]) == 10


@pytest.mark.parametrize("format", ["mp4", "png"])
def test_damage_in_the_middle_leaves_nothing_half_written(archive_path: Path, tmp_path: Path, format: Any) -> None:
    damaged = damaged_copy(archive_path, tmp_path, {"class/odd": 0, "one": 0, "wide": 0})
    suffix, heard = ".mp4" if format == "mp4" else "", Heard()
    with Archive(damaged) as archive, listening(heard), pytest.raises(ArchiveError) as caught:
        export_videos(archive, tmp_path / "out", format=format)
    missing = ", ".join(f"{tmp_path}/out/{name}{suffix}" for name in ("class/odd", "one", "wide"))
    assert str(caught.value) == f"3 of 4 videos could not be written: {missing}"  # why has been said of each
    assert [name for name in ("class/odd", "one", "wide") if any(repr(name) in text for text in heard.warnings)] == [
        "class/odd",
        "one",
        "wide",
    ]
    assert str(caught.value.__cause__) == heard.warnings[0]
    assert (tmp_path / "out" / f"walk{suffix}").exists()
    assert not any("odd" in path.name or "dnerv" in path.name for path in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("format", ["mp4", "png"])
def test_a_failure_after_some_frames_leaves_nothing(base_path: Path, tmp_path: Path, format: Any) -> None:
    damaged = damaged_copy(base_path, tmp_path, {"walk": 2})  # the third of three groups
    heard = Heard()
    with Archive(damaged) as archive, listening(heard), pytest.raises(ArchiveError, match="damaged"):
        export_videos(archive, tmp_path / "out", names=["walk"], format=format)
    assert heard.warnings == []  # the error says it
    assert heard.frames > 3
    assert list((tmp_path / "out").iterdir()) == []


def test_ranges_join_in_one_folder(archive_path: Path, tmp_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        for span in ((8, 10), (2, 4)):
            (folder,) = export_videos(archive, tmp_path, names=["walk"], frames=span, format="png")
        with pytest.raises(OutputError, match=r"00003\.png: exists"):
            export_videos(archive, tmp_path, names=["walk"], frames=(3, 5), format="png")
        assert sorted(path.name for path in folder.iterdir()) == [f"{n:05d}.png" for n in (2, 3, 8, 9)]
        made, _ = decoded(folder / "00008.png")
        assert np.array_equal(made[0], sequential["walk"][8].permute(1, 2, 0).numpy())
        with pytest.raises(OutputError, match="exists"):
            export_videos(archive, tmp_path, names=["walk"], format="png")
        export_videos(archive, tmp_path, names=["walk"], format="png", force=True)
    assert len(list(folder.iterdir())) == 10


NAMES = ("v", "v.mp4/w", "a\ud800", "x" * 254, "c")


@pytest.mark.parametrize("format", ["mp4", "png"])
def test_every_name_that_was_read_can_be_written(write_videos: Any, sources: Any, tmp_path: Path, format: Any) -> None:
    model = NeRVConfig(4, (1, 1), (4, 4, 2), clip_length=4, min_channels=6, stem_channels=8, encoding_levels=8)
    named = tuple(replace(sources[2], name=name) for name in NAMES)  # of one frame
    with Archive(write_videos(tmp_path, model, named)) as archive, listening(heard := Heard()):
        written = export_videos(archive, tmp_path / "out", format=format)
        place = dict(zip(archive.names, written, strict=True))
        assert export_videos(archive, tmp_path / "alone", names=["v"], format=format)[0].name == place["v"].name
    assert len({path for path in written if path.exists()}) == len(NAMES)
    assert place["c"].relative_to(tmp_path / "out") == Path("c.mp4" if format == "mp4" else "c")
    changed = [name for name in NAMES if any(repr(name) in text for text in heard.warnings)]
    assert changed == (["v", "a\ud800", "x" * 254] if format == "mp4" else ["a\ud800"])


def test_one_that_cannot_be_written_does_not_end_the_rest(archive_path: Path, tmp_path: Path) -> None:
    (tmp_path / "class").write_text("a file in the way of a folder")
    heard = Heard()
    with Archive(archive_path) as archive, listening(heard), pytest.raises(OutputError, match=r"1 of 4 .*odd\.mp4"):
        export_videos(archive, tmp_path)
    assert len(heard.warnings) == 1
    assert "odd.mp4: cannot be written" in heard.warnings[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["class", "one.mp4", "walk.mp4", "wide.mp4"]


def test_an_unwritable_folder(archive_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Archive(archive_path) as archive, listening(heard := Heard()):
        for folder in (tmp_path / "file", tmp_path / "file" / "out"):
            with pytest.raises(OutputError, match=f"^{folder}: cannot be written into, .*/file is a file"):
                export_videos(archive, folder)
        assert heard.warnings == []


def test_a_folder_that_cannot_be_made(archive_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnerv.archive.export.os.access", lambda place, mode: place != tmp_path)  # root may anywhere
    with Archive(archive_path) as archive, listening(heard := Heard()):
        with pytest.raises(OutputError, match=f"out/in: cannot be made: {tmp_path} may not be written to"):
            export_videos(archive, tmp_path / "out" / "in")
        assert (heard.frames, heard.warnings) == (0, [])


@pytest.mark.parametrize(("slow", "last"), [(True, 27 * 0.04), (False, 9 * 0.04)])
def test_slow_motion_or_a_higher_rate(archive_path: Path, tmp_path: Path, slow: bool, last: float) -> None:
    with Archive(archive_path) as archive, listening(heard := Heard()):
        (path,) = interpolate_videos(archive, tmp_path, factor=3, slow_motion=slow, names=["walk"])
    made, times = decoded(path)
    assert len(made) == heard.frames == 28  # two between each of ten frames
    assert path == tmp_path / "walk.mp4"
    np.testing.assert_allclose(times, np.linspace(0, last, 28), atol=1e-6)


def test_interpolated_pngs_hold_the_videos_own_frames(archive_path: Path, tmp_path: Path, sequential: Frames) -> None:
    with Archive(archive_path) as archive:
        folders = interpolate_videos(archive, tmp_path, factor=2, format="png")
    assert [len(list(folder.iterdir())) for folder in folders] == [11, 1, 19, 9]
    for number, frame in enumerate(sequential["class/odd"]):
        made, _ = decoded(tmp_path / "class" / "odd" / f"{2 * number:05d}.png")
        assert np.array_equal(made[0], frame.permute(1, 2, 0).numpy())


def test_times_in_between_uneven_ones() -> None:
    timing = Timing(Fraction(1, 1000), (7, 47, 48), 60)
    slow = interpolated_timing(timing, 2, slow_motion=True)
    assert (slow.time_base, list(slow.pts), slow.last_duration) == (Fraction(1, 1000), [7, 47, 87, 88, 89], 120)
    fast = interpolated_timing(timing, 2, slow_motion=False)
    np.testing.assert_allclose(fast.seconds, [0.007, 0.027, 0.047, 0.0475, 0.048])
    assert fast.end_seconds == timing.end_seconds


@pytest.mark.parametrize("arguments", [{"factor": 1}, {"factor": 65}, {"factor": 2, "format": "gif"}])
def test_what_cannot_be_interpolated_is_refused(archive_path: Path, tmp_path: Path, arguments: dict[str, Any]) -> None:
    with Archive(archive_path) as archive, pytest.raises(InputError, match=r"is 'gif'|factor"):
        interpolate_videos(archive, tmp_path, **arguments)
    assert not list(tmp_path.iterdir())

import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dnerv.errors import InputError, OutputError
from dnerv.video import Timing, VideoSource, write_mp4, write_png_folder

COLOURS = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (128, 128, 128), (250, 240, 20)]


def flats(height: int = 48, width: int = 64) -> list[np.ndarray]:
    return [np.full((height, width, 3), colour, np.uint8) for colour in COLOURS]


@pytest.mark.parametrize("size", [(48, 64), (33, 47), (48, 63), (2, 2), (1, 1)])
def test_mp4_gives_back_size_colours_and_count(tmp_path: Path, size: tuple[int, int]) -> None:
    write_mp4(tmp_path / "v.mp4", flats(*size), Timing.constant(Fraction(25), 5))
    stream = VideoSource(tmp_path / "v.mp4").frames()
    frames = [frame for _, frame in stream]
    assert stream.original_size == size
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert np.abs(frame.astype(int) - colour).max() <= 4


def test_mp4_is_flagged_for_players(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.mp4", flats(), Timing.constant(Fraction(25), 5))
    with av.open(str(tmp_path / "v.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )
        assert context.pix_fmt == "yuv420p"


@pytest.mark.parametrize(
    "timing",
    [
        Timing(Fraction(1, 1000), [5000, 5033, 5100, 5101, 9000], 700),
        Timing(Fraction(1001, 30000), [3, 4, 5, 6, 7], 1),
        Timing(Fraction(1, 90000), [0, 3003, 6006, 9009, 12013], 3003),
        Timing(Fraction(1, 1000000), [1, 2, 3, 4, 5], 1),
    ],
)
def test_mp4_keeps_every_time(tmp_path: Path, timing: Timing) -> None:
    write_mp4(tmp_path / "v.mp4", flats(), timing)
    stream = VideoSource(tmp_path / "v.mp4").frames()
    assert sum(1 for _ in stream) == 5
    assert np.allclose(stream.timing.seconds, timing.seconds, rtol=0, atol=1e-9)
    assert stream.timing.end_seconds == pytest.approx(timing.end_seconds, abs=1e-9)


def test_mp4_moves_a_negative_start_to_zero(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.mp4", flats(), Timing(Fraction(1, 100), [-10, -5, 0, 5, 30], 4))
    stream = VideoSource(tmp_path / "v.mp4").frames()
    assert sum(1 for _ in stream) == 5
    assert np.allclose(stream.timing.seconds, [0, 0.05, 0.1, 0.15, 0.4])


def test_one_frame(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.mp4", flats()[:1], Timing(Fraction(1, 25), [0], 50))
    stream = VideoSource(tmp_path / "v.mp4").frames()
    assert sum(1 for _ in stream) == 1
    assert stream.timing.end_seconds == pytest.approx(2)


def test_png_is_lossless_and_numbered(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (17, 23, 3), dtype=np.uint8)[::-1] for _ in range(3)]
    write_png_folder(tmp_path / "deep" / "out", iter(frames))
    assert sorted(p.name for p in (tmp_path / "deep" / "out").iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
    ]
    read = [frame for _, frame in VideoSource(tmp_path / "deep" / "out").frames()]
    assert all(np.array_equal(a, b) for a, b in zip(read, frames, strict=True))


def test_existing_output_is_kept_unless_forced(tmp_path: Path) -> None:
    path, timing = tmp_path / "v.mp4", Timing.constant(Fraction(25), 5)
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        write_mp4(path, flats(), timing)
    assert path.read_text() == "precious"
    write_mp4(path, flats(), timing, force=True)
    assert path.stat().st_size > 500
    folder = tmp_path / "out"
    write_png_folder(folder, flats())
    with pytest.raises(OutputError, match="exists"):
        write_png_folder(folder, flats()[:2])
    write_png_folder(folder, flats()[:2], force=True)
    assert len(list(folder.iterdir())) == 2


def test_force_never_deletes_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        write_png_folder(tmp_path / "out", flats(), force=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"
    with pytest.raises(OutputError, match="is a folder"):
        write_mp4(tmp_path / "out", flats(), Timing.constant(Fraction(25), 5), force=True)
    with pytest.raises(OutputError, match="is a file"):
        write_png_folder(tmp_path / "out" / "thesis.txt", flats(), force=True)


def test_parts_join_in_one_folder(tmp_path: Path) -> None:
    folder, pictures = tmp_path / "out", flats()
    write_png_folder(folder, pictures[3:], first=8)
    write_png_folder(folder, pictures[:2], first=2)
    assert sorted(path.name for path in folder.iterdir()) == [f"{number:05d}.png" for number in (2, 3, 8, 9)]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputError, match=r"00003\.png: exists"):
        write_png_folder(folder, pictures[3:], first=3)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    write_png_folder(folder, pictures[3:], first=3, force=True)
    assert (folder / "00003.png").read_bytes() == before["00008.png"]
    assert (folder / "00002.png").read_bytes() == before["00002.png"]
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        write_png_folder(folder, pictures, first=20)


def interrupted() -> Iterator[np.ndarray]:
    yield from flats()[:3]
    raise KeyboardInterrupt


@pytest.mark.parametrize("force", [False, True])
def test_an_interrupt_leaves_what_was_there(tmp_path: Path, force: bool) -> None:
    if force:
        (tmp_path / "v.mp4").write_text("old")
        write_png_folder(tmp_path / "out", flats()[:1])
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(KeyboardInterrupt):
        write_mp4(tmp_path / "v.mp4", interrupted(), Timing.constant(Fraction(25), 5), force=force)
    with pytest.raises(KeyboardInterrupt):
        write_png_folder(tmp_path / "out", interrupted(), force=force)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("count", [0, 4, 6])
def test_frames_must_match_the_timing(tmp_path: Path, count: int) -> None:
    frames = [flats()[0]] * count
    with pytest.raises(InputError, match="5 frames"):
        write_mp4(tmp_path / "v.mp4", frames, Timing.constant(Fraction(25), 5))
    assert list(tmp_path.iterdir()) == []


def test_frames_must_match_each_other(tmp_path: Path) -> None:
    mixed = [*flats()[:2], *flats(20, 20)[:3]]
    with pytest.raises(InputError, match="not uint8"):
        write_mp4(tmp_path / "v.mp4", mixed, Timing.constant(Fraction(25), 5))
    with pytest.raises(InputError, match="not uint8"):
        write_png_folder(tmp_path / "out", mixed)
    with pytest.raises(InputError, match="no frame"):
        write_png_folder(tmp_path / "out", [])
    with pytest.raises(InputError, match="crf"):
        write_mp4(tmp_path / "v.mp4", flats(), Timing.constant(Fraction(25), 5), crf=52)
    assert list(tmp_path.iterdir()) == []


def test_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        write_png_folder(tmp_path / "out", flats())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_mp4_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = av.open
    monkeypatch.setattr(av, "open", lambda file, *rest, **options: real("/dev/full", *rest, **options))
    with pytest.raises(OutputError, match="No space left"):
        write_mp4(tmp_path / "v.mp4", flats(), Timing.constant(Fraction(25), 5))
    assert list(tmp_path.iterdir()) == []


def test_writing_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_mp4(tmp_path / "v.mp4", flats(), Timing.constant(Fraction(25), 5))
    assert capfd.readouterr() == ("", "")

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from dnerv.errors import InputError
from dnerv.video import FrameStream, Timing, VideoSource, discover, write_mp4
from dnerv.video.planes import Planes

Number = Callable[[np.ndarray], int]
MakeVideo = Callable[..., Path]


def read(path: Path, **options: object) -> tuple[list[np.ndarray], FrameStream]:
    stream = VideoSource(path).frames(**options)  # type: ignore[arg-type]
    return [frame for _, frame in stream], stream


def corners() -> np.ndarray:
    """A picture whose four corners differ: red, green / blue, white."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:] = (220, 20, 20), (20, 220, 20)
    picture[24:, :32], picture[24:, 32:] = (20, 20, 220), (220, 220, 220)
    return picture


def corner_names(frame: np.ndarray) -> str:
    names = {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 1): "w"}
    points = [frame[y, x] > 128 for y in (4, -5) for x in (4, -5)]
    return "".join(names.get(tuple(int(c) for c in point), "?") for point in points)


def turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Set the display matrix in an mp4's track header."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (v * 65536 for v in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("matrix", "expected", "size"),
    [
        ((1, 0, 0, 1), "rgbw", (48, 64)),
        ((0, 1, -1, 0), "brwg", (64, 48)),  # a quarter turn clockwise
        ((-1, 0, 0, -1), "wbgr", (48, 64)),
        ((0, -1, 1, 0), "gwrb", (64, 48)),  # a quarter turn counter-clockwise
        ((-1, 0, 0, 1), "grwb", (48, 64)),  # a mirror
        ((0, 1, 1, 0), "rbgw", (64, 48)),  # a transposition
    ],
)
def test_frames_stand_upright(
    tmp_path: Path,
    make_video: MakeVideo,
    matrix: tuple[int, int, int, int],
    expected: str,
    size: tuple[int, int],
) -> None:
    path = make_video(tmp_path / "turned.mp4", [corners()] * 2)
    turn(path, matrix)
    frames, stream = read(path)
    assert stream.original_size == size == frames[0].shape[:2]
    assert corner_names(frames[0]) == expected
    scaled, stream = read(path, size=(30, 20))
    assert scaled[1].shape == (30, 20, 3)
    assert corner_names(scaled[1]) == expected
    assert stream.original_size == size


@pytest.mark.parametrize(("exif", "expected"), [(1, "rgbw"), (3, "wbgr"), (6, "brwg"), (8, "gwrb")])
def test_photographs_stand_upright(tmp_path: Path, exif: int, expected: str) -> None:
    image = Image.fromarray(corners())
    tags = image.getexif()
    tags[0x0112] = exif
    image.save(tmp_path / "1.jpg", exif=tags)
    frames, _ = read(tmp_path)
    assert corner_names(frames[0]) == expected


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "name with % and 100%03d.mp4", "ünï.mov"])
def test_every_frame_comes_in_order_with_its_time(grey_video: MakeVideo, number_of: Number, name: str) -> None:
    frames, stream = read(grey_video(name))
    assert [number_of(frame) for frame in frames] == list(range(10))
    assert all(frame.dtype == np.uint8 and frame.flags.c_contiguous for frame in frames)
    assert stream.timing.num_frames == 10
    assert np.allclose(np.diff(stream.timing.seconds), 0.04, atol=2e-3)
    assert stream.timing.end_seconds - stream.timing.begin_seconds == pytest.approx(0.4, abs=2e-3)
    assert stream.bad_packets == 0


def test_planes_are_known_once_a_frame_is_read(grey_video: MakeVideo) -> None:
    stream = VideoSource(grey_video(tags={"colorspace": 1})).frames()
    with pytest.raises(RuntimeError, match="once a frame"):
        _ = stream.planes
    next(stream)
    assert stream.planes == Planes("bt709", depth=8)


def test_still_images_are_taken_for_bt709(tmp_path: Path) -> None:
    Image.fromarray(corners()).save(tmp_path / "1.jpg")  # which by itself is BT.601 in full range
    _, stream = read(tmp_path)
    assert stream.planes == Planes("bt709", depth=8)


def test_one_frame_video(grey_video: MakeVideo) -> None:
    frames, stream = read(grey_video(count=1))
    assert len(frames) == stream.timing.num_frames == 1
    assert stream.timing.end_seconds == pytest.approx(0.04)


def test_odd_size(grey_video: MakeVideo, number_of: Number) -> None:
    frames, stream = read(grey_video(size=(33, 47), pixel_format="yuv444p"))
    assert frames[3].shape == (33, 47, 3)
    assert stream.original_size == (33, 47)
    assert [number_of(frame) for frame in frames] == list(range(10))


def test_variable_rate_and_start_are_kept(grey_video: MakeVideo) -> None:
    pts = [5000, 5033, 5100, 5101, 9000]
    frames, stream = read(grey_video("v.mkv", 5, pts=pts, time_base=Fraction(1, 1000)))
    assert len(frames) == 5
    assert np.allclose(stream.timing.seconds, np.array(pts) / 1000, atol=1e-9)


def test_resampling_takes_the_displayed_frame(grey_video: MakeVideo, number_of: Number) -> None:
    path = grey_video()
    frames, stream = read(path, fps=Fraction(10))
    assert [number_of(frame) for frame in frames] == [0, 2, 5, 7]
    assert stream.timing.average_fps == 10
    frames, stream = read(path, fps=Fraction(50))
    assert [number_of(frame) for frame in frames] == [i // 2 for i in range(20)]
    slow, stream = read(path, fps=Fraction(1, 10))
    assert [number_of(frame) for frame in slow] == [0]


def test_stream_without_times_runs_at_the_average_rate(grey_video: MakeVideo) -> None:
    _, stream = read(grey_video("raw.h264", options={"bf": "2"}))
    assert stream.timing.num_frames == 10
    assert stream.timing.average_fps == 25


def test_size_change_follows_the_first_frame(tmp_path: Path, make_video: MakeVideo, number_of: Number) -> None:
    parts = [(48, 64), (96, 64)]
    data = b""
    for index, size in enumerate(parts):
        picture = np.full((*size, 3), 10 * index + 10, np.uint8)
        data += make_video(tmp_path / f"{index}.h264", [picture] * 3).read_bytes()
    (tmp_path / "joined.h264").write_bytes(data)
    frames, stream = read(tmp_path / "joined.h264")
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 6
    assert [number_of(frame) for frame in frames] == [0, 0, 0, 1, 1, 1]
    assert stream.original_size == (48, 64)


def test_damage_in_the_middle_is_counted_and_survived(tmp_path: Path, make_video: MakeVideo) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(20)]
    data = bytearray(make_video(tmp_path / "n.avi", noise, codec="mpeg4", options={"g": "1"}).read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 7):
        data[at] ^= 0xFF
    (tmp_path / "n.avi").write_bytes(data)
    frames, stream = read(tmp_path / "n.avi")
    assert 5 <= len(frames) <= 20
    assert stream.bad_packets > 0
    again, _ = read(tmp_path / "n.avi")
    assert all(np.array_equal(a, b) for a, b in zip(frames, again, strict=True))


@pytest.mark.parametrize("keep", [0.7, 0.8, 0.95])
def test_truncated_file_gives_its_beginning(grey_video: MakeVideo, number_of: Number, keep: float) -> None:
    path = grey_video("t.mkv", 25, options={"g": "1", "bf": "0"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    frames, _ = read(path)
    assert 0 < len(frames) <= 25
    assert [number_of(frame) for frame in frames[:-1]] == list(range(len(frames) - 1))


def write_audio(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le" if path.suffix == ".wav" else "mp2", rate=44100)
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2304), np.int16), format="s16", layout="stereo")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_cover_art_only(tmp_path: Path) -> None:
    cover = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(cover, "JPEG")
    picture = b"\0image/jpeg\0\3\0" + cover.getvalue()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    write_audio(tmp_path / "bare.mp2")
    (tmp_path / "song.mp3").write_bytes(b"ID3\3\0\0" + size + frame + (tmp_path / "bare.mp2").read_bytes())
    with pytest.raises(InputError, match="holds no video, only audio streams and cover art"):
        read(tmp_path / "song.mp3")


@pytest.mark.parametrize("name", ["sound.wav", "sound.mp2"])
def test_audio_only(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name)
    with pytest.raises(InputError, match=r"no video.*audio") as caught:
        read(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("text.mp4", b"once upon a time\n" * 200, "Invalid data"),
        ("text.txt", b"once upon a time\n" * 200, "text file"),
        ("empty.mp4", b"", "empty"),
        ("noise.avi", bytes(range(256)) * 20, "Invalid data"),
        (
            "list.mp4",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost:9/a.ts\n",
            "Invalid data",
        ),
        ("broken.png", b"\x89PNG\r\n\x1a\nnothing", "not one frame"),
    ],
)
def test_what_is_no_video_gives_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=why) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_header_without_frames(grey_video: MakeVideo) -> None:
    path = grey_video("h.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"\x1f\x43\xb6\x75")])
    with pytest.raises(InputError, match=r"h\.mkv: .*(not one frame|End of file)"):
        read(path)


def test_missing_and_hopeless_arguments(tmp_path: Path, grey_video: MakeVideo) -> None:
    with pytest.raises(InputError, match="no such file"):
        VideoSource(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="numbered images"):
        VideoSource(tmp_path)
    source = VideoSource(grey_video())
    with pytest.raises(InputError, match="frame size"):
        source.frames(size=(0, 10))
    with pytest.raises(InputError, match="frame rate"):
        source.frames(fps=Fraction(0))
    with pytest.raises(RuntimeError):
        _ = source.frames().timing


def test_a_stream_closed_early_says_nothing_and_can_be_read_again(grey_video: MakeVideo) -> None:
    source = VideoSource(grey_video())
    stream = source.frames()
    next(stream)
    stream.close()
    assert sum(1 for _ in source.frames()) == 10


def test_images_in_natural_order(tmp_path: Path, number_of: Number) -> None:
    for index in range(12):
        Image.fromarray(np.full((9, 7, 3), 10 * index + 10, np.uint8)).save(tmp_path / f"im{index}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._im3.png").write_bytes(b"left by another system")
    frames, stream = read(tmp_path)
    assert [number_of(frame) for frame in frames] == list(range(12))
    assert stream.timing.average_fps == 24
    assert stream.bad_packets == 0
    _, stream = read(tmp_path, fps=Fraction(10))
    assert stream.timing.num_frames == 12
    assert stream.timing.average_fps == 10


def test_images_of_every_kind_and_size(tmp_path: Path) -> None:
    colour = Image.fromarray(np.full((20, 30, 3), (200, 100, 50), np.uint8))
    colour.save(tmp_path / "0.png")
    colour.convert("RGBA").save(tmp_path / "1.png")
    colour.convert("L").save(tmp_path / "2.png")
    Image.fromarray(np.full((20, 30), 30000, np.uint16)).save(tmp_path / "3.png")
    colour.resize((60, 10)).save(tmp_path / "4.bmp")
    colour.save(tmp_path / "5.webp", quality=95)
    colour.save(tmp_path / "6.jpg", quality=95)
    (tmp_path / "7.png").write_bytes(b"broken")
    colour.convert("P").save(tmp_path / "8.png")
    frames, stream = read(tmp_path)
    assert [frame.shape for frame in frames] == [(20, 30, 3)] * 8
    assert stream.bad_packets == 1
    assert list(stream.timing.pts) == [0, 1, 2, 3, 4, 5, 6, 8]
    for index in (0, 1, 4, 5, 6, 7):
        assert np.abs(frames[index].mean((0, 1)) - (200, 100, 50)).max() < 4, index
    assert np.abs(frames[3].mean() - 30000 / 257) < 1.5


SHARED = Path(__file__).parents[2].parent / "shared" / "cases"


@pytest.fixture
def cases() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the folder shared/cases is absent")
    return SHARED


def test_long_gaps_are_kept(grey_video: MakeVideo) -> None:
    pts = [0, 100, 200, 1_200_000, 1_200_100]
    _, stream = read(grey_video("gap.mkv", 5, pts=pts, time_base=Fraction(1, 1000)))
    assert np.allclose(stream.timing.seconds, np.array(pts) / 1000, atol=1e-9)
    assert stream.remarks == ()


def test_avi_with_b_frames_begins_at_zero(grey_video: MakeVideo, number_of: Number) -> None:
    frames, stream = read(grey_video("b.avi", 12, options={"bf": "3"}))
    assert [number_of(frame) for frame in frames] == list(range(12))
    assert np.allclose(stream.timing.seconds, np.arange(12) / 25)
    assert stream.timing.end_seconds == pytest.approx(12 / 25)


def test_raw_streams_have_the_rate_of_their_header(tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(50))
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    _, read_back = read(path)
    assert read_back.timing.average_fps == 50


def test_what_broke_off_is_counted(make_video: MakeVideo, tmp_path: Path) -> None:
    noise = list(np.random.default_rng(0).integers(0, 255, (25, 48, 64, 3), dtype=np.uint8))
    path = tmp_path / "t.mp4"
    write_mp4(path, noise, Timing.constant(Fraction(25), 25))
    assert read(path)[1].remarks == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, stream = read(path)
    assert 0 < len(frames) < 25
    assert stream.remarks[0].startswith(f"{len(frames)} of 25 frames are there")
    path = make_video(tmp_path / "t.mkv", noise, options={"g": "1", "bf": "0"})
    assert read(path)[1].remarks == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "of 1.00 seconds are there" in read(path)[1].remarks[0]


def test_what_is_not_kept_is_said(make_video: MakeVideo, tmp_path: Path) -> None:
    image = np.full((8, 8, 4), 200, np.uint8)
    image[..., 3] = 255
    Image.fromarray(image).save(tmp_path / "opaque.png")
    assert read(tmp_path / "opaque.png")[1].remarks == ()
    image[2:4, 2:4, 3] = 0
    Image.fromarray(image).save(tmp_path / "clear.png")
    frames, stream = read(tmp_path / "clear.png")
    assert (frames[0] == 200).all()  # colours are those stored, under transparent pixels too
    assert "transparent" in stream.remarks[0]
    path = make_video(
        tmp_path / "i.mkv",
        [np.zeros((48, 64, 3), np.uint8)] * 4,
        options={"flags": "+ildct+ilme", "x264-params": "tff=1"},
    )
    assert "interlaced" in read(path)[1].remarks[0]


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    frames, stream_read = read(path)
    assert frames[0].shape == (48, 64, 3)
    assert "16/11 times as wide as high" in stream_read.remarks[0]


def animated(path: Path, format: str) -> Path:
    pictures = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 90, 200)]
    pictures[0].save(path, format, save_all=True, append_images=pictures[1:], duration=100)
    return path


def test_an_animated_png_is_a_video(tmp_path: Path) -> None:
    frames, stream = read(animated(tmp_path / "named.png", "PNG"))
    assert [int(frame[0, 0, 0]) for frame in frames] == [10, 90, 200]
    assert stream.timing.average_fps == 10
    (tmp_path / "many").mkdir()
    for number in range(2):
        animated(tmp_path / "many" / f"{number}.png", "PNG")
    frames, stream = read(tmp_path / "many")
    assert len(frames) == 2
    assert "animated" in stream.remarks[0]


def test_images_that_do_not_decode_or_are_missing_are_said(tmp_path: Path) -> None:
    for number in (0, 1, 2, 5, 6):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    _, stream = read(tmp_path)
    assert stream.remarks == (
        "1 of 5 images cannot be read, the ones before them stay on show",
        "images 3 to 4 are missing: the ones around them follow each other",
    )


def test_the_cases_of_people(cases: Path) -> None:
    seconds = {name: read(cases / name)[1].timing.seconds for name in ("gap20min.mkv", "bframes.avi")}
    assert np.allclose(seconds["gap20min.mkv"], [0, 0.1, 0.2, 0.3, 1200, 1200.1, 1200.2])
    assert np.allclose(seconds["bframes.avi"], np.arange(48) / 24)
    assert "of 48 frames are there" in read(cases / "truncated.mp4")[1].remarks[0]
    assert len(read(cases / "apng_named.png")[0]) == 12
    assert [len(read(member.source_path)[0]) for member in discover([cases / "tsn"])] == [6, 6, 6]


def test_gif_and_single_image(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pictures = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200)]
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=100)
    (tmp_path / "a.gif").write_bytes(buffer.getvalue())
    pictures[1].save(tmp_path / "photo.jpg")
    assert len(read(tmp_path / "a.gif")[0]) == 2
    assert len(read(tmp_path / "photo.jpg")[0]) == 1


def test_damage_that_the_decoder_conceals_is_counted_in_silence(
    tmp_path: Path, make_video: MakeVideo, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(20)]
    path = make_video(tmp_path / "d.mkv", noise)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) * 2 // 3, 501):
        data[at] ^= 0xFF
    path.write_bytes(data)
    frames, stream = read(path)
    assert len(frames) > 10
    assert stream.bad_packets > 0
    assert capfd.readouterr().err == ""


def test_real_files_decode_with_the_frames_they_hold(action_clips: Path) -> None:
    counts = {}
    for member in discover([action_clips]):
        frames, stream = read(member.source_path, size=(24, 32))
        counts[member.name.split("/")[1][:12]] = len(frames)
        assert stream.timing.num_frames == len(frames)
        # All fourteen have a constant rate, which AVI's B-frames hide.
        assert isinstance(stream.timing.pts, range)
        assert stream.timing.last_duration == stream.timing.pts.step
        assert stream.bad_packets == 0
    assert counts["RATRACE_wave"] == 72
    assert counts["hmdb51_Turnk"] == 83

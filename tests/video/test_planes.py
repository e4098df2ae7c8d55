"""Matrices, ranges and depths from a video file to RGB, through the codec of archives, and into a video file again."""

from dataclasses import astuple
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from dnerv.codecs import SvtAv1, decode_packets
from dnerv.codecs.obu import unpack_temporal_unit
from dnerv.errors import InputError
from dnerv.video import Timing, VideoSource, write_mp4
from dnerv.video.planes import CODES, Planes

EVERY = [Planes(matrix, full_range, depth) for matrix in CODES for full_range in (False, True) for depth in (8, 10)]
KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
PATCH = 32  # pixels of one colour a side: amid them no filter sees two


def yuv_by_hand(colours: np.ndarray, planes: Planes) -> np.ndarray:
    """Integer samples [..., 3] of RGB in [0, 255], by the standards' equations."""
    kr, kb = KR_KB[planes.matrix]
    red, green, blue = np.moveaxis(colours / 255, -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    values = np.stack([luma, (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))], axis=-1)
    one, largest = 2 ** (planes.depth - 8), 2**planes.depth - 1
    scale = (largest,) * 3 if planes.full_range else (219 * one, 224 * one, 224 * one)
    zero = np.array([0 if planes.full_range else 16, 128, 128]) * one
    return np.rint(values * scale + zero).clip(0, largest).astype(np.int64)


def rgb_by_hand(samples: np.ndarray, planes: Planes) -> np.ndarray:
    """RGB [..., 3] in [0, 255] that these samples stand for, not rounded."""
    kr, kb = KR_KB[planes.matrix]
    one, largest = 2 ** (planes.depth - 8), 2**planes.depth - 1
    scale = (largest,) * 3 if planes.full_range else (219 * one, 224 * one, 224 * one)
    zero = np.array([0 if planes.full_range else 16, 128, 128]) * one
    luma, cb, cr = np.moveaxis((samples - zero) / scale, -1, 0)
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    return 255 * np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], axis=-1).clip(0, 1)


def source_of(path: Path, samples: np.ndarray, planes: Planes) -> Path:
    """A lossless video of two frames: patches of these samples, [rows, columns, 3], with the planes' tags."""
    kind = np.uint8 if planes.depth == 8 else np.uint16
    luma, cb, cr = (
        samples[..., i].repeat(side, 0).repeat(side, 1).astype(kind)
        for i, side in enumerate((PATCH, *[PATCH // 2] * 2))
    )
    data = np.concatenate([plane.ravel() for plane in (luma, cb, cr)]).reshape(-1, luma.shape[1])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = *luma.shape, planes.pixel_format
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = CODES[planes.matrix]
        context.color_range = ColorRange.JPEG if planes.full_range else ColorRange.MPEG
        for index in range(2):
            picture = av.VideoFrame.from_ndarray(data, format=planes.pixel_format)
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def amid(frame: np.ndarray) -> np.ndarray:
    """The colour of each patch, [rows, columns, 3]."""
    return frame[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].astype(np.float64)


@pytest.mark.parametrize("planes", EVERY, ids=lambda planes: "-".join(map(str, astuple(planes))))
def test_colours_are_right_from_file_to_file(tmp_path: Path, planes: Planes) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 3)).astype(np.float64)
    colours[0] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    samples = yuv_by_hand(colours, planes)
    expected = rgb_by_hand(samples, planes)

    stream = VideoSource(source_of(tmp_path / "source.mkv", samples, planes)).frames()
    frames = [frame for _, frame in stream]
    assert stream.planes == planes
    assert np.abs(amid(frames[0]) - expected).max() < 1

    coded = Planes(planes.matrix, planes.full_range, 10)
    packets = [packet.data for packet in SvtAv1(planes=coded, preset=8).keyframes(frames, 4)]
    decoded = list(decode_packets(packets, height=96, width=128, planes=coded))
    assert np.abs(amid(decoded[1]) - expected).max() < 2.5

    write_mp4(
        tmp_path / "made.mp4",
        decoded,
        stream.timing,
        crf=1,
        matrix=planes.matrix,
        full_range=planes.full_range,
        depth=planes.depth,
    )
    again = VideoSource(tmp_path / "made.mp4").frames()
    made = [frame for _, frame in again]
    assert again.planes == planes
    assert np.abs(amid(made[1]) - expected).max() < 4
    with av.open(str(tmp_path / "made.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == CODES[planes.matrix]
        assert context.color_range == (2 if planes.full_range else 1)
        assert context.profile == ("High" if planes.depth == 8 else "High 10")


def test_packets_say_what_their_planes_are() -> None:
    frames = [np.full((64, 64, 3), 90, np.uint8)]
    for planes in (Planes("bt709", True), Planes("bt2020", depth=8)):
        (packet,) = SvtAv1(planes=planes, preset=8).keyframes(frames, 40)
        decoder = av.CodecContext.create("libdav1d", "r")
        (picture,) = [*decoder.decode(av.Packet(unpack_temporal_unit(packet.data))), *decoder.decode(None)]
        assert (picture.color_primaries, picture.color_trc, picture.colorspace) == CODES[planes.matrix]
        assert (picture.color_range, picture.format.name) == (2 if planes.full_range else 1, planes.pixel_format)


@pytest.mark.parametrize("wrong", [{"matrix": "bt470"}, {"full_range": 1}, {"depth": 12}])
def test_planes_that_nobody_codes_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Planes(**wrong)  # type: ignore[arg-type]
    frames, timing = [np.zeros((8, 8, 3), np.uint8)], Timing.constant(Fraction(25), 1)
    with pytest.raises(InputError, match=next(iter(wrong))):
        write_mp4(tmp_path / "v.mp4", frames, timing, **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []

import av
import numpy as np
import pytest

from dnerv.video.picture import planes_of, upright_rgb, video_frame
from dnerv.video.planes import Planes

# (AVColorSpace code, Kr, Kb) of the matrices in ITU-R BT.601, BT.709 and BT.2020
MATRICES = [(1, 0.2126, 0.0722), (2, 0.299, 0.114), (5, 0.299, 0.114), (6, 0.299, 0.114), (9, 0.2627, 0.0593)]


def flat_frame(pixel_format: str, y: int, u: int, v: int) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, pixel_format)
    for plane, value in zip(frame.planes, (y, u, v), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def expected_rgb(y: int, u: int, v: int, kr: float, kb: float, full: bool) -> np.ndarray:
    luma = y / 255 if full else (y - 16) / 219
    blue, red = ((c - 128) / (255 if full else 224) for c in (u, v))
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return np.array([r, g, b]).clip(0, 1) * 255


@pytest.mark.parametrize(("code", "kr", "kb"), MATRICES)
@pytest.mark.parametrize(
    ("pixel_format", "color_range"), [("yuv420p", 0), ("yuv420p", 1), ("yuv420p", 2), ("yuvj420p", 0)]
)
@pytest.mark.parametrize("size", [(16, 16), (10, 22)])
def test_matrix_and_range_of_the_stream_are_used(
    code: int, kr: float, kb: float, pixel_format: str, color_range: int, size: tuple[int, int]
) -> None:
    frame = flat_frame(pixel_format, 120, 90, 200)
    frame.colorspace, frame.color_range = code, color_range
    full = color_range == 2 or pixel_format == "yuvj420p"
    rgb = upright_rgb(frame, size)
    assert rgb.shape == (*size, 3)
    assert np.abs(rgb - expected_rgb(120, 90, 200, kr, kb, full)).max() <= 1


@pytest.mark.parametrize("code", [3, 8, 10, 14])
def test_a_matrix_that_swscale_cannot_read_does_not_stop_the_video(code: int) -> None:
    frame = flat_frame("yuv420p", 120, 128, 128)
    frame.colorspace = code
    assert np.abs(upright_rgb(frame, (16, 16)).astype(int) - 121).max() <= 1


def test_to_yuv_and_back_is_the_same_colour() -> None:
    rgb = np.full((16, 16, 3), (200, 60, 30), np.uint8)
    frame = video_frame(rgb, "yuv420p", Planes("bt709", depth=8))
    assert (frame.colorspace, frame.color_range) == (1, 1)
    assert np.abs(upright_rgb(frame, (16, 16)).astype(int) - rgb).max() <= 2


@pytest.mark.parametrize(
    ("pixel_format", "code", "color_range", "planes"),
    [
        ("yuv420p", 2, 0, Planes("bt601", False, 8)),  # nothing said
        ("yuv420p", 1, 0, Planes("bt709", False, 8)),
        ("yuv422p", 5, 1, Planes("bt601", False, 8)),
        ("yuv444p", 6, 2, Planes("bt601", True, 8)),
        ("yuv420p", 4, 1, Planes("bt601", False, 8)),  # FCC, nearest to BT.601
        ("yuv420p", 7, 1, Planes("bt709", False, 8)),  # SMPTE 240M, nearest to BT.709
        ("yuv420p", 14, 1, Planes("bt601", False, 8)),  # ICtCp, which swscale takes for unspecified
        ("yuv420p10le", 10, 1, Planes("bt2020", False, 10)),
        ("yuv422p12le", 9, 2, Planes("bt2020", True, 10)),
        ("yuvj420p", 2, 0, Planes("bt601", True, 8)),
        ("gray", 2, 0, Planes("bt601", False, 8)),
        ("gbrp", 0, 2, Planes("bt709", False, 8)),
        ("gbrp10le", 0, 2, Planes("bt709", False, 10)),
        ("rgba", 2, 0, Planes("bt709", False, 8)),
        ("pal8", 2, 0, Planes("bt709", False, 8)),
    ],
)
def test_what_a_picture_says_of_its_planes(pixel_format: str, code: int, color_range: int, planes: Planes) -> None:
    frame = av.VideoFrame(16, 16, pixel_format)
    frame.colorspace, frame.color_range = code, color_range
    assert planes_of(frame) == planes


@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv444p10le", "yuv422p12le"])
def test_full_range_is_exact_beyond_eight_bits(pixel_format: str) -> None:
    frame = av.VideoFrame(16, 16, pixel_format)
    for plane, eighths in zip(frame.planes, (7, 4, 4), strict=True):
        value = eighths * 2 ** (frame.format.components[0].bits - 3)
        plane.update(np.full(plane.buffer_size // 2, value, "<u2").tobytes())
    frame.color_range = 2
    exact = 255 * value * 7 / 4 / (2 ** frame.format.components[0].bits - 1)
    assert np.abs(upright_rgb(frame, (16, 16)) - exact).max() < 0.75
    assert np.abs(upright_rgb(frame, (12, 20)) - exact).max() < 0.75

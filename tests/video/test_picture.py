import av
import numpy as np
import pytest

from dnerv.video.picture import upright_rgb, video_frame

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
    frame = video_frame(rgb, "yuv420p")
    assert (frame.colorspace, frame.color_range) == (1, 1)
    assert np.abs(upright_rgb(frame, (16, 16)).astype(int) - rgb).max() <= 2

import numpy as np
import pytest

from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (37, 140, 201)])
def test_flat_colours_are_exact_in_ten_bits(rgb):
    frame = np.broadcast_to(np.array(rgb, np.uint8), (16, 24, 3))
    converter = ColourConverter()
    assert (converter.to_rgb(converter.to_yuv(frame, "yuv420p10le")) == frame).all()


def test_planes_are_bt601_limited_range():
    """Red in BT.601, eight bits, limited range: Y 81, Cb 90, Cr 240."""
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    planes = ColourConverter().to_yuv(red, "yuv420p").to_ndarray()
    luma, blue, red_difference = planes[:16], planes[16:20], planes[20:]
    assert np.abs(luma.astype(int) - 81).max() <= 1
    assert np.abs(blue.astype(int) - 90).max() <= 1
    assert np.abs(red_difference.astype(int) - 240).max() <= 1


def test_grey_detail_survives():
    grey = np.random.default_rng(0).integers(0, 256, (32, 40, 1), np.uint8).repeat(3, axis=2)
    converter = ColourConverter()
    assert (converter.to_rgb(converter.to_yuv(grey, "yuv420p10le")) == grey).all()


def test_padding_repeats_the_edge_and_cropping_undoes_it():
    frame = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    padded = pad_frame(frame, 4, 8)
    assert (padded[:3, :5] == frame).all()
    assert (padded[3, :5] == frame[2]).all()
    assert (padded[:3, 7] == frame[:, 4]).all()


def test_padded_size():
    assert padded_size(17, 34) == (18, 34)
    assert padded_size(1, 64, smallest=4) == (4, 64)

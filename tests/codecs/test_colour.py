import numpy as np
import pytest

from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size
from dnerv.codecs.keyframes import Planes
from dnerv.video.planes import CODES

EVERY = [Planes(matrix, full_range, depth) for matrix in CODES for full_range in (False, True) for depth in (8, 10)]
KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def rgb_by_hand(picture, planes):
    """float [h/2, w/2, 3], one of four pixels, in [0, 255] where nothing overshoots, from the standards' equations."""
    samples, (height, width) = picture.to_ndarray().astype(np.float64), (picture.height, picture.width)
    luma, chroma = samples[:height:2, ::2], samples[height:].reshape(2, height // 2, width // 2)
    one, (kr, kb) = 2 ** (planes.depth - 8), KR_KB[planes.matrix]
    if planes.full_range:
        luma, chroma = luma / (256 * one - 1), (chroma - 128 * one) / (256 * one - 1)
    else:
        luma, chroma = (luma - 16 * one) / (219 * one), (chroma - 128 * one) / (224 * one)
    red, blue = luma + 2 * (1 - kr) * chroma[1], luma + 2 * (1 - kb) * chroma[0]
    return 255 * np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], axis=-1)


@pytest.mark.parametrize("planes", EVERY, ids=str)
def test_planes_are_those_of_the_standards(planes):
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    frame, converter = colours.repeat(32, 0).repeat(32, 1), ColourConverter(planes)
    picture = converter.to_yuv(frame)
    by_hand = rgb_by_hand(picture, planes)[8::16, 8::16]  # amid each patch, where filters see nothing else
    assert np.abs(by_hand - colours).max() < (2.2 if planes.depth == 8 else 0.8)
    again = converter.to_rgb(picture)[16::32, 16::32]
    assert np.abs(again - np.clip(by_hand, 0, 255)).max() < 1


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (37, 140, 201)])
def test_flat_colours_are_exact_in_ten_bits(rgb):
    frame = np.broadcast_to(np.array(rgb, np.uint8), (16, 24, 3))
    converter = ColourConverter()
    assert (converter.to_rgb(converter.to_yuv(frame)) == frame).all()


def test_planes_are_bt601_limited_range():
    """Red in BT.601, eight bits, limited range: Y 81, Cb 90, Cr 240."""
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    planes = ColourConverter(Planes(depth=8)).to_yuv(red).to_ndarray()
    luma, blue, red_difference = planes[:16], planes[16:20], planes[20:]
    assert np.abs(luma.astype(int) - 81).max() <= 1
    assert np.abs(blue.astype(int) - 90).max() <= 1
    assert np.abs(red_difference.astype(int) - 240).max() <= 1


def test_grey_detail_survives():
    grey = np.random.default_rng(0).integers(0, 256, (32, 40, 1), np.uint8).repeat(3, axis=2)
    converter = ColourConverter()
    assert (converter.to_rgb(converter.to_yuv(grey)) == grey).all()


def test_padding_repeats_the_edge_and_cropping_undoes_it():
    frame = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    padded = pad_frame(frame, 4, 8)
    assert (padded[:3, :5] == frame).all()
    assert (padded[3, :5] == frame[2]).all()
    assert (padded[:3, 7] == frame[:, 4]).all()


def test_padded_size():
    assert padded_size(17, 34) == (18, 34)
    assert padded_size(1, 64, smallest=4) == (4, 64)

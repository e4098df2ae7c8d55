"""Encoding, stem, encoder, fusion, temporal MLP, upsampling: each box alone."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from dnerv.families.dnerv.encoder import VisualContentEncoder
from dnerv.families.dnerv.fusion import SpatiallyAdaptiveFusion
from dnerv.families.dnerv.temporal import GlobalTemporalMLP, TemporalAttention, TemporalConvolution
from dnerv.families.stem import PositionalEncoding, Stem
from dnerv.families.upsampling import UpsampleBlock


def test_encoding_order_and_values() -> None:
    time = torch.tensor([[0.0, 0.5], [0.25, 1.0]])
    encoded = PositionalEncoding(1.25, 16)(time)
    assert encoded.shape == (2, 2, 32)
    for level in range(16):
        angle = 1.25**level * math.pi * time.double()
        torch.testing.assert_close(encoded[..., 2 * level].double(), angle.sin(), rtol=0, atol=2e-5)
        torch.testing.assert_close(encoded[..., 2 * level + 1].double(), angle.cos(), rtol=0, atol=2e-5)


def test_encoding_of_all_published_levels_is_bounded() -> None:
    encoded = PositionalEncoding(1.25, 240)(torch.linspace(0, 1, 7))
    assert encoded.shape == (7, 480)
    assert encoded.abs().max() <= 1
    torch.testing.assert_close(encoded[0, :4], torch.tensor([0.0, 1.0, 0.0, 1.0]))


def test_stem_is_channel_major() -> None:
    stem = Stem(1.25, 4, 5, 2, (3, 4))
    with torch.no_grad():
        stem.output.weight.zero_()
        stem.output.bias.copy_(torch.arange(24.0))
        made = stem(torch.zeros(1, 2))
    assert made.shape == (2, 2, 3, 4)
    torch.testing.assert_close(made[1], F.gelu(torch.arange(24.0)).view(2, 3, 4))


def test_encoder_gives_a_map_per_scale_and_the_keyframe_itself() -> None:
    keyframes = torch.rand(2, 3, 16, 32)
    maps = VisualContentEncoder(5, (4, 2, 2))(keyframes)
    assert [tuple(m.shape) for m in maps] == [(2, 5, 1, 2), (2, 5, 4, 8), (2, 5, 8, 16), (2, 3, 16, 32)]
    assert maps[-1] is keyframes


def test_encoder_of_half_the_resolution_sees_every_pixel() -> None:
    encoder = VisualContentEncoder(5, (4, 2), 2)
    keyframes = torch.rand(1, 3, 16, 32)
    maps = encoder(keyframes)
    assert [tuple(m.shape) for m in maps] == [(1, 5, 1, 2), (1, 5, 4, 8), (1, 3, 16, 32)]
    for y, x in [(0, 0), (3, 5), (15, 31)]:
        keyframes[0, 1, y, x] += 1
        assert not torch.equal(encoder(keyframes)[0], maps[0])
        keyframes[0, 1, y, x] -= 1


def test_fusion_takes_gamma_first() -> None:
    fusion = SpatiallyAdaptiveFusion(2, 3)
    with torch.no_grad():
        fusion.project.weight.zero_()
        fusion.project.bias.copy_(torch.tensor([0.5, 1.0, 2.0, 10.0, 20.0, 30.0]))
        made = fusion(torch.ones(1, 3, 2, 2), torch.rand(1, 2, 2, 2))
    assert made[0, :, 0, 0].tolist() == [11.5, 22.0, 33.0]


def test_temporal_mlp_is_a_grouped_convolution_over_time() -> None:
    layer = GlobalTemporalMLP(3, 4)
    x = torch.randn(8, 3, 2, 5)
    clips = x.view(2, 4, 3, 2, 5).transpose(1, 2).reshape(2, 12, 2, 5)
    mixed = F.conv2d(clips, layer.weight[..., None, None], layer.bias, groups=3)
    expected = x + mixed.view(2, 3, 4, 2, 5).transpose(1, 2).reshape(8, 3, 2, 5)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)
    channels_last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(channels_last), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kernel", "length"), [(1, 4), (3, 4), (7, 8), (11, 8), (11, 4), (3, 1)])
def test_temporal_convolution_is_the_framework_s(kernel: int, length: int) -> None:
    layer = TemporalConvolution(3, length, kernel)
    x = torch.randn(2 * length, 3, 2, 5)
    over_time = x.view(2, length, 3, 10).permute(0, 3, 2, 1).reshape(20, 3, length)
    mixed = F.conv1d(over_time, layer.weight[:, None], layer.bias, padding=kernel // 2, groups=3)
    expected = x + mixed.view(2, 10, 3, length).permute(0, 3, 2, 1).reshape(x.shape)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


def test_temporal_attention_is_softmax_over_the_frames_of_a_pixel() -> None:
    layer = TemporalAttention(8, 4)
    x = torch.randn(8, 8, 3, 5).contiguous(memory_format=torch.channels_last)
    made = layer(x)
    sequence = x[4:, :, 2, 1]  # the second clip, one pixel: (T, C)
    query, key, value = layer.enter(sequence).chunk(3, dim=1)
    weights = (query @ key.t() / 2**0.5).softmax(dim=1)  # two channels a head
    torch.testing.assert_close(made[4:, :, 2, 1], sequence + layer.leave(weights @ value), rtol=0, atol=1e-5)


def test_pixel_shuffle_order(plain: SimpleNamespace) -> None:
    block = UpsampleBlock(2, 3, 2)
    x = torch.randn(1, 2, 3, 4)
    expected = F.gelu(plain.shuffle(block.conv(x)[:, :, None], 2)[:, :, 0])
    torch.testing.assert_close(block(x), expected)
    with torch.no_grad():
        block.conv.weight.zero_()
        block.conv.bias.copy_(torch.arange(12.0))
    torch.testing.assert_close(block(x)[0, 1, :2, :2], F.gelu(torch.tensor([[4.0, 5.0], [6.0, 7.0]])))

"""D-NeRV and NeRV once more, transcribed from the paper in the plainest form, on the authors' names and shapes.

Three-dimensional convolutions, a loop over frames for the warp, nothing shared and nothing fused: the oracle of the
tests, and what the benchmarks compare with.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.families import ClipInputs, ClipRequest, DNeRVConfig, NeRVConfig, assemble
from dnerv.video import Timeline

State = dict[str, Tensor]


def _random_state(shapes: dict[str, tuple[int, ...]], seed: int) -> State:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        fan_in = math.prod(shape[1:])
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * fan_in**-0.5
        state[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return state


def authors_state(config: DNeRVConfig | NeRVConfig, seed: int = 0) -> State:
    """Random weights under the names and in the shapes of a published checkpoint."""
    area, levels = math.prod(config.grid), 2 * config.encoding_levels
    shapes: dict[str, tuple[int, ...]] = {
        "stem.mlp.0": (config.stem_channels, levels, 1),
        "stem.mlp.2": (area * config.base_channels, config.stem_channels, 1),
    }
    widths = [config.base_channels, 2 * config.base_channels]
    for stride in config.strides[1:]:
        widths.append(max(round(widths[-1] / stride), config.min_channels))
    if isinstance(config, NeRVConfig):
        for i, s in enumerate(config.strides):
            shapes[f"layers.{i}.conv"] = (widths[i + 1] * s * s, widths[i], 3, 3)
        return _random_state(shapes | {"head_layer": (3, widths[-1], 3, 3)}, seed)
    features, length = config.encoder_channels, config.clip_length
    widths[0] += features
    shapes["encoder.head.0"] = (features, 3, 1, 3, 3)
    for i, s in enumerate(reversed(config.strides)):
        shapes[f"encoder.body.{i}.0"] = (features, features, 1, s, s)
    for i, s in enumerate(config.strides):
        shapes[f"decoder_list.{i}.to_style.conv"] = (2 * widths[i], features, 1, 1, 1)
        shapes[f"decoder_list.{i}.conv"] = (widths[i + 1] * s * s, widths[i], 1, 3, 3)
        shapes[f"decoder_list.{i}.tfc"] = (widths[i + 1] * length, length, 1, 1)
    for i, width in enumerate(widths):
        shapes[f"flow_pred_list.{i}.conv.0"] = (width // 4, width, 1, 1, 1)
        shapes[f"flow_pred_list.{i}.conv.2"] = (4, width // 4, 1, 3, 3)
    shapes["rgb_head_layer.conv.0"] = ((widths[-1] + 3) // 4, widths[-1] + 3, 1, 1, 1)
    shapes["rgb_head_layer.conv.2"] = (3, (widths[-1] + 3) // 4, 1, 3, 3)
    return _random_state(shapes, seed)


def _stem(state: State, time: Tensor, grid: tuple[int, int]) -> Tensor:
    """time [B, T] -> [B, C0, T, h, w]."""
    levels = state["stem.mlp.0.weight"].shape[1] // 2
    waves = []
    for i in range(levels):
        angle = time * 1.25**i * math.pi
        waves += [angle.sin(), angle.cos()]
    x = torch.stack(waves, dim=1)  # [B, 2 * levels, T]
    x = F.gelu(F.conv1d(x, state["stem.mlp.0.weight"], state["stem.mlp.0.bias"]))
    x = F.gelu(F.conv1d(x, state["stem.mlp.2.weight"], state["stem.mlp.2.bias"]))
    return x.unflatten(1, (-1, *grid)).permute(0, 1, 4, 2, 3)


def _conv(state: State, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    padding = (0, 1, 1) if weight.shape[-1] == 3 else 0
    return F.conv3d(x, weight, state[f"{name}.bias"], stride=(1, stride, stride), padding=padding)


def shuffle(x: Tensor, s: int) -> Tensor:
    """Channel c * s * s + dy * s + dx of [B, C, T, H, W] goes to offset (dy, dx)."""
    out = x.new_empty(x.shape[0], x.shape[1] // (s * s), x.shape[2], x.shape[3] * s, x.shape[4] * s)
    for dy in range(s):
        for dx in range(s):
            out[..., dy::s, dx::s] = x[:, dy * s + dx :: s * s]
    return out


def _warp(features: Tensor, flow: Tensor) -> Tensor:
    """features [B, C, H, W], flow [B, 2, T, H, W] -> [B, C, T, H, W]."""
    rows, columns = features.shape[-2:]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    frames = []
    for t in range(flow.shape[2]):
        at = torch.stack(((x + flow[:, 0, t]) / (columns - 1), (y + flow[:, 1, t]) / (rows - 1)), dim=-1) * 2 - 1
        frames.append(F.grid_sample(features, at, mode="bilinear", padding_mode="border", align_corners=True))
    return torch.stack(frames, dim=2)


def paper_dnerv(state: State, config: DNeRVConfig, pairs: Tensor, clips: Sequence[int], num_frames: int) -> Tensor:
    """Clips by number of a video of `num_frames`, conditioned on pairs [B, 3, 2, H, W] -> [B, 3, T, H, W]."""
    length = config.clip_length
    start = torch.tensor(clips)[:, None] * length
    end = (start + length).clamp(max=num_frames - 1)
    frame = (start + torch.arange(length)).clamp(max=num_frames - 1)
    distance = ((frame - start) / (end - start).clamp(min=1))[:, None, :, None, None]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1, 1) for v in (config.mean, config.std))

    maps = [(pairs - mean) / std]
    y = F.gelu(_conv(state, "encoder.head.0", maps[0]))
    for i, s in enumerate(reversed(config.strides)):
        y = F.gelu(_conv(state, f"encoder.body.{i}.0", y, stride=s))
        maps.append(y)
    maps.reverse()

    x = _stem(state, frame / max(1, num_frames - 1), config.grid)
    entry = F.interpolate(maps[0], size=(length, *config.grid), mode="trilinear", align_corners=False)
    x = F.instance_norm(torch.cat((x, entry), dim=1))
    for i, s in enumerate([*config.strides, 0]):
        head = f"flow_pred_list.{i}.conv"
        flow = _conv(state, f"{head}.2", F.gelu(_conv(state, f"{head}.0", x)))
        forward, backward = _warp(maps[i][:, :, 0], flow[:, :2]), _warp(maps[i][:, :, 1], flow[:, 2:])
        fused = (1 - distance) * forward + distance * backward
        if s == 0:
            break
        gamma, beta = _conv(state, f"decoder_list.{i}.to_style.conv", fused).chunk(2, dim=1)
        x = F.gelu(shuffle(_conv(state, f"decoder_list.{i}.conv", x * (1 + gamma) + beta), s))
        tfc, bias = state[f"decoder_list.{i}.tfc.weight"], state[f"decoder_list.{i}.tfc.bias"]
        x = x + F.conv2d(x.flatten(1, 2), tfc, bias, groups=x.shape[1]).view_as(x)
    head = "rgb_head_layer.conv"
    rgb = _conv(state, f"{head}.2", F.gelu(_conv(state, f"{head}.0", torch.cat((x, fused), dim=1))))
    return (rgb * std + mean).clamp(0, 1)


def paper_nerv(state: State, config: NeRVConfig, time: Tensor) -> Tensor:
    """time [B, T] -> [B, T, 3, H, W]."""
    x = _stem(state, time, config.grid).transpose(1, 2).flatten(0, 1)
    for i, s in enumerate(config.strides):
        layer = f"layers.{i}.conv"
        x = F.conv2d(x, state[f"{layer}.weight"], state[f"{layer}.bias"], padding=1)
        x = F.gelu(shuffle(x[:, :, None], s)[:, :, 0])
    x = F.conv2d(x, state["head_layer.weight"], state["head_layer.bias"], padding=1)
    return ((x.tanh() + 1) / 2).unflatten(0, tuple(time.shape))


def smooth_keyframes(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """uint8 [count, 3, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    fine = F.interpolate(coarse, size, mode="bicubic", align_corners=True)
    return (fine.clamp(0, 1) * 255).to(torch.uint8)


def clip_inputs(config: DNeRVConfig | NeRVConfig, num_frames: int, clips: Sequence[int]) -> ClipInputs:
    """Clips of one video with the keyframes of `smooth_keyframes`."""
    timeline = Timeline(num_frames, config.clip_length, config.keyframe_every)
    keyframes = smooth_keyframes(timeline.num_keyframes, config.canvas)
    requests = []
    for clip in clips:
        conditioning = timeline.clip_conditioning(clip)
        first, last = int(conditioning.start.min()), int(conditioning.end.max())
        requests.append(ClipRequest(conditioning, first, keyframes[first : last + 1], (0.0, timeline.keyframe_every)))
    return assemble(requests)

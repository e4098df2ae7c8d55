"""Decoding speed on a processor: the fused path, in each precision, against the paper's transcription.

python benchmarks/decoding.py --width 107

Random weights, keyframes decoded already, their features made in every run. The floor is the decoder's convolutions and
nothing else, as fast as the library runs them.
"""

from __future__ import annotations

from collections.abc import Callable

import side_by_side  # first: it sets the process up
import torch
import transcription
from side_by_side import machine, race, show
from torch.nn import functional as F

from dnerv.engine import Decoder, Features, chosen_precision
from dnerv.families import DNeRVConfig, build_model, load_published_state

CPU = torch.device("cpu")


def main() -> None:
    """Parse, check, measure, print."""
    parser = side_by_side.parser(__doc__ or "")
    parser.add_argument("--width", type=int, default=107, help="C0 (107)")
    parser.add_argument("--clips", type=int, default=2, help="clips of 8 frames at 256x320 (2)")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    config = DNeRVConfig(base_channels=options.width)
    num_frames, clips = 8 * options.clips + 1, list(range(options.clips))
    candidates = {"transcription, 3-D": _transcription(config, clips, num_frames)}
    for precision in ("reference", "fp32", "bf16"):
        candidates[precision] = _decoder(config, clips, num_frames, precision)
    print(machine())
    _check(candidates)
    candidates |= {f"floor, {name}": _floor(config, 8 * options.clips, dtype) for name, dtype in _DTYPES.items()}
    seconds = race(candidates, repeats=options.repeats)
    show(seconds, work=8 * options.clips, unit="frames/s", reference="transcription, 3-D")


_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _transcription(config: DNeRVConfig, clips: list[int], num_frames: int) -> Callable[[], torch.Tensor]:
    state, inputs = transcription.authors_state(config), transcription.clip_inputs(config, num_frames, clips)
    pairs = torch.stack(
        [
            torch.stack((inputs.keyframes[s], inputs.keyframes[e]), 1)
            for s, e in zip(inputs.start[:, 0], inputs.end[:, 0], strict=True)
        ]
    )
    return lambda: transcription.paper_dnerv(state, config, pairs, clips, num_frames).transpose(1, 2)


def _decoder(config: DNeRVConfig, clips: list[int], num_frames: int, precision: str) -> Callable[[], torch.Tensor]:
    """Clip by clip and every keyframe once, as an archive is read."""
    inputs = [transcription.clip_inputs(config, num_frames, [clip]) for clip in clips]
    keyframes = transcription.smooth_keyframes(len(clips) + 1, config.canvas)
    model = build_model(config)
    load_published_state(model, transcription.authors_state(config), config)
    decoder = Decoder(model, CPU, chosen_precision(precision, CPU))
    if not decoder.shares_features:
        return lambda: torch.cat([decoder.decode(clip) for clip in inputs])

    def decode() -> torch.Tensor:
        features = [decoder.encode(keyframe[None]) for keyframe in keyframes]
        pairs = [Features.join(features[clip : clip + 2]) for clip in clips]
        return torch.cat([decoder.decode(clip, pair) for clip, pair in zip(inputs, pairs, strict=True)])

    return decode


def _floor(config: DNeRVConfig, frames: int, dtype: torch.dtype) -> Callable[[], object]:
    """The 3x3 convolutions of the decoder blocks, on inputs that are there already."""
    widths, (height, width) = (config.entry_channels, *config.stage_channels), config.grid
    layers = []
    for before, after, stride in zip(widths, widths[1:], config.strides, strict=False):
        x = torch.randn(frames, before, height, width).to(dtype).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(after * stride**2, before, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
        layers.append((x, weight))
        height, width = height * stride, width * stride
    return lambda: [F.conv2d(x, weight, padding=1) for x, weight in layers]


def _check(candidates: dict[str, Callable[[], torch.Tensor]]) -> None:
    frames = {name: make() for name, make in candidates.items()}
    expected = frames["reference"]
    for name, made in frames.items():
        error = (made - expected).abs().max().item()
        psnr = -10 * torch.log10((made - expected).square().mean() + 1e-20).item()
        print(f"{name:28} differs from the plain modules by {error:.1e} at most, {psnr:.0f} dB")


if __name__ == "__main__":
    main()

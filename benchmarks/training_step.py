"""Speed of a training step on a processor: the fused path against the paper's transcription.

python benchmarks/training_step.py                # C0 = 107, 256x320, 16 frames a step
python benchmarks/training_step.py --small        # about 30,000 parameters at 128x160

A step is forward, loss, backward and AdamW. The loss is the paper's, 0.7 L1 + 0.3 (1 - SSIM), the SSIM of the
transcription that of pytorch-msssim; the small networks train on the logarithm of the MSE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import side_by_side  # first: it sets the process up
import torch
import transcription
from pytorch_msssim import ssim
from side_by_side import machine, race, show
from torch import Tensor

from dnerv.engine import FusedDNeRV
from dnerv.families import DNeRVConfig, build_model, compact_dnerv, count_parameters
from dnerv.training.losses import LossName, frame_loss


def main() -> None:
    """Parse, measure, print."""
    parser = side_by_side.parser(__doc__ or "")
    parser.add_argument("--small", action="store_true", help="the small network instead of the paper's")
    parser.add_argument("--clips", type=int, default=2, help="clips of 8 frames a step (2)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_flush_denormal(True)  # as the trainer does
    print(machine())
    clips = list(range(options.clips))
    if options.small:
        paper = DNeRVConfig(
            6,
            strides=(4, 2, 2, 2),
            grid=(4, 5),
            min_channels=8,
            encoder_channels=12,
            stem_channels=32,
            encoding_levels=20,
        )
        compact = compact_dnerv(6, (128, 160), clip_length=8, keyframe_every=8)
        print(f"paper's form: {count_parameters(paper):,} parameters; ours: {count_parameters(compact):,}")
        candidates = _candidates(paper, clips, "log-mse", "paper's form, ") | _candidates(compact, clips, "log-mse", "")
        reference = "paper's form, transcription, 3-D"
    else:
        candidates = _candidates(DNeRVConfig(base_channels=107), clips, "l1-ssim", "")
        reference = "transcription, 3-D"
    show(race(candidates, repeats=options.repeats), work=8 * options.clips, unit="frames/s", reference=reference)


def _candidates(config: DNeRVConfig, clips: list[int], loss: LossName, prefix: str) -> dict[str, Callable[[], object]]:
    inputs = transcription.clip_inputs(config, 8 * len(clips) + 1, clips)
    wanted = torch.rand(8 * len(clips), 3, *config.canvas)
    mask = torch.ones(len(wanted), dtype=torch.bool)
    candidates: dict[str, Callable[[], object]] = {}

    def ours(made: Tensor) -> Tensor:
        return frame_loss(loss, made, wanted, mask)

    def published(made: Tensor) -> Tensor:
        return 0.7 * (made - wanted).abs().mean() + 0.3 * (1 - ssim(made, wanted, data_range=1.0))

    if config.head == "paper":
        state = {name: value.requires_grad_() for name, value in transcription.authors_state(config).items()}
        pairs = torch.stack(
            [
                torch.stack((inputs.keyframes[s], inputs.keyframes[e]), 1)
                for s, e in zip(inputs.start[:, 0], inputs.end[:, 0], strict=True)
            ]
        )

        def transcribed() -> Tensor:
            made = transcription.paper_dnerv(state, config, pairs, clips, 8 * len(clips) + 1)
            return made.transpose(1, 2).flatten(0, 1)

        candidates[f"{prefix}transcription, 3-D"] = _step(
            transcribed, state.values(), published if loss == "l1-ssim" else ours
        )
    for name in ("plain modules", "fp32", "bf16"):
        torch.manual_seed(0)
        model = build_model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network = model if name == "plain modules" else FusedDNeRV(model, _DTYPES[name])
        forward = lambda network=network: network(inputs).flatten(0, 1)  # noqa: E731
        candidates[f"{prefix}{name}"] = _step(forward, model.parameters(), ours)
    return candidates


_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _step(
    forward: Callable[[], Tensor], parameters: Iterable[Tensor], loss: Callable[[Tensor], Tensor]
) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(list(parameters), lr=5e-4, weight_decay=0.0, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(forward()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


if __name__ == "__main__":
    main()

"""What a prior gains on held-out videos, in dB over the base layer, and how fast it runs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from prior.model import CONDITIONS, SHOWN, Prior
from prior.pairs import WINDOW, Pair
from prior.samples import Samples
from torch import Tensor

Row = dict[str, Any]


def gains(prior: Prior, pairs: Sequence[Pair], samples: Samples, *, bf16: bool = False) -> list[Row]:
    """A row per group, distance of coded frames, and crf: means over all frames, restored ones in whole levels."""
    sums: dict[tuple[str, int, float], list[Tensor]] = defaultdict(list)
    bits: dict[tuple[str, int, float], list[float]] = defaultdict(list)
    with torch.inference_mode(), autocast(samples.device, bf16):
        for pair in pairs:
            batch = samples.all_of(pair)
            restored = prior(batch.shown, batch.conditions).clamp(0, 1).mul(255).round() / 255
            base, better = (_psnr(frames, batch.wanted) for frames in (batch.shown[:, 0], restored))
            key = (pair.job.group, pair.job.step, pair.job.crf)
            sums[key].append(torch.stack((base, better, batch.conditions[:, 1]), dim=1))
            bits[key].append(pair.bits_per_pixel)
    rows = []
    for (group, step, crf), parts in sorted(sums.items()):
        base, better, is_blend = torch.cat(parts).double().unbind(1)
        gain = better - base
        row: Row = {"group": group, "step": step, "crf": crf, "frames": len(gain), "videos": len(parts)}
        row |= {"bits_per_pixel": sum(bits[group, step, crf]) / len(parts), "base": base.mean().item()}
        row |= {"gain": gain.mean().item(), "coded": gain[is_blend == 0].mean().item()}
        rows.append(row | ({"blends": gain[is_blend > 0].mean().item()} if step > 1 else {}))
    return rows


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Mean gain over crfs by group and distance: "davis 1" and so on."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        found[f"{row['group']} {row['step']}"].append(row["gain"])
    return {name: sum(values) / len(values) for name, values in found.items()}


def frames_per_second(prior: Prior, device: torch.device, *, batch: int, repeats: int = 10) -> float:
    """Of the network alone, on frames that are there already, in bf16 on an accelerator."""
    shown = torch.rand(batch, SHOWN, 3, *WINDOW, device=device)
    conditions = torch.rand(batch, CONDITIONS, device=device)
    with torch.inference_mode(), autocast(device, True):
        for turn in range(repeats + 2):
            if turn == 2:
                _wait(device)
                started = time.perf_counter()
            prior(shown, conditions)
        _wait(device)
    return batch * repeats / (time.perf_counter() - started)


def autocast(device: torch.device, enabled: bool) -> AbstractContextManager[object]:
    """bf16 where the device is an accelerator."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and device.type != "cpu")


def _psnr(frames: Tensor, wanted: Tensor) -> Tensor:
    return -10 * torch.log10((frames - wanted).square().mean((1, 2, 3)) + 1e-9)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()

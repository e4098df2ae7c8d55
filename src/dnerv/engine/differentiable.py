"""A network ready to train, whatever its family and precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dnerv.engine.fused import FusedDNeRV, is_fused
from dnerv.families import ClipInputs


class Differentiable:
    """Frames with gradients in the parameters of `model`: through the fused path where there is one."""

    def __init__(self, model: nn.Module, precision: Literal["reference", "fp32", "bf16", "fp16"]) -> None:
        """`precision`: of activations; parameters and their gradients are as they are. reference: no fused path."""
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        self._network, self._prefix, self._autocast = model, "", None if dtype == torch.float32 else dtype
        if precision != "reference" and is_fused(model):
            self._network, self._prefix, self._autocast = FusedDNeRV(model, dtype), "model.", None

    def __call__(self, inputs: ClipInputs, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """-> [B, T, 3, H, W], RGB in [0, 1].

        `weights`: by parameter name, used in place of the model's own.
        """
        with torch.autocast(inputs.time.device.type, self._autocast, enabled=self._autocast is not None):
            if weights is None:
                made: Tensor = self._network(inputs)
            else:
                named = {self._prefix + name: weight for name, weight in weights.items()}
                made = functional_call(self._network, named, (inputs,))
        return made

"""A network ready to decode, whatever its family, device and precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnerv.engine.features import Features
from dnerv.engine.folding import Folded, fold
from dnerv.engine.fused import FusedDNeRV, is_fused
from dnerv.engine.precision import ChosenPrecision
from dnerv.families import ClipInputs

_DTYPES = {"reference": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Decoder:
    """Frames of clips from one network: through the fused path where there is one and `precision` is not reference."""

    def __init__(self, model: nn.Module, device: torch.device, precision: ChosenPrecision = "fp32") -> None:
        """Put `model` on `device` and arrange its weights once.

        `precision`: fp32 equals the plain modules of `dnerv.families` to 1e-4; bf16 and fp16 are faster for large
        networks and less exact; reference runs the plain modules themselves.
        """
        self.device, self.precision, self.dtype = device, precision, _DTYPES[precision]
        self.model = model.to(device).eval().requires_grad_(False)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._fused: FusedDNeRV | None = None
        self._folded: Folded | None = None
        if self.precision != "reference" and is_fused(model):
            self._fused = FusedDNeRV(model, self.dtype)
            with torch.inference_mode():
                self._folded = fold(model, self.dtype)

    @property
    def shares_features(self) -> bool:
        """Whether `encode` is worth calling: the features of a keyframe serve every clip that uses it."""
        return self._fused is not None

    def encode(self, keyframes: Tensor) -> Features:
        """Keyframes uint8 [M, 3, H, W] to what `decode` needs of them, on the device."""
        assert self._fused is not None
        assert self._folded is not None
        with torch.inference_mode():
            rgb = (keyframes.to(self.device, non_blocking=True).float() / 255).contiguous()
            return self._fused.encode(rgb, self._folded)

    def decode(self, inputs: ClipInputs, features: Features | None = None) -> Tensor:
        """-> float32 [B, T, 3, H, W], RGB in [0, 1], on the device.

        `features`: of the keyframes that `start` and `end` count; with them `inputs.keyframes` is not read.
        """
        inputs = inputs.to(self.device)
        with torch.inference_mode():
            if self._fused is None:
                return self._plain(inputs)
            assert self._folded is not None
            if features is None:
                features = self._fused.encode(inputs.keyframes.contiguous(), self._folded)
            return self._fused.decode(inputs, features, self._folded)

    def _plain(self, inputs: ClipInputs) -> Tensor:
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            frames: Tensor = self.model(inputs)
        return frames.float()

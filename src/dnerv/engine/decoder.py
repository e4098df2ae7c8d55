"""A network ready to decode, whatever its family, device and precision."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from dnerv.engine.features import Features
from dnerv.engine.folding import Folded, fold
from dnerv.engine.fused import FusedDNeRV
from dnerv.errors import InputError
from dnerv.model import ClipInputs, DNeRV

ChosenPrecision = Literal["reference", "fp32", "bf16", "fp16"]
Precision = Literal["auto", ChosenPrecision]
PRECISIONS: tuple[Precision, ...] = ("auto", *get_args(ChosenPrecision))
_DTYPES = {"reference": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Decoder:
    """Frames of clips from a network; one for all clips of an archive.

    `precision`: fp32 equals the plain modules of `dnerv.model` to 1e-4; bf16 and fp16 are faster and less exact; auto
    is the fastest that the device computes in; reference runs the plain modules themselves.
    """

    def __init__(self, model: nn.Module, device: torch.device, precision: Precision = "fp32") -> None:
        """Put `model` on `device` and arrange its weights once. Raises InputError for an unknown precision."""
        self.device, self.precision = device, chosen_precision(precision, device)
        self.dtype = _DTYPES[self.precision]
        self.model = model.to(device).eval().requires_grad_(False)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._fused: FusedDNeRV | None = None
        self._folded: Folded | None = None
        if isinstance(model, DNeRV) and model.encoder is not None and self.precision != "reference":
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


def chosen_precision(precision: str, device: torch.device) -> ChosenPrecision:
    """What the name of a precision stands for on `device`: itself, or a choice for "auto". InputError if unknown."""
    if precision == "auto":
        return "bf16" if computes_in_bf16(device) else "fp32"
    for known in get_args(ChosenPrecision):
        if precision == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"precision is {precision!r}; known: {', '.join(PRECISIONS)}")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 arithmetic is native to the device, and so faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

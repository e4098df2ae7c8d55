"""In which arithmetic a network runs, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from dnerv.errors import InputError

if TYPE_CHECKING:
    import torch

ChosenPrecision = Literal["reference", "fp32", "bf16", "fp16"]
Precision = Literal["auto", ChosenPrecision]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def chosen_precision(precision: str, device: torch.device) -> ChosenPrecision:
    """What the name of a precision stands for on `device`: itself, or a choice for "auto". InputError if unknown."""
    if precision == "auto":
        return fastest_precision(device)
    for known in get_args(ChosenPrecision):
        if precision == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"precision is {precision!r}; known: {', '.join(PRECISIONS)}")


def fastest_precision(device: torch.device) -> Literal["fp32", "bf16"]:
    """bf16 where `device` computes in it, else fp32."""
    return "bf16" if computes_in_bf16(device) else "fp32"


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 arithmetic is native to the device, and so faster than float32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

"""What may be chosen when an archive is opened. Torch is imported where a choice needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from dnerv.errors import ArgumentError, InputError

if TYPE_CHECKING:
    import torch

    from dnerv.engine import ChosenPrecision, Precision

Layers = Literal["all", "base"]
DimensionOrder = Literal["NCHW", "NHWC"]
_ORDERS = get_args(DimensionOrder)


def checked_device(device: str | torch.device) -> torch.device:
    """The device of this name. Raises InputError where there is none."""
    import torch

    try:
        chosen = torch.device(device)
    except RuntimeError:  # which lists all that torch has ever been built for
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise InputError(f"device is {str(device)!r}; use 'cpu', 'cuda' or 'cuda:N'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device is {str(device)!r}; this machine's torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return chosen


def checked_device_name(device: str | torch.device) -> str:
    """The name of a device, "cpu" or "cuda:1". Raises InputError where there is none."""
    return "cpu" if device == "cpu" else str(checked_device(device))  # an index is read without torch


def checked_precision(precision: Precision, device: str) -> ChosenPrecision:
    """The precision that is meant on a device of this name. Raises InputError for one that is not known."""
    if precision == "fp32":
        return precision  # what a base layer needs no other package for
    from dnerv.engine import chosen_precision

    return chosen_precision(precision, checked_device(device))


def checked_dimension_order(order: DimensionOrder) -> DimensionOrder:
    """The order. Raises ArgumentError (a ValueError) for one that is not known."""
    if order not in _ORDERS:
        raise ArgumentError(f"dimension_order is {order!r}; use 'NCHW' or 'NHWC'")
    return order

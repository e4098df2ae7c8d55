"""D-NeRV decoded by OpenVINO on the CPU, the extra dnerv[fast]: convolutions in bfloat16 or in 8 bits.

Importing this room does not import OpenVINO; opening a decoder does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from torch import nn

from dnerv.engine.fused import is_fused
from dnerv.errors import InputError
from dnerv.families import ClipInputs

if TYPE_CHECKING:
    from dnerv.engine.openvino.decoder import OpenVINODecoder

OpenVINOPrecision = Literal["openvino-fp32", "openvino-bf16", "openvino-int8"]
OPENVINO_PRECISIONS: tuple[OpenVINOPrecision, ...] = get_args(OpenVINOPrecision)

__all__ = ["OPENVINO_PRECISIONS", "OpenVINOPrecision", "open_decoder"]


def open_decoder(
    model: nn.Module,
    precision: OpenVINOPrecision = "openvino-bf16",
    calibration: Callable[[], Sequence[ClipInputs]] | None = None,
) -> OpenVINODecoder:
    """A decoder of `model`, compiled, which takes a second or two.

    Args:
        model: a D-NeRV that the fused path serves (`is_fused`).
        precision: openvino-int8 keeps the widest activations in 8 bits, the rest in bfloat16 where the processor has
            it, else in float32.
        calibration: gives a few typical batches of clips; called once, by openvino-int8 alone, and needed there. The
            same clips make the same decoder.

    Raises:
        InputError: OpenVINO is not installed, the precision is unknown or not this processor's, the network is not
            such a one, or there is nothing to calibrate 8 bits on.
    """
    if precision not in OPENVINO_PRECISIONS:
        raise InputError(f"precision is {precision!r}; OpenVINO's are: {', '.join(OPENVINO_PRECISIONS)}")
    if not is_fused(model):
        raise InputError(
            f"{precision} decodes networks with keyframes; this one, {type(model).__name__}, has none, or parts "
            "that the fused path does not know"
        )
    try:
        from dnerv.engine.openvino.decoder import OpenVINODecoder
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "openvino":
            raise
        raise InputError(f"{precision} needs OpenVINO: pip install 'dnerv[fast]'") from None
    return OpenVINODecoder(model, precision, calibration)

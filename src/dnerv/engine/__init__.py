"""The networks computed fast: `dnerv.families` is the reference, forward and gradient.

Needs torch and numpy alone, as the reference does.
"""

from dnerv.engine.decoder import Decoder
from dnerv.engine.differentiable import Differentiable
from dnerv.engine.features import Features
from dnerv.engine.fused import FusedDNeRV, is_fused
from dnerv.engine.precision import (
    PRECISIONS,
    ChosenPrecision,
    Precision,
    chosen_precision,
    computes_in_bf16,
    fastest_precision,
)

__all__ = [
    "PRECISIONS",
    "ChosenPrecision",
    "Decoder",
    "Differentiable",
    "Features",
    "FusedDNeRV",
    "Precision",
    "chosen_precision",
    "computes_in_bf16",
    "fastest_precision",
    "is_fused",
]

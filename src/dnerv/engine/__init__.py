"""The networks computed fast: `dnerv.model` is the reference, forward and gradient.

Needs torch and numpy alone, as the reference does.
"""

from dnerv.engine.decoder import PRECISIONS, ChosenPrecision, Decoder, Precision, chosen_precision, computes_in_bf16
from dnerv.engine.differentiable import Differentiable
from dnerv.engine.features import Features
from dnerv.engine.fused import FusedDNeRV

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
]

"""The networks computed fast: `dnerv.families` is the reference, forward and gradient.

Needs torch and numpy alone, as the reference does.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
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

__getattr__ = imports_on_use(
    __name__,
    {
        "PRECISIONS": "precision",
        "ChosenPrecision": "precision",
        "Decoder": "decoder",
        "Differentiable": "differentiable",
        "Features": "features",
        "FusedDNeRV": "fused",
        "Precision": "precision",
        "chosen_precision": "precision",
        "computes_in_bf16": "precision",
        "fastest_precision": "precision",
        "is_fused": "fused",
    },
)

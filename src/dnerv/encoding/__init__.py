"""Where everything below meets: a corpus becomes an archive."""

from typing import TYPE_CHECKING

from dnerv.encoding.options import EncodeOptions
from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.encoding.pipeline import EncodeResult, encode
    from dnerv.encoding.prior_options import PriorOptions
    from dnerv.encoding.prior_training import train_prior
    from dnerv.encoding.training_stage import follow

__all__ = [
    "EncodeOptions",
    "EncodeResult",
    "PriorOptions",
    "encode",
    "follow",
    "train_prior",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "EncodeResult": "pipeline",
        "PriorOptions": "prior_options",
        "encode": "pipeline",
        "follow": "training_stage",
        "train_prior": "prior_training",
    },
)

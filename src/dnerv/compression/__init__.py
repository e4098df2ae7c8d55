"""Where everything below meets: a corpus becomes an archive."""

from dnerv.compression.options import EncodeOptions
from dnerv.compression.pipeline import EncodeListener, EncodeResult, encode
from dnerv.compression.training_stage import follow

__all__ = ["EncodeListener", "EncodeOptions", "EncodeResult", "encode", "follow"]

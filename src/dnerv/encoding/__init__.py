"""Where everything below meets: a corpus becomes an archive."""

from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.pipeline import EncodeListener, EncodeResult, encode
from dnerv.encoding.training_stage import follow

__all__ = ["EncodeListener", "EncodeOptions", "EncodeResult", "encode", "follow"]

"""Names of before, for as long as studies use them: see `dnerv.codecs`."""

from collections.abc import Iterator
from pathlib import Path

from dnerv.codecs import CODECS, Codec, Frame


def decode_file(path: Path, height: int, width: int) -> Iterator[Frame]:
    """`Codec.decode_file`, of the codec that the file's name says."""
    return _of(path).decode_file(path, height, width)


def _of(path: Path) -> Codec:
    return {codec.suffix: codec for codec in CODECS.values()}[path.suffix]

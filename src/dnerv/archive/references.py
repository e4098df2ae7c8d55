"""Pictures that many groups start from: stored once, named by the hash of their bytes.

A group's packets are valid only after the very bytes of its reference. To make these bytes again, an encoder needs the
picture that they were made from: it is the *seed*, a packet of its own, decoded. An archive without seeds is sealed: what
is added to it later finds references of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from dnerv.bitstream.integers import Cursor, decode_integers, encode_integers
from dnerv.errors import ArchiveError

DIGEST_BYTES = 8
_MOST = 1 << 22


@dataclass(frozen=True)
class Reference:
    """Where a reference picture lies, and what it is."""

    digest: bytes  # blake2b of its packet, `DIGEST_BYTES` long
    height: int  # of the coded picture, pixels
    width: int
    format: int  # place in the configuration's list of formats
    crf: float  # that it was coded with, as every group that starts from it
    preset: int
    offset: int  # of its packet in the file
    length: int  # bytes
    seed_offset: int
    seed_length: int  # bytes, 0 where there is no seed


def digest_of(packet: bytes) -> bytes:
    """The name of a reference."""
    return blake2b(packet, digest_size=DIGEST_BYTES).digest()


_COLUMNS = ("height", "width", "format", "preset", "offset", "length", "seed_offset", "seed_length")


def encode_references(references: Sequence[Reference]) -> bytes:
    """The section `REFS`."""
    columns = [[getattr(reference, name) for reference in references] for name in _COLUMNS]
    quarters = [round(4 * reference.crf) for reference in references]
    integers = b"".join(encode_integers(column) for column in [[len(references)], *columns, quarters])
    return b"".join(reference.digest for reference in references) + integers


def decode_references(data: bytes, count: int) -> tuple[Reference, ...]:
    """Inverse of `encode_references`, for `count` of them. Raises ArchiveError for anything else."""
    start = DIGEST_BYTES * count
    if not 0 <= count <= _MOST or start >= len(data):
        raise ArchiveError("the archive's references are damaged: there are not as many as it says")
    cursor = Cursor(decode_integers(data[start:]))
    if cursor.one() != count:
        raise ArchiveError("the archive's references are damaged: their numbers differ")
    columns = {name: cursor.take(count).tolist() for name in _COLUMNS}
    crf = [quarters / 4 for quarters in cursor.take(count).tolist()]
    cursor.check_end()
    digests = [data[DIGEST_BYTES * i : DIGEST_BYTES * (i + 1)] for i in range(count)]
    if len(set(digests)) < count:
        raise ArchiveError("the archive's references are damaged: one stands twice")
    return tuple(
        Reference(digest, crf=crf[i], **{name: column[i] for name, column in columns.items()})
        for i, digest in enumerate(digests)
    )

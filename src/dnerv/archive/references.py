"""Pictures that many groups start from: stored once, named by the hash of their bytes.

A group's packets are valid only after the very bytes of its reference. To make these bytes again, an encoder needs the
picture that they were made from: it is the *seed*, another packet, decoded. What an encoding stores has none, since the
best reference is made from a frame of the corpus itself. The first time that videos are added, a reference is made of
the decoded one; its seed is the packet that is there already, and later additions find it ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from dnerv.archive.entry import MAX_PIXELS, MAX_SIDE
from dnerv.archive.limits import CODED_PIXELS, Bounds
from dnerv.bitstream.integers import Cursor, decode_integers, encode_integers
from dnerv.errors import ArchiveError

DIGEST_BYTES = 8
_MAX_PRESET, _MAX_CRF4 = 255, 1023


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
    seed_offset: int  # may be that of another reference's packet: the same bytes
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


def decode_references(data: bytes, bounds: Bounds) -> tuple[Reference, ...]:
    """Inverse of `encode_references`, for as many as `bounds` has. Raises ArchiveError for anything else."""
    count = bounds.num_references
    start = DIGEST_BYTES * count
    if start >= len(data):
        raise ArchiveError("the archive's references are damaged: there are not as many as it says")
    cursor = Cursor(decode_integers(data[start:]))
    if cursor.one() != count:
        raise ArchiveError("the archive's references are damaged: their numbers differ")
    columns = {name: cursor.take(count).tolist() for name in _COLUMNS}
    quarters = cursor.take(count).tolist()
    cursor.check_end()
    digests = [data[DIGEST_BYTES * i : DIGEST_BYTES * (i + 1)] for i in range(count)]
    if len(set(digests)) < count:
        raise ArchiveError("the archive's references are damaged: one stands twice")
    if max(quarters, default=0) > _MAX_CRF4:
        raise ArchiveError(f"the archive's references are damaged: a crf is above {_MAX_CRF4 / 4}")
    references = tuple(
        Reference(digest, crf=quarters[i] / 4, **{name: column[i] for name, column in columns.items()})
        for i, digest in enumerate(digests)
    )
    for place, reference in enumerate(references):
        _check(place, reference, bounds)
    return references


def _check(place: int, reference: Reference, bounds: Bounds) -> None:
    height, width = reference.height, reference.width
    if not (min(height, width) >= 1 and max(height, width) <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise ArchiveError(f"the archive's reference {place} is a picture of {height}x{width}")
    bounds.limits.check(CODED_PIXELS, height * width)
    if reference.format >= bounds.num_formats or reference.preset > _MAX_PRESET:
        raise ArchiveError(f"the archive's reference {place} is of a format that the archive does not describe")
    bounds.check_span(f"reference {place}", reference.offset, max(1, reference.length))
    if reference.seed_length:
        bounds.check_span(f"the seed of reference {place}", reference.seed_offset, reference.seed_length)

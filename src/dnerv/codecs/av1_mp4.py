"""The part of an mp4 file that stands before its AV1 packets (ISO/IEC 14496-12, and AV1's binding to it).

It follows from the packets' lengths alone, so that a file can be served from any byte on before a packet was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from struct import pack

import numpy as np

from dnerv.codecs.frame_header import SequenceHeader
from dnerv.codecs.keyframes import Planes
from dnerv.errors import InputError
from dnerv.video.planes import CODES

_LARGEST = 2**32 - 1  # of a sample's bytes and ticks
_MATRIX = pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)  # pictures are shown as they are
_NOT_NAMED = 0x55C4  # language "und"


def mp4_head(
    sequence: SequenceHeader,
    header: bytes,
    planes: Planes,
    *,
    shown_size: tuple[int, int],
    lengths: Sequence[int],
    durations: Sequence[int],
    syncs: Sequence[int],
    time_base: Fraction,
) -> bytes:
    """All bytes of a file before the samples, which follow back to back.

    Args:
        sequence, header: the stream's sequence header, read, and its OBU.
        planes: what its samples mean.
        shown_size: height, width in pixels that a player gives the picture.
        lengths: bytes of each sample. durations: of each, in units of the time base.
        syncs: samples that decoding can begin at, from 0.
        time_base: seconds.

    Raises:
        InputError: lengths or durations that the format has no place for.
    """
    ticks = time_base.numerator * np.asarray(durations, np.float64)
    if max(lengths) > _LARGEST or ticks.max() > _LARGEST or max(sequence.width, sequence.height) >= 1 << 16:
        raise InputError("a frame is too large, or shown for too long, for mp4")
    durations = [time_base.numerator * duration for duration in durations]
    length = sum(durations)
    entry = _sample_entry(sequence, header, planes, shown_size)

    def moov(first_byte: int) -> bytes:
        samples = _box(
            b"stbl",
            _full_box(b"stsd", pack(">I", 1) + entry),
            _full_box(b"stts", _counted([pack(">II", len(list(run)), ticks) for ticks, run in groupby(durations)])),
            _full_box(b"stss", pack(">I", len(syncs)) + (np.asarray(syncs) + 1).astype(">u4").tobytes()),
            _full_box(b"stsc", _counted([pack(">III", 1, len(lengths), 1)])),
            _full_box(b"stsz", pack(">II", 0, len(lengths)) + np.asarray(lengths, ">u4").tobytes()),
            _full_box(b"co64", _counted([pack(">Q", first_byte)])),
        )
        there = _box(b"dinf", _full_box(b"dref", _counted([_full_box(b"url ", b"", flags=1)])))
        kind = _full_box(b"hdlr", pack(">I4s12x", 0, b"vide") + b"video\0")
        clock = _full_box(b"mdhd", pack(">QQIQHH", 0, 0, time_base.denominator, length, _NOT_NAMED, 0), version=1)
        media = _box(b"mdia", clock, kind, _box(b"minf", _full_box(b"vmhd", bytes(8), flags=1), there, samples))
        size = pack(">II", shown_size[1] << 16, shown_size[0] << 16)
        track = pack(">QQIIQ8xHHHH", 0, 0, 1, 0, length, 0, 0, 0, 0) + _MATRIX + size
        movie = pack(">QQIQIH10x", 0, 0, time_base.denominator, length, 1 << 16, 1 << 8) + _MATRIX + bytes(24)
        return _box(
            b"moov",
            _full_box(b"mvhd", movie + pack(">I", 2), version=1),
            _box(b"trak", _full_box(b"tkhd", track, version=1, flags=3), media),
        )

    start = _box(b"ftyp", b"isom" + pack(">I", 0) + b"isomiso6av01mp41")
    first_byte = len(start) + len(moov(0)) + 16
    return start + moov(first_byte) + pack(">I4sQ", 1, b"mdat", 16 + sum(lengths))


def _sample_entry(sequence: SequenceHeader, header: bytes, planes: Planes, shown_size: tuple[int, int]) -> bytes:
    bits = sequence.tier << 7 | sequence.high_bitdepth << 6 | 0b1100 | sequence.chroma_sample_position  # 4:2:0
    codes = CODES[planes.matrix]
    parts = [
        _box(b"av1C", bytes([0x81, sequence.level, bits, 0]) + header),
        _box(b"colr", pack(">4sHHHB", b"nclx", *codes, planes.full_range << 7)),
    ]
    aspect = Fraction(shown_size[1] * sequence.height, shown_size[0] * sequence.width)
    if aspect != 1:
        parts.append(_box(b"pasp", pack(">II", aspect.numerator, aspect.denominator)))
    facts = pack(">6xH16xHHII4xH32xHH", 1, sequence.width, sequence.height, 72 << 16, 72 << 16, 1, 24, 0xFFFF)
    return _box(b"av01", facts, *parts)


def _box(kind: bytes, *content: bytes) -> bytes:
    return pack(">I4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def _full_box(kind: bytes, content: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, pack(">I", version << 24 | flags), content)


def _counted(entries: Sequence[bytes]) -> bytes:
    return pack(">I", len(entries)) + b"".join(entries)

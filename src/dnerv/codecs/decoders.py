"""dav1d's decoders, kept to be used again, with the picture that a group starts from decoded already.

    lead ── packets of a group ── kept, where a slot is left that holds the lead's picture
              next group with the same lead: that slot's picture is shown again, in place of decoding the lead

Opening a decoder takes almost as long as decoding a small frame, and the picture that groups start from, an intra
frame, as long as the rest of a short group. How it is had again: `reference_slots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import av

from dnerv.codecs.frame_header import SequenceHeader
from dnerv.codecs.reference_slots import left_slot, showing

_MOST_KINDS = 16
_MOST_KEPT = 32  # of one kind
_KEPT_PIXELS = 1 << 22  # of one kind: each decoder holds up to eight pictures, of some three bytes a pixel


class Kind(NamedTuple):
    """What a decoder is opened for."""

    pixels: int  # of its pictures, at most
    # FFmpeg goes on telling pictures of the place of chroma that an earlier stream has named. None: not known.
    chroma_sample_position: int | None
    threads: int

    @property
    def may_be_kept(self) -> bool:
        """Not where a decoder has threads, which no fork takes over, nor where it is not known what it was told."""
        return self.threads == 1 and self.chroma_sample_position is not None


class Decoder:
    """One decoder, for one sequence of packets at a time: `lead`, which may be decoded already, and those after it."""

    def __init__(self, kind: Kind, lead: bytes) -> None:
        context = av.CodecContext.create("libdav1d", "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = kind.threads
        # max_frame_delay: no frame parallelism; max_pixels: a damaged size cannot ask for gigabytes.
        context.options = {"max_frame_delay": "1", "max_pixels": str(kind.pixels)}
        self.lead = lead
        self._context = context
        self._slot: int | None = None  # that holds the lead's picture

    def decode(self, packet: bytes | None) -> list[av.VideoFrame]:
        """The frames of a packed temporal unit; dav1d takes it as `pack_temporal_unit` leaves it. None is the end.

        Raises FFmpegError.
        """
        if packet is None:
            return self._context.decode(None)
        if self._slot is not None and packet == self.lead:
            packet = showing(self._slot)
        self._slot = None
        return self._context.decode(av.Packet(packet))

    def begin_anew(self, lead: bytes) -> None:
        """Forget what was decoded."""
        self._context.flush_buffers()
        self.lead, self._slot = lead, None

    def rest(self, sequence: SequenceHeader | None, decoded: Sequence[bytes]) -> None:
        """Be ready for others after the lead and the packets `decoded`; keep the lead where that is possible."""
        slot = left_slot(sequence, self.lead, decoded) if sequence is not None and self.lead else None
        if slot is None:
            self.begin_anew(b"")
        self._slot = slot


# Of a kind, the one used last at the end. Each use of a list is one step for the interpreter: threads need no lock, and
# a forked child finds its copy whole.
@lru_cache(maxsize=_MOST_KINDS)
def _kept(kind: Kind) -> list[Decoder]:
    return []


def opened(kind: Kind, lead: bytes) -> Decoder:
    """A decoder for packets that begin with `lead`; without it, for any."""
    if not kind.may_be_kept:
        return Decoder(kind, lead)
    kept = _kept(kind)
    for decoder in reversed(kept):
        if decoder.lead == lead and _take(kept, decoder):
            return decoder
    if len(kept) < _limit(kind) or (oldest := _oldest(kept)) is None:
        return Decoder(kind, lead)
    oldest.begin_anew(lead)
    return oldest


def keep(decoder: Decoder, kind: Kind, sequence: SequenceHeader | None, decoded: Sequence[bytes]) -> None:
    """Have it used again. Not after an error: what it does then is not known.

    Args:
        decoder, kind: as given to `opened`, and what it gave.
        sequence: header of the packets; None where it is not known.
        decoded: packets that it has decoded after the lead.
    """
    if kind.may_be_kept:
        decoder.rest(sequence, decoded)
        kept = _kept(kind)
        kept.append(decoder)
        if len(kept) > _limit(kind):
            _oldest(kept)


def _take(kept: list[Decoder], decoder: Decoder) -> bool:
    """Whether it was still there."""
    try:
        kept.remove(decoder)
    except ValueError:
        return False
    return True


def _oldest(kept: list[Decoder]) -> Decoder | None:
    """Taken; None where there is none any more."""
    try:
        return kept.pop(0)
    except IndexError:
        return None


def _limit(kind: Kind) -> int:
    return min(max(_KEPT_PIXELS // kind.pixels, 2), _MOST_KEPT)

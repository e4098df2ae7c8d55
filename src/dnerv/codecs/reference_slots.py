"""Which of AV1's eight slots still hold the picture that a group of packets began with.

A shown key frame goes into all eight slots, with the state of the entropy coder and all else that frames after it begin
from. Each frame after it takes the slots that its header names (AV1 specification, sections 5.9.2 and 7.20). Where one
is left, two bytes show its picture again, and since that is a key frame's, all slots hold it once more, with all of its
state (7.21): the next group that begins with this picture need not decode it. The specification asks encoders not to
show a picture twice; dav1d takes it as it takes any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from dnerv.codecs.frame_header import Bits, SequenceHeader
from dnerv.codecs.obu import obus
from dnerv.errors import ArchiveError

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6  # OBU types
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3  # types of frames
_SHOWN_KEY = 0b0001  # how its header begins: not one that exists already, its type, shown
_SELECT = 2  # the sequence leaves it to each frame
_ALL = 0xFF
_HEADER_BYTES = 6  # what is read here is 44 bits at most


def left_slot(sequence: SequenceHeader, lead: bytes, packets: Iterable[bytes]) -> int | None:
    """A slot that holds the picture of `lead` after `packets`; None where none is sure to.

    Args:
        sequence: header of all of them.
        lead, packets: packed temporal units, in the order in which they were decoded.
    """
    taken = 0  # a bit for each slot
    if sequence.frame_id_bits:
        return None
    hint = sequence.order_hint_bits
    motion = sequence.integer_motion == _SELECT
    try:
        (key,) = (Bits(payload) for payload in _frames(lead))
        if key.take(4) != _SHOWN_KEY:
            return None
        for packet in packets:
            for payload in _frames(packet, may_begin=False):
                shown, slots = _read(payload, sequence.screen_content, motion, hint)
                if shown is None:
                    taken |= slots
                elif not taken >> shown & 1:
                    taken = 0  # the lead's own picture, shown again
            if taken == _ALL:
                return None
    except (ArchiveError, ValueError):
        return None
    return (~taken & _ALL).bit_length() - 1


def showing(slot: int) -> bytes:
    """The packed temporal unit that shows the picture of a slot, in a sequence without ids of frames."""
    return bytes([_FRAME_HEADER << 3, 0b1000_1000 | slot << 4])


def _frames(packed: bytes, *, may_begin: bool = True) -> Iterator[bytes]:
    """The first bytes of each frame's header. Raises ArchiveError for a new sequence unless a unit `may_begin` one."""
    for unit in obus(packed):
        if unit.kind in (_FRAME_HEADER, _FRAME):
            yield unit.payload[:_HEADER_BYTES]
        elif unit.kind == _SEQUENCE_HEADER and not may_begin:
            raise ArchiveError("another sequence begins")


@lru_cache(maxsize=1024)  # groups of one structure begin their headers alike
def _read(header: bytes, screen_content: int, motion_is_left_open: bool, hint_bits: int) -> tuple[int | None, int]:
    """The slot that a frame's header shows again, if it does, and the slots that the frame takes, a bit each.

    Raises ArchiveError for a header that is cut.
    """
    bits = Bits(header)
    if bits.flag():
        return bits.take(3), 0
    kind, is_shown = bits.take(2), bits.flag()
    if kind in (_KEY, _SWITCH):
        return None, _ALL
    if not is_shown:
        bits.take(1)
    is_resilient = bits.flag()
    bits.take(1)
    has_screen_content = bits.take(1) if screen_content == _SELECT else screen_content
    if has_screen_content and motion_is_left_open:
        bits.take(1)
    bits.take(1 + hint_bits)
    if kind != _INTRA_ONLY and not is_resilient:
        bits.take(3)
    return None, bits.take(8)

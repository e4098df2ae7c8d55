"""Which of AV1's eight slots still hold the picture that a group of packets began with.

A shown key frame goes into all eight slots, with the state of the entropy coder and all else that frames after it begin
from. Each frame after it takes the slots that its header names (AV1 specification, sections 5.9.2 and 7.20). Where one
is left, two bytes show its picture again, and since that is a key frame's, all slots hold it once more, with all of its
state (7.21): the next group that begins with this picture need not decode it. The specification asks encoders not to
show a picture twice; dav1d takes it as it takes any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnerv.codecs.frame_header import Bits, SequenceHeader
from dnerv.codecs.obu import obus
from dnerv.errors import ArchiveError

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6  # OBU types
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3  # types of frames
_SHOWN_KEY = 0b0001  # how its header begins: not one that exists already, its type, shown
_SELECT = 2  # the sequence leaves it to each frame
_ALL = 0xFF
_HEADER_BYTES = 16  # what is read here is shorter


def left_slot(sequence: SequenceHeader, lead: bytes, packets: Iterable[bytes]) -> int | None:
    """A slot that holds the picture of `lead` after `packets`; None where none is sure to.

    Args:
        sequence: header of all of them.
        lead, packets: packed temporal units, in the order in which they were decoded.
    """
    taken = 0  # a bit for each slot
    try:
        (key,) = (Bits(payload) for payload in _frames(lead))
        if key.take(4) != _SHOWN_KEY:
            return None
        for payload in (payload for packet in packets for payload in _frames(packet, may_begin=False)):
            taken = _taken_after(sequence, Bits(payload), taken)
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


def _taken_after(sequence: SequenceHeader, bits: Bits, taken: int) -> int:
    """`taken` after a frame. Raises ArchiveError for a header that is cut."""
    if bits.flag():
        return taken if taken >> bits.take(3) & 1 else 0  # the lead's own picture, shown again
    kind, is_shown = bits.take(2), bits.flag()
    if kind in (_KEY, _SWITCH) or sequence.frame_id_bits:
        return _ALL
    if not is_shown:
        bits.take(1)
    is_resilient = bits.flag()
    bits.take(1)
    has_screen_content = bits.take(1) if sequence.screen_content == _SELECT else sequence.screen_content
    if has_screen_content and sequence.integer_motion == _SELECT:
        bits.take(1)
    bits.take(1 + sequence.order_hint_bits)
    if kind != _INTRA_ONLY and not is_resilient:
        bits.take(3)
    return taken | bits.take(8)

"""AV1 headers as far as the end of a key frame's: so that a frame which is decoded first need not be shown.

A group that starts from a reference decodes after the reference's packet, whose frame nobody is to see. A reader drops
it; a player shows all that is marked as shown. `hidden_key_frame` writes the packet with its mark taken back, which
makes the frame's header some bits longer and leaves what is coded as it is (AV1 specification, sections 5.5 and 5.9).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dnerv.codecs.obu import obus, sized
from dnerv.errors import ArchiveError

_SEQUENCE_HEADER, _FRAME = 1, 6  # OBU types; a frame is its header and its tiles
_SELECT = 2  # the sequence leaves it to each frame
_FEATURE_BITS = (8, 6, 6, 6, 6, 3, 0, 0)  # of a segment's features; the first five have a sign
_SIGNED_FEATURES = 5
_MOST_TILE_WIDTH, _MOST_TILE_AREA, _MOST_TILES = 4096, 4096 * 2304, 64  # pixels, pixels, tiles a side
_ALL_REFERENCES = 0xFF


class Bits:
    """Reads unsigned integers, most significant bit first. Raises ArchiveError at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._value, self.length, self.position = int.from_bytes(data, "big"), 8 * len(data), 0

    def take(self, count: int) -> int:
        """The next `count` bits."""
        self.position += count
        if self.position > self.length:
            raise ArchiveError("an AV1 header is cut")
        return self._value >> (self.length - self.position) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return bool(self.take(1))

    def skip_if_flagged(self, count: int) -> None:
        """A bit, and where it is set as many more."""
        if self.flag():
            self.take(count)


@dataclass(frozen=True)
class SequenceHeader:
    """What headers of frames, and a file that names its stream, need to know of a sequence."""

    level: int  # of the first operating point
    tier: int
    high_bitdepth: int
    chroma_sample_position: int
    width: int  # pixels, where a frame says nothing else
    height: int
    size_bits: tuple[int, int]  # of a frame's width and height
    frame_id_bits: int  # 0: frames have no ids
    has_large_superblocks: bool
    screen_content: int  # 0, 1, or left to each frame
    integer_motion: int
    order_hint_bits: int
    has_superres: bool
    has_cdef: bool
    has_restoration: bool
    has_separate_chroma_steps: bool
    has_film_grain: bool


def read_sequence_header(obu: bytes) -> SequenceHeader:
    """Read an OBU of profile 0 with colour, without a decoder model. Raises ArchiveError for any other."""
    units = list(obus(obu))
    if [unit.kind for unit in units] != [_SEQUENCE_HEADER]:
        raise ArchiveError("no AV1 sequence header")
    bits = Bits(units[0].payload)
    profile, _, is_reduced = bits.take(3), bits.take(1), bits.flag()
    if profile or is_reduced:
        raise ArchiveError("an AV1 sequence of another profile than 0, or of a still picture")
    if bits.flag():
        raise ArchiveError("an AV1 sequence with timing of its own")
    has_delay = bits.flag()
    levels = []
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        level = bits.take(5)
        levels.append((level, bits.take(1) if level > 7 else 0))
        if has_delay:
            bits.skip_if_flagged(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    frame_id_bits = bits.take(4) + 2 + bits.take(3) + 1 if bits.flag() else 0
    has_large_superblocks = bits.flag()
    bits.take(6)  # filter intra, intra edge filter, inter-intra, masks, warped motion, dual filter
    has_order_hint = bits.flag()
    if has_order_hint:
        bits.take(2)
    screen_content = _SELECT if bits.flag() else bits.take(1)
    integer_motion = _SELECT
    if screen_content:
        integer_motion = _SELECT if bits.flag() else bits.take(1)
    order_hint_bits = bits.take(3) + 1 if has_order_hint else 0
    has_superres, has_cdef, has_restoration = bits.flag(), bits.flag(), bits.flag()
    high_bitdepth, is_grey = bits.take(1), bits.flag()
    codes = (bits.take(8), bits.take(8), bits.take(8)) if bits.flag() else None
    if is_grey or codes == (1, 13, 0):
        raise ArchiveError("an AV1 sequence without colour, or of RGB")
    bits.take(1)  # full range
    chroma_sample_position = bits.take(2)
    return SequenceHeader(
        *levels[0],
        high_bitdepth,
        chroma_sample_position,
        width,
        height,
        (width_bits, height_bits),
        frame_id_bits,
        has_large_superblocks,
        screen_content,
        integer_motion,
        order_hint_bits,
        has_superres,
        has_cdef,
        has_restoration,
        has_separate_chroma_steps=bits.flag(),
        has_film_grain=bits.flag(),
    )


@lru_cache(maxsize=256)
def known_sequence_header(obu: bytes) -> SequenceHeader | None:
    """As `read_sequence_header`; None for what that does not read."""
    try:
        return read_sequence_header(obu)
    except ArchiveError:
        return None


def chroma_sample_position(obu: bytes) -> int | None:
    """Of a sequence header: where chroma lies, 0 where that is left open. None for one that is not read here."""
    header = known_sequence_header(obu)
    return None if header is None else header.chroma_sample_position


def hidden_key_frame(sequence: SequenceHeader, packed: bytes) -> bytes:
    """A packed key frame without its sequence header, so that a decoder decodes it and shows nothing.

    Every OBU comes with its size: others follow in the temporal unit, one of which is shown.

    Raises ArchiveError where `packed` is not one shown key frame of a kind that encoders here write.
    """
    parts = list(obus(packed))
    if [part.kind for part in parts].count(_FRAME) != 1:
        raise ArchiveError("a packet that is not one AV1 frame")
    hidden = (_hidden(sequence, part.payload) if part.kind == _FRAME else part.payload for part in parts)
    return b"".join(sized(part.header, payload) for part, payload in zip(parts, hidden, strict=True))


def _hidden(sequence: SequenceHeader, frame: bytes) -> bytes:
    """The payload of a frame's OBU, with two marks and the list of refreshed pictures, which shown ones lack."""
    header = KeyFrameHeader(sequence, frame)
    after_shown, after_hint, end = header.after_shown, header.after_hint, header.end
    padded = -(-end // 8)
    value = int.from_bytes(frame[:padded], "big") >> (8 * padded - end)
    text = f"{value:0{end}b}"
    # Shown no longer; showable, so that nothing of film grain changes; resilient, as shown key frames always are.
    bits = text[: after_shown - 1] + "011" + text[after_shown:after_hint] + f"{_ALL_REFERENCES:08b}" + text[after_hint:]
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") + frame[padded:]


class KeyFrameHeader:
    """Where things stand in the header of a shown key frame, in bits. Raises ArchiveError for another frame."""

    def __init__(self, sequence: SequenceHeader, frame: bytes) -> None:
        """`frame`: payload of its OBU."""
        self._sequence, self._bits = sequence, Bits(frame)
        bits = self._bits
        if bits.take(4) != 0b0001:  # not one that exists already, a key frame, shown
            raise ArchiveError("an AV1 frame that is no shown key frame")
        self.after_shown = bits.position
        self._read_tools()
        self._read_size()
        self._read_tiles()
        self._read_quantisation()
        self._read_segmentation()
        self._read_steps()
        if not self._is_lossless and not self._copies_blocks:
            self._read_filters()
        if not self._is_lossless:
            bits.take(1)  # mode of transforms
        bits.take(1)  # fewer transforms
        if sequence.has_film_grain and bits.flag():
            raise ArchiveError("an AV1 frame with film grain")
        self.end = bits.position
        if bits.take(-self.end % 8):
            raise ArchiveError("an AV1 frame's header does not end where it should")

    def _read_tools(self) -> None:
        sequence, bits = self._sequence, self._bits
        self._keeps_probabilities = bits.flag()
        self._has_screen_content = bool(bits.take(1) if sequence.screen_content == _SELECT else sequence.screen_content)
        if self._has_screen_content and sequence.integer_motion == _SELECT:
            bits.take(1)
        bits.take(sequence.frame_id_bits)
        self._has_own_size = bits.flag()
        bits.take(sequence.order_hint_bits)
        self.after_hint = bits.position

    def _read_size(self) -> None:
        sequence, bits = self._sequence, self._bits
        self._width, self._height = sequence.width, sequence.height
        if self._has_own_size:
            self._width, self._height = (bits.take(count) + 1 for count in sequence.size_bits)
        if sequence.has_superres and bits.flag():
            raise ArchiveError("an AV1 frame that is scaled")
        bits.skip_if_flagged(32)  # a size to show it at
        self._copies_blocks = self._has_screen_content and bits.flag()
        if not self._keeps_probabilities:
            bits.take(1)

    def _read_tiles(self) -> None:
        bits = self._bits
        shift = 7 if self._sequence.has_large_superblocks else 6
        columns, rows = (-(-side // (1 << shift)) for side in (self._width, self._height))
        least_columns = _log2(_MOST_TILE_WIDTH >> shift, columns)
        least = max(least_columns, _log2(_MOST_TILE_AREA >> 2 * shift, rows * columns))
        if not bits.flag():
            raise ArchiveError("an AV1 frame with tiles of uneven size")
        column_bits = self._counted(least_columns, _log2(1, min(columns, _MOST_TILES)))
        row_bits = self._counted(max(least - column_bits, 0), _log2(1, min(rows, _MOST_TILES)))
        if column_bits or row_bits:
            bits.take(column_bits + row_bits + 2)

    def _counted(self, low: int, high: int) -> int:
        while low < high and self._bits.flag():
            low += 1
        return low

    def _read_quantisation(self) -> None:
        bits, separate = self._bits, self._sequence.has_separate_chroma_steps
        self._base_step = bits.take(8)
        changes = [self._change()]
        differ = separate and bits.flag()
        changes += [self._change() for _ in range(4 if differ else 2)]
        self._has_changes = any(changes)
        if bits.flag():  # matrices
            bits.take(12 if separate else 8)

    def _change(self) -> int:
        return self._bits.take(7) if self._bits.flag() else 0

    def _read_segmentation(self) -> None:
        bits = self._bits
        steps = [self._base_step]
        if bits.flag():
            steps = []
            for _ in range(8):
                changed = 0
                for feature, count in enumerate(_FEATURE_BITS):
                    if bits.flag():
                        value = bits.take(count + (feature < _SIGNED_FEATURES))
                        if feature == 0:
                            changed = value - (1 << count + 1) * (value >> count)
                steps.append(min(max(self._base_step + changed, 0), 255))
        self._is_lossless = not any(steps) and not self._has_changes

    def _read_steps(self) -> None:
        bits = self._bits
        if self._base_step and bits.flag():
            bits.take(2)
            if not self._copies_blocks:
                bits.skip_if_flagged(3)

    def _read_filters(self) -> None:
        """Deblocking, directional enhancement, restoration."""
        sequence, bits = self._sequence, self._bits
        if bits.take(12):
            bits.take(12)
        bits.take(3)
        if bits.flag() and bits.flag():
            for _ in range(10):
                bits.skip_if_flagged(7)
        if sequence.has_cdef:
            bits.take(2)
            bits.take(12 << bits.take(2))
        if sequence.has_restoration:
            kinds = [bits.take(2) for _ in range(3)]
            if any(kinds):
                is_larger = bits.flag()
                if is_larger and not sequence.has_large_superblocks:
                    bits.take(1)
                if any(kinds[1:]):
                    bits.take(1)


def _log2(unit: int, target: int) -> int:
    """The least k with unit * 2^k >= target."""
    count = 0
    while unit << count < target:
        count += 1
    return count

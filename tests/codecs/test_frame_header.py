"""Key frames that are decoded and not shown: what follows them comes out as it does behind shown ones."""

from collections.abc import Callable, Sequence

import av
import numpy as np
import pytest

from dnerv.codecs import Planes, SvtAv1
from dnerv.codecs.frame_header import Bits, KeyFrameHeader, hidden_key_frame, read_sequence_header
from dnerv.codecs.obu import TEMPORAL_DELIMITER, obus, sized, split_sequence_header
from dnerv.errors import ArchiveError

Frames = list[np.ndarray]
Moving = Callable[..., Frames]


def decoded(units: Sequence[bytes]) -> list[Frames]:
    """The planes of the frames that each unit gives."""
    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.options, decoder.thread_count = {"max_frame_delay": "1"}, 1
    return [[f.to_ndarray() for f in decoder.decode(av.Packet(TEMPORAL_DELIMITER + unit))] for unit in units]


@pytest.mark.parametrize(
    ("codec", "size", "crf"),
    [
        (SvtAv1(preset=8, group=8, shares_first=True, low_delay=True), (64, 64), 40),
        (SvtAv1(preset=4, group=8, shares_first=True), (98, 162), 20),
        (SvtAv1(preset=10, group=8), (240, 432), 63),  # with variance boosts and segments of its own
        (SvtAv1(preset=8, group=8, planes=Planes("bt709", full_range=True, depth=8)), (66, 66), 1),
        (SvtAv1(preset=10, group=8), (64, 4160), 60),  # wider than one tile can be
    ],
    ids=["small", "slow", "wide", "best", "tiles"],
)
def test_a_hidden_frame_leaves_the_others_as_they_are(
    moving_frames: Moving, codec: SvtAv1, size: tuple[int, int], crf: float
) -> None:
    packets = [packet.data for packet in codec.keyframes(moving_frames(3 if size[1] < 4096 else 2, *size), crf)]
    header, first = split_sequence_header(packets[0])
    sequence = read_sequence_header(header)
    assert (sequence.height, sequence.width) == size
    assert sequence.high_bitdepth == (codec.planes.depth == 10)
    hidden = hidden_key_frame(sequence, first)
    assert len(first) < len(hidden) < len(first) + 8
    plain = decoded(packets)
    assert list(map(len, plain)) == [1] * len(packets)
    # Alone it shows nothing; in front of the next packet, as one unit, it shows that packet's frame alone.
    (nothing,) = decoded([header + hidden])
    assert nothing == []
    joined = decoded([header + hidden + packets[1], *packets[2:], header + hidden + packets[1]])
    for made, wanted in zip(joined, [*plain[1:], plain[1]], strict=True):
        np.testing.assert_array_equal(made, wanted)


def test_screen_content(moving_frames: Moving) -> None:
    """Few colours in large areas: the encoder turns tools on that have bits of their own in the header."""
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 2, (32, 32, 1)), np.ones((4, 4, 3))).astype(np.uint8) * 200
    packets = [p.data for p in SvtAv1(preset=6, group=4).keyframes([np.roll(blocks, i, 0) for i in range(2)], 30)]
    header, first = split_sequence_header(packets[0])
    sequence = read_sequence_header(header)
    frame = next(part.payload for part in obus(first) if part.kind == 6)
    assert KeyFrameHeader(sequence, frame)._has_screen_content
    np.testing.assert_array_equal(
        decoded([header + hidden_key_frame(sequence, first) + packets[1]])[0], decoded(packets)[1]
    )


def test_what_is_no_shown_key_frame_is_refused(moving_frames: Moving) -> None:
    packets = [p.data for p in SvtAv1(preset=10, group=4).keyframes(moving_frames(2, 64, 64), 40)]
    header, first = split_sequence_header(packets[0])
    sequence = read_sequence_header(header)
    hidden = hidden_key_frame(sequence, first)
    (frame,) = obus(first)
    twice = sized(frame.header, frame.payload) + first
    for packet in (packets[1], hidden, b"", header, twice, first[:3], first[:6]):
        with pytest.raises(ArchiveError):
            hidden_key_frame(sequence, packet)
    for broken in (b"", header[:4], bytes([header[0], header[1], header[2] | 0x20, *header[3:]]), first):
        with pytest.raises(ArchiveError):
            read_sequence_header(broken)


def test_damaged_headers_give_named_errors(moving_frames: Moving) -> None:
    header, first = split_sequence_header(SvtAv1(preset=10, group=4).keyframes(moving_frames(1, 64, 64), 40)[0].data)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        broken, flipped = bytearray(header), bytearray(first)
        broken[rng.integers(len(header))] ^= 1 << int(rng.integers(8))
        flipped[rng.integers(min(24, len(first)))] ^= 1 << int(rng.integers(8))
        for work in (
            lambda data=bytes(broken): read_sequence_header(data),
            lambda data=bytes(flipped): hidden_key_frame(read_sequence_header(header), data),
        ):
            try:
                work()
            except ArchiveError:
                refused += 1
    assert refused > 30


def test_bits() -> None:
    bits = Bits(bytes([0b10110000, 0xFF]))
    assert [bits.take(1), bits.take(3), bits.flag(), bits.take(4)] == [1, 3, False, 1]
    bits.skip_if_flagged(3)
    assert bits.position == 13
    with pytest.raises(ArchiveError, match="cut"):
        bits.take(4)

"""Decoders that are used again give what new ones give, whatever they decoded before."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dnerv.codecs import SvtAv1, decoders
from dnerv.codecs.av1 import decode_pictures
from dnerv.codecs.frame_header import read_sequence_header
from dnerv.codecs.obu import split_sequence_header
from dnerv.codecs.reference_slots import left_slot, showing
from dnerv.errors import ArchiveError

HEIGHT, WIDTH, COUNT = 66, 85, 8


@pytest.fixture(scope="module")
def leads(moving_frames) -> list[list[bytes]]:
    """Groups of packets, each after a lead of its own."""
    frames = list(moving_frames(3 * COUNT, HEIGHT, WIDTH))
    return [
        [packet.data for packet in SvtAv1().keyframes(frames[first : first + COUNT], 30)]
        for first in range(0, len(frames), COUNT)
    ]


@pytest.fixture(autouse=True)
def none_kept():
    decoders._kept.cache_clear()
    yield
    decoders._kept.cache_clear()


@pytest.fixture
def fed(monkeypatch) -> list[bytes]:
    """What decoders are given, in order."""
    packets, decode = [], decoders.Decoder.decode

    def noted(self, packet):
        shown_again = self._slot is not None and packet == self.lead
        packets.append(b"again" if shown_again else packet)
        return decode(self, packet)

    monkeypatch.setattr(decoders.Decoder, "decode", noted)
    return packets


def pictures(packets: list[bytes], count: int) -> list[np.ndarray]:
    """The first `count` after the lead."""
    stream = decode_pictures(packets, height=HEIGHT, width=WIDTH, first=1)
    made = [next(stream).rgb_planes() for _ in range(count)]
    stream.close()
    return made


def test_any_order_gives_the_same_pictures(leads, fed) -> None:
    expected = []
    for packets in leads:
        decoders._kept.cache_clear()
        expected.append(pictures(packets, COUNT - 1))
    decoders._kept.cache_clear()
    fed.clear()
    dice = random.Random(0)
    for _ in range(60):
        group, count = dice.randrange(len(leads)), dice.randint(1, COUNT - 1)
        assert all(map(np.array_equal, pictures(leads[group], count), expected[group]))
    assert sum(packets[0] in fed for packets in leads) == len(leads)
    assert fed.count(b"again") > 40


def test_packets_after_the_lead_may_be_others(leads, fed) -> None:
    """Two groups that start from one picture, as those of an archive do."""
    lead, *rest = leads[0]
    short = [lead, *rest[:1]]
    first = pictures(short, 1)
    assert np.array_equal(pictures([lead, *rest], COUNT - 1)[0], first[0])
    assert np.array_equal(pictures(short, 1)[0], first[0])
    assert fed.count(lead) == 1


def test_threads_share_them(leads) -> None:
    expected = [pictures(packets, COUNT - 1) for packets in leads]

    def read(group: int) -> bool:
        return all(map(np.array_equal, pictures(leads[group], COUNT - 1), expected[group]))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, [group % len(leads) for group in range(48)]))


def test_no_decoder_is_kept_after_damage(leads) -> None:
    lead, *rest = leads[0]
    good = pictures(leads[0], COUNT - 1)
    with pytest.raises(ArchiveError):
        pictures([lead, rest[0], b"broken"], 2)
    assert all(map(np.array_equal, pictures(leads[0], COUNT - 1), good))


def test_as_many_are_kept_as_have_room(leads, monkeypatch) -> None:
    monkeypatch.setattr(decoders, "_MOST_KEPT", 2)
    expected = [pictures(packets, 2) for packets in leads]
    for _ in range(2):
        assert all(
            np.array_equal(pictures(packets, 2)[1], made[1]) for packets, made in zip(leads, expected, strict=True)
        )
    (kind,) = {decoders.Kind(66 * 86, 0, 1)}
    assert len(decoders._kept(kind)) == 2
    assert decoders._limit(kind) == 2
    assert decoders._limit(kind._replace(pixels=1 << 30)) == 2


def test_a_slot_is_left_only_where_that_is_sure(leads) -> None:
    lead, *rest = leads[0]
    header, body = split_sequence_header(lead)
    sequence = read_sequence_header(header)
    slot = left_slot(sequence, lead, rest)
    assert slot is not None
    assert left_slot(sequence, body, rest) == slot
    assert left_slot(sequence, lead, []) == 7
    for others in ([lead], [body], [b"\x30"], [b""], [header + rest[0]]):
        made = left_slot(sequence, lead, [*rest, *others])
        assert made == (slot if others == [b""] else None)
    shown_and_sized = b"\x1a\x01\x88"
    for no_key in (rest[0], header, b"", b"broken", shown_and_sized, header + shown_and_sized + body):
        assert left_slot(sequence, no_key, rest) is None
    for taken in range(8):  # by seven frames, one slot each
        frames = [frame_taking(sequence, 1 << slot) for slot in range(8) if slot != taken]
        assert left_slot(sequence, lead, frames) == taken
        assert left_slot(sequence, lead, [*frames, frame_taking(sequence, 1 << taken)]) is None
        assert left_slot(sequence, lead, [*frames, showing(taken)]) == 7
        assert left_slot(sequence, lead, [*frames, showing((taken + 1) % 8)]) == taken


def frame_taking(sequence, slots: int) -> bytes:
    """The beginning of a frame that takes these slots: neither shown nor resilient, of type inter."""
    text = "0" + "01" + "0" + "0" + "0" + "0"  # not there already, type, shown, showable, resilient, probabilities kept
    if sequence.screen_content == 2:
        text += "0"
    text += "0" + "0" * sequence.order_hint_bits + "000" + f"{slots:08b}"
    text += "0" * (-len(text) % 8)
    return bytes([6 << 3]) + int(text, 2).to_bytes(len(text) // 8, "big")

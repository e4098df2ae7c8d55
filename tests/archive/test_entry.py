"""Videos as blocks of bytes: round trips, every value checked, and blocks that lie."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dnerv.archive.entry import MAX_FRAMES, OWN_INTRA, Rows, VideoEntry, encode_block, sort_key
from dnerv.archive.limits import Bounds, Limits
from dnerv.bitstream import encode_integers, split_integers
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing

BOUNDS = Bounds(Limits(100_000), num_formats=2, num_references=3, network_frames=500)
STEPS = (0, 40, 90, 91, 300, 301, 302)

PLAIN = VideoEntry(
    name="walk",
    label=None,
    original_size=(120, 160),
    coded_size=(120, 160),
    timing=Timing.constant(Fraction(25), 9),
    distance=4,
    group_length=2,
    format=0,
    crf=40.25,
    references=(OWN_INTRA, OWN_INTRA),
    packet_lengths=(900, 40, 800),
    checksums=(7, 65_535),
    offset=68,
    network_frame=None,
)
ENTRIES = (
    PLAIN,
    replace(PLAIN, name="a/b", label="a", references=(0, 2), offset=1808, network_frame=0, coded_size=(60, 80)),
    replace(PLAIN, name="a/c", label="a", timing=Timing(Fraction(1, 1000), STEPS, 60), packet_lengths=(1, 2, 3)),
    replace(
        PLAIN,
        name="one",
        timing=Timing(Fraction(1, 30), (-7,), 3),
        distance=65_535,
        group_length=65_536,
        packet_lengths=(5,),
        checksums=(1,),
        references=(1,),
        offset=90_000,
    ),
    replace(
        PLAIN,
        name="bare\udcff",
        label="ünï\ud800",
        distance=0,
        group_length=0,
        packet_lengths=(),
        checksums=(),
        references=(),
        offset=0,
        network_frame=491,
    ),
    replace(
        PLAIN, name="z" * 300, offset=100, timing=Timing(Fraction(1, 90_000), range(2**40, 2**40 + 9 * 3003, 3003), 1)
    ),
)


def rows_of(*entries: VideoEntry, bounds: Bounds = BOUNDS) -> Rows:
    return Rows(encode_block(entries), len(entries), bounds)


def test_round_trip() -> None:
    rows = rows_of(*ENTRIES)
    assert [*rows] == [*ENTRIES]
    assert len(rows) == len(ENTRIES)
    assert rows.keys == [sort_key(entry.name) for entry in ENTRIES]
    assert [rows.name(row) for row in range(len(rows))] == [entry.name for entry in ENTRIES]
    assert rows.num_frames == sum(entry.timing.num_frames for entry in ENTRIES)
    assert rows.num_pixels == sum(entry.num_pixels for entry in ENTRIES)
    assert rows.num_bytes == sum(entry.num_bytes for entry in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name[:8])
def test_each_alone(entry: VideoEntry) -> None:
    assert rows_of(entry)[0] == entry


def test_golden_bytes() -> None:
    """A change here changes the format: it needs a new version."""
    assert zlib.crc32(zlib.decompress(encode_block(ENTRIES), -15)) == GOLDEN


GOLDEN = 632038325


def test_groups_and_their_bytes() -> None:
    assert PLAIN.num_coded == 3
    assert PLAIN.num_groups == 2
    assert PLAIN.num_bytes == 1740
    assert [*PLAIN.group_packets(0), *PLAIN.group_packets(1)] == [0, 1, 2]
    assert [PLAIN.group_span(group) for group in (0, 1)] == [(68, 940), (1008, 800)]
    assert PLAIN.timeline.keyframe_positions.tolist() == [0, 4, 8]


def test_alike_videos_take_next_to_nothing() -> None:
    entries = [replace(PLAIN, name=f"clip{i:04d}", offset=68 + 100 * i) for i in range(256)]
    assert len(encode_block(entries)) < 4 * len(entries)


MANY = tuple(range(1, 70))
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "no frame size": ({"original_size": (0, 160), "coded_size": (60, 80)}, "height lies outside"),
    "a side": ({"original_size": (65_537, 1)}, "height lies outside"),
    "a coded side": ({"coded_size": (1, 65_537)}, "width lies outside"),
    "an area": ({"original_size": (65_536, 4096)}, "number of pixels"),
    "an area for a small file": ({"original_size": (11_585, 11_585)}, "asks for .* pixels in a frame as shown"),
    "a coded area for a small file": ({"coded_size": (8000, 8000)}, "asks for .* pixels in a frame as coded"),
    "a distance": ({"distance": 65_536}, "distance lies outside"),
    "a group length": ({"group_length": 0, "references": (), "checksums": ()}, "group length lies outside"),
    "a format": ({"format": 2}, "format lies outside 0 to 1"),
    "a reference": ({"references": (3, 3)}, "reference lies outside 1 to 4"),
    "no reference": ({"references": (-2, -2)}, "reference lies outside 1 to 4"),
    "few references": ({"references": (0,)}, "references do not fit"),
    "many references": ({"references": (0, 0, 0)}, "references do not fit"),
    "few checksums": ({"checksums": (0,)}, "checksums do not fit"),
    "many checksums": ({"checksums": (0, 0, 0)}, "checksums do not fit"),
    "few packets": ({"packet_lengths": (1, 2)}, "shorter than it says"),
    "many packets": ({"packet_lengths": MANY}, "longer than it says"),
    "more frames than packets": ({"timing": Timing.constant(Fraction(25), 90)}, "shorter than it says|do not fit"),
    "an empty packet": ({"packet_lengths": (900, 0, 800)}, "packet's length lies outside 1"),
    "a packet longer than the file": ({"packet_lengths": (900, 2**60, 800)}, "packet's length lies outside"),
    "packets in the header": ({"offset": 67}, "first packet lies outside 68"),
    "packets behind the end": ({"offset": 99_000}, "last packet lies outside"),
    "an offset beyond everything": ({"offset": 2**61}, "first packet lies outside|outside the file"),
    "a crf": ({"crf": 300.0}, "crf lies outside"),
    "a place beyond the network's time": ({"network_frame": 500}, "place in the network's time lies outside"),
    "neither base layer nor network": (
        {"distance": 0, "packet_lengths": (), "references": (), "checksums": ()},
        "neither base layer nor network",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_archive_may_hold(case: str) -> None:
    changes, message = HOSTILE[case]
    with pytest.raises(ArchiveError, match=message):
        rows_of(PLAIN, replace(PLAIN, **changes), PLAIN)


def test_values_at_their_bounds_are_taken() -> None:
    within = [
        replace(PLAIN, original_size=(65_536, 1), coded_size=(1, 65_536)),
        replace(PLAIN, format=1, references=(2, 2), crf=255.75, network_frame=499),
        replace(PLAIN, offset=100_000 - PLAIN.num_bytes),
        replace(PLAIN, group_length=1 << 26, references=(0,), checksums=(0,)),
    ]
    assert [*rows_of(*within)] == within


@pytest.mark.parametrize("name", ["", "/a", "a//b", "../a", "a/..", "a\\b", "a\0b", "./a"])
def test_names_that_lead_elsewhere(name: str) -> None:
    rows = rows_of(replace(PLAIN, name=name))
    with pytest.raises(ArchiveError, match="the archive's index has a video named"):
        rows[0]
    with pytest.raises(ArchiveError, match="the archive's index has a video named"):
        rows.name(0)


def integers_of(data: bytes) -> tuple[list[int], bytes]:
    """The integers of a block, and what follows them."""
    body = zlib.decompress(data, -15)
    (size, _), start = split_integers(body, 2)
    numbers, at = [], start
    while at < start + size:
        (number,), length = split_integers(body[at:], 1)
        numbers.append(number)
        at += length
    return numbers, body[start + size :]


def block_of(numbers: list[int], rest: bytes, checksum_bytes: int = 4) -> bytes:
    coded = encode_integers(numbers)
    body = encode_integers([len(coded), checksum_bytes]) + coded + rest
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(body) + deflater.flush()


def test_every_integer_may_lie() -> None:
    """Whatever a number of a block says, the answer is a video or the named error."""
    dice = random.Random(0)
    entry = replace(PLAIN, label="class", timing=Timing(Fraction(1, 1000), (0, 40, 90, 91, 300), 60), references=(1, 0))
    entry = replace(entry, distance=2, packet_lengths=(5, 6, 7), group_length=2)
    numbers, rest = integers_of(encode_block([entry]))
    assert Rows(block_of(numbers, rest), 1, BOUNDS)[0] == entry
    outcomes = []
    lies = [0, 1, 2, 3, 127, 128, 65_535, 65_536, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**62, 2**63 - 1]
    for place in range(len(numbers)):
        for lie in [*lies, numbers[place] + 1, max(0, numbers[place] - 1), dice.getrandbits(20)]:
            changed = [*numbers[:place], lie, *numbers[place + 1 :]]
            try:
                made = Rows(block_of(changed, rest), 1, BOUNDS)[0]
            except ArchiveError:
                outcomes.append("refused")
                continue
            assert 68 <= made.offset <= made.offset + made.num_bytes <= 100_000
            assert made.num_coded == made.timeline.num_keyframes
            outcomes.append("taken")
    assert outcomes.count("refused") > 200
    assert outcomes.count("taken") > 30


def test_a_block_cut_or_extended_is_refused() -> None:
    data = encode_block(ENTRIES)
    body = zlib.decompress(data, -15)
    for length in range(len(body)):
        deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
        with pytest.raises(ArchiveError):
            [*Rows(deflater.compress(body[:length]) + deflater.flush(), len(ENTRIES), BOUNDS)]
    for damaged in (data[:-1], data + b"\0", b"", b"\xff" * 20):
        with pytest.raises(ArchiveError):
            Rows(damaged, len(ENTRIES), BOUNDS)
    for count in (len(ENTRIES) - 1, len(ENTRIES) + 1):
        with pytest.raises(ArchiveError):
            Rows(data, count, BOUNDS)


def test_flipped_bytes_end_in_videos_or_the_named_error() -> None:
    dice = random.Random(1)
    body = zlib.decompress(encode_block(ENTRIES), -15)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(body)
        for _ in range(dice.choice((1, 1, 3))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
        try:
            [*Rows(deflater.compress(bytes(damaged)) + deflater.flush(), len(ENTRIES), BOUNDS)]
        except ArchiveError:
            refused += 1
    assert refused > 150


def test_a_block_that_inflates_beyond_measure() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(bytes(1 << 26)) + deflater.flush()
    assert len(bomb) < 70_000
    with pytest.raises(ArchiveError, match=r"inflates to more than \d"):
        Rows(bomb, 1, BOUNDS)


def test_more_labels_than_videos() -> None:
    numbers, rest = integers_of(encode_block([PLAIN]))
    with pytest.raises(ArchiveError, match="number of labels lies outside 0 to 1"):
        Rows(block_of([5, *[0] * 5, *numbers[1:]], rest), 1, BOUNDS)


def test_a_name_that_is_no_text() -> None:
    numbers, rest = integers_of(encode_block([PLAIN]))
    rows = Rows(block_of(numbers, rest[:-4] + b"\xff\xfe\xfd\xfc"), 1, BOUNDS)
    with pytest.raises(ArchiveError, match="a name is no text"):
        rows[0]


def test_a_very_long_video_returns() -> None:
    count = 100_000
    dice = np.random.default_rng(0)
    lengths = tuple(dice.integers(1, 3, count).tolist())
    times = Timing(Fraction(1, 90_000), np.cumsum(dice.integers(1, 4000, count)).tolist(), 3003)
    groups = -(-count // 8)
    entry = replace(
        PLAIN,
        timing=times,
        distance=1,
        group_length=8,
        packet_lengths=lengths,
        references=(OWN_INTRA, 0) * (groups // 2),
        checksums=tuple(dice.integers(0, 65_536, groups).tolist()),
    )
    bounds = replace(BOUNDS, limits=Limits(10_000_000))
    assert rows_of(entry, bounds=bounds)[0] == entry
    assert count < MAX_FRAMES


def test_times_that_are_none_are_the_named_error() -> None:
    numbers, rest = integers_of(encode_block([PLAIN]))
    place = 9  # the start: after labels, name's length, label, four sizes, two of the time base
    assert numbers[place - 1 : place + 4] == [25, 0, 1, 9, 1]
    far = Rows(block_of([*numbers[:place], 2**54, *numbers[place + 1 :]], rest), 1, BOUNDS)
    with pytest.raises(ArchiveError, match="index is damaged: frame times beyond"):
        far[0]


def test_without_base_layer_there_is_no_timeline_of_coded_frames() -> None:
    with pytest.raises(InputError):
        _ = ENTRIES[4].timeline

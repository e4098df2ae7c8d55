import time

import numpy as np
import pytest

from dnerv.codecs import Planes, SvtAv1, decode_packets
from dnerv.codecs.obu import unpack_temporal_unit
from dnerv.errors import ArchiveError

HEIGHT, WIDTH, COUNT = 66, 85, 18


@pytest.fixture(scope="module")
def packets(moving_frames):
    return [packet.data for packet in SvtAv1().keyframes(moving_frames(COUNT, HEIGHT, WIDTH), 30)]


def decoded(packets, height=HEIGHT, width=WIDTH):
    return list(decode_packets(packets, height=height, width=width))


def decodes_fully_or_is_refused(packets):
    """True if refused. Damage must never crash, hang, or give fewer or odd frames."""
    started = time.monotonic()
    try:
        frames = decoded(packets)
    except ArchiveError:
        return True
    finally:
        assert time.monotonic() - started < 5
    assert len(frames) == len(packets)
    assert all(frame.shape == (HEIGHT, WIDTH, 3) for frame in frames)
    return False


def test_no_packets_no_frames():
    assert decoded([]) == []


def test_frames_arrive_one_by_one(packets):
    stream = decode_packets([*packets[:2], b"broken"], height=HEIGHT, width=WIDTH)
    assert next(stream).shape == next(stream).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ArchiveError, match="packet"):
        next(stream)


def test_flipped_bits(packets):
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        index = int(rng.integers(COUNT))
        damaged = bytearray(packets[index])
        damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        refused += decodes_fully_or_is_refused([*packets[:index], bytes(damaged), *packets[index + 1 :]])
    assert refused > 10


def test_truncated_packets(packets):
    for length in range(0, len(packets[0]), 7):
        decodes_fully_or_is_refused([packets[0][:length], *packets[1:]])
    with pytest.raises(ArchiveError):
        decoded([b""])
    with pytest.raises(ArchiveError):
        decoded([packets[0][:10]])


def test_random_bytes(packets):
    rng = np.random.default_rng(1)
    for length in (1, 2, 3, 10, 1000):
        assert decodes_fully_or_is_refused([rng.bytes(length), *packets[1:]])


def test_starting_without_a_sync_packet_is_refused(packets):
    with pytest.raises(ArchiveError):
        decoded(packets[1:])


def test_dropped_or_swapped_packets_never_shorten_the_result(packets):
    for index in range(COUNT):
        decodes_fully_or_is_refused(packets[:index] + packets[index + 1 :])
    decodes_fully_or_is_refused(packets[::-1])


def test_two_units_in_one_packet_are_refused(packets):
    with pytest.raises(ArchiveError):
        decoded([unpack_temporal_unit(packets[0]) + packets[1]])


@pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH + 2), (HEIGHT - 4, WIDTH), (WIDTH, HEIGHT)])
def test_wrong_size_is_refused(packets, height, width):
    with pytest.raises(ArchiveError):
        decoded(packets, height, width)


def test_samples_of_another_depth_are_refused(packets):
    with pytest.raises(ArchiveError, match="yuv420p10le samples"):
        list(decode_packets(packets, height=HEIGHT, width=WIDTH, planes=Planes(depth=8)))

import subprocess
import sys
from pathlib import Path

import av.logging
import numpy as np
import pytest

from dnerv.codecs import Planes, SvtAv1, decode_packets
from dnerv.codecs.obu import _read_size, unpack_temporal_unit
from dnerv.errors import InputError


def coded(frames, crf=40, **options):
    return [packet.data for packet in SvtAv1(**options).keyframes(frames, crf)]


def decoded(data, frames, **options):
    return list(decode_packets(data, height=frames[0].shape[0], width=frames[0].shape[1], **options))


def frames_in(packet):
    """How many coded frames a packet holds, hidden ones included."""
    unit, position, count = unpack_temporal_unit(packet), 0, 0
    while position < len(unit):
        kind, (size, payload) = (unit[position] >> 3) & 15, _read_size(unit, position + 1)
        count, position = count + (kind == 6), payload + size
    return count


@pytest.mark.parametrize("group", [64, 1])
@pytest.mark.parametrize(
    ("count", "height", "width"),
    [(1, 1, 1), (2, 1, 64), (3, 17, 33), (1, 64, 64), (2, 48, 64), (5, 2, 3), (4, 130, 6)],
)
def test_any_size_and_count_comes_back(moving_frames, group, count, height, width):
    frames = moving_frames(count, height, width)
    output = decoded(coded(frames, 20, group=group), frames)
    assert len(output) == count
    assert all(frame.shape == (height, width, 3) and frame.dtype == np.uint8 for frame in output)


@pytest.mark.parametrize("group", [64, 1])
def test_quality_at_a_low_crf(moving_frames, psnr, group):
    frames = moving_frames(9, 49, 65)
    assert psnr(frames, decoded(coded(frames, 5, group=group), frames)) > 42


def test_frames_come_back_in_display_order(moving_frames):
    frames = moving_frames(40, 32, 48)
    output = decoded(coded(frames, 20), frames)
    errors = np.array([[np.mean((a.astype(float) - b) ** 2) for b in frames] for a in output])
    assert (errors.argmin(axis=1) == np.arange(40)).all()


def test_groups_are_closed_and_start_with_a_sync_packet(moving_frames):
    frames = moving_frames(25, 32, 48)
    packets = SvtAv1(group=10).keyframes(frames, 40)
    assert [index for index, packet in enumerate(packets) if packet.sync] == [0, 10, 20]
    whole = decoded([packet.data for packet in packets], frames)
    alone = decoded([packet.data for packet in packets[10:17]], frames)
    assert all((a == b).all() for a, b in zip(whole[10:17], alone, strict=True))


def test_stills_are_all_sync(moving_frames):
    frames = moving_frames(5, 32, 48)
    packets = SvtAv1(group=1).keyframes(frames, 40)
    assert all(packet.sync for packet in packets)
    whole = decoded([packet.data for packet in packets], frames)
    assert (decoded([packets[3].data], frames)[0] == whole[3]).all()


def test_same_bytes_for_any_thread_count(moving_frames):
    frames = moving_frames(20, 128, 160)
    first = coded(frames)
    assert first == coded(frames)
    assert first == coded(frames, threads=2)
    assert first == coded(iter(frames), threads=4)
    one, four = (decoded(first, frames, threads=threads) for threads in (1, 4))
    assert all((a == b).all() for a, b in zip(one, four, strict=True))


@pytest.mark.parametrize(
    "other",
    [
        {"crf": 40.25},
        {"crf": 70},
        {"preset": 8},
        {"group": 8},
        {"shares_first": True},
        {"low_delay": True},
        {"levels": 3},
        {"planes": Planes("bt709")},
        {"planes": Planes(full_range=True)},
        {"planes": Planes(depth=8)},
    ],
    ids=str,
)
def test_every_option_reaches_the_encoder(moving_frames, other):
    frames = moving_frames(20, 64, 64)
    assert coded(frames) != coded(frames, **other)


@pytest.mark.parametrize("options", [{}, {"group": 1}, {"shares_first": True, "low_delay": True}])
@pytest.mark.parametrize(("extra", "complaint"), [({}, False), ({"no-such-option": 1}, True), ({"preset": "x"}, True)])
def test_svtav1_understands_every_parameter(moving_frames, monkeypatch, options, extra, complaint):
    """SVT-AV1 only logs what it does not understand, and FFmpeg goes on without it."""
    original = SvtAv1._parameters
    monkeypatch.setattr(SvtAv1, "_parameters", lambda self, crf: original(self, crf) | extra)
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as messages:
            SvtAv1(**options).keyframes(moving_frames(2, 64, 64), 40)
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(True)
    assert any("Error parsing option" in text for _, _, text in messages) == complaint


@pytest.mark.parametrize("group", range(1, 20))
def test_any_group_length(moving_frames, group):
    packets = SvtAv1(group=group, preset=8).keyframes(moving_frames(23, 64, 64), 40)
    assert [index for index, packet in enumerate(packets) if packet.sync] == list(range(0, 23, group))


def test_rate_falls_and_quality_falls_with_crf(moving_frames, psnr):
    frames = moving_frames(12, 64, 96)
    streams = [coded(frames, crf) for crf in (20, 40, 60)]
    sizes = [sum(map(len, stream)) for stream in streams]
    quality = [psnr(frames, decoded(stream, frames)) for stream in streams]
    assert sizes == sorted(sizes, reverse=True)
    assert quality == sorted(quality, reverse=True)


def test_a_shared_first_packet_does_not_depend_on_what_follows(moving_frames):
    first = moving_frames(1, 96, 128)[0]
    others = [moving_frames(1, 96, 128, 1), moving_frames(9, 96, 128, 2)]
    for low_delay in (False, True):
        codec = SvtAv1(shares_first=True, low_delay=low_delay, threads=1, group=1 << 16)
        packets = [codec.keyframes([first, *frames], 30)[0] for frames in [*others, [first]]]
        assert packets == packets[:1] * 3
    packets = [SvtAv1(threads=1).keyframes([first, *frames], 30)[0] for frames in [*others, [first]]]
    assert packets != packets[:1] * 3


def test_low_delay_codes_what_is_shown_as_it_comes(moving_frames):
    """Nothing is hidden or shown later: a packet holds one frame, where a pyramid's holds many or none."""
    frames = moving_frames(16, 64, 96)
    kinds = [[frames_in(data) for data in coded(frames, low_delay=low_delay)] for low_delay in (True, False)]
    assert kinds[0] == [1] * 16
    assert max(kinds[1]) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_one_thread_makes_fewer_of_them(moving_frames):
    """One for each of the encoder's stages, and none beside."""

    def count():
        return len(list(Path("/proc/self/task").iterdir()))

    def made(threads, preset=8):
        before, counts = count(), []
        SvtAv1(threads=threads, preset=preset).keyframes(watched(counts), 40)
        return max(counts) - before

    def watched(counts):
        for frame in moving_frames(4, 64, 64):
            counts.append(count())
            yield frame

    assert made(1) <= 17 < made(4)
    assert made(4, preset=9) <= 17  # where more of them make the encoder hang


def test_inter_beats_stills_on_slow_motion(moving_frames):
    frames = moving_frames(16, 64, 96)
    inter, stills = (coded(frames, 30, group=group) for group in (64, 1))
    assert sum(map(len, inter)) < sum(map(len, stills))


def test_frames_are_drawn_as_a_stream(moving_frames):
    """The encoder must take frames from a generator, one at a time, and release them."""
    assert len(SvtAv1(preset=8).keyframes((frame for frame in moving_frames(70, 16, 16)), 50)) == 70


def test_nothing_leaks_on_stderr():
    code = (
        "import numpy as np\nfrom dnerv.errors import InputError\nfrom dnerv.codecs import *\n"
        "f = [np.zeros((40, 40, 3), np.uint8)] * 3\n"
        "d = [p.data for p in SvtAv1().keyframes(f, 40)]\nlist(decode_packets(d, height=40, width=40))\n"
        "try:\n  SvtAv1().keyframes([np.zeros((64, 20000, 3), np.uint8)], 40)\n"
        "except InputError as e:\n  print('refused')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("refused\n", "")


@pytest.mark.parametrize(
    ("crf", "options"), [(0, {}), (71, {}), (40.1, {}), (40, {"preset": 99}), (40, {"group": 0}), (40, {"threads": 0})]
)
def test_options_out_of_range_are_refused(moving_frames, crf, options):
    with pytest.raises(InputError):
        coded(moving_frames(1, 16, 16), crf, **options)


def test_frames_that_cannot_be_coded_are_refused(moving_frames):
    good = moving_frames(1, 16, 16)[0]
    for bad in ([], [good.astype(np.float32)], [good[..., 0]], [good, good[:8]], [good[:0]]):
        with pytest.raises(InputError):
            SvtAv1().keyframes(bad, 40)


def test_nearest_crf():
    assert [SvtAv1.nearest_crf(x) for x in (-3, 30.1, 30.13, 99)] == [1, 30, 30.25, 70]


def test_low_delay_is_refused_where_it_hangs():
    SvtAv1(preset=8, low_delay=True)
    with pytest.raises(InputError, match="with low_delay it is at most 8"):
        SvtAv1(preset=9, low_delay=True)

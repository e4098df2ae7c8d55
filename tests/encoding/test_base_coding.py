"""One video as packets: they decode to the errors claimed, in groups that need nothing but their reference."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dnerv.codecs import blend, decode_packets
from dnerv.encoding import base_coding
from dnerv.encoding.base_coding import WHOLE, BasePlan, CodedBase, CodedReference, Exchange, code_base, code_reference
from dnerv.video import FrameStoreWriter, Timeline

Planned = Callable[..., BasePlan]
Referred = Callable[..., CodedReference]


def errors_of(coded: CodedBase, frames: np.ndarray, references: Sequence[CodedReference] = ()) -> list[float]:
    """Mean squared errors of all frames, from packets decoded one group at a time."""
    by_name = {reference.digest: reference.packet for reference in references}
    length = coded.plan.group_length
    decoded: list[np.ndarray] = []
    for group, start in enumerate(range(0, len(coded.packets), length)):
        packets = list(coded.packets[start : start + length])
        name = coded.references[group]
        before = [] if name is None else [coded.header + by_name[name]]
        first = [coded.header + packets[0]] if name is None else packets[:1]
        height, width = frames[0].shape[:2]
        shown = list(decode_packets([*before, *first, *packets[1:]], height=height, width=width))
        decoded += shown[len(before) :]
    assert len(coded.references) == group + 1
    conditioning = Timeline(len(frames), 1, coded.plan.distance).conditioning(np.arange(len(frames)))
    lines = zip(conditioning.start, conditioning.end, conditioning.distance, frames, strict=True)
    made = ((blend(decoded[a], decoded[b], share), frame) for a, b, share, frame in lines)
    return [float(np.square(a.astype(np.float64) - b).mean()) for a, b in made]


@pytest.mark.parametrize("distance", [1, 2, 4])
@pytest.mark.parametrize("access", [1, 2, 8, WHOLE])
def test_own_groups_decode_to_the_errors_claimed(
    made: SimpleNamespace, plan: Planned, distance: int, access: int
) -> None:
    frames = made.scene(11, 0)
    coded = code_base(frames, plan(distance=distance, access=access))
    assert coded.size == sum(map(len, coded.packets))
    assert set(coded.references) == {None}
    assert coded.errors.tolist() == pytest.approx(errors_of(coded, frames))


@pytest.mark.parametrize("low_delay", [False, True])
@pytest.mark.parametrize(("distance", "access"), [(1, 8), (1, 1), (2, 8), (2, 16), (4, WHOLE)])
def test_groups_behind_a_reference_do_too_and_are_smaller(
    made: SimpleNamespace, plan: Planned, reference: Referred, distance: int, access: int, low_delay: bool
) -> None:
    frames, told = made.scene(12, 0, 1), plan(distance=distance, access=access, low_delay=low_delay)
    start = reference(made.scene(12, 0)[6], told)
    own = code_base(frames, told)
    coded = code_base(frames, told, [start] * len(own.groups))
    assert set(coded.references) == {start.digest}
    assert coded.errors.tolist() == pytest.approx(errors_of(coded, frames, [start]))
    assert coded.size < 0.6 * own.size
    exchange = Exchange(12.0, own.size / len(frames))
    assert coded.worth(exchange) > own.worth(exchange)


@pytest.mark.parametrize("wanted", ["r-r-", "-rr-", "rr--", "---r"])
def test_mixed_groups(made: SimpleNamespace, plan: Planned, reference: Referred, wanted: str) -> None:
    """The last group has one frame: it is no still picture with another sequence header."""
    frames, told = made.scene(10, 0, 1), plan(access=3)
    start = reference(made.scene(12, 0)[6], told)
    coded = code_base(frames, told, [start if sign == "r" else None for sign in wanted])
    assert coded.references == tuple(start.digest if sign == "r" else None for sign in wanted)
    assert coded.errors.tolist() == pytest.approx(errors_of(coded, frames, [start]))


def test_groups_of_one_frame_share_a_sequence_header(made: SimpleNamespace, plan: Planned, reference: Referred) -> None:
    """Own ones have another than those behind a reference: a video has the one or the other."""
    frames, told = made.scene(4, 0, 1), plan(access=1)
    start = reference(made.scene(4, 0)[2], told)
    mixed = code_base(frames, told, [start, None, start, start])
    assert set(mixed.references) == {None}
    assert mixed.packets == code_base(frames, told).packets
    assert mixed.errors.tolist() == pytest.approx(errors_of(mixed, frames))


def changing(pictures: Sequence[np.ndarray], plan: BasePlan) -> CodedReference:
    """A reference whose picture is another one each time that it is asked for."""
    drawn = iter(pictures)
    return code_reference(lambda: next(drawn), plan)


def test_bytes_that_do_not_come_out_again_are_replaced_by_an_intra_frame(
    made: SimpleNamespace, plan: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, told = made.scene(20, 0, 1), plan()
    picture, other = made.scene(12, 0)[6], made.scene(12, 0)[7]
    start = changing([picture, picture, other, picture], told)
    coded = code_base(frames, told, [start] * 3)
    assert coded.references == (start.digest, None, start.digest)
    assert coded.errors.tolist() == pytest.approx(errors_of(coded, frames, [start]))

    start, usual = code_reference(lambda: picture, told), base_coding._shared
    monkeypatch.setattr(base_coding, "_shared", lambda plan: replace(usual(plan), preset=5))
    coded = code_base(frames, told, [start] * 3)
    assert coded.references == (None,) * 3
    assert coded.errors.tolist() == pytest.approx(errors_of(coded, frames))


@pytest.mark.parametrize("size", [(1, 1), (9, 13), (27, 31), (33, 64)], ids=str)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_odd_and_tiny_sizes(
    made: SimpleNamespace, plan: Planned, reference: Referred, size: tuple[int, int], count: int
) -> None:
    frames, told = np.stack(made.drifting(count, *size)), plan(distance=2, access=2)
    start = reference(frames[-1], told)
    for wanted in ([], [start] * (count // 2 + 1)):
        coded = code_base(frames, told, wanted)
        assert (coded.references[0] is None) == (not wanted)
        assert len(coded.errors) == count
        assert coded.errors.tolist() == pytest.approx(errors_of(coded, frames, [start]))


@pytest.mark.parametrize("distance", [1, 2, 4])
@pytest.mark.parametrize("access", [2, 3, 8, 16])
def test_any_frame_takes_as_many_coded_frames_as_it_may(plan: Planned, access: int, distance: int) -> None:
    """Decoding begins where a group does; a blend takes the coded frames on both sides."""
    length = plan(access=access, distance=distance).group_length
    conditioning = Timeline(200, 1, distance).conditioning(np.arange(200))
    taken = []
    for start, end, share in zip(conditioning.start, conditioning.end, conditioning.distance, strict=True):
        needed = {start} if share == 0 else {end} if share == 1 else {start, end}
        taken.append(sum(max(place % length for place in part) + 1 for part in _by_group(needed, length)))
    assert max(taken) == access


def _by_group(places: set[int], length: int) -> list[set[int]]:
    return [{p for p in places if p // length == group} for group in {p // length for p in places}]


def test_one_group_for_all_of_a_video(plan: Planned) -> None:
    assert [plan(access=WHOLE, distance=distance).group_length for distance in (1, 2, 4)] == [WHOLE] * 3


def test_a_reference_is_the_same_whatever_follows(made: SimpleNamespace, plan: Planned, reference: Referred) -> None:
    picture = made.scene(12, 0)[6]
    names = {
        reference(picture, plan(threads=threads, distance=distance)).digest for threads, distance in [(1, 1), (2, 4)]
    }
    assert len(names) == 1
    assert reference(picture, plan(crf=46.0)).digest not in names


def test_threads_and_where_frames_lie_change_no_byte(
    made: SimpleNamespace, plan: Planned, reference: Referred, tmp_path: Path
) -> None:
    frames = made.scene(12, 0, 1)
    with FrameStoreWriter(tmp_path / "frames.rgb") as writer:
        for frame in frames:
            writer.append(frame)
    one = plan()
    start = reference(made.scene(12, 0)[6], one)
    coded = [
        code_base(given, replace(one, threads=threads), [start, None])
        for given, threads in ((frames, 1), (list(frames), 3), (writer.store(), 2))
    ]
    assert len({(each.header, each.packets, each.references, each.checksums) for each in coded}) == 1


def test_the_worst_twentieth_counts_beside_the_mean(plan: Planned) -> None:
    even = CodedBase(plan(), b"", (b"x" * 100,), (None,), lambda: np.full(40, 10.0))
    uneven = replace(even, measure=lambda: np.array([0.0] * 38 + [200.0] * 2))
    assert even.errors.mean() == uneven.errors.mean()
    assert even.distortion == pytest.approx(10)
    assert uneven.distortion == pytest.approx((10 + 0.3 * 200) / 1.3)
    exchange = Exchange(12.0, 100.0)
    assert even.worth(exchange) > uneven.worth(exchange)


def test_bytes_are_priced_by_what_they_bring_elsewhere(plan: Planned) -> None:
    """A hundredth more bytes bring the corpus a hundredth more of the slope at its own density; the rest is a line."""
    exchange = Exchange(12.0, 50.0)
    assert exchange.brought(0.5) == pytest.approx(12.0 * np.log10(1.01), rel=0.01)
    assert exchange.brought(100.0) == pytest.approx(200 * exchange.brought(0.5))
    assert exchange.bought(exchange.brought(7.0)) == pytest.approx(7.0)
    light = CodedBase(plan(), b"", (b"x" * 400,), (None,), lambda: np.full(4, 10.0))
    heavy = replace(light, packets=(b"x" * 600,))
    assert light.worth(exchange) - heavy.worth(exchange) == pytest.approx(exchange.brought(50.0))

"""What a file may ask for, and what is said where it asks for more. Hostile archives are made here, checksums right."""

from __future__ import annotations

import os
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import fuzzing
import numpy as np
import pytest
import torch

from dnerv.archive import Archive, VideoEntry
from dnerv.archive.limits import CODED_PIXELS, FRAMES, Bounds, Limits, chosen_allowance, memory_errors_named
from dnerv.bitstream import decode_json, encode_json
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing

Change = Callable[[fuzzing.Parts], None]
LONG, LONGEST = Timing.constant(Fraction(25), 1_000_000), Timing.constant(Fraction(25), 1 << 26)


def rewritten(path: Path, target: Path, change: Change) -> Path:
    """A copy that a change was made to, with checksums that match."""
    parts = fuzzing.Parts.of(path)
    change(parts)
    target.write_bytes(parts.file(has_true_sums=change not in (many_labels, many_times)))  # which take too long to read
    return target


def first_video(**fields: Any) -> Change:
    """Other facts of the first video, as they are named in its entry."""

    def change(parts: fuzzing.Parts) -> None:
        first, *others = parts.entries(0)
        parts.set_entries(0, [replace(first, **fields), *others])

    return change


def configured(change: Callable[[Any], None]) -> Change:
    """Another configuration."""

    def changed(parts: fuzzing.Parts) -> None:
        record = decode_json(parts.config)
        change(record)
        parts.config = encode_json(record)

    return changed


def model(**fields: Any) -> Change:
    return configured(lambda record: record["network"]["model"].update(fields))


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def test_limits_grow_with_the_file_and_with_the_allowance() -> None:
    assert Limits(0).of(FRAMES) == 1 << 20
    assert Limits(1000).of(FRAMES) == (1 << 20) + 1_024_000
    assert Limits(1000, allowance=3).of(FRAMES) == 3 * Limits(1000).of(FRAMES)
    Limits(17_000).check(CODED_PIXELS, 2160 * 3840)
    with pytest.raises(ArchiveError, match=r"asks for 8,294,400 pixels in a frame as coded; one of 10,000 bytes"):
        Limits(10_000).check(CODED_PIXELS, 2160 * 3840)


def test_the_allowance_that_is_named_is_enough() -> None:
    with pytest.raises(ArchiveError, match="DNERV_ALLOWANCE=3 ") as caught:
        Limits(0).check(FRAMES, 3 << 20)
    assert "If you trust it" in str(caught.value)
    Limits(0, allowance=3).check(FRAMES, 3 << 20)


def test_an_allowance_is_given_or_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_allowance(None) == 1
    monkeypatch.setenv("DNERV_ALLOWANCE", "2.5")
    assert (chosen_allowance(None), chosen_allowance(4)) == (2.5, 4)
    for text in ("much", "0", "-1", "nan"):
        monkeypatch.setenv("DNERV_ALLOWANCE", text)
        with pytest.raises(InputError, match="DNERV_ALLOWANCE"):
            chosen_allowance(None)


def test_spans_lie_in_the_file() -> None:
    bounds = Bounds(Limits(100), 0, 0, 0)
    bounds.check_span("it", 68, 32)
    bounds.check_span("it", 100, 0)
    for offset, length in ((67, 1), (68, 33), (101, 0), (68, -1), (2**63, 2**63)):
        with pytest.raises(ArchiveError, match="damaged: it lies outside the file"):
            bounds.check_span("it", offset, length)


def many_labels(parts: fuzzing.Parts) -> None:
    """10 kB that inflate to 10 MB of labels."""
    numbers = b"\xff\xff\xff\x04" + bytes(10 << 20)
    head = fuzzing.encode_integers([len(numbers), 0])
    parts.blocks[0] = deflated(head + numbers)


def many_times(parts: fuzzing.Parts) -> None:
    """A video of as many uneven steps as fit a small file."""
    first, *others = parts.entries(0)
    times = np.cumsum(np.tile([2**30, 2**30 + 1], 660_000)).tolist()
    parts.set_entries(0, [replace(first, timing=Timing(Fraction(1, 1000), times, 1)), *others])


def many_videos(parts: fuzzing.Parts) -> None:
    """Four thousand videos in a block, and the block again and again."""
    parts.blocks, parts.directory = (
        parts.blocks * 50,
        [replace(parts.directory[0], first=b"%02d" % number, rows=4096) for number in range(50)],
    )


def many_frames(parts: fuzzing.Parts) -> None:
    """Base layers of two packets a year apart."""
    first, *others = parts.entries(0)
    one = replace(
        first,
        timing=Timing.constant(Fraction(25), 65_536),
        distance=65_535,
        group_length=2,
        packet_lengths=first.packet_lengths[:2],
        references=(-1,),
        checksums=(0,),
    )
    parts.set_entries(0, [one, *others, *(replace(one, name=f"more/{number}") for number in range(500))])


def many_values(parts: fuzzing.Parts) -> None:
    """40 kB that inflate to 39 MB, of which 1 GB of objects would be made."""
    parts.config = deflated(b'{"formats":[' + b"{}," * 13_000_000 + b"{}]}")


NERV, BASE, NETWORK = "nerv_path", "base_path", "archive_path"
BOMBS: dict[str, tuple[str, Change, str]] = {
    "a canvas of 32x32 would be run 130,000 times": (
        NERV,
        first_video(original_size=(11_585, 11_585), coded_size=(11_585, 11_585)),
        "pixels in a frame as",
    ),
    "a strip of many tiles": (
        NERV,
        first_video(original_size=(52, 65_536), coded_size=(52, 65_536)),
        "tiles in a frame",
    ),
    "frames without bytes": (NERV, first_video(timing=LONGEST), r"asks for [\d,]+ frames"),
    "a frame to be scaled up": (
        NERV,
        first_video(original_size=(8192, 8192), coded_size=(32, 32)),
        "pixels in a frame as shown",
    ),
    "one pass of everything": (NERV, model(grid=[200, 200], clip_length=256), "pixels in one pass|numbers"),
    "weights without bytes": (
        NERV,
        model(base_channels=8192, stem_channels=65_536, min_channels=4096),
        "weights|numbers",
    ),
    "a configuration of many small values": (BASE, many_values, r"asks for more than \d+ bytes of memory"),
    "a block of the index that inflates": (BASE, many_labels, r"inflates to more than [\d,]+"),
    "uneven times": (BASE, many_times, r"inflates to more than [\d,]+"),
    "blocks of one and the same bytes": (BASE, many_videos, r"asks for [\d,]+ videos"),
    "more frames than packets": (BASE, first_video(timing=Timing.constant(Fraction(25), 9000)), "damaged"),
    "packets that are very far apart": (BASE, many_frames, r"asks for [\d,]+ frames"),
    "packets beyond the file": (BASE, first_video(offset=2**40), "lies outside"),
    "a picture too large for its bytes": (BASE, first_video(coded_size=(4096, 4096)), "pixels in a frame as coded"),
}


def decode_first(path: Path) -> None:
    with Archive(path) as archive:
        archive[archive.entries[0].name][0]


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_much_is_spent(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    fixture, change, message = BOMBS[name]
    path = rewritten(request.getfixturevalue(fixture), tmp_path / "b.dnerv", change)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    before = time.process_time()
    try:
        with pytest.raises(ArchiveError, match=message) as caught:
            decode_first(path)
        assert time.process_time() - before < 3
        assert tracemalloc.get_traced_memory()[1] < 300 << 20
    finally:
        tracemalloc.stop()
    assert str(caught.value).count(str(path)) == 1


def test_an_allowance_opens_what_was_refused(nerv_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = first_video(original_size=(8000, 8000), coded_size=(32, 32))
    path = rewritten(nerv_path, tmp_path / "b.dnerv", change)
    with Archive(path) as archive, pytest.raises(ArchiveError, match="DNERV_ALLOWANCE=2 "):
        archive.entries[0]
    with Archive(path, allowance=2) as archive:
        assert archive.entries[0].original_size == (8000, 8000)
    monkeypatch.setenv("DNERV_ALLOWANCE", "2")
    with Archive(path) as archive:
        assert archive.entries[0].original_size == (8000, 8000)


def test_a_long_video_opens_at_once(nerv_path: Path, tmp_path: Path) -> None:
    """A reader's memory and time do not grow with the frames of its video."""

    def change(parts: fuzzing.Parts) -> None:
        configured(lambda record: record["network"].update(frames=2_000_000))(parts)
        first_video(timing=LONG)(parts)

    path = rewritten(nerv_path, tmp_path / "b.dnerv", change)
    with Archive(path) as archive:
        name = archive.names[0]
        before = time.process_time()
        reader = archive[name]
        assert time.process_time() - before < 0.05
        assert len(reader) == 1_000_000
        batch = reader.get_frames_at([999_999, 3])
        assert batch.pts_seconds.tolist() == [999_999 / 25, 3 / 25]
        assert batch.duration_seconds.tolist() == pytest.approx([0.04, 0.04])


@pytest.mark.parametrize(
    "allocate",
    [lambda: torch.empty(1 << 50), lambda: np.empty(1 << 50), lambda: torch.empty(1 << 62, 8)],
    ids=["torch", "numpy", "overflow"],
)
def test_no_memory_is_the_named_error(allocate: Callable[[], object]) -> None:
    with pytest.raises(ArchiveError, match="not enough memory for a clip: "), memory_errors_named("a clip"):
        allocate()


def test_a_full_accelerator_is_the_named_error() -> None:
    with pytest.raises(ArchiveError, match="not enough memory for a clip: CUDA"), memory_errors_named("a clip"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"), memory_errors_named("a clip"):
        torch.empty(2) + torch.empty(3)


def test_mutations_end_in_named_errors_or_frames(archive_path: Path, base_path: Path, nerv_path: Path) -> None:
    """A part of what `benchmarks/fuzzing.py` tries by the ten thousand; the same every time."""
    found = [outcome for _, outcome in fuzzing.fuzz([archive_path, base_path, nerv_path], 150, seed=0)]
    assert [outcome for outcome in found if outcome.is_wrong] == []
    kinds = [outcome.kind for outcome in found]
    assert kinds.count("decoded") >= 10
    assert kinds.count("named error") >= 75


def test_mutations_reach_what_lies_behind_the_checksums(base_path: Path) -> None:
    words = [outcome.what for _, outcome in fuzzing.fuzz([base_path], 120, seed=3)]
    assert sum("does not match" in text for text in words) < len(words) / 5
    for part in ("index is damaged", "keyframe packet", "record"):
        assert any(part in text for text in words), part


def test_taken_apart_and_put_together_an_archive_is_what_it_was(archive_path: Path, tmp_path: Path) -> None:
    path = rewritten(archive_path, tmp_path / "b.dnerv", lambda parts: None)
    with Archive(archive_path) as before, Archive(path) as after:
        assert [*after.entries] == [*before.entries]
        assert isinstance(after.entries[0], VideoEntry)
        name = before.names[0]
        assert torch.equal(before[name][:], after[name][:])


def test_the_fuzzer_sees_what_is_wrong(archive_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive_path.read_bytes()

    def becomes(try_archive: Callable[[Path], str]) -> str:
        monkeypatch.setattr(fuzzing, "try_archive", try_archive)
        return fuzzing.outcomes([data])[0].kind

    def end(path: Path) -> str:
        os._exit(3)

    def fill(path: Path) -> str:
        return "decoded" if len(b"x" * (1200 << 20)) else ""

    def turn(path: Path) -> str:
        before = time.process_time()
        while time.process_time() - before < 0.2:
            pass
        return "decoded"

    monkeypatch.setattr(fuzzing, "SECONDS", 0.1)
    assert becomes(lambda path: "decoded") == "decoded"
    assert becomes(lambda path: str(1 // 0)) == "wrong exception"
    assert becomes(end) == "died"
    assert becomes(turn) == "slow"
    monkeypatch.setattr(fuzzing, "SECONDS", 30)
    assert becomes(fill) == "large"

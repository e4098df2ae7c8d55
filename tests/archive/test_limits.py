"""What a file may ask for, and what is said where it asks for more. Hostile archives are made here, checksums right."""

import os
import time
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import fuzzing
import numpy as np
import pytest
import torch

from dnerv.archive import Archive
from dnerv.archive.limits import CODED_PIXELS, FRAMES, Limits, chosen_allowance, memory_errors_named
from dnerv.bitstream import Container, decode_json, encode_json, write_container
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing

Change = Callable[[Any], Any]


def rewritten(path: Path, target: Path, **changes: Change) -> Path:
    """A copy with other JSON, or other bytes, in some sections."""
    with Container.open(path) as container:
        contents = {kind: container.read(kind) for kind in container.kinds}
    for kind, change in changes.items():
        made = change(decode_json(contents[kind]))
        contents[kind] = made if isinstance(made, bytes) else encode_json(made)
    write_container(target, list(contents.items()))
    return target


def first_video(**fields: Any) -> Change:
    def change(record: Any) -> Any:
        record["videos"][0] |= fields
        return record

    return change


def model(**fields: Any) -> Change:
    return lambda record: record | {"model": record["model"] | fields}


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


ENDLESS = {"time_base": [1, 25], "start": 0, "step": 1, "count": 1 << 26, "last_duration": 1}
HOSTILE: dict[str, tuple[dict[str, Change], str]] = {
    "a canvas of 64x80 would be run 27,000 times": (
        {"INDX": first_video(size=[11585, 11585], coded=[11585, 11585])},
        "pixels in a frame as|tiles in a frame",
    ),
    "a strip of many tiles": ({"INDX": first_video(size=[65536, 52])}, "tiles in a frame"),
    "frames without bytes": ({"INDX": first_video(timing=ENDLESS)}, "frames"),
    "a frame to be scaled up": ({"INDX": first_video(size=[8192, 8192], coded=[32, 32])}, "pixels in a frame as shown"),
    "one pass of everything": ({"CONF": model(grid=[200, 200], clip_length=256)}, "pixels in one pass|numbers"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_before_anything_is_spent(nerv_path: Path, tmp_path: Path, name: str) -> None:
    changes, message = HOSTILE[name]
    path = rewritten(nerv_path, tmp_path / "b.dnerv", **changes)
    before = time.process_time()
    with pytest.raises(ArchiveError, match=message):
        Archive(path)
    assert time.process_time() - before < 1


def test_an_allowance_opens_what_was_refused(nerv_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rewritten(nerv_path, tmp_path / "b.dnerv", INDX=first_video(size=[6000, 6000], coded=[32, 32]))
    with pytest.raises(ArchiveError, match="DNERV_ALLOWANCE=2 "):
        Archive(path)
    with Archive(path, allowance=2) as archive:
        assert archive["walk"].metadata.height == 6000
    monkeypatch.setenv("DNERV_ALLOWANCE", "2")
    with Archive(path) as archive:
        assert archive.entries[0].original_size == (6000, 6000)


def test_an_index_of_many_small_values(nerv_path: Path, tmp_path: Path) -> None:
    """40 kB that inflate to 39 MB, of which 1 GB of objects would be made."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = b'{"videos":[' + b"{}," * 13_000_000 + b"{}]}"
    bomb = deflater.compress(text) + deflater.flush()
    del text
    assert len(bomb) < 42_000
    path = rewritten(nerv_path, tmp_path / "b.dnerv", INDX=lambda record: bomb)
    before = time.process_time()
    with pytest.raises(ArchiveError, match=r"asks for more than \d+ bytes of memory"):
        Archive(path)
    assert time.process_time() - before < 2


def test_more_frames_than_packets(archive_path: Path, tmp_path: Path) -> None:
    timing = {"time_base": [1, 25], "start": 0, "step": 1, "count": 9000, "last_duration": 1}
    path = rewritten(archive_path, tmp_path / "b.dnerv", INDX=first_video(timing=timing))
    with pytest.raises(ArchiveError, match="'walk' has 9000 frames, more than its keyframe table"):
        Archive(path)


def test_a_long_video_opens_at_once(nerv_path: Path, tmp_path: Path) -> None:
    """A reader's memory and time do not grow with the frames of its video."""
    timing = Timing.constant(Fraction(25), 1_000_000).to_json()
    path = rewritten(nerv_path, tmp_path / "b.dnerv", INDX=first_video(timing=timing))
    with Archive(path) as archive:
        before = time.process_time()
        reader = archive["walk"]
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


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"), memory_errors_named("a clip"):
        torch.empty(2) + torch.empty(3)


def test_mutations_end_in_named_errors_or_frames(archive_path: Path, nerv_path: Path) -> None:
    """A part of what `benchmarks/fuzzing.py` tries by the ten thousand; the same every time."""
    found = [outcome for _, outcome in fuzzing.fuzz([archive_path, nerv_path], 150, seed=0)]
    assert [outcome for outcome in found if outcome.is_wrong] == []
    kinds = [outcome.kind for outcome in found]
    assert kinds.count("decoded") >= 5
    assert kinds.count("named error") >= 100


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

"""Keyframes ahead of time: in order, each reader with one thread, few readers open."""

from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.errors import ArchiveError
from dnerv.loading.preparation import KeyframeReaders, Preparation, wanted_clips
from dnerv.loading.windows import Sample


def sample(place: int, *frames: int) -> Sample:
    return Sample(0, place, np.array(frames, np.int64))


def test_each_clip_is_wanted_once() -> None:
    samples = [sample(3, 9, 10), sample(1, 0, 0), sample(3, 0, 4), sample(3, 8, 9)]
    assert dict(wanted_clips(samples, 4)) == {3: [0, 1, 2], 1: [0]}


def test_few_readers_are_open(alike_path: Path) -> None:
    with Archive(alike_path) as archive:
        readers = KeyframeReaders(archive, limit=2)
        seen = []
        for place in (0, 1, 0, 2, 0, 1):
            with readers.reading(place) as reader:
                assert reader is not None
                seen.append(reader)
            with readers._slots as slots:
                assert len(slots) <= 2
        assert seen[0] is seen[2]
        assert seen[2] is seen[4]
        assert seen[1] is not seen[5]  # it made room


def test_a_reader_has_one_thread_at_a_time(alike_path: Path) -> None:
    """Four threads walk two videos; what they read is what one alone reads."""
    barrier, failures = Barrier(4), []
    with Archive(alike_path) as archive:
        expected = {place: archive.keyframe_reader(place).read(0, 3) for place in (0, 4)}  # type: ignore[union-attr]
        readers = KeyframeReaders(archive, limit=1)

        def walk(place: int) -> None:
            barrier.wait(30)
            for _ in range(10):
                with readers.reading(place) as reader:
                    assert reader is not None
                    for first in (0, 2, 1):
                        if not np.array_equal(reader.read(first, first + 1), expected[place][first : first + 2]):
                            failures.append((place, first))

        threads = [Thread(target=walk, args=(place,)) for place in (0, 4, 0, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_batches_come_in_order_and_no_further_ahead_than_asked(alike_path: Path, depth: int) -> None:
    asked = []

    def batches() -> object:
        for frame in (20, 0, 8, 4):
            asked.append(frame)
            yield [sample(4, frame)]

    with Archive(alike_path) as archive, Preparation(archive, threads=2) as preparation:
        given = []
        for samples, clips in preparation.ahead(batches(), depth):  # type: ignore[arg-type]
            given.append(int(samples[0].frames[0]))
            assert len(asked) <= len(given) + depth
            assert [(clip.place, clip.clip) for clip in clips] == [(4, given[-1] // 4)]
    assert given == [20, 0, 8, 4]


def test_a_damaged_keyframe_is_an_error_of_its_batch(alike_path: Path, tmp_path: Path) -> None:
    data = bytearray(alike_path.read_bytes())
    data[-1] ^= 1  # of the last video's keyframes
    (tmp_path / "b.dnerv").write_bytes(data)
    with Archive(tmp_path / "b.dnerv") as archive, Preparation(archive, threads=2) as preparation:
        ahead = preparation.ahead(iter([[sample(0, 0)], [sample(4, 20)]]), 1)
        assert next(ahead)[1][0].place == 0
        with pytest.raises(ArchiveError, match="keyframes of video 'run/d'"):
            next(ahead)

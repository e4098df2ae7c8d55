"""Base layers ahead of time: in order, each reader with one thread, few readers open."""

from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
import torch

from dnerv.archive import Archive
from dnerv.errors import ArchiveError, InputError
from dnerv.loading.preparation import BaseReaders, Preparation, wanted_frames
from dnerv.loading.windows import Sample

RUN_D = 2  # the place of "run/d", with 21 frames


def sample(place: int, *frames: int) -> Sample:
    return Sample(0, place, np.array(frames, np.int64))


def test_each_frame_is_wanted_once() -> None:
    samples = [sample(3, 9, 10), sample(1, 0, 0), sample(3, 0, 4), sample(3, 8, 9)]
    assert {place: frames.tolist() for place, frames in wanted_frames(samples).items()} == {3: [0, 4, 8, 9, 10], 1: [0]}


def test_few_readers_are_open(base_path: Path) -> None:
    with Archive(base_path) as archive:
        readers = BaseReaders(limit=2)
        seen = []
        for place in (0, 1, 0, 2, 0, 1):
            with readers.reading(place, archive, archive.entries[place]) as reader:
                seen.append(reader)
            with readers._slots as slots:
                assert len(slots) <= 2
        assert seen[0] is seen[2]
        assert seen[2] is seen[4]
        assert seen[1] is not seen[5]  # it made room


def test_a_reader_has_one_thread_at_a_time(base_path: Path) -> None:
    """Four threads walk two videos; what they read is what one alone reads."""
    barrier, failures = Barrier(4), []
    with Archive(base_path) as archive:
        entries = {place: archive.entries[place] for place in (1, RUN_D)}
        expected = {place: archive.base.frames(entry, range(8)) for place, entry in entries.items()}
        readers = BaseReaders(limit=1)

        def walk(place: int) -> None:
            barrier.wait(30)
            for _ in range(10):
                with readers.reading(place, archive, entries[place]) as reader:
                    for first in (0, 4, 1):
                        found = reader.frames(range(first, first + 3))
                        if not np.array_equal(found, expected[place][first : first + 3]):
                            failures.append((place, first))

        threads = [Thread(target=walk, args=(place,)) for place in (1, RUN_D, 1, RUN_D)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_batches_come_in_order_and_no_further_ahead_than_asked(alike_path: Path, base_path: Path, depth: int) -> None:
    for path in (alike_path, base_path):
        asked = []

        def batches() -> object:
            for frame in (20, 0, 8, 4):
                asked.append(frame)  # noqa: B023  (used before the next round)
                yield [sample(RUN_D, frame)]

        with Archive(path) as archive, Preparation(archive, threads=2) as preparation:
            given = []
            for samples, prepared in preparation.ahead(batches(), depth):  # type: ignore[arg-type]
                given.append(int(samples[0].frames[0]))
                assert len(asked) <= len(given) + depth
                (footage,) = prepared.values()
                assert (footage.entry.name, footage.indices.tolist()) == ("run/d", given[-1:])
                if path == alike_path:
                    assert footage.frames is None
                    assert [clip.clip for clip in footage.clips] == [given[-1] // 4]
                else:
                    assert footage.frames is not None
                    assert torch.equal(footage.frames[0], archive["run/d"][given[-1]])
        assert given == [20, 0, 8, 4]


def test_damage_is_an_error_of_its_batch(base_path: Path, alike_path: Path, tmp_path: Path) -> None:
    for path in (base_path, alike_path):
        with Archive(path) as archive:
            start, _ = archive["run/d"].entry.group_span(1)
        data = bytearray(path.read_bytes())
        data[start] ^= 1
        (tmp_path / "b.dnerv").write_bytes(data)
        with Archive(tmp_path / "b.dnerv") as archive, Preparation(archive, threads=2) as preparation:
            ahead = preparation.ahead(iter([[sample(0, 0)], [sample(RUN_D, 5, 9)]]), 1)
            assert list(next(ahead)[1]) == [0]
            with pytest.raises(ArchiveError, match=r"b\.dnerv: video 'run/d' is damaged: .* group 1"):
                next(ahead)


def test_a_network_alone_has_nothing_to_fall_back_on(nerv_path: Path) -> None:
    with Archive(nerv_path, layers="base") as archive, Preparation(archive, threads=1) as preparation:
        ahead = preparation.ahead(iter([[sample(0, 0)]]), 0)
        with pytest.raises(InputError, match="'class/odd' has no base layer"):
            next(ahead)

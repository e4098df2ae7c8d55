"""Archives that change: frames to the bit, bytes that stay where they are, what is left when a change breaks off."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.archive.changing import compact, extract, matching, merge, remove
from dnerv.archive.config import NetworkConfig, PlaneFormat
from dnerv.archive.entry import VideoEntry
from dnerv.archive.writing import ArchiveWriter, NetworkLayer, NewReference, changed_archive, new_archive
from dnerv.bitstream import pack_weights
from dnerv.bitstream.header import HEADER_SIZE
from dnerv.codecs import SvtAv1, decode_packets
from dnerv.codecs.keyframes import Planes
from dnerv.codecs.obu import split_sequence_header
from dnerv.errors import ArchiveError, InputError, OutputError, VideoNameError
from dnerv.families import NeRVConfig, build_model
from dnerv.video import Timeline, Timing

SIZE = (64, 80)
CRF, PRESET = 50.0, 10
NERV = NeRVConfig(4, (1, 1), (4, 4, 2), clip_length=4, min_channels=6, stem_channels=8, encoding_levels=8)


def pictures(seed: int, count: int = 7) -> list[np.ndarray]:
    """Frames of one scene, uint8 [H, W, 3]; a square moves as the seed says."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    scene = np.stack([128 + 60 * np.sin(x / 9), 128 + 60 * np.cos(y / 7), (x + y) % 160], axis=-1).astype(np.uint8)
    frames = [scene.copy() for _ in range(count)]
    for step, frame in enumerate(frames):
        frame[8 + seed : 24 + seed, 4 + 6 * step : 16 + 6 * step] = 40 * seed % 200 + 30
    return frames


@dataclass(frozen=True)
class Coded:
    """A video ready to go into an archive."""

    entry: VideoEntry
    format: PlaneFormat
    references: tuple[bytes | None, ...]
    packets: bytes
    shared: NewReference | None


def code(name: str, seed: int, *, scene: int | None = None, every: int = 1, group: int = 3, depth: int = 10) -> Coded:
    """Code a video, its groups from the reference of `scene` or, for None, from intra frames."""
    frames, planes = pictures(seed), Planes(depth=depth)
    chosen = [frames[i] for i in Timeline(len(frames), 1, every).keyframe_positions.tolist()]
    encoder = SvtAv1(preset=PRESET, group=64, shares_first=scene is not None, planes=planes, threads=1)
    header, packets, shared = b"", list[bytes](), None
    source: list[np.ndarray] = []
    if scene is not None:
        still = encoder.keyframes([pictures(scene)[0]] * 2, CRF - 8)[0].data
        source = list(decode_packets([still], height=SIZE[0], width=SIZE[1], planes=planes))
        kept = split_sequence_header(still)[1]
    for start in range(0, len(chosen), group):
        coded = [p.data for p in encoder.keyframes([*source, *chosen[start : start + group]], CRF)]
        header, first = split_sequence_header(coded[0])
        if scene is not None:
            shared = NewReference(
                packet=first,
                seed=kept,
                height=SIZE[0],
                width=SIZE[1],
                format=PlaneFormat(planes, Planes(depth=8), header),
                crf=CRF,
                preset=PRESET,
            )
            packets += coded[1:]
        else:
            packets += [first, *coded[1:]]
    groups = [b"".join(packets[at : at + group]) for at in range(0, len(packets), group)]
    entry = VideoEntry(
        name=name,
        label=name.split("/")[0] if "/" in name else None,
        original_size=SIZE,
        coded_size=SIZE,
        timing=Timing.constant(Fraction(25), len(frames)),
        distance=every,
        group_length=group,
        format=0,
        crf=CRF,
        references=(),
        packet_lengths=tuple(map(len, packets)),
        checksums=tuple(crc32(data) & 0xFFFF for data in groups),
        offset=0,
        network_frame=None,
    )
    digest = None if shared is None else shared.digest
    format = PlaneFormat(planes, Planes(depth=8), header)
    return Coded(entry, format, (digest,) * len(groups), b"".join(packets), shared)


def put(writer: ArchiveWriter, video: Coded) -> None:
    if video.shared is not None:
        writer.add_reference(video.shared)
    writer.add_video(video.entry, video.format, video.references, video.packets)


def write(path: Path, videos: Sequence[Coded], made: dict[str, Any] | None = None) -> Path:
    with new_archive(path) as writer:
        for video in videos:
            put(writer, video)
        writer.finish(made or {"crf": CRF})
    return path


def network(seed: int) -> NetworkLayer:
    """A NeRV of random weights for 21 frames."""
    torch.manual_seed(seed)
    weights = {name: p.detach().numpy() for name, p in build_model(NERV).named_parameters()}
    return NetworkLayer(NetworkConfig(NERV, 8, 21), pack_weights(weights, 6))


def made_up(name: str, first: int) -> VideoEntry:
    """A video without a base layer."""
    return VideoEntry(
        name=name,
        label=None,
        original_size=(32, 32),
        coded_size=(32, 32),
        timing=Timing.constant(Fraction(25), 7),
        distance=0,
        group_length=0,
        format=0,
        crf=0.0,
        references=(),
        packet_lengths=(),
        checksums=(),
        offset=0,
        network_frame=first,
    )


def write_with_network(path: Path, layer: NetworkLayer, names: Sequence[str], others: Sequence[Coded] = ()) -> Path:
    with new_archive(path, network=layer) as writer:
        for place, name in enumerate(names):
            writer.add_video(made_up(name, 7 * place), None, (), b"")
        for video in others:
            put(writer, video)
        writer.finish({})
    return path


def digests(path: Path) -> dict[str, str]:
    """sha256 of all frames of every video, in a fresh archive."""
    with Archive(path) as archive:
        return {reader.metadata.name: frames_digest(reader) for reader in archive}


def frames_digest(reader: Any) -> str:
    return sha256(b"".join(frame.numpy().tobytes() for frame in reader)).hexdigest()


@pytest.fixture(scope="module")
def videos() -> dict[str, Coded]:
    """Two that share a picture, one that has its own, one of intra frames with blends, one of 8 bits."""
    return {
        "a/one": code("a/one", 1, scene=0),
        "a/two": code("a/two", 2, scene=0),
        "b/three": code("b/three", 3, scene=5),
        "four": code("four", 4, every=2, group=64),
        "five[1]": code("five[1]", 5, depth=8),
    }


@pytest.fixture(scope="module")
def original(videos: dict[str, Coded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    known = {video.shared.digest.hex(): {"video": name, "saved": 9} for name, video in videos.items() if video.shared}
    made = {"crf": CRF, "references": known}
    return write(tmp_path_factory.mktemp("whole") / "whole.dnerv", list(videos.values()), made)


@pytest.fixture(scope="module")
def before(original: Path) -> dict[str, str]:
    found = digests(original)
    assert len(set(found.values())) == 5
    return found


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "whole.dnerv"))


def assert_intact(path: Path) -> None:
    found = verify_archive(path)
    assert found["intact"], found["problem"]
    with Archive(path) as archive:
        assert sum(archive.breakdown().values()) == archive.file_bytes == path.stat().st_size


class TestRemove:
    def test_others_stay_to_the_bit_and_where_they_are(self, archive: Path, before: dict[str, str]) -> None:
        old = archive.read_bytes()
        done = remove(archive, ["a/one", "four"])
        assert done.videos == ("a/one", "four")
        assert (done.num_videos, done.bytes_before, done.file_bytes) == (3, len(old), archive.stat().st_size)
        assert digests(archive) == {n: d for n, d in before.items() if n not in ("a/one", "four")}
        assert archive.read_bytes()[HEADER_SIZE : len(old)] == old[HEADER_SIZE:]
        assert_intact(archive)
        with Archive(archive) as left:
            assert "four" not in left
            assert left.breakdown()["unused"] == done.unused_bytes > 0
            assert left.made["crf"] == CRF

    @pytest.mark.parametrize("names", [["a/one", "nine"], ["z*"], ["a/one", "*x"]])
    def test_a_name_of_none(self, archive: Path, names: list[str]) -> None:
        old = archive.read_bytes()
        with pytest.raises(VideoNameError, match=names[-1].replace("*", r"\*")):
            remove(archive, names)
        assert archive.read_bytes() == old

    def test_all_of_them_is_refused(self, archive: Path) -> None:
        old = archive.read_bytes()
        with pytest.raises(InputError, match=r"whole\.dnerv: .*at least one"):
            remove(archive, ["*"])
        assert archive.read_bytes() == old

    def test_again_and_again_until_one_is_left(self, archive: Path, before: dict[str, str]) -> None:
        for name in sorted(before)[1:]:
            remove(archive, [name])
        assert digests(archive) == {min(before): before[min(before)]}
        assert_intact(archive)


def test_names_are_patterns_unless_a_video_has_that_name(archive: Path) -> None:
    with Archive(archive) as opened:
        assert matching(opened, ["a/*"]) == ["a/one", "a/two"]
        assert matching(opened, ["*o*", "four"]) == ["a/one", "a/two", "four"]
        assert matching(opened, ["five[1]"]) == ["five[1]"]  # as a pattern it would fit five1 alone
        assert matching(opened, ["four", "four"]) == ["four"]
        assert matching(opened, ["FOUR"[:0] + "[f]ou?"]) == ["four"]
        with pytest.raises(VideoNameError, match="'FOUR'"):
            matching(opened, ["FOUR"])


class TestExtract:
    def test_the_archive_itself_is_no_output(self, archive: Path) -> None:
        """Its other videos would be lost."""
        before = archive.read_bytes()
        for output in (archive, archive.parent / "." / archive.name):
            with pytest.raises(OutputError, match="is the archive itself"):
                extract(archive, output, ["four"], force=True)
        assert archive.read_bytes() == before

    @pytest.mark.parametrize(
        ("names", "references"),
        [(["a/*"], 1), (["four"], 0), (["b/*", "a/two"], 2), (["five*", "four"], 0), (["*"], 2)],
    )
    def test_frames_and_what_goes_along(
        self, archive: Path, before: dict[str, str], tmp_path: Path, names: list[str], references: int
    ) -> None:
        output = tmp_path / "some.dnerv"
        done = extract(archive, output, names)
        with Archive(archive) as opened:
            wanted = matching(opened, names)
        assert done.videos == tuple(wanted)
        assert digests(output) == {name: before[name] for name in wanted}
        assert_intact(output)
        with Archive(output) as some:
            assert len(some.references) == references
            known = {reference.digest.hex() for reference in some.references}
            assert set(some.made.get("references", {})) == known
            assert "unused" not in some.breakdown() or some.breakdown()["unused"] == 0

    def test_an_output_that_is_there(self, archive: Path, tmp_path: Path, before: dict[str, str]) -> None:
        output = tmp_path / "some.dnerv"
        output.write_bytes(b"precious")
        with pytest.raises(OutputError, match="force"):
            extract(archive, output, ["four"])
        assert output.read_bytes() == b"precious"
        extract(archive, output, ["four"], force=True)
        assert digests(output) == {"four": before["four"]}

    def test_damage_does_not_travel(self, archive: Path, tmp_path: Path, before: dict[str, str]) -> None:
        with Archive(archive) as opened:
            at = opened["four"].entry.offset + 5
        data = bytearray(archive.read_bytes())
        data[at] ^= 1
        archive.write_bytes(data)
        with pytest.raises(ArchiveError, match=r"whole\.dnerv: video 'four' is damaged"):
            extract(archive, tmp_path / "some.dnerv", ["*"])
        remove(archive, ["a/one"])
        with pytest.raises(ArchiveError, match=r"whole\.dnerv: video 'four' is damaged"):
            compact(archive)
        assert not (tmp_path / "some.dnerv").exists()
        remove(archive, ["four"])
        compact(archive)
        assert digests(archive) == {n: d for n, d in before.items() if n not in ("four", "a/one")}


class TestMerge:
    def test_frames_and_shared_pictures(
        self, archive: Path, videos: dict[str, Coded], before: dict[str, str], tmp_path: Path
    ) -> None:
        left, right = tmp_path / "left.dnerv", tmp_path / "right.dnerv"
        extract(archive, left, ["a/one", "five*"])
        extract(archive, right, ["a/two", "four", "b/*"])
        done = merge([left, right], tmp_path / "both.dnerv")
        assert digests(tmp_path / "both.dnerv") == before
        assert done.bytes_before == left.stat().st_size + right.stat().st_size
        assert_intact(tmp_path / "both.dnerv")
        with Archive(tmp_path / "both.dnerv") as both, Archive(archive) as whole:
            assert {r.digest for r in both.references} == {r.digest for r in whole.references}
            assert both.made == whole.made
            assert len(both.config.formats) == len(whole.config.formats)

    def test_a_name_that_two_have(self, archive: Path, tmp_path: Path) -> None:
        extract(archive, tmp_path / "left.dnerv", ["a/*", "four"])
        with pytest.raises(InputError, match="'a/one', 'a/two', 'four'"):
            merge([archive, tmp_path / "left.dnerv"], tmp_path / "both.dnerv")
        assert not (tmp_path / "both.dnerv").exists()

    def test_into_one_of_them(self, archive: Path, tmp_path: Path, before: dict[str, str]) -> None:
        extract(archive, tmp_path / "left.dnerv", ["a/*"])
        remove(archive, ["a/*"])
        merge([archive, tmp_path / "left.dnerv"], archive, force=True)
        assert digests(archive) == before

    def test_a_seed_is_kept_where_one_of_them_has_it(self, videos: dict[str, Coded], tmp_path: Path) -> None:
        shared = videos["a/one"].shared
        assert shared is not None
        sealed = replace(videos["a/one"], shared=replace(shared, seed=b""))
        paths = [write(tmp_path / "sealed.dnerv", [sealed]), write(tmp_path / "open.dnerv", [videos["a/two"]])]
        merge(paths, tmp_path / "both.dnerv")
        with Archive(tmp_path / "both.dnerv") as both:
            (known,) = both.references
            assert both.container.read_at(known.seed_offset, known.seed_length) == shared.seed

    def test_a_seed_that_is_a_reference_is_stored_once(self, videos: dict[str, Coded], tmp_path: Path) -> None:
        seeded, other = videos["a/one"], videos["b/three"]
        assert seeded.shared is not None
        first = replace(seeded.shared, packet=seeded.shared.seed, seed=b"")  # the picture that it was made from
        own = replace(other, references=(first.digest, *other.references[1:]))
        with new_archive(tmp_path / "left.dnerv") as writer:
            put(writer, seeded)
            writer.finish({})
        with new_archive(tmp_path / "right.dnerv") as writer:
            writer.add_reference(first)
            put(writer, own)
            writer.finish({})
        merge([tmp_path / "left.dnerv", tmp_path / "right.dnerv"], tmp_path / "both.dnerv")
        with Archive(tmp_path / "both.dnerv") as both:
            known = {reference.digest: reference for reference in both.references}
            assert known[seeded.shared.digest].seed_offset == known[first.digest].offset
        extract(tmp_path / "both.dnerv", tmp_path / "one.dnerv", ["a/one"])  # without it, the seed stands by itself
        with Archive(tmp_path / "one.dnerv") as one:
            (alone,) = one.references
            assert one.container.read_at(alone.seed_offset, alone.seed_length) == first.packet

    def test_of_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no archives"):
            merge([], tmp_path / "both.dnerv")

    def test_the_record_is_that_of_most_frames(self, videos: dict[str, Coded], tmp_path: Path) -> None:
        few = write(tmp_path / "few.dnerv", [videos["four"]], {"crf": 1})
        many = write(tmp_path / "many.dnerv", [videos["a/one"], videos["a/two"]], {"crf": 2})
        merge([few, many], tmp_path / "both.dnerv")
        with Archive(tmp_path / "both.dnerv") as both:
            assert both.made == {"crf": 2}


class TestNetworks:
    def test_it_goes_along_where_it_is_used(self, videos: dict[str, Coded], tmp_path: Path) -> None:
        path = write_with_network(tmp_path / "n.dnerv", network(0), ["x", "y", "z"], [videos["four"]])
        known = digests(path)
        extract(path, tmp_path / "with.dnerv", ["y", "four"])
        assert digests(tmp_path / "with.dnerv") == {name: known[name] for name in ("y", "four")}
        extract(path, tmp_path / "without.dnerv", ["four"])
        with Archive(tmp_path / "without.dnerv") as without:
            assert without.config.network is None
            assert "NETW" not in without.container
        remove(path, ["x", "y", "z"])
        assert compact(path).unused_bytes == 0
        with Archive(path) as compacted:
            assert compacted.config.network is None

    def test_the_same_one_is_stored_once(self, tmp_path: Path) -> None:
        path = write_with_network(tmp_path / "n.dnerv", network(0), ["x", "y", "z"])
        known = digests(path)
        extract(path, tmp_path / "left.dnerv", ["x"])
        extract(path, tmp_path / "right.dnerv", ["y", "z"])
        merge([tmp_path / "left.dnerv", tmp_path / "right.dnerv"], tmp_path / "both.dnerv")
        assert digests(tmp_path / "both.dnerv") == known
        assert (tmp_path / "both.dnerv").stat().st_size == path.stat().st_size

    def test_two_of_them_are_refused(self, tmp_path: Path, videos: dict[str, Coded]) -> None:
        left = write_with_network(tmp_path / "left.dnerv", network(0), ["x"])
        right = write_with_network(tmp_path / "right.dnerv", network(1), ["y"], [videos["four"]])
        with pytest.raises(InputError, match=r"left\.dnerv.*right\.dnerv.*two different networks"):
            merge([left, right], tmp_path / "both.dnerv")
        remove(right, ["y"])  # what it makes is gone: its network is not taken along
        merge([left, right], tmp_path / "both.dnerv")
        assert digests(tmp_path / "both.dnerv") == digests(left) | digests(right)


class TestCompact:
    def test_unused_bytes_go(self, archive: Path, before: dict[str, str], tmp_path: Path) -> None:
        remove(archive, ["a/*"])
        extract(archive, tmp_path / "fresh.dnerv", ["*"])
        done = compact(archive)
        assert done.unused_bytes == 0
        assert (
            done.file_bytes == archive.stat().st_size == (tmp_path / "fresh.dnerv").stat().st_size < done.bytes_before
        )
        assert digests(archive) == {n: d for n, d in before.items() if not n.startswith("a/")}
        assert_intact(archive)
        with Archive(archive) as left:
            assert len(left.references) == 1
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_nothing_to_do_leaves_the_file(self, archive: Path) -> None:
        status = archive.stat()
        done = compact(archive)
        assert done.bytes_before == done.file_bytes
        assert (archive.stat().st_ino, archive.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)

    def test_a_link_stays_a_link_and_who_may_read_it_stays(self, archive: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.dnerv"
        link.symlink_to(archive)
        archive.chmod(0o600)
        remove(link, ["four"])
        compact(link)
        assert link.is_symlink()
        assert archive.stat().st_mode & 0o777 == 0o600
        assert "four" not in digests(archive)


class TestSideBySide:
    def test_one_change_at_a_time(self, archive: Path, before: dict[str, str]) -> None:
        with changed_archive(archive) as writer:
            with pytest.raises(OutputError, match="another process"):
                remove(archive, ["four"])
            with pytest.raises(OutputError, match="another process"):
                compact(archive)
            writer.remove_video("a/one")
            writer.finish({})
        assert set(digests(archive)) == set(before) - {"a/one"}

    def test_an_open_archive_stays_what_it_was(self, archive: Path, before: dict[str, str]) -> None:
        with Archive(archive) as opened:
            remove(archive, ["a/one"])
            assert frames_digest(opened["a/one"]) == before["a/one"]
            remove(archive, ["a/two"])
            compact(archive)
            assert {reader.metadata.name: frames_digest(reader) for reader in opened} == before
        assert set(digests(archive)) == set(before) - {"a/one", "a/two"}

    def test_readers_while_it_changes(self, archive: Path, videos: dict[str, Coded], before: dict[str, str]) -> None:
        stop, wrong, reads = Event(), list[object](), list[int]()

        def read() -> None:
            try:
                while not stop.is_set():
                    found = digests(archive)
                    reads.append(len(found))
                    wrong.extend(name for name in found if found[name] != before[name])
                    wrong.extend({"a/one", "b/three", "four", "five[1]"} - set(found))
            except BaseException as error:
                wrong.append(error)

        thread = Thread(target=read)
        thread.start()
        for number in range(40):
            with changed_archive(archive) as writer:
                put(writer, videos["a/two"]) if number % 2 else writer.remove_video("a/two")
                writer.finish({})
            if number % 8 == 7:
                compact(archive)
        stop.set()
        thread.join()
        assert not wrong
        assert set(reads) <= {4, 5}
        assert len(reads) > 1
        assert digests(archive) == before


class TestFullDisk:
    @pytest.fixture
    def filling(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
        """Set how many writes succeed."""
        left, write = [0], os.pwrite

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            if not left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= 1
            return write(descriptor, data, offset)

        def allow(count: int) -> None:
            left[0] = count

        monkeypatch.setattr(os, "pwrite", pwrite)
        yield allow
        monkeypatch.undo()

    @pytest.mark.parametrize("change", [lambda p: remove(p, ["four"]), compact, lambda p: merge([p], p, force=True)])
    def test_it_leaves_the_old_archive(
        self,
        archive: Path,
        before: dict[str, str],
        filling: Callable[[int], None],
        change: Callable[[Path], object],
        tmp_path: Path,
    ) -> None:
        filling(1000)
        remove(archive, ["a/two"])
        old, known = archive.read_bytes(), digests(archive)
        for count in range(1000):
            filling(count)
            try:
                change(archive)
            except OutputError as error:
                assert "No space left" in str(error)  # noqa: PT017
                assert archive.read_bytes() == old
                assert [each.name for each in tmp_path.iterdir()] == ["whole.dnerv"]
            else:
                break
        assert count > 0
        assert digests(archive).items() <= known.items()
        assert_intact(archive)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_changing import Archive, changed_archive, compact, digests, remove, verify_archive

path, source, random_ = Path(sys.argv[2]), Path(sys.argv[3]), random.Random(int(sys.argv[4]))
known = digests(source)
with Archive(source) as archive:
    entry = archive["a/two"].entry
    format = archive.config.formats[entry.format]
    references = [archive.references[place].digest for place in entry.references]
    packets = archive.container.read_at(entry.offset, entry.num_bytes)

def change():
    for number in range(10**9):
        with changed_archive(path) as writer:
            if "a/two" in writer:
                writer.remove_video("a/two")
            else:
                writer.add_video(entry, format, references, packets)
            writer.finish({})
        if number % 5 == 4:
            compact(path)

sizes = set()
for kill in range(50):
    child = os.fork()
    if not child:
        change()
    time.sleep(random_.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = digests(path)
    assert found.items() <= known.items() and set(known) - set(found) <= {"a/two"}, (kill, sorted(found))
    assert verify_archive(path)["intact"], kill
    sizes.add((len(found), path.stat().st_size))
print(len(sizes))
"""


def test_fifty_kills_leave_whole_archives(archive: Path, original: Path, before: dict[str, str]) -> None:
    program = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(archive), str(original), "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5  # they fell on different moments
    remove(archive, ["four"])
    compact(archive)
    assert digests(archive).items() <= before.items()

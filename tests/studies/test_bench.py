"""`dnerv bench` on tiny archives: who takes part loads the right frames, and the figures fit together."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from dnerv.archive import Archive
from dnerv.codecs import CODECS, STILLS
from dnerv.encoding import EncodeOptions, encode
from dnerv.engine import chosen_precision
from dnerv.errors import DnervError, InputError
from dnerv.evaluation import mse_per_frame, psnr
from dnerv.studies import run_study
from dnerv.studies.bench.archives import REFERENCE, network
from dnerv.studies.bench.candidate import Candidate, ClipPlace, measure_round, shuffled_batches
from dnerv.studies.bench.command import command, parse_command
from dnerv.studies.bench.nerv import check_nerv, write_nerv
from dnerv.studies.bench.readers import READERS, can_read, decode_clip, missing_readers, unusable
from dnerv.studies.bench.sample import Sample, draw_places, draw_sample
from dnerv.studies.bench.stills import stills
from dnerv.studies.bench.streams import StoredStream, store_stream
from dnerv.studies.bench.study import Bench, BenchOptions, candidates_of
from dnerv.studies.bench.workers import in_workers, measured_workers
from dnerv.studies.record import findings
from dnerv.studies.runner import Run
from dnerv.studies.streams import LEROBOT, LEROBOT_CRF, LEROBOT_EFFORT
from dnerv.video import Timing, write_mp4

pytestmark = pytest.mark.usefixtures("warm_module")  # every round is measured in a process

CPU = torch.device("cpu")
THERE = [name for name in READERS if unusable(name) is None]
FAST: dict[str, Any] = {"clips": 6, "seconds": 0.0, "repeats": 2, "batch_sizes": (1, 3), "workers": ()}
RAW = "import sys; open(sys.argv[1], 'wb').write(bytes([7]) * (int(sys.argv[2]) * 48 * 64 * 3))"


def moving(count: int, speed: int) -> np.ndarray:
    rows, columns = np.mgrid[:48, :64]
    frames = [
        np.stack([rows * 3, columns * 2, (rows + columns + 9 * i) % 256], axis=-1).astype(np.uint8)
        for i in range(count)
    ]
    for i, frame in enumerate(frames):
        frame[16:32, (4 + speed * i) % 48 : (4 + speed * i) % 48 + 16] = 230
    return np.stack(frames)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "videos").mkdir()
    for name, count, speed in (("long", 18, 3), ("short", 8, 5), ("tiny", 3, 2)):
        timing = Timing.constant(Fraction(25), count)
        write_mp4(folder / "videos" / f"{name}.mp4", iter(moving(count, speed)), timing, crf=4)
    options = {"epochs": 0, "width": 2, "clip_length": 4, "precision": "fp32"}
    coded = {"every": 4, "crf": 30, "network": "always"}
    encode([folder / "videos"], folder / "a.dnerv", EncodeOptions(**options, **coded))  # type: ignore[arg-type]
    encode([folder / "videos"], folder / "n.dnerv", EncodeOptions(**options, model="nerv"))  # type: ignore[arg-type]
    encode([folder / "videos"], folder / "b.dnerv", EncodeOptions(every=2, crf=30))
    return folder


@pytest.fixture(scope="module")
def archive(folder: Path) -> Archive:
    return Archive(folder / "a.dnerv", size="coded")


def run_in(folder: Path, archive: Archive, **options: Any) -> Run[BenchOptions]:
    return Run((archive.container.path,), folder, BenchOptions(**(FAST | options)))


def read(coding: str, *, without: tuple[str, ...] = ()) -> list[str]:
    """Names of all ways to read a coding."""
    readers = [f"{name}{how}" for name in THERE if name not in without for how in ("", " anew")]
    return [f"{coding} {name}" for name in ("PyAV", *readers)]


VIDEOS = [*read("H.264"), *read("H.264 g4"), *read("AV1 g2", without=("decord",))]


def drawn(archive: Archive, folder: Path, **changes: Any) -> Sample:
    asked = {"originals": (), "clips": 6, "seed": 0} | changes
    return draw_sample(run_in(folder, archive), archive, "given", **asked)


@pytest.fixture(scope="module")
def sample(archive: Archive, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return drawn(archive, tmp_path_factory.mktemp("sample"), originals=(folder / "videos",))


class TestSample:
    def test_same_seed_same_whole_clips(self, archive: Archive, tmp_path: Path, sample: Sample) -> None:
        again = drawn(archive, tmp_path)
        assert again.places == sample.places
        assert drawn(archive, tmp_path, seed=1).places != sample.places
        assert all(len(sample.frames_of(place)) == 4 for place in sample.places)
        assert set(sample.places) == {ClipPlace(0, 0), ClipPlace(0, 1), ClipPlace(0, 2), ClipPlace(0, 3)} | {
            ClipPlace(1, 0),
            ClipPlace(1, 1),
        }
        assert sample.share == 1

    def test_clips_are_repeated_only_where_there_are_too_few(self, archive: Archive, tmp_path: Path) -> None:
        many = drawn(archive, tmp_path, clips=14).places
        assert len(many) == 14
        assert sorted(many[:6]) == sorted(many[6:12])

    def test_content_is_the_originals_or_the_archives(self, archive: Archive, tmp_path: Path, sample: Sample) -> None:
        own, place = drawn(archive, tmp_path), ClipPlace(0, 2)
        assert torch.equal(own.clip(place), archive["long"][8:12])
        wanted = torch.from_numpy(moving(18, 3)[8:12]).permute(0, 3, 1, 2)
        assert psnr(mse_per_frame(wanted, sample.clip(place))).min() > 28

    def test_other_originals_are_refused(self, archive: Archive, tmp_path: Path) -> None:
        for name in ("long", "short", "tiny"):
            write_mp4(tmp_path / f"{name}.mp4", iter(moving(2, 3)), Timing.constant(Fraction(25), 2), crf=20)
        with pytest.raises(InputError, match="has 2 frames; the archive holds"):
            drawn(archive, tmp_path, originals=(tmp_path,))
        with pytest.raises(InputError, match="not among the originals"):
            drawn(archive, tmp_path, originals=(tmp_path / "long.mp4",))

    def test_an_archive_without_a_whole_clip_gives_what_it_has(self) -> None:
        assert draw_places({5: 3}, 4, 2, 0) == (ClipPlace(5, 0), ClipPlace(5, 0))


@pytest.fixture(scope="module")
def candidates(archive: Archive, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Candidate]:
    grey = f'grey={sys.executable} -c "{RAW}" {{output}} {{frames}}'
    run = run_in(tmp_path_factory.mktemp("files"), archive, decoders=(grey,))
    made = candidates_of(run, archive, sample, ("fp32", "bf16"))
    return {f"{candidate.name}, {candidate.batch_size}": candidate for candidate in made}


class TestCandidates:
    def test_all_take_part(self, candidates: dict[str, Candidate]) -> None:
        networks = ["reference, 1", "network fp32, 1", "network fp32, 3", "network bf16, 1", "network bf16, 3"]
        networks += ["base layer, 3", f"Loader {chosen_precision('auto', torch.device('cpu'))}, 3"]
        others = ["NeRV fp32, 3", "NeRV bf16, 3", *(f"{name}, 3" for name in VIDEOS)]
        assert list(candidates) == [*networks, *others, "JPEG, 3", "PNG, 3", "grey, 3"]

    def test_in_workers_are_those_of_the_largest_batches(self, candidates: dict[str, Candidate]) -> None:
        names = [(one.name, one.batch_size) for one in in_workers(list(candidates.values()))]
        networks = ["network fp32", "network bf16", "base layer", "NeRV fp32", "NeRV bf16"]
        assert names == [(name, 3) for name in (*networks, *VIDEOS, "JPEG", "PNG")]

    def test_all_give_frames_of_the_clips(self, candidates: dict[str, Candidate], sample: Sample) -> None:
        batch = [ClipPlace(0, 4), *sample.places[:2]]  # the first has two frames
        for name, candidate in candidates.items():
            with candidate.open(2) as load:
                clips = load(batch)
            lengths = [4, 4, 4] if candidate.kind == "loader" else [2, 4, 4]  # the loader has whole clips of its own
            assert [tuple(c.shape) for c in clips] == [(length, 3, 48, 64) for length in lengths], name
            assert all(c.dtype == torch.uint8 for c in clips), name
            assert candidate.size > 0, name
            assert all(path.is_file() for path in candidate.files), name

    @pytest.mark.parametrize(("name", "least"), [("PNG, 3", 100), ("JPEG, 3", 30), ("AV1 g2 PyAV, 3", 30)])
    def test_content_is_that_of_the_clip(
        self, candidates: dict[str, Candidate], sample: Sample, name: str, least: float
    ) -> None:
        with candidates[name].open(1) as load:
            for place, clip in zip(sample.places, load(sample.places), strict=True):
                assert psnr(mse_per_frame(sample.clip(place), clip)).min() >= least, place

    def test_fp32_gives_the_archives_frames_in_every_batch(
        self, candidates: dict[str, Candidate], sample: Sample, archive: Archive
    ) -> None:
        for name in ("reference, 1", "network fp32, 1", "network fp32, 3"):
            with candidates[name].open(2) as load:
                clips = load(sample.places)
            for place, clip in zip(sample.places, clips, strict=True):
                frames = sample.frames_of(place)
                wanted = archive[archive.names[place.video]][frames.start : frames.stop]
                assert (clip.int() - wanted.int()).abs().max() <= 1, (name, place)

    def test_the_base_layer_does_without_the_network(
        self, candidates: dict[str, Candidate], sample: Sample, folder: Path
    ) -> None:
        with candidates["base layer, 3"].open(2) as load, Archive(folder / "a.dnerv", layers="base") as base:
            for place, clip in zip(sample.places, load(sample.places), strict=True):
                frames = sample.frames_of(place)
                assert torch.equal(clip, base[base.names[place.video]][frames.start : frames.stop])

    def test_bytes_are_those_on_disk(self, candidates: dict[str, Candidate]) -> None:
        for name in ("H.264", "AV1 g2"):
            streams = {path.with_suffix(".mp4") for path in candidates[f"{name} PyAV, 3"].files}
            for reader in THERE:
                if (one := candidates.get(f"{name} {reader}, 3")) is not None:
                    assert {*one.files} == streams
                    assert one.size >= sum(path.stat().st_size for path in streams)

    def test_nerv_and_h264_take_the_archives_bytes(self, candidates: dict[str, Candidate], archive: Archive) -> None:
        assert archive.file_bytes * 0.8 < candidates["H.264 PyAV, 3"].size < archive.file_bytes * 1.25
        # So small, a width more is half of the bytes more: the nearest is within a quarter.
        assert archive.file_bytes * 0.78 < candidates["NeRV fp32, 3"].size < archive.file_bytes * 1.25

    def test_a_command_gives_what_it_wrote(self, candidates: dict[str, Candidate], sample: Sample) -> None:
        with candidates["grey, 3"].open(1) as load:
            assert all((clip == 7).all() for clip in load(sample.places[:3]))


class TestTiledArchive:
    def test_tiles_are_joined_as_the_archive_joins_them(self, tmp_path: Path) -> None:
        frames = moving(5, 3).repeat(11, axis=2)  # 48x704: wider than any canvas
        write_mp4(tmp_path / "wide.mp4", iter(frames), Timing.constant(Fraction(25), 5), crf=10)
        options = EncodeOptions(epochs=0, width=2, clip_length=4, every=4, crf=40, network="always", precision="fp32")
        encode([tmp_path / "wide.mp4"], tmp_path / "w.dnerv", options)
        with Archive(tmp_path / "w.dnerv", size="coded") as archive:
            assert archive.network.config.model.canvas[1] < 704
            with network(tmp_path / "w.dnerv", "fp32", 1, CPU, 1).open(1) as load:
                clip, last = load([ClipPlace(0, 0), ClipPlace(0, 1)])
            assert torch.equal(clip, archive["wide"][:4])
            assert torch.equal(last, archive["wide"][4:])


class TestH264:
    @pytest.mark.parametrize("restart", [4, 7, 250])
    def test_every_clip_is_decoded_at_its_place(self, tmp_path: Path, restart: int) -> None:
        frames = moving(18, 3)
        stream = CODECS["x264"].encode(frames, fps=25, crf=12, effort="medium", restart=restart)
        stored = store_stream(stream, tmp_path / "a.h264")
        assert len(stored.starts) == 19
        assert len(stored.restarts) >= 18 // restart
        check_every_clip(stored, frames, THERE)

    def test_av1_as_lerobot_has_it(self, tmp_path: Path) -> None:
        frames = moving(18, 3)
        stream = LEROBOT.encode(frames, fps=30, crf=LEROBOT_CRF, effort=LEROBOT_EFFORT, restart=LEROBOT.group)
        assert stream.restarts == tuple(range(0, 18, 2))
        assert list(stream.packets) == [packet.data for packet in LEROBOT.keyframes(frames, LEROBOT_CRF)]
        stored = store_stream(stream, tmp_path / "a.obu")
        readers = [name for name in THERE if can_read(name, stored.mp4)]
        assert readers == [name for name in THERE if name != "decord"]
        check_every_clip(stored, frames, readers)

    def test_decoders_are_let_go_in_the_middle_of_a_stream(self, tmp_path: Path) -> None:
        """Frame threads that still ran when theirs was freed once stopped the whole process."""
        frames = [np.tile(frame, (4, 4, 1)) for frame in moving(40, 3)]
        stream = CODECS["x264"].encode(frames, fps=25, crf=20, effort="fast")
        stored = store_stream(stream, tmp_path / "a.h264")
        for _ in range(60):
            assert len(decode_clip(stored, range(1, 3), threads=2)) == 2

    def test_the_container_holds_the_same_packets(self, tmp_path: Path) -> None:
        stream = CODECS["x264"].encode(moving(18, 3), fps=25, crf=12, effort="medium")
        stored = store_stream(stream, tmp_path / "a.h264")
        with av.open(str(stored.mp4)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            assert sorted(packet.pts // packets[0].duration for packet in packets) == list(range(18))
        # Start codes become lengths; parameter sets move into the header.
        assert sum(packet.size for packet in packets) == pytest.approx(stream.size, abs=60)

    def test_a_reader_that_takes_no_part_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dnerv.studies.bench.readers.find_spec", lambda name: None)
        assert missing_readers(["H.264 PyAV", "JPEG"]) == dict.fromkeys(READERS, "it is not installed")
        assert missing_readers(["JPEG", "base layer"]) == {}
        monkeypatch.setattr("dnerv.studies.bench.readers.unusable", lambda name: None)
        there = ["H.264 PyAV", "H.264 torchcodec", "H.264 decord", "AV1 g2 PyAV", "AV1 g2 torchcodec"]
        assert missing_readers(there) == {"decord": "it reads no AV1 g2"}


def check_every_clip(stored: StoredStream, frames: np.ndarray, readers: list[str]) -> None:
    """All clips of four of 18 frames, by PyAV with one thread and two, and by other readers."""
    ways = [partial(decode_clip, stored), partial(decode_clip, stored, threads=2)]
    ways += [READERS[name](stored.mp4) for name in readers]
    for clip in range(5):
        wanted = range(4 * clip, min(4 * clip + 4, 18))
        truth = torch.from_numpy(frames[wanted.start : wanted.stop]).permute(0, 3, 1, 2)
        for each in ways:
            assert psnr(mse_per_frame(truth, each(wanted)[..., :48, :64])).min() > 25


def test_jpeg_needs_no_pillow(
    monkeypatch: pytest.MonkeyPatch, archive: Archive, sample: Sample, tmp_path: Path
) -> None:
    monkeypatch.setattr("dnerv.codecs.stills.find_spec", lambda name: None)
    candidate = stills(run_in(tmp_path, archive), "jpeg", sample, 2)
    assert "FFmpeg" in candidate.note
    assert STILLS["jpeg"].title == candidate.name
    with candidate.open(1) as load:
        (clip,) = load([ClipPlace(0, 1)])
    assert psnr(mse_per_frame(sample.clip(ClipPlace(0, 1)), clip)).min() > 28


class TestCommand:
    @pytest.mark.parametrize("text", ["", "name", "name=", "=run {output}", "a=run", "a=run {output} {no}", "a=x '"])
    def test_what_is_no_command_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="--decoder"):
            parse_command(text)

    def run(self, text: str, archive: Archive, sample: Sample) -> list[torch.Tensor]:
        with command(text, archive.container.path, sample, 1, CPU).open(1) as load:
            return load(sample.places[:1])

    @pytest.mark.parametrize(
        ("line", "match"),
        [
            ("no-such-program {output}", "no-such-program"),
            (f"{sys.executable} -c 'import sys; sys.exit(\"no luck\")' {{output}}", "code 1: no luck"),
            (f'{sys.executable} -c \'import sys; open(sys.argv[1], "w").write("x")\' {{output}}', "wrote 1 bytes"),
        ],
    )
    def test_a_command_that_fails_is_named(
        self,
        archive: Archive,
        sample: Sample,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        line: str,
        match: str,
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(InputError, match=match):
            self.run(f"bad={line}", archive, sample)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("texts", "match"),
        [
            (("a=no-such-program {output}",), "no program 'no-such-program'"),
            (("a=true {video} {output}",), "give --originals"),
            (("a=true {output}", "a=false {output}"), "a name of its own"),
        ],
    )
    def test_what_cannot_take_part_is_found_at_once(
        self, folder: Path, tmp_path: Path, stages: Any, texts: tuple[str, ...], match: str
    ) -> None:
        with stages() as titles, pytest.raises(InputError, match=match):
            run_study(Bench(), [folder / "a.dnerv"], tmp_path / "out", BenchOptions(decoders=texts))
        assert titles == []
        assert list(tmp_path.iterdir()) == []


class TestRound:
    def test_the_same_list_for_every_batch_size(self) -> None:
        places = [ClipPlace(0, i) for i in range(5)]
        ones = [batch[0] for batch in islice(shuffled_batches(places, 1, 3), 12)]
        threes = [place for batch in islice(shuffled_batches(places, 3, 3), 4) for place in batch]
        assert ones == threes
        assert sorted(ones[:5]) == places

    def test_opening_is_cold_and_loading_warm(self, archive: Archive, sample: Sample) -> None:
        events: list[str] = []

        @contextmanager
        def opened(threads: int) -> Any:
            events.append(f"open {threads}")
            time.sleep(0.05)
            yield lambda batch: [torch.zeros(4, 3, 2, 2, dtype=torch.uint8)] * len(batch)
            events.append("close")

        candidate = Candidate("x", "command", 2, (archive.container.path,), 1, "", opened)  # type: ignore[arg-type]
        measured = measure_round(candidate, sample.places, 0.0, 0, CPU, threads=5)
        assert events == ["open 5", "close"]
        assert measured.cold.seconds >= 0.05 > measured.warm.seconds > 0
        assert (measured.cold.clips, measured.cold.frames) == (measured.warm.clips, measured.warm.frames) == (2, 8)


class TestWorkers:
    def candidate(self, archive: Archive, opened: Any) -> Candidate:
        return Candidate("x", "command", 2, (archive.container.path,), 1, "", opened)

    def test_each_has_one_thread_and_a_core(self, archive: Archive, sample: Sample) -> None:
        found = measured_workers([self.candidate(archive, sleeping)], sample.places, (1, 2), 0.3, 0, CPU)
        one, two = (found["workers"][0][count] for count in ("1", "2"))
        assert 10 < one["samples_per_second"] <= 100  # two clips in 20 ms at least
        assert one["samples_per_second"] * 1.2 < two["samples_per_second"] <= 200
        assert one["first_batch_milliseconds"] >= 50

    @pytest.mark.parametrize(
        ("opened", "error", "match"), [("failing", InputError, "no luck"), ("ending", DnervError, "without an answer")]
    )
    def test_one_that_fails_ends_the_measurement(
        self, archive: Archive, sample: Sample, opened: str, error: type[Exception], match: str
    ) -> None:
        with pytest.raises(error, match=match):
            measured_workers([self.candidate(archive, globals()[opened])], sample.places, (2,), 0.0, 0, CPU)
        assert multiprocessing.active_children() == []


@contextmanager
def sleeping(threads: int) -> Iterator[Any]:
    assert threads == torch.get_num_threads() == 1
    assert not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) == 1
    time.sleep(0.03)

    def load(batch: list[ClipPlace]) -> list[torch.Tensor]:
        time.sleep(0.02)
        return [torch.zeros(4, 3, 2, 2, dtype=torch.uint8)] * len(batch)

    yield load


def failing(threads: int) -> Any:
    raise InputError("no luck")


def ending(threads: int) -> Any:
    os._exit(3)


@pytest.fixture(scope="module")
def measured(folder: Path) -> BenchOptions:
    against: Any = ("jpeg", "png", "av1")
    return BenchOptions(**FAST, originals=(folder / "videos",), precisions=("fp32", "bf16"), against=against)


@pytest.fixture(scope="module")
def record(folder: Path, measured: BenchOptions) -> dict[str, Any]:
    return run_study(Bench(), [folder / "a.dnerv"], folder / "out", measured)


class TestBench:
    def test_record_has_everything(self, record: dict[str, Any], folder: Path, archive: Archive) -> None:
        assert json.loads((folder / "out" / "results.json").read_text()) == record
        assert record["archive"]["file_bytes"] == archive.file_bytes
        assert record["content"]["from"] == "originals"
        assert record["seed"] == record["options"]["seed"] == 0
        names = [Path(file["path"]).name for file in record["inputs"]["files"]]
        assert names == ["a.dnerv", "long.mp4", "short.mp4", "tiny.mp4"]
        assert set(record["missing"]) == {*READERS} - {*THERE} | {"decord"}  # which reads no AV1

    def test_going_on_measures_nothing_twice(
        self, record: dict[str, Any], folder: Path, measured: BenchOptions, stages: Any
    ) -> None:
        with stages() as titles:
            again = run_study(Bench(), [folder / "a.dnerv"], folder / "out", measured)
        assert findings(again) == findings(record)
        assert titles == []

    def test_ratios_follow_from_the_rounds(self, record: dict[str, Any]) -> None:
        reference = record["rows"][0]
        assert reference["kind"] == "reference"
        for row in record["rows"]:
            for state in ("cold", "warm"):
                own = [r["frames"] / r["seconds"] for r in row[state]["rounds"]]
                others = [r["frames"] / r["seconds"] for r in reference[state]["rounds"]]
                assert len(own) == 2
                assert row[state]["frames_per_second"]["median"] == pytest.approx(np.median(own))
                ratios = [a / b for a, b in zip(own, others, strict=True)]
                assert row[state]["ratio"]["median"] == pytest.approx(np.median(ratios))
                assert row[state]["ratio"]["low"] == pytest.approx(min(ratios))
                assert row[state]["frames_per_second"]["high"] == pytest.approx(max(own))
                assert row[state]["clips_per_second"] == pytest.approx(np.median(own) / 4)
        assert reference["warm"]["ratio"] == {"median": 1, "low": 1, "high": 1}

    def test_quality_has_the_cost_of_each_precision(self, record: dict[str, Any]) -> None:
        quality = {one["name"]: one for one in record["quality"]}
        networks = [REFERENCE, "network fp32", "network bf16", "base layer"]
        assert list(quality) == [*networks, *read("AV1 g2", without=("decord",)), "JPEG", "PNG"]
        assert quality[REFERENCE]["cost"] == 0
        assert quality["PNG"]["psnr_to_originals"] == 100
        assert quality["network fp32"]["psnr_to_reference"] > 60
        bf16 = quality["network bf16"]
        assert bf16["psnr_to_reference"] > 35
        expected = quality[REFERENCE]["psnr_to_originals"] - bf16["psnr_to_originals"]
        assert bf16["cost"] == pytest.approx(expected)

    def test_breakdown_names_the_stages(self, record: dict[str, Any]) -> None:
        assert [part["precision"] for part in record["breakdown"]] == ["fp32", "bf16"]
        for part in record["breakdown"]:
            assert set(part["once"]) == {"opening", "entropy decoding", "building the network", "first batch"}
            assert next(iter(part["per_clip"])) == "reading and keyframes"
            assert {"network", "tiles and 8 bits"} <= set(part["per_clip"])
            assert all(ms >= 0 for ms in [*part["once"].values(), *part["per_clip"].values()])

    def test_tables_fit_80_columns(self, record: dict[str, Any], printed: Any) -> None:
        lines = printed(Bench().tables(record | {"missing": {"decord": "it is not installed"}})).splitlines()
        longest = read("AV1 g2", without=("decord",))[-1]
        assert sum(line.startswith(f"{longest} ") for line in lines) == 2, "a name was broken"
        assert "decord takes no part: it is not installed." in lines

    def test_bars_are_drawn(self, record: dict[str, Any], folder: Path) -> None:
        (chart,) = Bench().charts(record)  # no workers were asked for
        assert [bar.is_pale for bar in chart.bars] == [False, True] * len(record["rows"])
        assert (folder / "out" / "charts.png").read_bytes().startswith(b"\x89PNG")

    def test_an_archive_without_a_network_is_loaded_as_it_is(self, folder: Path, tmp_path: Path, printed: Any) -> None:
        options = BenchOptions(**(FAST | {"repeats": 1, "workers": (1, 2)}), against=("png",))
        record = run_study(Bench(), [folder / "b.dnerv"], tmp_path / "out", options)
        assert record["archive"]["model"] is None
        assert [row["name"] for row in record["rows"]] == ["reference", "base layer", "Loader fp32", "PNG"]
        (part,) = record["breakdown"]
        assert (set(part["once"]), set(part["per_clip"])) == ({"opening", "first batch"}, {"reading and keyframes"})
        assert {one["name"]: one["psnr_to_reference"] for one in record["quality"]}["base layer"] == 100
        workers = {row["name"]: row["workers"] for row in record["rows"]}
        assert [name for name, found in workers.items() if found] == ["base layer", "PNG"]
        for found in (workers["base layer"], workers["PNG"]):
            assert list(found) == ["1", "2"]
            for figures in found.values():
                assert all(spread["median"] > 0 for spread in figures.values())
                assert 20 << 20 < figures["peak_bytes"]["median"] < 4 << 30
        lines = printed(Bench().tables(record)).splitlines()
        assert any(line.split()[:3] == ["bytes", "1", "worker"] for line in lines)
        assert [chart.title for chart in Bench().charts(record)] == [
            "Loading, warm and cold",
            "Loading in worker processes",
        ]
        with pytest.raises(InputError, match="has no network: leave --precisions out"):
            run_study(Bench(), [folder / "b.dnerv"], tmp_path / "out", replace(options, precisions=("bf16",)))

    def test_a_nerv_of_random_weights_is_made_for_an_archive_without_a_network(
        self, folder: Path, tmp_path: Path
    ) -> None:
        with Archive(folder / "b.dnerv") as archive:
            write_nerv(archive, tmp_path / "n.dnerv")
            with Archive(tmp_path / "n.dnerv") as other:
                check_nerv(archive, other)
                assert other["long"][17].shape == (3, 48, 64)

    def test_a_nerv_archive_has_no_other_nerv_beside_it(self, folder: Path, tmp_path: Path) -> None:
        options = BenchOptions(**(FAST | {"repeats": 1}), precisions=("fp32",), against=("nerv",))
        record = run_study(Bench(), [folder / "n.dnerv"], tmp_path / "out", options)
        names = [row["name"] for row in record["rows"] if row["kind"] != "loader"]
        assert names == ["reference", "network fp32", "network fp32"]
        assert record["content"]["from"] == "archive"
        assert record["quality"][0]["psnr_to_originals"] is None


def test_a_given_nerv_must_be_one_of_the_same_videos(folder: Path, archive: Archive, tmp_path: Path) -> None:
    with Archive(folder / "n.dnerv", size="coded") as nerv:
        check_nerv(archive, nerv)
        with pytest.raises(InputError, match="holds no NeRV"):
            check_nerv(nerv, archive)
    options = EncodeOptions(epochs=0, width=2, clip_length=4, model="nerv", precision="fp32")
    encode([folder / "videos" / "long.mp4"], tmp_path / "one.dnerv", options)
    with Archive(tmp_path / "one.dnerv", size="coded") as other, pytest.raises(InputError, match="other videos"):
        check_nerv(archive, other)


@pytest.mark.parametrize(
    "given",
    [
        {"batch_sizes": ()},
        {"batch_sizes": (0,)},
        {"batch_sizes": (2, 2)},
        {"precisions": ("fp8",)},
        {"precisions": ()},
        {"against": ("gif",)},
        {"clips": 0},
        {"repeats": 0},
        {"workers": (0,)},
        {"seconds": -1.0},
        {"seconds": float("inf")},
        {"seconds": float("nan")},
    ],
)
def test_options_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        BenchOptions(**given)

"""`dnerv study recognition`: time in the network, splits, sampling, equal bytes, and the whole study on tiny clips."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs import CODECS
from dnerv.errors import InputError
from dnerv.loading.augmentation import Draw
from dnerv.studies import run_study
from dnerv.studies.content import Content, read_videos
from dnerv.studies.recognition.footage import Condition, Projector, RawFootage
from dnerv.studies.recognition.network import ShiftedBlock, TemporalShiftNetwork, TSMConfig, temporal_shift
from dnerv.studies.recognition.sampling import Clip, centred_batches, segment_frames, training_batches
from dnerv.studies.recognition.split import DRAWN, Split, drawn_folds, drawn_split, read_split
from dnerv.studies.recognition.study import PUBLISHED, ClassifierOptions, Recognition, RecognitionOptions, summary
from dnerv.studies.recognition.training import Task, classify, train_classifier
from dnerv.studies.record import findings
from dnerv.studies.steps import Steps
from dnerv.studies.streams import MOST_ABOVE, coded_at_bytes, coded_once
from dnerv.video import Member, Timing, write_mp4

CPU = torch.device("cpu")
SMALL = ClassifierOptions(epochs=1, frames=4, crop=32, width=8, batch=4)
NAMES = ("h264", "nerv", "dnerv")
OPTIONS = RecognitionOptions(rates=(0.3,), epochs=1, codecs=NAMES, classifier=SMALL, seeds=2, efforts="ultrafast")


def square(count: int, direction: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square that crosses the frame: uint8 [count, 48, 64, 3]. A single frame does not tell the direction."""
    frames = rng.normal(90, 6, (48, 64, 3)).clip(0, 255).astype(np.uint8)[None].repeat(count, 0)
    top, start = int(rng.integers(10, 26)), int(rng.integers(18, 34))
    for i in range(count):
        left = start + direction * round(16 * i / (count - 1) - 8)
        frames[i, top : top + 12, left : left + 12] = 230
    return frames


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders `left` and `right` of three videos each."""
    root = tmp_path_factory.mktemp("recognition") / "videos"
    for label, direction in (("left", -1), ("right", 1)):
        (root / label).mkdir(parents=True)
        for number in range(3):
            frames = square(8 + number, direction, np.random.default_rng(number))
            timing = Timing.constant(Fraction(12), len(frames))
            write_mp4(root / label / f"{label[0]}{number}.mp4", iter(frames), timing, crf=4)
    return root


@pytest.fixture(scope="module")
def content(videos: Path) -> Content:
    return read_videos([videos], videos.parent / "content")


@pytest.fixture(scope="module")
def studied(videos: Path, measured_here: None) -> tuple[Path, dict[str, Any]]:
    """A whole study, made once."""
    output = videos.parent / "study"
    return output, run_study(Recognition(), [videos], output, OPTIONS)


class TestNetwork:
    @pytest.mark.parametrize(("frames", "channels"), [(1, 8), (2, 16), (5, 24), (3, 4)])
    def test_shift_is_that_of_a_plain_loop(self, frames: int, channels: int) -> None:
        x = torch.randn(2 * frames, channels, 3, 2)
        wanted = torch.zeros_like(x)
        for clip in range(2):
            for time in range(frames):
                for channel in range(channels):
                    part = channels // 8
                    source = time + 1 if channel < part else time - 1 if channel < 2 * part else time
                    if 0 <= source < frames:
                        wanted[clip * frames + time, channel] = x[clip * frames + source, channel]
        assert torch.equal(temporal_shift(x, frames), wanted)

    def test_clips_of_a_batch_do_not_mix(self) -> None:
        network = TemporalShiftNetwork(TSMConfig(3, width=8, blocks=2)).eval()
        clips = torch.rand(3, 4, 3, 32, 32)
        changed = clips.clone()
        changed[1] = torch.rand(4, 3, 32, 32)
        with torch.no_grad():
            before, after = network(clips), network(changed)
            assert before.shape == (3, 3)
            torch.testing.assert_close(network(clips[:1]), before[:1])
        assert torch.equal(before[[0, 2]], after[[0, 2]])
        assert not torch.allclose(before[1], after[1])

    def test_order_of_frames_matters(self) -> None:
        torch.manual_seed(0)
        network = TemporalShiftNetwork(TSMConfig(2, width=8)).eval()
        clips = torch.rand(1, 4, 3, 32, 32)
        with torch.no_grad():
            assert not torch.allclose(network(clips), network(clips.flip(1)))

    def test_gradients_of_a_block(self) -> None:
        torch.manual_seed(0)
        block = ShiftedBlock(8, 16, stride=2).double()
        torch.nn.init.ones_(block.norms[1].weight)  # type: ignore[arg-type]
        x = torch.randn(4, 8, 4, 4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: block(x, 2), (x,), nondet_tol=1e-9)

    def test_every_weight_has_a_gradient(self) -> None:
        torch.manual_seed(0)
        network = TemporalShiftNetwork(TSMConfig(2, width=8))
        for block in network.blocks:
            torch.nn.init.ones_(block.norms[1].weight)
        network(torch.rand(2, 4, 3, 32, 32)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


class TestSampling:
    def test_centres_of_segments(self) -> None:
        assert segment_frames(16, 8).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
        assert segment_frames(1, 4).tolist() == [0, 0, 0, 0]
        assert segment_frames(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
        assert segment_frames(9, 1).tolist() == [4]

    @pytest.mark.parametrize(("num_frames", "count"), [(1, 8), (5, 8), (8, 8), (17, 8), (100, 3)])
    def test_jitter_stays_in_its_segment(self, num_frames: int, count: int) -> None:
        drawn = np.stack([segment_frames(num_frames, count, np.random.default_rng(i)) for i in range(200)])
        edges = np.arange(count + 1) * num_frames / count
        assert (drawn >= np.floor(edges[:-1])).all()
        assert (drawn < np.ceil(edges[1:])).all()
        assert set(drawn.ravel().tolist()) == set(range(num_frames))  # every frame has its chance

    def test_an_epoch_has_every_video_once(self) -> None:
        names = [f"v{i}" for i in range(12)]
        lengths = dict.fromkeys(names, 20)

        def batches(seed: int, epoch: int) -> list[list[Clip]]:
            return training_batches(lengths, names, frames=4, batch=4, seed=seed, epoch=epoch)

        def plain(batches: list[list[Clip]]) -> list[Any]:
            return [(clip.name, clip.frames.tolist(), clip.draw) for batch in batches for clip in batch]

        first = plain(batches(0, 0))
        assert sorted(name for name, _, _ in first) == sorted(names)
        assert first == plain(batches(0, 0))
        for other in (batches(1, 0), batches(0, 1)):
            assert [x[0] for x in plain(other)] != [x[0] for x in first]
            assert sorted(map(str, plain(other))) != sorted(map(str, first))

    def test_batches_are_whole(self) -> None:
        names = [f"v{i}" for i in range(11)]
        lengths = dict.fromkeys(names, 3)
        sizes = [len(b) for b in training_batches(lengths, names, frames=2, batch=4, seed=0, epoch=0)]
        assert sizes == [4, 4]
        sizes = [len(b) for b in training_batches(lengths, names[:3], frames=2, batch=4, seed=0, epoch=0)]
        assert sizes == [3]
        clips = [clip for batch in centred_batches(lengths, names, frames=2, batch=4) for clip in batch]
        assert [clip.name for clip in clips] == names


def members(*names: str) -> list[Member]:
    return [Member(name.rpartition(".")[0], Path("/v") / name, name.partition("/")[0]) for name in names]


GIVEN = members("a/1.avi", "a/2.avi", "b/1.avi", "b/2.avi")


class TestSplit:
    def write(self, folder: Path, **files: str) -> Path:
        for name, text in files.items():
            (folder / f"{name}.txt").write_text(text)
        return folder / "trainlist01.txt"

    def test_csv(self, tmp_path: Path) -> None:
        path = tmp_path / "split.csv"
        path.write_text("path,label,split\na/1.avi,x,train\na/2,x,test\nb/1.avi,,train\nb/2.avi,b,test\n")
        split = read_split(path, members("a/1.avi", "a/2.avi", "b/1.avi", "b/2.avi", "c/9.avi"))
        assert (split.train, split.test) == (("a/1", "b/1"), ("a/2", "b/2"))
        assert split.labels == {"a/1": "x", "a/2": "x", "b/1": "b", "b/2": "b"}
        assert split.unused == ("c/9",)
        assert "1 videos are in no part of the split: c/9" in split.warnings()[0]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("path,label\na/1.avi,a\n", "must name the columns path, label and split; it names path, label"),
            ("path,label,split\na/1.avi,a,dev\n", "line 2: split is 'dev'; it is train or test"),
            ("path,label,split\na/1.avi,a,train\na/1,a,test\n", "line 3: video 'a/1' is in the split already"),
            ("path,label,split\na/1.avi,a,train\nb/1.avi,b,train\n", "2 videos to train on and 0 to test on"),
            ("path,label,split\na/1.avi,a,train\nz.avi,a,test\n", "1 videos of the split are not among .* z.avi"),
            ("path,label,split\na/1.avi,a,train\na/2.avi,a,test\n", "all videos have the label 'a'"),
            ("path,label,split\na/1.avi,a,train\nb/1.avi,b,test\n", "no video to train on shows b"),
        ],
    )
    def test_a_csv_that_does_not_do(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "split.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_split(tmp_path / "split.csv", GIVEN)

    @pytest.mark.parametrize("index", ["", "1 a\n2 b\n"])
    def test_official_lists(self, tmp_path: Path, index: str) -> None:
        lists = {"trainlist01": "a/1.avi 1\nb/1.avi 2\n\n", "testlist01": "a/2.avi\nb/2.avi\nb/3.avi\n"}
        path = self.write(tmp_path, **lists, **({"classInd": index} if index else {}))
        split = read_split(path, [replace(member, label=None) for member in GIVEN])
        assert (split.train, split.test, split.classes) == (("a/1", "b/1"), ("a/2", "b/2"), ["a", "b"])
        assert split.numbers(["b/2", "a/1"]) == [1, 0]
        assert split.missing == ("b/3.avi",)
        assert "not among the videos given: b/3.avi" in split.warnings()[0]

    def test_lists_that_do_not_do(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, trainlist01="a/1.avi 1\nb/1.avi 2\n")
        with pytest.raises(InputError, match=r"testlist01\.txt: cannot be read"):
            read_split(path, GIVEN)
        self.write(tmp_path, testlist01="a/2.avi\nb2.avi\n")
        with pytest.raises(InputError, match=r"testlist01\.txt, line 2: 'b2\.avi' is not ClassName/video"):
            read_split(path, GIVEN)
        self.write(tmp_path, testlist01="a/2.avi\nb/2.avi\n", classInd="1 a\n3 b\n")
        with pytest.raises(InputError, match=r"trainlist01\.txt, line 2: 'b/1\.avi 2' is not as .*classInd"):
            read_split(path, GIVEN)
        self.write(tmp_path, classInd="a 1\n")
        with pytest.raises(InputError, match=r"classInd\.txt, line 1: 'a 1' is not a class's number"):
            read_split(path, GIVEN)

    def test_drawn(self) -> None:
        given = members(*(f"{label}/{i}.avi" for label in "ab" for i in range(9)))
        split = drawn_split(given, 0)
        assert split.source == DRAWN
        assert sorted(split.train + split.test) == sorted(member.name for member in given)
        assert [sum(name.startswith(label) for name in split.test) for label in "ab"] == [3, 3]
        assert drawn_split(given, 0) == split
        assert drawn_split(given, 1).test != split.test
        with pytest.raises(InputError, match="class 'b' has a single video"):
            drawn_split(given[:10], 0)
        with pytest.raises(InputError, match="no video has a label"):
            drawn_split([replace(member, label=None) for member in given], 0)


class TestStatistics:
    def test_intervals(self) -> None:
        found = summary([60, 62, 64], 100)
        assert found["top1"] == 62
        # Student's t with two degrees of freedom: 4.303 * 2 / sqrt(3).
        assert found["interval"] == pytest.approx([62 - 4.969, 62 + 4.969], abs=1e-3)
        # Wilson's interval of 62 in 100.
        assert found["test_set"] == pytest.approx([52.21, 70.90], abs=0.01)

    def test_ends(self) -> None:
        assert summary([70], 10)["interval"] is None
        assert summary([70, 70], 10)["interval"] == [70, 70]
        assert summary([99, 100, 100], 10)["interval"][1] == 100
        assert summary([0], 10)["test_set"] == pytest.approx([0, 27.75], abs=0.01)


class Squares:
    """Footage that is made up: the name tells number and direction."""

    def batches(self, wanted: Any) -> Any:
        for clips in wanted:
            yield [self.clip(clip) for clip in clips]

    def clip(self, clip: Clip) -> torch.Tensor:
        label, number = clip.name.split("/")
        frames = square(8, -1 if label == "left" else 1, np.random.default_rng(int(number)))
        return torch.from_numpy(frames[clip.frames]).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def task() -> Task:
    """To tell squares that go left from those that go right: flips would make one of the other."""
    names = [f"{label}/{i}" for i in range(24) for label in ("left", "right")]
    split = Split(tuple(names[:32]), tuple(names[32:]), {name: name.partition("/")[0] for name in names}, "here")
    options = replace(SMALL, epochs=20, crop=40, batch=8, flip=False)
    return Task(split, dict.fromkeys(names, 8), options, CPU)


class TestTraining:
    def test_motion_is_learned(self, task: Task) -> None:
        network = train_classifier(task, Squares(), 0)
        logits = classify(task, network, Squares())
        wanted = torch.tensor(task.split.numbers(task.split.test))
        assert (logits.argmax(1) == wanted).double().mean() > 0.8

    def test_the_same_seed_gives_the_same_weights(self, task: Task) -> None:
        short = replace(task, options=replace(task.options, epochs=1))
        made = [train_classifier(short, Squares(), seed).state_dict() for seed in (3, 3, 4)]
        assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
        assert not torch.equal(made[0]["head.weight"], made[2]["head.weight"])


class TestEqualBytes:
    @pytest.mark.parametrize("share", [0.4, 1.0])
    def test_h264_has_the_bytes_of_the_archive(self, content: Content, tmp_path: Path, share: float) -> None:
        steps, codec = Steps(tmp_path), CODECS["x264"]
        target = round(share * coded_once(steps, codec, 20, "ultrafast", content)["bytes"])
        found = coded_at_bytes(steps, codec, target, "ultrafast", content, "0.5 bpp")
        assert found["bytes"] == sum((tmp_path / file["path"]).stat().st_size for file in found["files"])
        assert 0.96 * target < found["bytes"] <= MOST_ABOVE * target
        made = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))]
        assert coded_at_bytes(steps, codec, target, "ultrafast", content, "0.5 bpp") == found
        assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))] == made

    def test_fewer_bytes_than_h264_has(self, content: Content, tmp_path: Path) -> None:
        found = coded_at_bytes(Steps(tmp_path), CODECS["x264"], 100, "ultrafast", content, "0.5 bpp")
        assert found["quality_setting"] == 51


class TestFootage:
    def test_archives_and_streams_are_what_others_decode(self, studied: Any, content: Content, tmp_path: Path) -> None:
        output, _ = studied
        files = tuple((output / "steps").glob("dnerv*.dnerv"))
        video = content.videos[1]
        clips = [[Clip(video.name, np.array([0, 3, 8]), Draw()), Clip(content.videos[0].name, np.array([7]), Draw())]]
        with Archive(files[0], size="coded") as archive:
            wanted = archive[video.name].get_frames_at([0, 3, 8]).data
        for live in (False, True):
            with Projector(content, tmp_path, "cpu", "fp32", live) as projector:
                found = list(projector.footage(Condition("dnerv-1", "dnerv", files)).batches(clips))
                assert torch.equal(found[0][0], wanted)
                assert found[0][1].shape == (1, 3, 48, 64)
                assert len(list(tmp_path.iterdir())) == (0 if live else 1)
            assert not list(tmp_path.iterdir())

    def test_h264_frames_lie_at_their_videos(self, studied: Any, content: Content, tmp_path: Path) -> None:
        output, _ = studied
        folder = next(path for path in (output / "steps").glob("x264*") if path.is_dir())
        files = tuple(folder / f"{place}.h264" for place in range(6))
        with Projector(content, tmp_path, "cpu", "fp32", False) as projector:
            footage = projector.footage(Condition("h264-1", "h264", files))
            for place, video in enumerate(content.videos):
                last = video.timing.num_frames - 1
                ((frame,),) = footage.batches([[Clip(video.name, np.array([last]), Draw())]])
                *_, wanted = CODECS["x264"].decode_file(files[place], 48, 64)
                assert np.array_equal(frame[0].permute(1, 2, 0).numpy(), wanted)

    def test_raw_frames_are_the_cached_ones(self, content: Content) -> None:
        video = content.videos[2]
        raw = RawFootage({video.name: video})
        ((clip,),) = raw.batches([[Clip(video.name, np.array([2, 2, 5]), Draw())]])
        assert np.array_equal(clip.permute(0, 2, 3, 1).numpy(), video.store.read([2, 2, 5]))


class TestStudy:
    def test_record(self, studied: tuple[Path, dict[str, Any]]) -> None:
        output, record = studied
        assert json.loads((output / "results.json").read_text()) == record
        assert record["study"] == "recognition"
        assert record["classes"] == ["left", "right"]
        assert (record["split"]["train"], record["split"]["test"], record["split"]["from"]) == (4, 2, DRAWN)
        assert [(row["codec"], row["rate"]) for row in record["rows"]] == [("h264", 0.3), ("nerv", 0.3), ("dnerv", 0.3)]
        sizes = {row["codec"]: row["bytes"] for row in record["rows"]}
        assert sizes["h264"] <= MOST_ABOVE * sizes["dnerv"]
        for row in record["rows"]:
            for protocol in ("trained_raw_tested_compressed", "trained_compressed_tested_raw"):
                assert len(row[protocol]["seeds"]) == 2
                assert row[protocol]["top1"] == np.mean(row[protocol]["seeds"])
            assert 5 < row["psnr"] < 60
            assert sum(row["psnrs"].values()) / len(row["psnrs"]) == pytest.approx(row["psnr"], abs=1e-3)
        assert list((output / "decoded").iterdir()) == []

    def test_tests_are_kept_with_what_they_depend_on(self, studied: tuple[Path, dict[str, Any]]) -> None:
        output, _ = studied
        steps = [json.loads(path.read_text())["found"] for path in (output / "steps").glob("*-on-*.json")]
        assert len(steps) == 2 * (1 + 2 * 3)
        for test in steps:
            assert test["hits"] == (np.argmax(test["logits"], 1) == test["labels"]).tolist()
        assert len(list((output / "steps").glob("*.pt"))) == 2 * (1 + 3)

    def test_what_is_lost_alone_is_made_again(
        self, studied: tuple[Path, dict[str, Any]], videos: Path, stages: Any
    ) -> None:
        output, record = studied
        next((output / "steps").glob("nerv-0.3-on-raw-seed-1-*.json")).unlink()
        with stages() as titles:
            assert findings(run_study(Recognition(), [videos], output, OPTIONS)) == findings(record)
        assert titles == ["reading videos"]  # the classifier was there
        weights = next((output / "steps").glob("classifier-nerv-0.3-seed-1-*.pt"))
        weights.write_bytes(weights.read_bytes()[:1000])
        with stages() as titles:
            assert findings(run_study(Recognition(), [videos], output, OPTIONS)) == findings(record)
        assert titles == ["reading videos", "decoding nerv-0.3", "training a classifier"]

    def test_another_seed_adds_only_its_own(
        self, studied: tuple[Path, dict[str, Any]], videos: Path, stages: Any
    ) -> None:
        output, record = studied
        with stages() as titles:
            more = run_study(Recognition(), [videos], output, replace(OPTIONS, seeds=3))
        assert titles.count("training a classifier") == 4
        assert "training" not in titles
        assert more["raw"]["seeds"][:2] == record["raw"]["seeds"]

    def test_live_decoding_keeps_no_frames(
        self, studied: tuple[Path, dict[str, Any]], videos: Path, stages: Any
    ) -> None:
        output, record = studied
        with stages() as titles:
            live = run_study(Recognition(), [videos], output, replace(OPTIONS, seeds=1, live=True))
        assert titles == ["reading videos", "training a classifier", "training a classifier"]
        assert live["raw"]["seeds"] == record["raw"]["seeds"][:1]

    def test_a_kill_loses_the_step_at_work_alone(
        self, studied: tuple[Path, dict[str, Any]], videos: Path, stages: Any
    ) -> None:
        class Impatient(progress.Listener):
            def stage(self, title: str, total: int | None = None) -> None:
                if title == "training a classifier":
                    raise KeyboardInterrupt

        output, record = studied
        (output / "results.json").unlink()
        for path in (output / "steps").glob("*dnerv-0.3*seed-1*"):
            path.unlink()
        with pytest.raises(KeyboardInterrupt), progress.listening(Impatient()):
            run_study(Recognition(), [videos], output, OPTIONS)
        assert list((output / "decoded").iterdir()) == []
        assert not (output / "results.json").exists()
        with stages() as titles:
            assert findings(run_study(Recognition(), [videos], output, OPTIONS)) == findings(record)
        assert titles.count("training a classifier") == 1

    def test_what_cannot_be_studied_is_refused(self, videos: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="--crop is 49, and frames have 48x64 pixels"):
            run_study(Recognition(), [videos], tmp_path / "a", replace(OPTIONS, classifier=replace(SMALL, crop=49)))
        shutil.copytree(videos, tmp_path / "mixed")
        write_mp4(
            tmp_path / "mixed/left/other.mp4", iter([np.zeros((64, 64, 3), np.uint8)]), Timing.constant(Fraction(5), 1)
        )
        with pytest.raises(InputError, match=r"videos have 2 sizes, .*--resolution"):
            run_study(Recognition(), [tmp_path / "mixed"], tmp_path / "b", OPTIONS)
        for message, changes in {
            "--rates is empty": {"rates": ()},
            "--rates is 0.1,0.1": {"rates": (0.1, 0.1)},
            "--seeds is 0": {"seeds": 0},
            "--seed is -1": {"seed": -1},
            "--precision is 'fp8'": {"precision": "fp8"},
            "--rates is 99": {"rates": (99.0,)},
            "--split names the test, and --folds draws it": {"split": Path("s.csv"), "folds": 2},
            "--codecs is 'vp8'": {"codecs": ("vp8",)},
        }.items():
            with pytest.raises(InputError, match=message):
                replace(OPTIONS, **changes)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="--crop is 8; allowed are 16"):
            ClassifierOptions(crop=8)


@pytest.fixture(scope="module")
def folded(videos: Path, measured_here: None) -> dict[str, Any]:
    """Base layers and AV1, every video once in the test."""
    options = replace(OPTIONS, codecs=("base", "every", "svtav1"), epochs=None, folds=3, seeds=2)
    return run_study(Recognition(), [videos], videos.parent / "folds", options)


class TestFolds:
    def test_every_video_is_tested_once(self) -> None:
        given = members(*(f"{label}/{i}.avi" for label in "ab" for i in range(5)))
        splits = drawn_folds(given, 3, 0)
        assert sorted(name for split in splits for name in split.test) == sorted(member.name for member in given)
        assert [len(split.test) for split in splits] == [4, 4, 2]
        assert all(set(split.train).isdisjoint(split.test) and len(split.labels) == 10 for split in splits)
        assert [split.most_frequent for split in splits] == [2, 2, 1]
        assert drawn_folds(given, 3, 0) == splits
        assert drawn_folds(given, 3, 1) != splits
        with pytest.raises(InputError, match="class 'b' has 4 videos; --folds 5 needs as many"):
            drawn_folds(given[:9], 5, 0)
        with pytest.raises(InputError, match="no video has a label"):
            drawn_folds([replace(member, label=None) for member in given], 2, 0)

    def test_record(self, folded: dict[str, Any]) -> None:
        split = folded["split"]
        assert (split["train"], split["test"], split["folds"], split["most_frequent"]) == (4, 6, 3, 0.5)
        assert [row["codec"] for row in folded["rows"]] == ["svtav1", "base", "every"]
        for row in folded["rows"]:
            for protocol in ("trained_raw_tested_compressed", "trained_compressed_tested_raw"):
                loss = folded["raw"]["top1"] - row[protocol]["top1"]
                assert row[protocol]["less"]["mean"] == pytest.approx(loss)
        sizes = {row["codec"]: row["bytes"] for row in folded["rows"]}
        assert sizes["svtav1"] <= MOST_ABOVE * sizes["base"]

    def test_losses_are_shown(self, folded: dict[str, Any], printed: Any) -> None:
        text = printed(Recognition().tables(folded))
        assert "less than raw, points" in text
        assert "every frame coded" in text


def a_record() -> dict[str, Any]:
    """Made-up accuracies of two rates."""

    def row(codec: str, rate: float, tested: float, trained: float) -> dict[str, Any]:
        facts = {"codec": codec, "bytes": round(1e5 * rate), "bits_per_pixel": rate, "psnr": 30.0}
        return facts | {
            "trained_raw_tested_compressed": {"top1": tested, "interval": [tested - 2, tested + 2]},
            "trained_compressed_tested_raw": {"top1": trained, "interval": [trained - 1, trained + 1]},
        }

    rows = [
        row(codec, rate, 50 + 100 * rate, 60 + 100 * rate) for codec in ("h264", "nerv", "dnerv") for rate in (0.1, 0.2)
    ]
    split = {"train": 4, "test": 2, "from": DRAWN, "most_frequent": 0.5, "missing": ["a"], "unused": []}
    return {
        "content": {"videos": 6, "frames": 54, "height": 48, "width": 64},
        "classes": ["left", "right"],
        "split": split,
        "options": OPTIONS.to_json(),
        "raw": {"top1": 80.0, "interval": [77.0, 83.0], "test_set": [40.0, 99.0], "seeds": [79.0, 81.0]},
        "rows": rows,
        "published": PUBLISHED,
    }


class TestShown:
    def test_tables(self, printed: Any) -> None:
        text = printed(Recognition().tables(a_record()))
        rows = [line.split() for line in text.splitlines()]
        assert ["raw", "80.0", "±3.0", "80.0", "±3.0"] in rows
        assert ["H.264", "10,000", "0.1000", "30.00", "60.0", "±2.0", "70.0", "±1.0"] in rows
        assert ["20,000", "0.2000", "30.00", "70.0", "±2.0", "80.0", "±1.0"] in rows
        assert ["D-NeRV", "81.1", "/", "87.9", "84.4", "/", "89.0", "86.4", "/", "90.0"] in rows
        assert "neighbours may leak" in " ".join(text.split())
        assert "1 videos are listed in the split, and not given: a" in text

    def test_charts(self) -> None:
        tested, trained = Recognition().charts(a_record())
        assert [(s.name, s.points[0], s.spreads[0]) for s in tested.series] == [
            (name, (0.1, 60), (58, 62)) for name in ("H.264", "NeRV", "D-NeRV")
        ]
        assert trained.series[0].points[1] == (0.2, 80)
        turned = a_record() | {"rows": a_record()["rows"][::-1]}  # a lower rate may have been asked for and not reached
        assert Recognition().charts(turned)[0].series[0].points == tested.series[0].points
        assert [(level.name, level.value) for level in trained.levels] == [("raw, both ways", 80), ("chance", 50)]

"""Archives whose frames a prior makes: what they hold, when it stays, and what a corpus adds to it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.archive.changing import extract, merge
from dnerv.archive.priors import PLACES
from dnerv.bitstream.prior_file import PriorFile
from dnerv.encoding import EncodeOptions, encode
from dnerv.encoding.adding import add
from dnerv.errors import ArchiveError, InputError
from dnerv.evaluation import evaluate
from dnerv.families import count_parameters
from dnerv.families.prior import PriorConfig
from dnerv.loading import Loader
from dnerv.progress import Listener, TrainingProgress, listening


@pytest.fixture(scope="module")
def with_prior(fast: EncodeOptions, schooled: SimpleNamespace) -> EncodeOptions:
    return replace(fast, prior=str(schooled.path))


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test puts into the environment is gone after it."""
    monkeypatch.setenv(PLACES, "")


@pytest.fixture(scope="module")
def base(schooled: SimpleNamespace, fast: EncodeOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base.dnerv"
    encode([schooled.held_out], path, fast)
    return path


def test_a_prior_takes_no_bytes_but_its_name(
    schooled: SimpleNamespace, with_prior: EncodeOptions, base: Path, tmp_path: Path, recorder: Any
) -> None:
    path = tmp_path / "a.dnerv"
    with listening(recorder):
        result = encode([schooled.held_out], path, with_prior)
    assert result.network is not None
    assert (result.network.parameters, result.network.videos) == (0, 1)
    assert "NETW" not in Archive(path).container
    assert path.stat().st_size - base.stat().st_size < 200
    before, after = evaluate(base, [schooled.held_out]), evaluate(path, [schooled.held_out])
    assert after.psnr > before.psnr + 0.1
    assert after.psnr == pytest.approx(result.quality.psnr)
    assert any(note.startswith("the prior: +") for note in recorder.notes)
    assert recorder.notes[-1] == f"readers need {schooled.path}: beside the archive, or named in {PLACES}"
    with Archive(path) as archive, Archive(path, layers="base") as alone, Archive(base) as other:
        model = archive.config.network.model  # type: ignore[union-attr]
        assert isinstance(model, PriorConfig)
        assert (model.prior, model.addition) == (schooled.prior.hash, "nothing")
        assert (alone["3"][:] == other["3"][:]).all()
        assert sum(archive.breakdown().values()) == path.stat().st_size
    assert verify_archive(path)["intact"]


def test_a_prior_that_is_not_at_hand_is_named_and_the_base_layer_is_read(
    schooled: SimpleNamespace, with_prior: EncodeOptions, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.dnerv"
    encode([schooled.held_out], path, with_prior)
    made = Archive(path)["3"][:]
    monkeypatch.setenv(PLACES, "")
    with pytest.raises(ArchiveError, match=f"{schooled.prior.hash}, which is not at hand"):
        _ = Archive(path)["3"][0]
    assert (Archive(path, layers="base")["3"][:] == Archive(base)["3"][:]).all()
    assert verify_archive(path)["intact"]  # what lies elsewhere is none of the file
    (tmp_path / "priors").mkdir()
    (tmp_path / "priors/junk.prior").write_bytes(b"none")
    (tmp_path / "priors/mine.prior").write_bytes(schooled.path.read_bytes())
    (tmp_path / "beside").mkdir()
    for name, file in (("a.dnerv", path), ("my.prior", schooled.path)):
        (tmp_path / "beside" / name).write_bytes(file.read_bytes())
    assert (Archive(tmp_path / "beside/a.dnerv")["3"][:] == made).all()
    monkeypatch.setenv(PLACES, f"{tmp_path / 'absent'}:{tmp_path / 'priors'}")
    assert (Archive(path)["3"][:] == made).all()


def test_embedded_it_is_read_anywhere(
    schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, whole = tmp_path / "named.dnerv", tmp_path / "whole.dnerv"
    result = encode([schooled.held_out], whole, replace(with_prior, embed_prior=True, network="always"))
    encode([schooled.held_out], named, with_prior)
    close = np.abs(Archive(named)["3"][:].numpy().astype(int) - Archive(whole)["3"][:].numpy())
    assert close.max() <= 3  # weights of eight bits
    monkeypatch.setenv(PLACES, "")
    assert Archive(whole)["3"][:].shape == (8, 3, 64, 80)
    assert result.network is not None
    assert result.network.weight_bits == 8
    assert result.network.parameters == sum(weight.size for weight in schooled.prior.weights.values())
    assert "NETW" in Archive(whole).container


def test_it_is_left_out_where_it_is_worth_nothing(
    with_prior: EncodeOptions, fast: EncodeOptions, made: SimpleNamespace, tmp_path: Path, recorder: Any
) -> None:
    made.video(tmp_path / "in/a.mp4", made.noise(4, 0))
    encode([tmp_path / "in"], tmp_path / "base.dnerv", fast)
    with listening(recorder):
        result = encode([tmp_path / "in"], tmp_path / "a.dnerv", with_prior)
    assert result.network is None
    assert recorder.notes[-1].endswith("it is left out")
    assert Archive(tmp_path / "a.dnerv").config.network is None
    assert (tmp_path / "a.dnerv").stat().st_size < (
        tmp_path / "base.dnerv"
    ).stat().st_size + 64  # it says how it was made


def test_each_video_has_it_where_it_is_better(
    schooled: SimpleNamespace, with_prior: EncodeOptions, made: SimpleNamespace, tmp_path: Path
) -> None:
    made.video(tmp_path / "in/noise.mp4", made.noise(4, 0))
    for video in [*schooled.held_out.iterdir(), *schooled.train.iterdir()]:
        (tmp_path / "in" / video.name).write_bytes(video.read_bytes())
    result = encode([tmp_path / "in"], tmp_path / "a.dnerv", with_prior)
    assert result.network is not None
    assert result.network.videos == 4
    with Archive(tmp_path / "a.dnerv") as archive:
        assert {entry.name: entry.network_frame for entry in archive.entries} == {
            **dict.fromkeys("0123", 0),
            "noise": None,
        }


def test_what_a_corpus_adds_stays_where_it_earns_its_bytes(
    schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path, recorder: Any
) -> None:
    """At a price of nothing the best addition stays; at a price that nothing is worth, none."""
    options = replace(with_prior, epochs=60, learning_rate=0.005)
    with listening(recorder):
        result = encode([schooled.held_out], tmp_path / "a.dnerv", options)
    tried = [note for note in recorder.notes if note.startswith("the prior")]
    assert len(tried) == 4 + 1  # and what became of all videos with the one that stays
    assert result.network is not None
    with Archive(tmp_path / "a.dnerv") as archive:
        model = archive.config.network.model  # type: ignore[union-attr]
        assert isinstance(model, PriorConfig)
        assert model.addition == "nothing"  # one video of eight frames: hundreds of bytes are half of its file
        assert "NETW" not in archive.container


def test_additions_are_stored_and_read(
    schooled: SimpleNamespace,
    with_prior: EncodeOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorder: Any,
) -> None:
    from dnerv.encoding import prior_stage

    monkeypatch.setattr(prior_stage, "ADDITIONS", ("nothing", "channels"))
    monkeypatch.setattr(prior_stage.PriorStage, "_price", lambda stage, added, before: 0.0)
    options = replace(with_prior, epochs=60, learning_rate=0.005)
    path = tmp_path / "a.dnerv"
    with listening(recorder):
        result = encode([schooled.held_out], path, options)
    with Archive(path) as archive:
        model = archive.config.network.model  # type: ignore[union-attr]
        assert isinstance(model, PriorConfig)
        assert (model.prior, model.addition) == (schooled.prior.hash, "channels")
        assert archive.breakdown()["network payload"] > 0
        assert result.network is not None
        assert result.network.parameters == count_parameters(model)
    assert evaluate(path, [schooled.held_out]).psnr == pytest.approx(result.quality.psnr)
    assert verify_archive(path)["intact"]
    extract(path, tmp_path / "b.dnerv", ["3"])
    assert (Archive(tmp_path / "b.dnerv")["3"][:] == Archive(path)["3"][:]).all()


def test_batches_are_loaded(schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path) -> None:
    """Videos of different distances pass through the prior together."""
    path = tmp_path / "a.dnerv"
    encode([schooled.train], path, replace(with_prior, every=1))
    encode([schooled.held_out], tmp_path / "b.dnerv", replace(with_prior, every=2))
    merge([path, tmp_path / "b.dnerv"], tmp_path / "c.dnerv")
    with Archive(tmp_path / "c.dnerv") as archive:
        assert {entry.distance for entry in archive.entries} == {1, 2}
        seen = []
        for clips, _, info in Loader(archive, clip_length=4, batch_size=3, precision="fp32", dtype=torch.uint8):
            for clip, name, frames in zip(clips, info["video"], info["frames"], strict=True):
                expected = archive[name].get_frames_at(frames).data
                assert (clip.int() - expected.int()).abs().max() <= 1
                seen.append(name)
        assert sorted(seen) == [*"00112233"]


def test_archives_with_one_prior_become_one(
    schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path
) -> None:
    for name, folder in (("a", schooled.held_out), ("b", schooled.train)):
        encode([folder], tmp_path / f"{name}.dnerv", with_prior)
    merge([tmp_path / "a.dnerv", tmp_path / "b.dnerv"], tmp_path / "c.dnerv")
    with Archive(tmp_path / "c.dnerv") as both, Archive(tmp_path / "a.dnerv") as one:
        assert len(both) == 4
        assert (both["3"][:] == one["3"][:]).all()


def test_videos_are_added(schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path) -> None:
    path = tmp_path / "a.dnerv"
    encode([schooled.train], path, with_prior)
    before = Archive(path)["0"][:]
    add(path, [schooled.held_out])
    with Archive(path) as archive:
        assert archive["3"][:].shape == before.shape
        assert (archive["0"][:] == before).all()
        assert archive["3"].entry.network_frame == 0
    assert evaluate(path, [schooled.train, schooled.held_out]).psnr > evaluate_base(path, schooled)


def test_videos_are_added_without_the_prior_where_it_is_not_at_hand(
    schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    path = tmp_path / "a.dnerv"
    encode([schooled.train], path, with_prior)
    monkeypatch.setenv(PLACES, "")
    with listening(recorder):
        add(path, [schooled.held_out])
    assert any(schooled.prior.hash in warning for warning in recorder.warnings)
    with Archive(path, layers="base") as archive:
        assert archive["3"].entry.network_frame is None
        assert archive["0"].entry.network_frame == 0


def evaluate_base(path: Path, schooled: SimpleNamespace) -> float:
    from dnerv.evaluation import measure_archive
    from dnerv.video import VideoSource

    files = {file.stem: file for folder in (schooled.train, schooled.held_out) for file in folder.iterdir()}
    with Archive(path, layers="base") as archive:
        return measure_archive(
            archive, lambda name: (frame for _, frame in VideoSource(files[name]).frames()), ms_ssim=False
        ).psnr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "nerv"}, "--prior is a network, whole"),
        ({"width": 8}, "--prior is a network, whole"),
        ({"paper": True}, "--prior is a network, whole"),
        ({"ema": 0.9}, "--ema"),
        ({"network": "none"}, "--network none"),
        ({"bits_per_pixel": 0.05, "embed_prior": True}, "--bpp fills the file"),
        ({"bits_per_pixel": 0.05, "budget_seconds": 3.0}, "--bpp fills the file"),
        ({"prior": None, "embed_prior": True}, "there is none without --prior"),
    ],
)
def test_options_that_contradict_a_prior(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EncodeOptions(**({"prior": "small"} | changes))


def test_a_prior_that_is_none(fast: EncodeOptions, schooled: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "no.prior").write_bytes(b"nothing")
    weights, model = schooled.prior.weights, dict(schooled.prior.model)
    PriorFile(weights, model | {"depth": 3}, {}).write(tmp_path / "newer.prior")
    PriorFile(weights, model | {"blocks": 2}, {}).write(tmp_path / "other.prior")
    for name, message in (
        (str(tmp_path / "no.prior"), "is no prior"),
        ("unheard-of", "no prior is called"),
        (str(tmp_path / "newer.prior"), "this dnerv does not know such a prior"),
        (str(tmp_path / "other.prior"), "its weights are not those of the network"),
    ):
        with pytest.raises(InputError, match=message):
            encode([schooled.held_out], tmp_path / "a.dnerv", replace(fast, prior=name))
        assert not list(tmp_path.glob("a.dnerv*"))


def test_larger_frames_are_tiles_without_seams(
    schooled: SimpleNamespace, with_prior: EncodeOptions, made: SimpleNamespace, tmp_path: Path, monkeypatch: Any
) -> None:
    from dnerv.encoding import prior_stage

    made.video(tmp_path / "in/a.mp4", made.scene(4, 1, 0, (96, 160)))
    options = replace(with_prior, network="always")
    encode([tmp_path / "in"], tmp_path / "whole.dnerv", options)
    canvas: Callable[..., tuple[int, int]] = lambda *given, **named: (64, 80)  # noqa: E731
    monkeypatch.setattr(prior_stage, "choose_canvas", canvas)
    encode([tmp_path / "in"], tmp_path / "tiles.dnerv", options)
    whole, tiles = (Archive(tmp_path / f"{name}.dnerv") for name in ("whole", "tiles"))
    assert whole.network.config.model.canvas == (96, 160)
    assert tiles.network.config.model.canvas == (64, 80)
    difference = np.abs(whole["a"][:].numpy().astype(int) - tiles["a"][:].numpy())
    assert difference.mean() < 0.1
    assert difference.max() <= 6  # borders of tiles fade into each other


def test_a_network_of_its_shape_is_trained_like_any_other(schooled: SimpleNamespace, tmp_path: Path) -> None:
    options = EncodeOptions(
        model="prior", network="always", width=4, every=2, crf=45, epochs=2, effort="fast", precision="fp32"
    )
    path = tmp_path / "a.dnerv"
    result = encode([schooled.held_out], path, options)
    with Archive(path) as archive:
        model = archive.network.config.model
        assert isinstance(model, PriorConfig)
        assert (model.prior, model.addition, model.keyframe_every) == ("", "everything", 2)
        assert result.network is not None
        assert result.network.parameters == count_parameters(model)
    assert evaluate(path, [schooled.held_out]).psnr == pytest.approx(result.quality.psnr)


def test_videos_that_would_be_too_many_tiles_keep_their_base_layer(
    schooled: SimpleNamespace, with_prior: EncodeOptions, made: SimpleNamespace, tmp_path: Path, monkeypatch: Any
) -> None:
    """Small videos have a small canvas: a reader would refuse a large one in hundreds of its tiles."""
    from dnerv.encoding import prior_stage

    canvas: Callable[..., tuple[int, int]] = lambda *given, **named: (64, 80)  # noqa: E731
    monkeypatch.setattr(prior_stage, "choose_canvas", canvas)
    made.video(tmp_path / "in/large.mp4", made.scene(2, 1, 0, (480, 640)))
    for video in schooled.held_out.iterdir():
        (tmp_path / "in" / video.name).write_bytes(video.read_bytes())
    for network in ("auto", "always"):
        path = tmp_path / f"{network}.dnerv"
        encode([tmp_path / "in"], path, replace(with_prior, network=network))
        with Archive(path) as archive:
            assert {entry.name: entry.network_frame for entry in archive.entries} == {"3": 0, "large": None}
            assert archive["large"][:].shape == (2, 3, 480, 640)
    made.video(tmp_path / "more/larger.mp4", made.scene(2, 2, 0, (480, 704)))
    add(path, [tmp_path / "more"])
    with Archive(path) as archive:
        assert archive["larger"].entry.network_frame is None
    encode([tmp_path / "more"], tmp_path / "alone.dnerv", replace(with_prior, network="always"))
    assert Archive(tmp_path / "alone.dnerv").config.network is None


def test_a_killed_adaptation_goes_on_with_its_own_options_alone(
    schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path
) -> None:
    class Impatient(Listener):
        def training(self, at: TrainingProgress) -> None:
            if at.step >= 3:
                raise KeyboardInterrupt

    options = replace(with_prior, epochs=30)
    with pytest.raises(KeyboardInterrupt), listening(Impatient()):
        encode([schooled.held_out], tmp_path / "a.dnerv", options)
    with pytest.raises(InputError, match="another command"):
        encode([schooled.held_out], tmp_path / "a.dnerv", replace(options, seed=1))
    encode([schooled.held_out], tmp_path / "a.dnerv", options)
    encode([schooled.held_out], tmp_path / "b.dnerv", options)
    assert (tmp_path / "a.dnerv").read_bytes() == (tmp_path / "b.dnerv").read_bytes()


def test_a_prior_and_a_video_without_coded_frames(
    schooled: SimpleNamespace, with_prior: EncodeOptions, tmp_path: Path
) -> None:
    """The index allows such a video where it uses the network; this network cannot make it."""
    from dnerv.archive.changing import network_of
    from dnerv.archive.writing import new_archive

    encode([schooled.held_out], tmp_path / "a.dnerv", with_prior)
    with Archive(tmp_path / "a.dnerv") as archive:
        entry, layer = archive.entries[0], network_of(archive)
    none = replace(entry, distance=0, group_length=0, references=(), packet_lengths=(), checksums=(), crf=0.0)
    with new_archive(tmp_path / "b.dnerv", network=layer) as writer:
        writer.add_video(none, None, (), b"")
        writer.finish({})
    with pytest.raises(ArchiveError, match="has no coded frames"):
        _ = Archive(tmp_path / "b.dnerv")["3"][0]
    report = verify_archive(tmp_path / "b.dnerv")
    assert not report["intact"]
    assert "has no coded frames" in report["problem"]

"""A corpus of base layers: what is kept on disk, what is shared, what the dial reaches."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dnerv.encoding import base_choice, base_coding, base_stage, video_coding
from dnerv.encoding.base_coding import CodedBase, CodedReference, Exchange
from dnerv.encoding.base_stage import BaseSettings, BaseStage, CodedCorpus, summaries_of
from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.packing import write_base
from dnerv.encoding.reference_choice import Choice, Picture
from dnerv.progress import listening
from dnerv.video import CachedVideo

CRF = 45.0
Settled = Callable[..., BaseSettings]
Cached = Callable[..., CachedVideo]


@pytest.fixture
def folder(coded: tuple[CodedCorpus, Path], tmp_path: Path) -> Path:
    """Everything that was coded for `coded`."""
    return shutil.copytree(coded[1], tmp_path / "coded")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[CodedBase]:
    """Every coding of a video that is made from here on."""
    calls: list[CodedBase] = []

    def code(*given: Any) -> CodedBase:
        calls.append(original(*given))
        return calls[-1]

    original = base_coding.code_base
    monkeypatch.setattr(video_coding, "code_base", code)
    monkeypatch.setattr(base_choice, "code_base", code)
    return calls


def staged(videos: Sequence[CachedVideo], folder: Path, settings: BaseSettings, **given: Any) -> BaseStage:
    folder.mkdir(exist_ok=True)
    return BaseStage(videos, folder, settings, summaries_of(videos), **given)


def told(corpus: CodedCorpus) -> list[tuple[Any, ...]]:
    """All that an archive is made of, paths aside."""
    videos = [(v.plan.distance, v.header, v.path.read_bytes(), v.packet_lengths, v.references) for v in corpus.videos]
    return [*videos, *((r.packet, r.header, r.made_of) for r in corpus.references)]


def packet_bytes(corpus: CodedCorpus) -> int:
    """References included."""
    return sum(sum(v.packet_lengths) for v in corpus.videos) + sum(len(r.packet) for r in corpus.references)


def test_videos_of_a_place_share_its_picture(
    videos: list[CachedVideo], coded: tuple[CodedCorpus, Path], settings: Settled, tmp_path: Path
) -> None:
    corpus, _ = coded
    assert len(corpus.references) == 2
    for reference in corpus.references:
        assert reference.made_of is not None
        users = [v.name for v, base in zip(videos, corpus.videos, strict=True) if reference.digest in base.references]
        assert users == [f"{reference.made_of[0][0]}-{episode}" for episode in (0, 1)]
        assert corpus.saved[reference.digest] > len(reference.packet)
    alone = BaseStage(videos, tmp_path, settings()).code(CRF)
    assert alone.references == ()
    assert packet_bytes(corpus) < 0.8 * packet_bytes(alone)


def test_what_is_unlike_shares_nothing(
    made: SimpleNamespace, cached: Cached, settings: Settled, tmp_path: Path
) -> None:
    clips = [*(made.noise(6, seed) for seed in range(2)), made.scene(6, 2), np.stack(made.drifting(6, 64, 80))]
    videos = [cached(str(number), clip) for number, clip in enumerate(clips)]
    assert staged(videos, tmp_path / "coded", settings()).code(CRF).references == ()


def test_a_second_run_codes_nothing(
    videos: list[CachedVideo],
    coded: tuple[CodedCorpus, Path],
    folder: Path,
    settings: Settled,
    counted: list[CodedBase],
) -> None:
    assert told(staged(videos, folder, settings()).code(CRF)) == told(coded[0])
    assert counted == []


def test_it_goes_on_by_video(
    videos: list[CachedVideo],
    coded: tuple[CodedCorpus, Path],
    folder: Path,
    settings: Settled,
    counted: list[CodedBase],
) -> None:
    lost = coded[0].videos[2]
    (folder / lost.path.with_suffix(".json").name).unlink()
    (folder / lost.path.name).write_bytes(b"half")  # a run was killed before it had written the record
    assert told(staged(videos, folder, settings()).code(CRF)) == told(coded[0])
    assert lost.references in [each.references for each in counted]
    assert len(counted) <= 5


@pytest.mark.parametrize("change", ["settings", "crf", "frames"])
def test_what_came_from_something_else_is_coded_anew(
    videos: list[CachedVideo],
    made: SimpleNamespace,
    cached: Cached,
    settings: Settled,
    counted: list[CodedBase],
    tmp_path: Path,
    change: str,
) -> None:
    one, other = [videos[0]], settings()
    BaseStage(one, tmp_path, settings()).code(CRF)
    counted.clear()
    if change == "settings":
        other = settings(access=16)
    if change == "frames":
        one = [cached("0-0", made.scene(12, 0, 8))]
    BaseStage(one, tmp_path, other).code(CRF + 1 if change == "crf" else CRF)
    assert counted


@pytest.mark.parametrize("share", [0.7, 1.3])
def test_the_dial_lands_within_3_percent_for_the_file(
    videos: list[CachedVideo],
    coded: tuple[CodedCorpus, Path],
    folder: Path,
    settings: Settled,
    fast: EncodeOptions,
    share: float,
) -> None:
    def write(corpus: CodedCorpus) -> int:
        return write_base(folder / "a.dnerv", videos, corpus, fast, settings())

    target = share * write(coded[0])
    assert write(staged(videos, folder, settings()).code_to(target, CRF, write)) == pytest.approx(target, rel=0.03)


def test_close_qualities_are_coded_in_the_same_ways(
    videos: list[CachedVideo],
    coded: tuple[CodedCorpus, Path],
    folder: Path,
    settings: Settled,
    counted: list[CodedBase],
) -> None:
    stage, first = staged(videos, folder, settings()), coded[0]
    stage.code(CRF)
    close = stage.code(CRF + 4)
    assert len(counted) == len(videos)
    assert [v.plan.distance for v in close.videos] == [v.plan.distance for v in first.videos]
    assert {r.made_of for r in close.references} == {r.made_of for r in first.references}
    assert packet_bytes(close) < packet_bytes(first)
    counted.clear()
    stage.code(CRF - 12)
    assert len(counted) >= 2 * len(videos)


def test_a_picture_that_does_not_pay_is_dropped(
    videos: list[CachedVideo],
    made: SimpleNamespace,
    cached: Cached,
    settings: Settled,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """One picture has two users; of the other one video has use for a half."""
    half = made.scene(12, 2)
    half[:, :, 40:] = made.scene(12, 1)[:, :, 40:]
    corpus_videos = [*videos[:3], cached("half", half)]
    choice = Choice((Picture(0, 6), Picture(3, 6)), ((0, 0, 0), (0, 0, 0), (1, 1, 1), (None,) * 3))
    monkeypatch.setattr(base_stage, "choose_pictures", lambda *given: choice)
    with listening(recorder):
        corpus = staged(corpus_videos, tmp_path, settings()).code(CRF)
    assert recorder.stages[-1] == "coding videos without pictures that did not pay"
    assert [reference.made_of for reference in corpus.references] == [("0-0", 6)]
    own = BaseStage(videos[2:3], tmp_path, settings()).code(CRF).videos[0]
    assert corpus.videos[2].packet_lengths == own.packet_lengths


@pytest.mark.parametrize("num_free", [0, 1])
def test_a_given_reference_pays_for_itself_unless_it_is_free(
    videos: list[CachedVideo],
    made: SimpleNamespace,
    settings: Settled,
    reference: Callable[..., CodedReference],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    num_free: int,
) -> None:
    half = made.scene(12, 2)[6]
    half[:, 40:] = made.scene(12, 1)[6][:, 40:]
    given = reference(half, settings().plan(CRF))
    monkeypatch.setattr(base_stage, "choose_pictures", lambda *arguments: Choice((), ((0, 0, 0),)))
    corpus = staged(videos[2:3], tmp_path, settings(), given=[given], num_free=num_free).code(CRF)
    assert [r.digest for r in corpus.references] == [given.digest] * num_free


@pytest.mark.parametrize("cores", [1, 9])
def test_results_do_not_depend_on_the_number_of_threads(
    videos: list[CachedVideo],
    coded: tuple[CodedCorpus, Path],
    settings: Settled,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cores: int,
) -> None:
    monkeypatch.setattr(base_stage, "usable_cores", lambda: cores)
    assert told(staged(videos, tmp_path, settings()).code(CRF)) == told(coded[0])


def test_copies_of_a_video(videos: list[CachedVideo], settings: Settled, tmp_path: Path) -> None:
    """They are coded side by side, into the same files."""
    copies = [replace(videos[0], name=str(number)) for number in range(6)]
    corpus = staged(copies, tmp_path / "coded", settings()).code(CRF)
    assert len({video.path for video in corpus.videos}) == 1
    assert len(corpus.references) == 1


def test_decoded_coded_frames_are_kept(videos: list[CachedVideo], settings: Settled, tmp_path: Path) -> None:
    corpus = staged(videos[:2], tmp_path, settings(distances=(2,))).code(CRF)
    assert corpus.references
    store = corpus.videos[0].decoded(videos[0], corpus.by_digest, tmp_path)
    assert len(store) == len(corpus.videos[0].packet_lengths) == 7
    assert np.abs(store[3].astype(int) - videos[0].store[6]).mean() < 12
    before = store.path.stat().st_mtime_ns
    assert corpus.videos[0].decoded(videos[0], corpus.by_digest, tmp_path) == store
    assert store.path.stat().st_mtime_ns == before


def test_videos_larger_than_what_is_held_give_the_same(
    videos: list[CachedVideo], settings: Settled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = told(staged(videos[:2], tmp_path / "held", settings()).code(CRF))
    monkeypatch.setattr(video_coding, "_HELD_BYTES", 0)
    assert told(staged(videos[:2], tmp_path / "drawn", settings()).code(CRF)) == held


def test_bytes_are_dearer_at_a_crf_that_takes_fewer(settings: Callable[..., BaseSettings]) -> None:
    """The bytes that were found at one crf stand for others by what a step of crf takes, here 20 steps 4 dB."""
    told = settings(exchange=8.0, frame_bytes=30.0, frame_bytes_crf=40.0)
    assert told.exchange_of(40.0) == Exchange(8.0, pytest.approx(30.0))
    assert told.exchange_of(60.0) == Exchange(8.0, pytest.approx(30.0 / 10**0.5))

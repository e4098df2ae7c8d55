"""What the dial makes of a network's parts and of its share of the bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.encoding.dial import Corpus, Design, network_bytes, turn_dial
from dnerv.encoding.probe import KeyframeProbe
from dnerv.families import Components, DNeRVConfig, count_parameters
from dnerv.video import CachedVideo, cache_video, discover

OPTIONS = EncodeOptions(bits_per_pixel=8.0, every=4, clip_length=4, epochs=1)
ALONE = Components(is_compact=False, fusion="none")


@pytest.fixture(scope="module")
def videos(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[CachedVideo]:
    folder = tmp_path_factory.mktemp("dial")
    return [cache_video(member, folder) for member in discover([corpus])]


def turned(videos: list[CachedVideo], options: EncodeOptions) -> tuple[DNeRVConfig, float, int | None]:
    """The network, its share of the bytes asked for, and the bytes of everything else."""
    corpus = Corpus(videos, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    design = turn_dial(corpus, options, KeyframeProbe(videos))
    assert isinstance(design.model, DNeRVConfig)
    return design.model, network_bytes(design.model, design.weight_bits) / design.target_bytes, design.base_bytes


def test_a_share_is_filled_and_the_base_layer_gets_the_rest(videos: list[CachedVideo]) -> None:
    budgets = []
    for share in (0.2, 0.5, 0.8):
        model, found, budget = turned(videos, replace(OPTIONS, network_share=share))
        assert 0.8 * share < found <= share
        wider = replace(OPTIONS, width=model.base_channels + 1)
        assert turned(videos, wider)[1] > share
        assert budget is not None
        budgets.append(budget)
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[-1] > 0


def test_a_share_is_filled_whatever_the_time_for_training(videos: list[CachedVideo]) -> None:
    untimed, hurried = (
        replace(OPTIONS, epochs=epochs, budget_seconds=seconds, network_share=0.5)
        for epochs, seconds in ((1, None), (None, 0.001))
    )
    assert turned(videos, untimed) == turned(videos, hurried)


def test_without_fusion_all_bytes_are_the_network_s(videos: list[CachedVideo]) -> None:
    model, share, budget = turned(videos, replace(OPTIONS, every=None, components=ALONE, network_share=1.0))
    assert not model.uses_keyframes
    assert model.keyframe_every == model.clip_length
    assert 0.7 < share <= 1
    assert budget is None


def test_parts_replace_the_recipe_s(videos: list[CachedVideo]) -> None:
    plain, _, _ = turned(videos, replace(OPTIONS, width=4))
    parts = Components(temporal="convolution", temporal_kernel=7, flow="single-scale")
    other, _, _ = turned(videos, replace(OPTIONS, width=4, components=parts))
    assert other == parts.applied(plain)
    assert other.temporal_kernel == 7
    scaled, _, _ = turned(videos, replace(OPTIONS, width=4, components=Components(is_compact=False)))
    assert (scaled.head, scaled.output_stride) == ("paper", 1)
    paper = EncodeOptions(paper=True, width=4, components=Components(temporal="attention"), crf=50)
    assert turned(videos, paper)[0].temporal == "attention"


def test_no_components_are_the_recipe_s_own(videos: list[CachedVideo]) -> None:
    assert turned(videos, OPTIONS) == turned(videos, replace(OPTIONS, components=Components()))


def test_without_keyframes_time_runs_over_all_videos(corpus: Path, tmp_path: Path) -> None:
    options = EncodeOptions(components=ALONE, width=3, clip_length=4, epochs=1)
    result = encode([corpus], tmp_path / "a.dnerv", options)
    assert result.network is not None
    assert result.network.parameters == count_parameters(result.network.model)
    assert result.crf is None
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.breakdown()["base layers"] == 0
        assert [entry.network_frame for entry in archive.entries] == [0, 9, 13]
        assert archive.config.network is not None
        assert archive.config.network.num_frames == 14
        assert archive["odd"][:].shape == (4, 3, 27, 31)


class ProbeOfLoudKeyframes(KeyframeProbe):
    """Keyframes that never come below a fixed size, in a corpus where every frame a keyframe looks best."""

    def crf_for(self, every: int, bytes_per_pixel: float) -> float:
        return 70.0

    def bytes_per_pixel(self, every: int, crf: float) -> float:
        return 0.4 / every

    def blend_psnr(self, every: int, crf: float) -> float:
        return 40.0 - every


@pytest.mark.parametrize(("rate", "every"), [(8.0, 1), (4.0, 2), (0.01, 8)])
def test_the_distance_is_the_best_that_fits_else_the_smallest(
    videos: list[CachedVideo], rate: float, every: int
) -> None:
    options = replace(OPTIONS, every=None, bits_per_pixel=rate, width=2)
    corpus = Corpus(videos, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert turn_dial(corpus, options, ProbeOfLoudKeyframes(videos)).model.keyframe_every == every


def test_bytes_of_a_base_layer_alone_are_shared_out(videos: list[CachedVideo]) -> None:
    """Where an archive without a network was measured, the one with it is to have as many bytes."""
    corpus = Corpus(videos, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    options = EncodeOptions(epochs=1, width=3, every=4, clip_length=4)
    design = turn_dial(corpus, options, KeyframeProbe(videos), 20_000.0)
    assert design.base_bytes is not None
    network = network_bytes(design.model, design.weight_bits)
    assert design.target_bytes == 20_000
    assert design.base_bytes + network == pytest.approx(20_000, abs=1)
    fixed = turn_dial(corpus, replace(options, crf=40), KeyframeProbe(videos), 20_000.0)
    assert (fixed.base_bytes, fixed.crf) == (None, 40)
    assert Design.from_json(json.loads(json.dumps(design.to_json()))) == design


def test_access_1_has_no_frames_between(videos: list[CachedVideo]) -> None:
    model, _, _ = turned(videos, replace(OPTIONS, every=None, access=1, width=2))
    assert model.keyframe_every == 1

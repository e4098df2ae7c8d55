"""Keyframes coded once, decoded once, and kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnerv.bitstream import decode_packet_table
from dnerv.codecs import decode_packets
from dnerv.encoding.dial import Corpus, Design, turn_dial
from dnerv.encoding.keyframe_stage import code_keyframes
from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.probe import KeyframeProbe
from dnerv.video import CachedVideo, Member, cache_video


@pytest.fixture
def videos(make_video: Callable[..., Path], tmp_path: Path) -> list[CachedVideo]:
    paths = [make_video(tmp_path / f"{name}.mp4", count, 32, 48, count) for name, count in [("a", 9), ("b", 1)]]
    return [cache_video(Member(path.stem, path, None), tmp_path / "frames") for path in paths]


@pytest.fixture
def design(videos: list[CachedVideo]) -> Design:
    options = EncodeOptions(width=3, keyframe_every=4, keyframe_crf=50, keyframe_mode="inter")
    return turn_dial(Corpus(videos, (0.5,) * 3, (0.2,) * 3), options, KeyframeProbe(videos))


def test_packets_decode_to_what_training_sees(videos: list[CachedVideo], design: Design, tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    crf, coded = code_keyframes(videos, design, 4, tmp_path / "k")
    assert crf == 50
    for keyframes, count in zip(coded, (3, 1), strict=True):
        table = decode_packet_table(keyframes.packet_table)
        data = keyframes.packet_file.read_bytes()
        assert (len(table), table.byte_length) == (count, keyframes.packet_bytes) == (count, len(data))
        packets = [data[a:b] for a, b in zip(table.offsets, table.offsets[1:], strict=False)]
        again = np.stack(list(decode_packets(packets, height=32, width=48)))
        assert np.array_equal(keyframes.decoded.read(range(count)), again)
        for group in table.groups:
            group.check(data[group.byte_offset : group.byte_offset + group.byte_length])


def test_finished_videos_are_taken_over(
    videos: list[CachedVideo], design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "k").mkdir()
    _, first = code_keyframes(videos, design, 4, tmp_path / "k")
    with monkeypatch.context() as patch:
        patch.setattr("dnerv.codecs.SvtAv1.keyframes", lambda *arguments: pytest.fail("coded again"))
        _, second = code_keyframes(videos, design, 4, tmp_path / "k")
    assert [k.packet_table for k in first] == [k.packet_table for k in second]
    first[0].packet_file.unlink()
    _, third = code_keyframes(videos, design, 4, tmp_path / "k")
    assert third[0].packet_file.exists()
    _, other = code_keyframes(videos, replace(design, keyframe_crf=60.0), 4, tmp_path / "k")
    assert other[0].packet_table != first[0].packet_table


def test_a_budget_is_met_from_below(videos: list[CachedVideo], design: Design, tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    _, coded = code_keyframes(videos, design, 1, tmp_path / "k")
    budget = int(1.6 * sum(k.packet_bytes for k in coded))
    crf, fitted = code_keyframes(videos, replace(design, keyframe_budget=budget), 1, tmp_path / "k")
    assert crf < 50
    assert 0.85 * budget <= sum(k.packet_bytes for k in fitted) <= budget


def test_the_probe_measures_blends(videos: list[CachedVideo]) -> None:
    probe = KeyframeProbe(videos)
    assert probe.bytes_per_pixel(1, 30) > probe.bytes_per_pixel(1, 60) > probe.bytes_per_pixel(8, 60) > 0
    assert probe.blend_psnr(1, 20) > probe.blend_psnr(8, 20) > 10
    wanted = probe.bytes_per_pixel(1, 40)
    assert probe.bytes_per_pixel(1, probe.crf_for(1, wanted)) == pytest.approx(wanted, rel=0.15)

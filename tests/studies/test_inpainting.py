"""Inpainting on tiny videos: nothing that is hidden reaches an archive, and every figure is what it says."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeOptions, encode
from dnerv.errors import InputError
from dnerv.studies.inpainting import draw, draw_study, inpaint, inpainting, study_tables, tables
from dnerv.studies.inpainting.study import centre
from dnerv.video import GivenMasks, RandomBoxes, VideoSource, cache_video, discover, write_png_folder

BOXES = RandomBoxes(2, 10)
OPTIONS = EncodeOptions(epochs=2, bits_per_pixel=2.0, clip_length=4, precision="fp32")


class Listener(EncodeListener):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, title: str, total: int | None = None) -> None:
        self.stages.append(title)


def moving(count: int, phase: float) -> np.ndarray:
    rows, columns = np.mgrid[:32, :40]
    waves = [np.sin(columns / 5 + rows / 7 + phase + c + 0.3 * i) for i in range(count) for c in range(3)]
    return (128 + 90 * np.stack(waves)).astype(np.uint8).reshape(count, 3, 32, 40).transpose(0, 2, 3, 1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inpainting") / "videos"
    write_png_folder(folder / "a" / "long", moving(9, 0))
    write_png_folder(folder / "short", moving(4, 2))
    return folder


def hidden_of(videos: Path, folder: Path) -> dict[str, np.ndarray]:
    return {m.name: np.stack(list(BOXES.of(cache_video(m, folder)))) for m in discover([videos])}


@pytest.mark.parametrize("model", ["dnerv", "nerv"])
def test_what_is_hidden_changes_nothing_in_the_archive(videos: Path, tmp_path: Path, model: Any) -> None:
    hidden, rng = hidden_of(videos, tmp_path / "cache"), np.random.default_rng(0)
    for name, masks in hidden.items():
        frames = np.stack([frame for _, frame in VideoSource(videos / name).frames()])
        noise = rng.integers(0, 256, frames.shape, np.uint8)
        write_png_folder(tmp_path / "other" / name, np.where(masks[..., None], noise, frames))
        assert not np.array_equal(frames, np.where(masks[..., None], noise, frames))
    # By the dial: probe, statistics, keyframes, network and training all see the videos.
    options = EncodeOptions(epochs=2, bits_per_pixel=2.0, clip_length=4, precision="fp32", model=model)
    for folder, output in ((videos, "one.dnerv"), (tmp_path / "other", "other.dnerv")):
        encode([folder], tmp_path / output, options, masks=BOXES)
    encode([tmp_path / "other"], tmp_path / "seen.dnerv", options)
    one, other, seen = ((tmp_path / f"{n}.dnerv").read_bytes() for n in ("one", "other", "seen"))
    assert one == other
    assert one != seen


def test_losses_that_look_under_the_mask_are_refused(videos: Path, tmp_path: Path) -> None:
    for options in (EncodeOptions(loss="mse-ssim"), EncodeOptions(paper=True)):
        with pytest.raises(InputError, match="hidden pixels"):
            encode([videos], tmp_path / "a.dnerv", options, masks=BOXES)


def text_of(parts: Any) -> str:
    console = Console(width=80, record=True, file=StringIO())
    for part in parts:
        console.print(part)
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    return text


def test_inpainted_videos_and_their_figures(videos: Path, tmp_path: Path) -> None:
    listener = Listener()
    record = inpaint([videos], tmp_path / "out", OPTIONS, BOXES, listener)
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == record
    hidden = hidden_of(videos, tmp_path / "cache")
    with Archive(tmp_path / "out" / "inpainted.dnerv", size="coded") as archive:
        for facts in record["videos"]:
            masks = hidden[facts["name"]]
            frames = np.stack([frame for _, frame in VideoSource(videos / facts["name"]).frames()])
            made = archive[facts["name"]][:].permute(0, 2, 3, 1).numpy()
            errors = np.square(frames.astype(float) - made)
            for key, chosen in (("psnr_inside", masks), ("psnr_outside", ~masks)):
                psnr = [10 * np.log10(255**2 / e[c].mean()) for e, c in zip(errors, chosen, strict=True)]
                assert facts[key] == pytest.approx(np.mean(psnr))
            assert facts["hidden"] == pytest.approx(masks.mean())
            path = tmp_path / "out" / "videos" / f"{facts['name']}.mp4"
            shown = np.stack([frame for _, frame in VideoSource(path).frames()])
            wanted = np.where(masks[..., None], made, frames)
            assert np.abs(shown.astype(float) - wanted).mean() < np.abs(shown.astype(float) - made).mean()
            assert np.abs(shown.astype(float) - wanted).mean() < 6
    assert f"{record['videos'][0]['psnr_inside']:.2f}" in text_of(tables(record))
    draw([videos], tmp_path / "out", OPTIONS, BOXES, tmp_path / "p.png")
    ((_, picture),) = VideoSource(tmp_path / "p.png").frames()
    assert picture.std() > 20
    assert "training" in listener.stages
    again = Listener()
    assert inpaint([videos], tmp_path / "out", OPTIONS, BOXES, again) == record
    assert "training" not in again.stages
    with pytest.raises(InputError, match="other options"):
        inpaint([videos], tmp_path / "out", OPTIONS, RandomBoxes(1, 10), Listener())


def test_given_masks_have_no_truth(videos: Path, tmp_path: Path) -> None:
    hidden = np.zeros((32, 40, 3), np.uint8)
    hidden[8:20, 10:30] = 255
    write_png_folder(tmp_path / "mask", [hidden])
    masks = GivenMasks(tmp_path / "mask" / "00000.png")
    record = inpaint([videos / "short"], tmp_path / "out", OPTIONS, masks, Listener())
    assert record["videos"][0]["psnr_inside"] is None
    assert record["videos"][0]["hidden"] == pytest.approx(12 * 20 / (32 * 40))
    text_of(tables(record))


def test_three_ways_side_by_side(videos: Path, tmp_path: Path) -> None:
    record = inpainting([videos], tmp_path / "s", OPTIONS, RandomBoxes(1, 8), Listener(), crop=(32, 32))
    assert [v["name"] for v in record["videos"]] == ["a/long", "short"]
    assert {(v["height"], v["width"]) for v in record["videos"]} == {(32, 32)}
    names = ["dnerv.dnerv", "nerv/a/long.dnerv", "nerv/short.dnerv", "nerv_joint.dnerv"]
    assert sorted(str(p.relative_to(tmp_path / "s")) for p in (tmp_path / "s").rglob("*.dnerv")) == names
    for way in ("fill", "nerv", "nerv_joint", "dnerv"):
        assert record["psnr"][way] == pytest.approx(np.mean([v["psnr"][way] for v in record["videos"]]))
    sizes = [(tmp_path / "s" / name).stat().st_size for name in names]
    assert record["bytes"] == {"dnerv": sizes[0], "nerv": sizes[1] + sizes[2], "nerv_joint": sizes[3]}
    text = text_of(study_tables(record))
    assert "21.30" in text
    assert "another set" in text
    draw_study(tmp_path / "s", RandomBoxes(1, 8), tmp_path / "p.png")
    ((_, picture),) = VideoSource(tmp_path / "p.png").frames()
    assert picture.std() > 20
    again = Listener()
    assert inpainting([videos], tmp_path / "s", OPTIONS, RandomBoxes(1, 8), again, crop=(32, 32)) == record
    assert "training" not in again.stages


def test_the_middle_is_cut_out() -> None:
    frame = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    assert np.array_equal(centre(frame, (2, 4)), frame[2:4, 2:6])
    with pytest.raises(InputError, match="larger"):
        centre(frame, (7, 4))

"""Inpainting on tiny videos: nothing that is hidden reaches an archive, and every figure is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.errors import InputError
from dnerv.studies import run_study
from dnerv.studies.inpaint import Inpaint, InpaintOptions
from dnerv.studies.inpainting import Inpainting, InpaintingOptions, archive_of, centre
from dnerv.studies.record import findings
from dnerv.video import RandomBoxes, VideoSource, cache_video, discover, write_png_folder

pytestmark = pytest.mark.usefixtures("warm_module")  # every archive is measured in a process

BOXES = RandomBoxes(2, 10)
OPTIONS = InpaintOptions(epochs=2, bits_per_pixel=1.0, boxes=2, box_size=10)


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
    options = EncodeOptions(
        epochs=2, bits_per_pixel=2.0, clip_length=4, precision="fp32", model=model, network="always"
    )
    for folder, output in ((videos, "one.dnerv"), (tmp_path / "other", "other.dnerv")):
        encode([folder], tmp_path / output, options, masks=BOXES)
    encode([tmp_path / "other"], tmp_path / "seen.dnerv", options)
    one, other, seen = ((tmp_path / f"{n}.dnerv").read_bytes() for n in ("one", "other", "seen"))
    assert one == other
    assert one != seen


def test_losses_that_look_under_the_mask_are_refused(videos: Path, tmp_path: Path) -> None:
    for options in (EncodeOptions(loss="mse-ssim", epochs=1), EncodeOptions(paper=True)):
        with pytest.raises(InputError, match="hidden pixels"):
            encode([videos], tmp_path / "a.dnerv", options, masks=BOXES)


def test_inpainted_videos_and_their_figures(videos: Path, tmp_path: Path, printed: Any, stages: Any) -> None:
    out = tmp_path / "out"
    with stages() as titles:
        record = run_study(Inpaint(), [videos], out, OPTIONS)
    assert json.loads((out / "results.json").read_text()) == record
    hidden = hidden_of(videos, tmp_path / "cache")
    with Archive(out / "inpainted.dnerv", size="coded") as archive:
        assert record["archive"]["file_bytes"] == archive.file_bytes
        for facts in record["videos"]:
            masks = hidden[facts["name"]]
            frames = np.stack([frame for _, frame in VideoSource(videos / facts["name"]).frames()])
            made = archive[facts["name"]][:].permute(0, 2, 3, 1).numpy()
            errors = np.square(frames.astype(float) - made)
            for key, chosen in (("psnr_inside", masks), ("psnr_outside", ~masks)):
                psnr = [10 * np.log10(255**2 / e[c].mean()) for e, c in zip(errors, chosen, strict=True)]
                assert facts[key] == pytest.approx(np.mean(psnr))
            assert facts["hidden"] == pytest.approx(masks.mean())
            shown = np.stack([frame for _, frame in VideoSource(out / "videos" / f"{facts['name']}.mp4").frames()])
            wanted = np.where(masks[..., None], made, frames)
            assert np.abs(shown.astype(float) - wanted).mean() < np.abs(shown.astype(float) - made).mean()
            assert np.abs(shown.astype(float) - wanted).mean() < 6
    assert f"{record['videos'][0]['psnr_inside']:.2f}" in printed(Inpaint().tables(record))
    ((_, picture),) = VideoSource(out / "picture.png").frames()
    assert picture.std() > 20
    assert "training" in titles
    with stages() as titles:
        assert findings(run_study(Inpaint(), [videos], out, OPTIONS)) == findings(record)
    assert "training" not in titles


def test_given_masks_have_no_truth(videos: Path, tmp_path: Path, printed: Any) -> None:
    hidden = np.zeros((32, 40, 3), np.uint8)
    hidden[8:20, 10:30] = 255
    write_png_folder(tmp_path / "mask", [hidden])
    mask = tmp_path / "mask" / "00000.png"
    options = InpaintOptions(epochs=0, bits_per_pixel=2.0, masks=mask)
    record = run_study(Inpaint(), [videos / "short"], tmp_path / "out", options)
    assert record["videos"][0]["psnr_inside"] is None
    assert record["videos"][0]["hidden"] == pytest.approx(12 * 20 / (32 * 40))
    assert [Path(file["path"]) for file in record["inputs"]["files"]] == [videos / "short", mask]
    printed(Inpaint().tables(record))
    mask.unlink()  # the cache has it
    clip = next(Inpaint().views(record, tmp_path / "out", frames=2, rate=None))
    assert [(view.label, list(view.figures)) for view in clip.views][2:] == [("made up", [])]
    assert np.array_equal(clip.views[2].pictures[0][..., 3], hidden[..., 0])


THREE_WAYS = InpaintingOptions(epochs=1, bits_per_pixel=2.0, boxes=1, box_size=8, crop=(32, 32))


@pytest.fixture(scope="module")
def twice(
    videos: Path, tmp_path_factory: pytest.TempPathFactory, made_twice: Any
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Folder and record of a whole run, and the record of one killed half-way and given again."""
    folder = tmp_path_factory.mktemp("studied")
    return folder / "whole", *made_twice(Inpainting(), [videos], folder, THREE_WAYS)


@pytest.fixture(scope="module")
def studied(
    twice: tuple[Path, dict[str, Any], dict[str, Any]],
) -> tuple[Path, InpaintingOptions, dict[str, Any]]:
    folder, whole, _ = twice
    return folder, THREE_WAYS, whole


def test_three_ways_side_by_side(studied: tuple[Path, InpaintingOptions, dict[str, Any]], printed: Any) -> None:
    folder, _, record = studied
    assert [v["name"] for v in record["videos"]] == ["a/long", "short"]
    assert {(v["height"], v["width"]) for v in record["videos"]} == {(32, 32)}
    assert {way: len(paths) for way, paths in record["archives"].items()} == {"dnerv": 1, "nerv_joint": 1, "nerv": 2}
    for way in ("fill", "nerv", "nerv_joint", "dnerv"):
        assert record["psnr"][way] == pytest.approx(np.mean([v["psnr"][way] for v in record["videos"]]))
    for way, paths in record["archives"].items():
        assert record["bytes"][way] == sum((folder / path).stat().st_size for path in paths)
    text = printed(Inpainting().tables(record))
    assert "21.30" in text
    assert "another set" in text
    ((_, picture),) = VideoSource(folder / "picture.png").frames()
    assert picture.std() > 20


def test_each_way_is_measured_on_its_own_archive(
    videos: Path, studied: tuple[Path, InpaintingOptions, dict[str, Any]]
) -> None:
    folder, options, record = studied
    frames = np.stack([frame for _, frame in VideoSource(videos / "a" / "long").frames()])[:, :, 4:36]
    boxes = RandomBoxes(options.boxes, options.box_size)
    (cropped,) = (folder / "frames").glob("cropped-*")
    (member,) = discover([cropped / "a" / "long"])
    masks = list(boxes.of(cache_video(member, folder / "again")))
    for way in ("nerv", "nerv_joint", "dnerv"):
        path, name = archive_of(record, way, 0, folder)
        with Archive(path, size="coded") as archive:
            assert archive.network.config.model.uses_keyframes == (way == "dnerv")
            made = archive[name][:].permute(0, 2, 3, 1).numpy()
        errors = np.square(frames.astype(float) - made)
        psnr = [10 * np.log10(255**2 / e[m].mean()) for e, m in zip(errors, masks, strict=True)]
        assert record["videos"][0]["psnr"][way] == pytest.approx(np.mean(psnr))


def test_views_lie_in_their_masks(studied: tuple[Path, InpaintingOptions, dict[str, Any]], tmp_path: Path) -> None:
    folder, options, record = studied
    clip = next(Inpainting().views(record, folder, frames=4, rate=None))
    assert [view.label for view in clip.views] == [
        "original", "hidden", "fill alone", "NeRV, one each", "one NeRV for all", "D-NeRV",
    ]  # fmt: skip
    by_label = {view.label: view for view in clip.views}
    span = slice(clip.frames.start, clip.frames.stop)
    for label, way in {"D-NeRV": "dnerv", "NeRV, one each": "nerv"}.items():
        path, name = archive_of(record, way, 0, folder)
        with Archive(path, size="coded") as archive:
            made = archive[name][span].permute(0, 2, 3, 1).numpy()
        view = by_label[label]
        for i, (picture, original) in enumerate(zip(view.pictures, by_label["original"].pictures, strict=True)):
            mask = picture[..., 3] > 0
            assert mask.sum() == options.box_size**2  # there is one box
            assert np.array_equal(picture[..., 3] > 0, by_label["hidden"].pictures[i][..., 3] > 0)
            assert np.array_equal(picture[mask][:, :3], made[i][mask])
            error = np.square(original[mask].astype(float) - made[i][mask]).mean()
            assert view.figures[i] == f"{10 * np.log10(255**2 / error):.2f} dB"
    with pytest.raises(InputError, match="has no frames of"):
        next(Inpainting().views(record, tmp_path, frames=4, rate=None))


def test_killed_half_way_and_given_again(
    videos: Path, twice: tuple[Path, dict[str, Any], dict[str, Any]], tmp_path: Path, made_twice: Any, located: Any
) -> None:
    for whole, resumed in (twice[1:], made_twice(Inpaint(), [videos], tmp_path, OPTIONS)):
        assert located(resumed) == located(whole)


def test_going_on_codes_nothing_twice(
    videos: Path, studied: tuple[Path, InpaintingOptions, dict[str, Any]], stages: Any
) -> None:
    folder, options, record = studied
    with stages() as titles:
        assert findings(run_study(Inpainting(), [videos], folder, options)) == findings(record)
    assert "training" not in titles


def test_the_middle_is_cut_out() -> None:
    frame = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    assert np.array_equal(centre(frame, (2, 4)), frame[2:4, 2:6])
    with pytest.raises(InputError, match="larger"):
        centre(frame, (7, 4))

"""The corpus that priors are trained on: who is in which part, and files in full colour."""

from pathlib import Path

import numpy as np
from prior_corpus import HELD_OUT_DAVIS, members, write_full_colour

from dnerv.video import VideoSource


def test_no_source_is_on_both_sides(tmp_path: Path) -> None:
    rows = [f"fight/f{i:03}.mp4,fight,{'test' if i % 3 == 0 else 'train'}" for i in range(30)]
    for folder in ("surveillance", "action_clips", *(f"davis/{name}" for name in (*HELD_OUT_DAVIS, "cows"))):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "surveillance/split.csv").write_text("\n".join(["path,label,split", *rows]))
    for task in range(10):
        (tmp_path / f"metaworld/t{task}").mkdir(parents=True)
        for episode in range(8):
            (tmp_path / f"metaworld/t{task}/{episode:02}.mp4").touch()
    found = [member.output.split("/") for member in members(tmp_path)]
    parts = {side: {name for part, _, name in found if part == side} for side in ("train", "held-out")}
    assert sum(name.startswith("f0") for name in parts["held-out"]) == 2  # every fifth of ten
    assert sum(name.startswith("f0") and not name.endswith("large") for name in parts["train"]) == 20
    assert set(HELD_OUT_DAVIS) < parts["held-out"]
    assert {"cows", "cows-large"} < parts["train"]
    tasks = {side: {name.split("-")[0] for name in names if name.startswith("t")} for side, names in parts.items()}
    assert tasks["held-out"] == {"t0", "t5"}
    assert not tasks["held-out"] & tasks["train"]


def test_colours_stay_whole(tmp_path: Path) -> None:
    """Pixels beside each other differ in colour alone: 4:2:0 would mix them."""
    frames = [np.full((32, 48, 3), 128, np.uint8) for _ in range(3)]
    for frame in frames:
        frame[:, ::2] = (180, 100, 128)
    write_full_colour(tmp_path / "a.mp4", frames, 10)
    back = [frame for _, frame in VideoSource(tmp_path / "a.mp4").frames()]
    assert len(back) == 3
    assert np.abs(back[1].astype(int) - frames[1]).max() < 12

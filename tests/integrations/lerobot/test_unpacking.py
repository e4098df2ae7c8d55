"""Video files again: at their places, each frame at the time that its row has."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from dnerv.errors import InputError, OutputError
from dnerv.integrations.lerobot import from_lerobot, to_lerobot
from dnerv.integrations.lerobot.options import FileOptions


def times_and_rows(path: Path, known: SimpleNamespace) -> tuple[list[Fraction], list[int], str]:
    camera = next(camera for camera in known.cameras if camera in str(path))
    with av.open(str(path)) as container:
        found = list(container.decode(video=0))
        rows = [known.row_of(camera, frame.to_ndarray(format="rgb24")) for frame in found]
        return [frame.pts * frame.time_base for frame in found], rows, container.streams.video[0].codec.name


def test_the_folder_comes_back(folders: tuple[Path, Path], known: SimpleNamespace, tmp_path: Path) -> None:
    given, packed = folders
    made = to_lerobot(packed, tmp_path / "back", FileOptions(crf=12))
    back = tmp_path / "back"
    names = sorted(p.relative_to(given) for p in given.rglob("*") if p.is_file())
    assert sorted(p.relative_to(back) for p in back.rglob("*") if p.is_file()) == names
    videos = [name for name in names if name.suffix == ".mp4"]
    assert (made.num_files, made.video_bytes) == (len(videos), sum((back / name).stat().st_size for name in videos))
    for name in names:
        if name not in videos:
            assert (back / name).read_bytes() == (given / name).read_bytes()
            continue
        before, after = (times_and_rows(folder / name, known) for folder in (given, back))
        assert after[:2] == before[:2]  # exact times, same frames
        assert "av1" in after[2]


def test_a_sync_frame_every_two_by_default(folders: tuple[Path, Path], tmp_path: Path) -> None:
    to_lerobot(folders[1], tmp_path / "back")
    path = next((tmp_path / "back").rglob("*.mp4"))
    with av.open(str(path)) as container:
        syncs = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert syncs == [place % 2 == 0 for place in range(len(syncs))]


def test_frames_of_no_episode_are_filled(written: Callable[..., Path], known: SimpleNamespace, tmp_path: Path) -> None:
    """LeRobot takes the frame of number `time * rate`: each must be where it was. The format is named no more."""
    from_lerobot(written("v3.0", gap=3), tmp_path / "packed", known.fast, storage_format=True)
    to_lerobot(tmp_path / "packed", tmp_path / "back", FileOptions(codec="h264", crf=4, group=10))
    path = tmp_path / "back" / "videos" / known.cameras[0] / "chunk-000" / "file-000.mp4"
    times, rows, codec = times_and_rows(path, known)
    assert codec == "h264"
    assert rows == [*range(9), 8, 8, 8, *range(9, 21)]
    assert np.allclose([float(time) for time in times], np.arange(24) / known.fps, atol=1e-4)
    assert not (tmp_path / "back" / "meta" / "info.original.json").exists()
    info = Path("meta", "info.json")
    assert (tmp_path / "back" / info).read_bytes() == (tmp_path / "given" / info).read_bytes()


def test_what_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    given, packed = folders
    (tmp_path / "there").write_text("")
    with pytest.raises(OutputError, match="--force"):
        to_lerobot(packed, tmp_path / "there")
    with pytest.raises(OutputError, match="name another"):
        to_lerobot(packed, packed / "in")
    with pytest.raises(InputError, match="crf is 64"):
        FileOptions(crf=64)
    with pytest.raises(Exception, match=r"videos\.dnerv"):
        to_lerobot(given, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]

"""Videos into an archive: each frame against its row, files to the byte, what is wrong with a folder in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dnerv
from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError, OutputError
from dnerv.integrations.lerobot import from_lerobot, packing
from dnerv.integrations.lerobot.layout import TOLERANCE, LeRobotFolder, video_name
from dnerv.progress import Listener, listening

Written = Callable[..., Path]


class Heard(Listener):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_frame_is_that_of_its_row_at_its_time(folders: tuple[Path, Path], known: SimpleNamespace) -> None:
    source = LeRobotFolder(folders[0])
    with dnerv.open(folders[1] / "videos.dnerv") as archive:
        assert sorted(archive.names) == sorted(video_name(c, e) for c in known.cameras for e in range(3))
        for camera in known.cameras:
            for episode, rows in enumerate(source.rows):
                reader = archive[video_name(camera, episode)]
                found = reader.get_all_frames()
                assert [known.row_of(camera, frame) for frame in found.data] == list(rows)
                assert np.abs(found.pts_seconds.numpy() - source.seconds[rows.start : rows.stop]).max() <= TOLERANCE
                assert reader.metadata.label == ("lift", "push", "lift")[episode]


def test_all_but_the_videos_stays_to_the_byte(folders: tuple[Path, Path]) -> None:
    given, packed = map(files_of, folders)
    assert {name: data for name, data in given.items() if not name.endswith(".mp4")} == {
        name: data for name, data in packed.items() if name != "videos.dnerv"
    }
    assert [*folders[1].parent.iterdir()] == sorted(folders)


def shorten(folder: Path, known: SimpleNamespace) -> None:
    path = next((folder / "videos").rglob("*file-001.mp4"), None) or next(folder.rglob("episode_000002.mp4"))
    camera = next(camera for camera in known.cameras if camera in str(path))
    known.write_mp4(path, camera, range(21, 26))


def delay(folder: Path, known: SimpleNamespace) -> None:
    path = next((folder / "videos").rglob("*file-001.mp4"), None) or next(folder.rglob("episode_000002.mp4"))
    camera = next(camera for camera in known.cameras if camera in str(path))
    known.write_mp4(path, camera, range(21, 29), places=[0, 1, 2, 4, 5, 6, 7, 8])


def take_away(folder: Path, known: SimpleNamespace) -> None:
    next(folder.rglob("*1.mp4")).unlink()


def break_off(folder: Path, known: SimpleNamespace) -> None:
    next(folder.rglob("*1.mp4")).write_bytes(b"nothing of a video")


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shorten, r"^episode 2, observation\.images\.\w+: .*mp4 is too short: it has 5 of the 7 frames of its table$"),
        (delay, r"^episode 2, observation\.images\.\w+: .*mp4: frame 3 is at 0\.13\d+ s, and its row says 0\.1000"),
        (take_away, r"^episode [12], observation\.images\.\w+: .*mp4 is missing$"),
        (break_off, r"mp4: cannot be read as a video"),
    ],
)
def test_a_bad_episode_is_named_before_anything_is_written(
    written: Written, known: SimpleNamespace, tmp_path: Path, version: str, spoil: Callable[..., None], said: str
) -> None:
    folder = written(version)
    spoil(folder, known)
    with pytest.raises(InputError, match=said):
        from_lerobot(folder, tmp_path / "packed", known.fast)
    assert [*tmp_path.iterdir()] == [folder]


def test_episodes_do_not_share_frames(written: Written, known: SimpleNamespace, tmp_path: Path) -> None:
    """The first of a file is two frames shorter than its table, and the next one's follow."""
    with pytest.raises(InputError, match=r"episode 0, .*file-000\.mp4 is too short: the next episode begins before"):
        from_lerobot(written("v3.0", gap=-2), tmp_path / "packed", known.fast)


def test_frames_of_no_episode_are_told(written: Written, known: SimpleNamespace, tmp_path: Path) -> None:
    heard = Heard()
    with listening(heard):
        parts = packing.planned(LeRobotFolder(written("v3.0", gap=3)))
    assert len([text for text in heard.warnings if "3 frames are of no episode" in text]) == 2
    assert [each.part.num_frames for each in parts] == [9, 9, 12, 12, 7, 7]


def change_info(folder: Path, **changes: Any) -> Path:
    path = folder / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codebase_version": "v1.6"}, "version v1.6; versions 2.0, 2.1 and 3.0 are known"),
        ({"fps": "fast"}, "'fast' frames per second"),
        ({"features": []}, "tells no features"),
        ({"features": {}}, "no feature is a video"),
        ({"video_path": "../{video_key}/{file_index}.mp4"}, r"\.mp4 below the folder"),
        ({"video_path": "videos/{nothing}.mp4"}, "episodes in meta/ cannot be understood"),
    ],
)
def test_what_info_says_is_checked(
    written: Written, known: SimpleNamespace, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    folder = change_info(written("v3.0"), **changes)
    with pytest.raises(InputError, match=said):
        from_lerobot(folder, tmp_path / "packed", known.fast)
    assert not (tmp_path / "packed.work").exists()


def test_other_folders_and_outputs(folders: tuple[Path, Path], known: SimpleNamespace, tmp_path: Path) -> None:
    given, packed = folders
    with pytest.raises(InputError, match=r"info\.json cannot be read .*LeRobot"):
        from_lerobot(tmp_path, tmp_path / "packed")
    with pytest.raises(InputError, match="leave --fps out"):
        from_lerobot(given, tmp_path / "packed", EncodeOptions(epochs=1))
    for output in (given, given.parent, given / "in"):
        with pytest.raises(OutputError, match="is read; name another"):
            from_lerobot(given, output, known.fast, force=True)
    with pytest.raises(OutputError, match="--force"):
        from_lerobot(given, packed, known.fast)


def test_a_run_that_was_cut_off_goes_on(
    folders: tuple[Path, Path], known: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "packed"
    with monkeypatch.context() as patch:
        patch.setattr(packing, "encode", killed)
        with pytest.raises(KeyboardInterrupt):
            from_lerobot(folders[0], output, known.fast)
    assert not output.exists()
    (tmp_path / "packed.work" / "of another folder").write_text("stale")
    made = from_lerobot(folders[0], output, known.fast, storage_format=True)
    assert made.archive.path == output / "videos.dnerv"
    assert [*tmp_path.iterdir()] == [output]
    before, after = files_of(folders[1]), files_of(output)
    assert after["videos.dnerv"] == before["videos.dnerv"]
    assert json.loads(after["meta/info.json"]) == json.loads(before["meta/info.json"]) | {"storage_format": "dnerv"}
    assert after["meta/info.original.json"] == before["meta/info.json"]
    assert set(after) - set(before) == {"meta/info.original.json"}

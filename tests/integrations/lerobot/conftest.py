"""LeRobot folders written to the layout that it documents, versions 2.1 and 3.0; each frame tells its row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from dnerv.encoding import EncodeOptions
from dnerv.integrations.lerobot import from_lerobot

CAMERAS = ("observation.images.top", "observation.images.wrist")
LENGTHS = (9, 12, 7)  # frames of each episode
FPS = 30
FAST = EncodeOptions(crf=20, access=4, every=1, effort="fast", references=False)


def level(camera: str, row: int) -> int:
    """Brightness of a frame."""
    return 8 * row if camera == CAMERAS[0] else 255 - 8 * row


def row_of(camera: str, frame: Any) -> int:
    """The row that a frame, uint8 or float in [0, 255], tells."""
    mean = float(np.asarray(frame, np.float64).mean())
    return round(mean / 8) if camera == CAMERAS[0] else round((255 - mean) / 8)


def write_mp4(path: Path, camera: str, rows: Sequence[int], places: Sequence[int] | None = None) -> None:
    """Frames of these rows, at these places of the frames' grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "4", "g": "5", "bf": "2", "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for place, row in enumerate(rows):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level(camera, row), np.uint8), format="rgb24")
            picture.pts, picture.time_base = places[place] if places else place, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def write_folder(folder: Path, version: str, *, gap: int = 0) -> Path:
    """A data set of three episodes, two of them in one file where the version has such; gap: frames of none between."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    is_2 = version == "v2.1"
    numbers = {"names": None, "dtype": "int64", "shape": [1]}
    features: dict[str, Any] = {
        camera: {"dtype": "video", "shape": [48, 64, 3], "names": ["height", "width", "channels"]} for camera in CAMERAS
    }
    features |= {
        "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
        "said": {"dtype": "language", "shape": [1], "names": None},
        "next.done": {"dtype": "bool", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    }
    features |= dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), numbers)
    chunk = "chunk-{episode_chunk:03d}" if is_2 else "chunk-{chunk_index:03d}"
    ending = "episode_{episode_index:06d}" if is_2 else "file-{file_index:03d}"
    middle = f"{chunk}/{{video_key}}" if is_2 else f"{{video_key}}/{chunk}"
    info = {
        "codebase_version": version,
        "fps": FPS,
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "chunks_size": 1000,
        "data_path": f"data/{chunk}/{ending}.parquet",
        "video_path": f"videos/{middle}/{ending}.mp4",
        "features": features,
    }
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "info.json").write_text(json.dumps(info, indent=4))
    (folder / "README.md").write_text("made by a test\n")
    starts = np.cumsum((0, *LENGTHS)).tolist()
    tables = []
    for episode, length in enumerate(LENGTHS):
        rows = np.arange(starts[episode], starts[episode + 1])
        tables.append(
            pa.table(
                {
                    "action": pa.array([[row, row / 2] for row in rows.tolist()], pa.list_(pa.float32())),
                    "said": [[{"role": "user", "content": f"row {row}"}] for row in rows.tolist()],
                    "next.done": (rows == rows[-1]).tolist(),
                    "timestamp": pa.array(np.arange(length, dtype=np.float32) / np.float32(FPS)),
                    "frame_index": np.arange(length),
                    "episode_index": np.full(length, episode),
                    "index": rows,
                    "task_index": np.full(length, episode % 2),
                }
            )
        )
    tasks = [["lift"], ["push"], ["lift"]]
    data = folder / "data" / "chunk-000"
    data.mkdir(parents=True)
    if is_2:
        lines = [{"episode_index": i, "tasks": tasks[i], "length": LENGTHS[i]} for i in range(3)]
        (folder / "meta" / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        words = [{"task_index": 0, "task": "lift"}, {"task_index": 1, "task": "push"}]
        (folder / "meta" / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in words))
        for episode, table in enumerate(tables):
            parquet.write_table(table, data / f"episode_{episode:06d}.parquet")
            for camera in CAMERAS:
                path = folder / "videos" / "chunk-000" / camera / f"episode_{episode:06d}.mp4"
                write_mp4(path, camera, range(starts[episode], starts[episode + 1]))
        return folder
    parquet.write_table(pa.concat_tables(tables), data / "file-000.parquet")
    parquet.write_table(pa.table({"task_index": [0, 1], "task": ["lift", "push"]}), folder / "meta" / "tasks.parquet")
    columns: dict[str, Any] = {"episode_index": [0, 1, 2], "tasks": tasks, "length": list(LENGTHS)}
    for camera in CAMERAS:
        columns[f"videos/{camera}/chunk_index"] = [0, 0, 0]
        columns[f"videos/{camera}/file_index"] = [0, 0, 1]
        columns[f"videos/{camera}/from_timestamp"] = [0.0, (LENGTHS[0] + gap) / FPS, 0.0]
        path = folder / "videos" / camera / "chunk-000"
        between = [LENGTHS[0]] * gap
        write_mp4(path / "file-000.mp4", camera, [*range(starts[1]), *between, *range(starts[1], starts[2])])
        write_mp4(path / "file-001.mp4", camera, range(starts[2], starts[3]))
    (folder / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    parquet.write_table(pa.table(columns), folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet")
    return folder


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder of a version."""
    return lambda version, **options: write_folder(tmp_path / "given", version, **options)


@pytest.fixture(scope="session", params=["v2.1", "v3.0"])
def folders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder as LeRobot has it, and the one with an archive."""
    place = tmp_path_factory.mktemp("lerobot")
    given = write_folder(place / "given", request.param)
    from_lerobot(given, place / "packed", FAST)
    return given, place / "packed"


@pytest.fixture(scope="session")
def known() -> SimpleNamespace:
    """What the folders hold."""
    return SimpleNamespace(cameras=CAMERAS, lengths=LENGTHS, fps=FPS, fast=FAST, row_of=row_of, write_mp4=write_mp4)

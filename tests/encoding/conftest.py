"""Tiny videos in files, and the archive that an undisturbed encoding makes of them."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dnerv.encoding import EncodeOptions, encode

TINY = EncodeOptions(
    epochs=3, width=3, keyframe_every=4, keyframe_crf=50, clip_length=4, batch_clips=1, precision="fp32"
)


def drifting(count: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    """Frames uint8 [height, width, 3] of waves that drift, with a little grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    phases = rng.uniform(0, 6, (3, 2))
    grain = rng.normal(0, 6, (height, width, 1))
    frames = []
    for i in range(count):
        colours = [128 + 50 * np.sin(x / 5 + a + 0.3 * i) + 50 * np.cos(y / 7 + b - 0.2 * i) for a, b in phases]
        frames.append((np.stack(colours, axis=-1) + grain).clip(0, 255).astype(np.uint8))
    return frames


def write_video(path: Path, frames: list[np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "12", "bf": "0"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p" if not (stream.height % 2 or stream.width % 2) else "yuv444p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def options() -> EncodeOptions:
    return TINY


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos: a last partial clip, an odd size, one frame."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "long.mp4", drifting(9, 32, 32))
    write_video(folder / "odd.mp4", drifting(4, 27, 31, 1))
    write_video(folder / "still.mp4", drifting(1, 32, 32, 2))
    return folder


@pytest.fixture(scope="session")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an encoding of the corpus gives that nothing interrupts."""
    output = tmp_path_factory.mktemp("undisturbed") / "a.dnerv"
    encode([corpus], output, TINY)
    return output.read_bytes()


@pytest.fixture
def make_video() -> Callable[..., Path]:
    def make(path: Path, count: int, height: int, width: int, seed: int = 0) -> Path:
        return write_video(path, drifting(count, height, width, seed))

    return make


KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
from conftest import TINY
from dnerv.encoding import encode
from dnerv.encoding.workspace import Workspace
from dnerv.progress import Listener, listening
from dnerv.training import trainer

ticks = itertools.count(0, 15)  # a checkpoint every other step
trainer.time = SimpleNamespace(monotonic=lambda: float(next(ticks)))

if sys.argv[4] == "published":
    Workspace.remove = lambda self: os.kill(os.getpid(), signal.SIGKILL)

class Killer(Listener):
    def stage(self, title, total=None):
        if title == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGKILL)
    def training(self, progress):
        if str(progress.step) == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGKILL)

with listening(Killer()):
    encode([sys.argv[2]], sys.argv[3], TINY)
"""


@pytest.fixture
def kill() -> Callable[[Path, Path, str], int]:
    """Encode in a process that is killed at a stage of that title, a training step of that number, or `published`."""

    def run(videos: Path, output: Path, where: str) -> int:
        command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(videos), str(output), where]
        return subprocess.run(command, check=False, timeout=600).returncode

    return run

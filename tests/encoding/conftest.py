"""Tiny scenes, as frames, as cached videos and as files; archives of them that nothing disturbed; commands to kill."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from dnerv.encoding import EncodeOptions, encode
from dnerv.encoding.base_coding import BasePlan, CodedReference, code_reference
from dnerv.encoding.base_stage import BaseSettings, BaseStage, CodedCorpus, summaries_of
from dnerv.encoding.prior_options import PriorOptions
from dnerv.encoding.prior_training import train_prior
from dnerv.progress import Listener, TrainingProgress
from dnerv.video import CachedVideo, FrameStoreWriter, Timing, write_mp4
from dnerv.video.content import digest_of

FAST = EncodeOptions(effort="fast", crf=45)
TINY = EncodeOptions(
    effort="fast",
    network="always",
    epochs=3,
    width=3,
    every=4,
    crf=50,
    clip_length=4,
    batch_clips=1,
    precision="fp32",
)
TINY_PRIOR = PriorOptions(codings=2, width=6, epochs=20, crop=(64, 80), batch_clips=1, learning_rate=0.02)
SIZE = (64, 80)


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


def scene(count: int, place: int, episode: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frames uint8 [count, height, width, 3] of a square that moves at a place, differently in each episode."""
    rng = np.random.default_rng(place)
    height, width = size
    cells = rng.integers(30, 226, (-(-height // 6), -(-width // 6), 3)).repeat(6, 0).repeat(6, 1)[:height, :width]
    background = (0.7 * cells + 0.3 * rng.integers(0, 255, (height, width, 1))).astype(np.uint8)
    frames = np.repeat(background[None], count, axis=0)
    side = min(size) // 5
    for i, frame in enumerate(frames):
        top, left = (5 + 7 * episode) % (height - side), (3 + 11 * episode + 2 * i) % (width - side)
        frame[top : top + side, left : left + side] = (200, 60, 40 + 10 * (episode % 20))
    return frames


def noise(count: int, seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frames uint8 [count, height, width, 3] that have nothing in common."""
    return np.random.default_rng(seed).integers(0, 255, (count, *size, 3), dtype=np.uint8)


def write_video(path: Path, frames: Sequence[np.ndarray] | np.ndarray) -> Path:
    """An mp4 file of frames uint8 [height, width, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "12", "bf": "0"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p" if not (stream.height % 2 or stream.width % 2) else "yuv444p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_scenes(folder: Path, places: Sequence[int], episodes: Sequence[int], count: int = 12) -> Path:
    """A folder of videos `PLACE-EPISODE.mp4`."""
    for place in places:
        for episode in episodes:
            write_video(folder / f"{place}-{episode}.mp4", scene(count, place, episode))
    return folder


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Makers of frames: `drifting`, `scene`, `noise`; of files: `video`, `scenes`."""
    return SimpleNamespace(drifting=drifting, scene=scene, noise=noise, video=write_video, scenes=write_scenes)


def cache(folder: Path, name: str, frames: Sequence[np.ndarray] | np.ndarray) -> CachedVideo:
    """A video of these frames, as it is after reading."""
    with FrameStoreWriter(folder / f"{name}.rgb") as writer:
        for frame in frames:
            writer.append(frame)
    size = (writer.store().height, writer.store().width)
    timing = Timing.constant(Fraction(25), len(frames))
    return CachedVideo(name, None, *size, *size, timing, (), digest_of([writer.digest, *size]), writer.store())


@pytest.fixture
def cached(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CachedVideo]:
    """A video of these frames, as it is after reading."""
    folder = tmp_path_factory.mktemp("cached")
    return lambda name, frames: cache(folder, name, frames)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[CachedVideo]:
    """`PLACE-EPISODE`, 12 frames: two episodes at each of two places."""
    folder = tmp_path_factory.mktemp("cached")
    return [cache(folder, f"{place}-{episode}", scene(12, place, episode)) for place in (0, 1) for episode in (0, 1)]


@pytest.fixture(scope="session")
def plan() -> Callable[..., BasePlan]:
    """A fast plan, with changes."""

    def changed(**fields: object) -> BasePlan:
        usual = {"crf": 45.0, "preset": 8, "distance": 1, "access": 8, "low_delay": True}
        return BasePlan(**(usual | fields))  # type: ignore[arg-type]

    return changed


@pytest.fixture(scope="session")
def settings() -> Callable[..., BaseSettings]:
    """Fast settings of a corpus, with changes."""

    def changed(**fields: object) -> BaseSettings:
        usual = {"preset": 8, "access": 8, "low_delay": True, "distances": (1, 2, 4), "exchange": 12.0}
        found = {"frame_bytes": 0.03 * SIZE[0] * SIZE[1], "frame_bytes_crf": 45.0, "intra_bytes": 0.4}
        return BaseSettings(**(usual | found | fields))  # type: ignore[arg-type]

    return changed


@pytest.fixture(scope="session")
def coded(
    videos: list[CachedVideo], settings: Callable[..., BaseSettings], tmp_path_factory: pytest.TempPathFactory
) -> tuple[CodedCorpus, Path]:
    """The base layers of `videos` at crf 45, and the folder where they are."""
    folder = tmp_path_factory.mktemp("coded")
    return BaseStage(videos, folder, settings(), summaries_of(videos)).code(45.0), folder


@pytest.fixture(scope="session")
def reference() -> Callable[..., CodedReference]:
    """A reference made of a picture uint8 [height, width, 3]."""

    def code(picture: np.ndarray, plan: BasePlan) -> CodedReference:
        return code_reference(lambda: picture, plan)

    return code


@pytest.fixture(scope="session")
def options() -> EncodeOptions:
    """A tiny encoding with a network."""
    return TINY


@pytest.fixture(scope="session")
def fast() -> EncodeOptions:
    """A fast encoding without one."""
    return FAST


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
    """What an encoding of the corpus gives, with a network, that nothing interrupts."""
    output = tmp_path_factory.mktemp("undisturbed") / "a.dnerv"
    encode([corpus], output, TINY)
    return output.read_bytes()


@pytest.fixture(scope="session")
def schooled(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A `prior`, its file `path`, three episodes that it was trained on, `train`, and a fourth, `held_out`."""
    folder = tmp_path_factory.mktemp("schooled")
    for episode in range(4):
        path = folder / ("held_out" if episode == 3 else "train") / f"{episode}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_mp4(path, iter(scene(8, 1, episode)), Timing.constant(Fraction(25), 8))
    train, held_out, path = folder / "train", folder / "held_out", folder / "a.prior"
    options = replace(TINY_PRIOR, held_out=(held_out,))
    return SimpleNamespace(prior=train_prior([train], path, options), path=path, train=train, held_out=held_out)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of 12 frames: two places, three episodes each."""
    return write_scenes(tmp_path_factory.mktemp("scenes"), (0, 1), (0, 1, 2))


@pytest.fixture(scope="session")
def undisturbed_scenes(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The archive of the scenes, without a network, that nothing interrupted."""
    output = tmp_path_factory.mktemp("undisturbed-scenes") / "a.dnerv"
    encode([scenes], output, FAST)
    return output.read_bytes()


@pytest.fixture
def make_video() -> Callable[..., Path]:
    """A file of drifting waves."""

    def make(path: Path, count: int, height: int, width: int, seed: int = 0) -> Path:
        return write_video(path, drifting(count, height, width, seed))

    return make


class Recorder(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.steps: list[int] = []
        self.advanced = 0

    def stage(self, title: str, total: int | None = None) -> None:
        self.stages.append(title)

    def advance(self, units: int = 1) -> None:
        self.advanced += units

    def training(self, progress: TrainingProgress) -> None:
        self.steps.append(progress.step)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def recorder() -> Recorder:
    """A listener that keeps what it is told."""
    return Recorder()


STOPPED = """
import itertools, os, signal, sys
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
import conftest
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests beside others has it ignored
from dnerv.encoding import encode
from dnerv.encoding.workspace import Workspace
from dnerv.progress import Listener, listening

_, _, job, source, target, signal_name, where = sys.argv

def stop():
    os.kill(os.getpid(), getattr(signal, signal_name))

if job == "TINY":
    from dnerv.training import trainer
    ticks = itertools.count(0, 15)  # a checkpoint every other step
    trainer.time = SimpleNamespace(monotonic=lambda: float(next(ticks)))

if where == "published":
    Workspace.remove = lambda self: stop()

class Stopper(Listener):
    title, units = "", 0
    def stage(self, title, total=None):
        self.title, self.units = title, 0
        if title == where:
            stop()
    def advance(self, units=1):
        self.units += units
        if f"{self.title} {self.units}" == where:
            stop()
    def training(self, progress):
        if str(progress.step) == where:
            stop()

with listening(Stopper()):
    if job == "add":
        from dnerv.encoding.adding import add
        add(target, [source])
    else:
        encode([source], target, getattr(conftest, job))
"""


@pytest.fixture
def stopped(warm_python: str) -> Callable[..., int]:
    """Encode, or add, in a process that gets a signal somewhere; its exit code.

    job: options by name, FAST or TINY, or `add`. where: the title of a stage, with a number behind it for so many of
    its units, the number of a training step, or `published`.
    """

    def run(job: str, source: Path, target: Path, where: str, sent: signal.Signals = signal.SIGKILL) -> int:
        words = [str(Path(__file__).parent), job, str(source), str(target), sent.name, where]
        command = [warm_python, "-c", STOPPED, *words]
        quiet = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=quiet, check=False, timeout=300, stderr=subprocess.DEVNULL).returncode

    return run

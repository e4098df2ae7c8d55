"""What `dnerv study recognition` is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from dnerv.encoding import EncodeOptions
from dnerv.engine import PRECISIONS, Precision
from dnerv.errors import InputError

Network = Literal["dnerv", "nerv"]
NETWORKS: tuple[Network, ...] = get_args(Network)
RATES = (0.02, 0.04, 0.08)


@dataclass(frozen=True)
class ClassifierOptions:
    """How the classifier is made; the same in every condition."""

    epochs: int = 20  # passes over the training videos
    frames: int = 8  # of a clip, spread over its video
    crop: int = 112  # side of the square that the network sees, pixels
    width: int = 16  # channels of the network's first stage
    flip: bool = True  # mirror every other clip in training; not for classes that tell left from right
    blocks: int = 1  # of each of its stages
    batch: int = 16  # clips
    learning_rate: float = 3e-3  # of AdamW, at its height
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    warm_up: float = 0.15  # of all steps

    def __post_init__(self) -> None:
        """Raise InputError for a value that is not allowed."""
        for name, flag, low in (
            ("epochs", "--classifier-epochs", 1),
            ("frames", "--frames", 1),
            ("crop", "--crop", 16),
        ):
            if getattr(self, name) < low:
                raise InputError(f"{flag} is {getattr(self, name)}; it is at least {low}")


@dataclass(frozen=True)
class RecognitionOptions:
    """One study."""

    resolution: tuple[int, int] | None = None  # height, width that frames are scaled to; None: their own
    fps: Fraction | None = None  # rate that videos are resampled to; None: their own
    labels: Path | None = None  # CSV with the columns path and label
    split: Path | None = None  # CSV with path, label and split, or UCF101's train list
    rates: tuple[float, ...] = RATES  # bits per pixel of the archives
    budget_seconds: float | None = None  # of training, for each archive; None: as `encode`, or as `epochs` says
    epochs: int | None = None
    classifier: ClassifierOptions = ClassifierOptions()
    seeds: int = 3  # trainings of the classifier in each condition
    seed: int = 0  # the first of them; of archives and, without a split file, of the split too
    preset: str = "veryslow"  # effort of H.264
    live: bool = False  # decode archives in every step of training
    precision: Precision = "auto"  # of the archives' networks while the classifier is fed
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Raise InputError for a value that is not allowed."""
        if not self.rates or len(set(self.rates)) < len(self.rates):
            raise InputError(f"--rates are {','.join(map(str, self.rates)) or 'none'}; give one or more, each once")
        if self.seeds < 1:
            raise InputError(f"--seeds is {self.seeds}; it is at least 1, and 3 give an interval worth reading")
        if self.seed < 0:
            raise InputError(f"--seed is {self.seed}; it is at least 0")
        if self.precision not in PRECISIONS:
            raise InputError(f"--precision is {self.precision!r}; known: {', '.join(PRECISIONS)}")
        for rate in self.rates:
            for network in NETWORKS:
                self.encoding(network, rate)

    def encoding(self, network: Network, rate: float) -> EncodeOptions:
        """Options of one archive. Raises InputError for one that `encode` would refuse."""
        return EncodeOptions(
            model=network,
            bits_per_pixel=rate,
            resolution=self.resolution,
            fps=self.fps,
            budget_seconds=self.budget_seconds,
            epochs=self.epochs,
            seed=self.seed,
        )

    @property
    def classifier_seeds(self) -> range:
        """Of the trainings."""
        return range(self.seed, self.seed + self.seeds)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, ClassifierOptions):
        return asdict(value)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, (Fraction, Path)) else value

"""What `dnerv compare` is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError, listed
from dnerv.evaluation.published import PublishedSet
from dnerv.studies.measures import Measure

Network = Literal["dnerv", "nerv"]
Codec = Literal["dnerv", "nerv", "x264", "x265", "svtav1", "aom", "vvc"]
NETWORKS: tuple[Network, ...] = get_args(Network)
CODECS: tuple[Codec, ...] = get_args(Codec)
PRESETS = ("veryslow", "slow", "medium", "fast", "ultrafast")
RATES = (0.02, 0.035, 0.06, 0.1)
DEFAULT_BUDGET_SECONDS = 60.0


@dataclass(frozen=True)
class CompareOptions:
    """One comparison."""

    resolution: tuple[int, int] | None = None  # height, width that frames are scaled to; None: their own
    fps: Fraction | None = None  # rate that videos are resampled to; None: their own
    rates: tuple[float, ...] = RATES  # bits per pixel of the archives, which the other codecs' settings cover
    budget_seconds: float | None = None  # of training, for each archive; None: 60 s, or as `epochs` says
    epochs: int | None = None
    codecs: tuple[str, ...] = CODECS
    anchor: str = "x265"  # that BD-rates are taken against
    preset: str = "veryslow"  # effort of the conventional codecs
    published: str | None = None  # the set that the videos are, by the user's word
    measures: tuple[Measure, ...] = ()  # on demand, beside PSNR and MS-SSIM
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for a value that is not allowed."""
        if len(self.rates) < 2 or len(set(self.rates)) < len(self.rates):
            raise InputError(f"--rates are {listed(self.rates)}; give two different ones or more, four for a curve")
        if not self.codecs or not set(self.codecs) <= set(CODECS) or len(set(self.codecs)) < len(self.codecs):
            raise InputError(f"--codecs are {listed(self.codecs)}; choose from {listed(CODECS)}, each once")
        if self.anchor not in self.codecs:
            raise InputError(f"--anchor is {self.anchor}; it must be one of --codecs {listed(self.codecs)}")
        if self.preset not in PRESETS:
            raise InputError(f"--preset is {self.preset!r}; choose from {listed(PRESETS)}")
        if not set(self.measures) <= set(get_args(Measure)):
            raise InputError(f"measures are {listed(self.measures)}; choose from {listed(get_args(Measure))}")
        if self.published not in (None, *get_args(PublishedSet)):
            raise InputError(f"--published is {self.published!r}; choose from {listed(get_args(PublishedSet))}")
        for rate in self.rates:
            for network in NETWORKS:
                self.encoding(network, rate)

    def encoding(self, network: Network, rate: float) -> EncodeOptions:
        """Options of one archive. Raises InputError for one that `encode` would refuse."""
        budget = self.budget_seconds
        if budget is None and self.epochs is None:
            budget = DEFAULT_BUDGET_SECONDS
        return EncodeOptions(
            model=network,
            bits_per_pixel=rate,
            resolution=self.resolution,
            fps=self.fps,
            budget_seconds=budget,
            epochs=self.epochs,
            seed=self.seed,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return plain | {"fps": None if self.fps is None else str(self.fps)}

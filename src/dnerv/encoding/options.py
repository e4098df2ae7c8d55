"""What a user can ask of an encoding: one frozen record; everything not asked for follows from the dial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from dnerv.errors import ArchiveError, InputError
from dnerv.families import PUBLISHED, Components, DNeRVConfig
from dnerv.training import LOSS_NAMES, LossName, Precision

DEFAULT_BITS_PER_PIXEL = 0.05
DEFAULT_BUDGET_SECONDS = 300.0


@dataclass(frozen=True)
class EncodeOptions:
    """Options of `dnerv encode`; None means: chosen by dnerv."""

    model: Literal["dnerv", "nerv"] = "dnerv"
    bits_per_pixel: float | None = None  # the dial: bits of the whole file over all pixels
    quality: int | None = None  # the dial by quality instead, 1 (smallest file) to 100
    preset: str | None = None  # the dial by a published network's name instead
    paper: bool = False  # the paper's head, loss, schedule, 8-bit weights and keyframe distance
    resolution: tuple[int, int] | None = None  # height, width that frames are scaled to; None: their own
    fps: Fraction | None = None  # rate that videos are resampled to; None: their own
    epochs: int | None = None
    budget_seconds: float | None = None
    keyframe_every: int | None = None
    keyframe_crf: float | None = None
    keyframe_mode: Literal["inter", "stills"] | None = None
    width: int | None = None  # C0, the network's width
    clip_length: int = 8
    components: Components | None = None  # parts of the network other than the recipe's
    network_share: float | None = None  # of all bytes, filled whatever the time for training; keyframes get the rest
    weight_bits: int | None = None
    loss: LossName | None = None
    learning_rate: float | None = None
    batch_clips: int | None = None
    ema: float | None = None
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        dials = [self.bits_per_pixel, self.quality, self.preset]
        if sum(dial is not None for dial in dials) > 1:
            raise InputError("--bpp, --quality and --size are one dial: give at most one of them")
        if self.epochs is not None and self.budget_seconds is not None:
            raise InputError("--epochs and --budget both bound the training: give at most one of them")
        if self.preset is not None and self.preset not in PUBLISHED:
            raise InputError(f"no network is called {self.preset!r}; known: {', '.join(PUBLISHED)}")
        if self.preset is not None and self.preset.startswith("nerv") != (self.model == "nerv"):
            raise InputError(f"--size {self.preset} does not go with --model {self.model}")
        if self.preset is not None and self.width is not None:
            raise InputError("--size names a network, and --width sizes one: give at most one of them")
        keyframes = [self.keyframe_every, self.keyframe_crf, self.keyframe_mode]
        if not self.uses_keyframes and any(option is not None for option in keyframes):
            network = "--model nerv" if self.model == "nerv" else "a network without fusion"
            raise InputError(f"{network} has no keyframes: leave the --keyframe options out")
        _check_name("--model", self.model, ("dnerv", "nerv"))
        _check_name("--keyframe-mode", self.keyframe_mode, ("inter", "stills", None))
        _check_name("--precision", self.precision, get_args(Precision))
        _check_name("--loss", self.loss, (*LOSS_NAMES, None))
        _check("--bpp", self.bits_per_pixel, 0.0001, 24)
        _check("--quality", self.quality, 1, 100)
        _check("--fps", self.fps, Fraction(1, 1000), 1000)
        _check("--budget", self.budget_seconds, 0, 10**8)
        _check("--epochs", self.epochs, 0, 10**8)
        _check("--keyframe-every", self.keyframe_every, 1, 65535)
        _check("--keyframe-crf", self.keyframe_crf, 1, 70)
        _check("--width", self.width, 1, 8192)
        _check("--clip-length", self.clip_length, 1, 256)
        _check("--weight-bits", self.weight_bits, 4, 8)
        _check("--learning-rate", self.learning_rate, 1e-9, 1)
        _check("--batch", self.batch_clips, 1, 4096)
        _check("--ema", self.ema, 0, 0.999999)
        _check("network_share", self.network_share, 0.01, 1)
        if self.network_share is not None and (self.preset is not None or self.width is not None):
            raise InputError("network_share, --size and --width all size the network: give at most one of them")
        self._check_components()
        for side in self.resolution or ():
            _check("--resolution", side, 8, 8192)

    @property
    def uses_keyframes(self) -> bool:
        """Whether the network is conditioned on keyframes."""
        return self.model != "nerv" and (self.components is None or self.components.fusion != "none")

    def _check_components(self) -> None:
        parts = self.components
        if parts is None:
            return
        if self.model == "nerv" or self.preset is not None:
            raise InputError("components are those of a D-NeRV that the dial sizes: leave --model nerv and --size out")
        if self.paper and parts.is_compact:
            raise InputError("--paper trains the paper's network, and components ask for the compact one")
        try:
            parts.applied(DNeRVConfig(2))
        except ArchiveError as error:
            raise InputError(f"components: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: what an interrupted run compares itself by."""
        return {name: str(v) if isinstance(v, Fraction) else v for name, v in asdict(self).items()}


def _check_name(flag: str, value: str | None, known: Sequence[str | None]) -> None:
    if value not in known:
        raise InputError(f"{flag} is {value!r}; known: {', '.join(name for name in known if name)}")


def _check(flag: str, value: float | Fraction | None, low: float | Fraction, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InputError(f"{flag} is {value}; allowed are {low} to {high}")

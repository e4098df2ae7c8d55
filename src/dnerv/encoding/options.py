"""What a user can ask of an encoding: frozen records; everything not asked for follows from the dial."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerv.errors import ArchiveError, InputError
from dnerv.families.registry import FAMILIES
from dnerv.options import RUNNING, Options, option
from dnerv.training.config import LossName, Precision

if TYPE_CHECKING:
    from dnerv.families import Components, Family, ModelConfig

DEFAULT_QUALITY = 50
DEFAULT_BUDGET_SECONDS = 300.0
FRAMES, DIAL, BASE = "Frames", "Size of the file", "The base layer"
NETWORK, TRAINING = "The network layer", "Its training"
EFFORTS = {"fast": 8, "default": 4, "small": 2}  # SVT-AV1's presets


def crf_of_quality(quality: int) -> float:
    """The encoder's scale: 65.5 for the smallest file to 16 for the best."""
    return 66 - quality / 2


def _published() -> tuple[str, ...]:
    from dnerv.families import PUBLISHED

    return tuple(PUBLISHED)


@dataclass(frozen=True)
class FrameOptions(Options):
    """How frames are read; None: as they are."""

    resolution: tuple[int, int] | None = option(
        None, "Scale frames to this size.", form="size", low=8, high=8192, unset="their own", group=FRAMES
    )
    fps: Fraction | None = option(
        None,
        "Resample videos to this rate (2, 23.976, 30000/1001); of image folders, otherwise 24, it is the rate.",
        low=Fraction(1, 1000),
        high=1000,
        unset="their own",
        group=FRAMES,
    )


@dataclass(frozen=True)
class EncodeOptions(FrameOptions):
    """Options of `dnerv encode`; None means: chosen by dnerv."""

    bits_per_pixel: float | None = option(
        None, "Bits of the whole file per pixel.", flag="--bpp", low=0.0001, high=24, group=DIAL
    )
    quality: int | None = option(
        None, "Quality instead, from the smallest file to the best.", low=1, high=100, unset="50", group=DIAL
    )
    crf: float | None = option(None, "The encoder's own scale instead, from the best.", low=1, high=70, group=DIAL)
    preset: str | None = option(
        None,
        "A published network's size instead: a name that `dnerv presets` lists.",
        flag="--size",
        choices=_published,
        metavar="NAME",
        group=DIAL,
    )
    effort: Literal["fast", "default", "small"] = option(
        "default", "Of the encoder: a fast run, or a small file.", group=BASE
    )
    access: int | None = option(
        None,
        "Coded frames at most that reaching a frame takes; `all`: its whole video.",
        form="frames",
        low=1,
        high=65_536,
        unset="chosen",
        group=BASE,
    )
    every: int | None = option(
        None, "Code every n-th frame, and make those between.", low=1, high=65_535, unset="chosen", group=BASE
    )
    references: bool = option(True, "Do not share pictures between videos.", off="--no-references", group=BASE)
    network: Literal["auto", "none", "always"] = option(
        "auto", "Keep a network where it is worth its bytes, never train one, or keep it whatever it is.", group=NETWORK
    )
    budget_seconds: float | None = option(
        None,
        "Time spent in training; without it nothing is trained.",
        flag="--budget",
        form="seconds",
        low=0,
        group=NETWORK,
    )
    epochs: int | None = option(None, "Passes over all clips instead.", low=0, group=NETWORK)
    model: str = option("dnerv", "Its family.", choices=FAMILIES, group=NETWORK)
    prior: str | None = option(
        None,
        "A network that is trained already, general or a file: its weights take no bytes, --budget adapts them.",
        metavar="NAME|FILE",
        group=NETWORK,
    )
    embed_prior: bool = option(False, "Put its weights into the archive: it is read without its file.", group=NETWORK)
    paper: bool = option(False, "The paper's head, loss, schedule, keyframe distance, 8-bit weights.", group=NETWORK)
    width: int | None = option(
        None, "Its width C0, in place of the dial's choice.", low=1, high=8192, unset="chosen", group=NETWORK
    )
    clip_length: int = option(8, "Frames decoded together.", low=1, high=256, group=NETWORK)
    components: Components | None = option(None, "Parts other than the recipe's.", is_typed=False)
    network_share: float | None = option(
        None, "Of all bytes, filled whatever the time; keyframes get the rest.", low=0.01, high=1, is_typed=False
    )
    weight_bits: int | None = option(
        None, "Of the weights' quantiser.", metavar="BITS", low=4, high=8, unset="chosen", group=NETWORK
    )
    loss: LossName | None = option(None, "What is made small.", unset="log-mse", group=TRAINING)
    learning_rate: float | None = option(
        None, "Of AdamW, at its height.", low=1e-9, high=1, unset="chosen", group=TRAINING
    )
    batch_clips: int | None = option(
        None, "Clips per step.", flag="--batch", low=1, high=4096, unset="chosen", group=TRAINING
    )
    ema: float | None = option(
        None, "Store an average of the weights with this decay per step.", low=0, high=0.999999, group=TRAINING
    )
    keyframe_dropout: float = option(
        0.0,
        "Share of the steps that know every second coded frame alone: frames in between become better.",
        low=0,
        high=0.9,
        group=TRAINING,
    )
    precision: Precision = option("auto", "Of its arithmetic.", group=TRAINING)
    seed: int = option(0, "Of initial weights and clip order.", group=TRAINING)

    def __post_init__(self) -> None:
        """Raise InputError for options that contradict each other, too."""
        super().__post_init__()
        dials = [self.bits_per_pixel, self.quality, self.crf, self.preset]
        if sum(dial is not None for dial in dials) > 1:
            raise InputError("--bpp, --quality, --crf and --size are one dial: give at most one of them")
        if self.epochs is not None and self.budget_seconds is not None:
            raise InputError("--epochs and --budget both bound the training: give at most one of them")
        if self.preset is not None and self.preset not in self._family.published:
            raise InputError(f"--size {self.preset} does not go with --model {self.model}")
        if self.preset is not None and self.width is not None:
            raise InputError("--size names a network, and --width sizes one: give at most one of them")
        self._check_components()
        self._check_prior()
        if self.keyframe_dropout and not self.uses_keyframes:
            raise InputError(f"--keyframe-dropout is {self.keyframe_dropout:g}, and this network knows no keyframes")
        if self.network == "none" and self._asks_for_network:
            raise InputError("--network none trains nothing: leave the options of the network and its training out")
        if (self.every, self.access, self.crf) != (None, None, None) and not self.uses_keyframes:
            network = f"--model {self.model}" if self.components is None else "a network without fusion"
            raise InputError(f"{network} has no base layer: leave --every, --access and --crf out")
        if self.access == 1 and self.every not in (None, 1):
            raise InputError("--access 1 codes every frame: a blend takes two coded ones; leave --every out")
        if self.network_share is not None and (self.preset is not None or self.width is not None):
            raise InputError("network_share, --size and --width all size the network: give at most one of them")

    @property
    def distance(self) -> int | None:
        """Frames from one coded frame to the next, where what was asked for leaves no choice."""
        return 1 if self.access == 1 else self.every

    @property
    def leaves_no_choice(self) -> bool:
        """Whether all videos are coded in one way that is known: there is nothing to find out on a sample."""
        known = self.bits_per_pixel is None and self.access is not None and self.distance is not None
        return known and not self.references and not self.trains and self.prior is None

    @property
    def encoder_preset(self) -> int:
        """SVT-AV1's."""
        return EFFORTS[self.effort]

    @property
    def trains(self) -> bool:
        """Whether a network is trained from nothing."""
        return self._asks_for_network and self.network != "none" and self.prior is None

    @property
    def is_published(self) -> bool:
        """Whether the network and its training are the paper's."""
        return self.paper or self.preset is not None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is chosen of the base layer but its quality: it is the paper's, or there is none."""
        return self.trains and (self.is_published or not self.uses_keyframes)

    @property
    def keeps_network(self) -> bool:
        """Whether the network stays, whatever it is worth: it was asked for by name, or there is nothing else."""
        return self.is_plain or (self.trains and self.network == "always")

    @property
    def _asks_for_network(self) -> bool:
        timed = self.budget_seconds is not None or self.epochs is not None
        sized = self.width is not None or self.preset is not None
        named = self.paper or sized or self.keyframe_dropout > 0 or self.model != type(self).model
        return timed or named or self.prior is not None or self.network == "always"

    @property
    def uses_keyframes(self) -> bool:
        """Whether the network is conditioned on keyframes."""
        return self._any_size.uses_keyframes

    @property
    def _family(self) -> Family[Any]:
        return FAMILIES[self.model]

    @property
    def _any_size(self) -> ModelConfig:
        """A small network of the kind that is asked for."""
        from dnerv.families import Sizing

        side = 64  # pixels: a multiple of every canvas's
        model: ModelConfig = self._family.sized(2, Sizing((side, side), paper=self.paper, components=self.components))
        return model

    def _check_prior(self) -> None:
        if self.prior is None:
            if self.embed_prior:
                raise InputError("--embed-prior: there is none without --prior")
            return
        sized = self.width is not None or self.preset is not None or self.components is not None
        if self.paper or sized or self.model != type(self).model or self.network_share is not None:
            raise InputError(
                "--prior is a network, whole: leave what chooses another out (--model, --width, --paper, ...)"
            )
        adds = self.embed_prior or self.budget_seconds is not None or self.epochs is not None
        if self.bits_per_pixel is not None and adds:
            raise InputError("--bpp fills the file with base layers: embed or adapt a prior at --quality or --crf")
        if self.ema is not None or self.loss is not None or self.keyframe_dropout:
            raise InputError(
                "--prior: --ema, --loss and --keyframe-dropout are of networks that are trained from nothing"
            )

    def _check_components(self) -> None:
        parts = self.components
        if parts is None:
            return
        if self.preset is not None:
            raise InputError("components are those of a network that the dial sizes: leave --size out")
        if self.paper and parts.is_compact:
            raise InputError("--paper trains the paper's network, and components ask for the compact one")
        try:
            _ = self._any_size
        except ArchiveError as error:
            raise InputError(f"components: {error}") from None


@dataclass(frozen=True)
class RunOptions(Options):
    """How an encoding is run: they do not decide what the archive is, and another run may go on with others."""

    labels: Path | None = option(
        None, "Labels by columns path,label.", metavar="CSV", unset="class folders", group=FRAMES
    )
    skip_bad: bool = option(False, "Leave unreadable videos out.", group=FRAMES)
    device: str = option("cpu", "Where the network runs: cpu, cuda, cuda:1, ...", metavar="NAME", group=RUNNING)
    cluster: str | None = option(
        None,
        "Have videos coded by the workers of a dask.distributed scheduler: tcp://HOST:PORT.",
        metavar="ADDRESS",
        unset="this process",
        group=RUNNING,
    )
    force: bool = option(False, "Replace an existing output.", group=RUNNING)
    restart: bool = option(False, "Discard an interrupted run's state.", group=RUNNING)
    keep_work: bool = option(False, "Keep OUTPUT.work at the end.", group=RUNNING)

"""What a network is made of: one frozen record per family, stored in the archive as JSON.

The fields are enough to rebuild the network with no other flag. Bounds are checked here because a record may come from
an untrusted file: a hostile one must end in `ArchiveError`, not in an attempt to allocate a terabyte.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import log, prod
from typing import Any, Literal, get_args

from dnerv.errors import ArchiveError

HeadKind = Literal["paper", "residual"]
FusionKind = Literal["adaptive", "concatenation", "none"]
TemporalKind = Literal["mlp", "convolution", "attention", "none"]
FlowKind = Literal["multi-scale", "single-scale", "none"]


@dataclass(frozen=True)
class DNeRVConfig:
    """D-NeRV (He et al., CVPR 2023, section 3). Defaults are the paper's; `base_channels` is its width C0."""

    base_channels: int  # C0, channels of the stem's output
    grid: tuple[int, int] = (4, 5)  # rows, columns of the coarsest feature map
    strides: tuple[int, ...] = (4, 2, 2, 2, 2)  # upsampling per decoder stage, coarse to fine
    clip_length: int = 8  # T, frames decoded together
    keyframe_every: int = 8  # K, frames between keyframes; T in the paper
    min_channels: int = 32  # floor of the width rule of the later stages
    min_hidden: int = 1  # floor of the C // 4 hidden channels in flow and output heads
    encoder_channels: int = 64  # channels of every keyframe feature map
    stem_channels: int = 512  # hidden width of the stem
    encoding_base: float = 1.25  # frequency ratio of the positional encoding
    encoding_levels: int = 240  # its levels; each gives a sine and a cosine
    head: HeadKind = "paper"  # "residual" adds the network's correction to the warped, blended keyframes
    output_stride: int = 1  # ours: frame pixels per side of a pixel of the last features; above 1 the head shuffles
    adaptive_blend: bool = False  # ours: the last flow head also shifts the weight of the RGB blend, pixel by pixel
    refined_flow: bool = False  # ours: each scale's flow refines the coarser one's instead of starting anew
    contrast: bool = False  # ours: fusion and head see, beside the blend, how the two warped keyframes differ
    fusion: FusionKind = "adaptive"  # SAF, or features side by side as in a U-Net; none: no keyframes at all
    temporal: TemporalKind = "mlp"  # after each stage: GTMLP, or a depthwise convolution or attention over the clip
    temporal_kernel: int = 3  # frames that the temporal convolution sees, odd
    flow: FlowKind = "multi-scale"  # single: the coarsest scale's, enlarged; none: features are blended where they are
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of the data set's RGB, in [0, 1]
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)

    def __post_init__(self) -> None:
        _check_common(self.base_channels, self.grid, self.strides, self.stem_channels)
        _check_encoding(self.encoding_base, self.encoding_levels)
        _check_range("output_stride", self.output_stride, 1, 8)
        _check_range("canvas side", max(self.canvas), 1, 8192)
        _check_range("clip_length", self.clip_length, 1, 256)
        _check_range("keyframe_every", self.keyframe_every, 1, 65535)
        _check_range("encoder_channels", self.encoder_channels, 1, 4096)
        _check_range("min_channels", self.min_channels, 1, 4096)
        _check_range("min_hidden", self.min_hidden, 1, 4096)
        for mean, std in zip(self.mean, self.std, strict=True):
            _check_range("mean", mean, 0, 1)
            _check_range("std", std, 1e-4, 1)
        _check_kind("head", self.head, HeadKind)
        _check_kind("fusion", self.fusion, FusionKind)
        _check_kind("temporal", self.temporal, TemporalKind)
        _check_kind("flow", self.flow, FlowKind)
        _check_range("temporal_kernel", self.temporal_kernel, 1, 255)
        if self.temporal_kernel % 2 == 0:
            raise ArchiveError(f"temporal_kernel is {self.temporal_kernel}; it is an odd number of frames")
        if self.fusion == "none" and (self.flow != "none" or self.head == "residual" or self.contrast):
            raise ArchiveError("flow, contrast and the residual head need keyframes, that is, fusion")
        if self.flow != "multi-scale" and (self.adaptive_blend or self.refined_flow):
            raise ArchiveError("the adaptive blend and the refined flow need multi-scale flow")

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width in pixels of the frames that the network makes."""
        height, width = _canvas(self.grid, self.strides)
        return height * self.output_stride, width * self.output_stride

    @property
    def uses_keyframes(self) -> bool:
        """Whether frames are conditioned on keyframes."""
        return self.fusion != "none"

    @property
    def absolute_time(self) -> bool:
        """Whether time runs over all videos, and not over each: without keyframes nothing else tells them apart."""
        return not self.uses_keyframes

    @property
    def entry_channels(self) -> int:
        """Channels that enter the first decoder stage: the stem's, and the coarsest keyframe features."""
        return self.base_channels + (self.encoder_channels if self.uses_keyframes else 0)

    @property
    def fused_channels(self) -> int:
        """Channels that fusion is given of keyframes."""
        return self.encoder_channels * (2 if self.contrast else 1)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Output channels of each decoder stage (the paper's width rule)."""
        return _stage_channels(self.base_channels, self.strides, self.min_channels)


@dataclass(frozen=True)
class NeRVConfig:
    """NeRV (Chen et al., NeurIPS 2021) as the D-NeRV paper uses it for its baseline: time in, frame out."""

    base_channels: int
    grid: tuple[int, int] = (4, 5)
    strides: tuple[int, ...] = (4, 2, 2, 2, 2)
    clip_length: int = 8  # frames decoded together; frames are independent, so only a batch size
    min_channels: int = 32
    stem_channels: int = 512
    encoding_base: float = 1.25
    encoding_levels: int = 240

    def __post_init__(self) -> None:
        _check_common(self.base_channels, self.grid, self.strides, self.stem_channels)
        _check_encoding(self.encoding_base, self.encoding_levels)
        _check_range("clip_length", self.clip_length, 1, 256)
        _check_range("min_channels", self.min_channels, 1, 4096)

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width in pixels of the frames that the network makes."""
        return _canvas(self.grid, self.strides)

    @property
    def uses_keyframes(self) -> bool:
        """Whether frames are conditioned on keyframes: never."""
        return False

    @property
    def absolute_time(self) -> bool:
        """Whether time runs over all videos: always."""
        return True

    @property
    def keyframe_every(self) -> int:
        """There are no keyframes; the clip length keeps a video's layout defined."""
        return self.clip_length

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Output channels of each stage."""
        return _stage_channels(self.base_channels, self.strides, self.min_channels)


ModelConfig = DNeRVConfig | NeRVConfig
_SWITCHES = {  # of the first archives, in which a part was there or not: today's field, and its kind where it was
    "fusion": ("fusion", "adaptive"),
    "temporal_mlp": ("temporal", "mlp"),
    "flow": ("flow", "multi-scale"),
}
_FAMILIES: dict[str, type[DNeRVConfig] | type[NeRVConfig]] = {"dnerv": DNeRVConfig, "nerv": NeRVConfig}


def config_to_json(config: ModelConfig) -> dict[str, Any]:
    """The record as JSON; fields at their default are left out, which keeps small archives small."""
    defaults = {f.name: f.default for f in fields(config)}
    family = "nerv" if isinstance(config, NeRVConfig) else "dnerv"
    changed = {name: value for name, value in asdict(config).items() if value != defaults[name]}
    return {"family": family, **changed}


def config_from_json(record: Any) -> ModelConfig:
    """Inverse of `config_to_json`.

    Raises:
        ArchiveError: an unknown family or field, a wrong type, or a value out of range.
    """
    family = _FAMILIES.get(str(record.get("family"))) if isinstance(record, dict) else None
    if family is None:
        raise ArchiveError("the archive's model record names no known family (known: dnerv, nerv)")
    known = {f.name: f for f in fields(family)}
    values = {}
    for name, value in record.items():
        if name == "family":
            continue
        if name in _SWITCHES and isinstance(value, bool):
            name, kind = _SWITCHES[name]
            value = kind if value else "none"
        if name not in known:
            raise ArchiveError(f"the archive's model record has an unknown field {name!r}; a newer dnerv may know it")
        values[name] = _typed(name, value, str(known[name].type))
    try:
        return family(**values)
    except TypeError as error:
        raise ArchiveError(f"the archive's model record is incomplete: {error}") from None


def _typed(name: str, value: Any, annotation: str) -> Any:
    if annotation.startswith("tuple[int"):
        if isinstance(value, list) and all(type(v) is int for v in value):
            return tuple(value)
    elif annotation.startswith("tuple[float"):
        if isinstance(value, list) and len(value) == 3 and all(map(_is_number, value)):
            return tuple(float(v) for v in value)
    elif annotation == "float":
        if _is_number(value):
            return float(value)
    elif type(value) is {"int": int, "bool": bool}.get(annotation, str):
        return value
    raise ArchiveError(f"the archive's model record has {name} = {value!r}, which is not {annotation}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e38  # a longer integer would not fit a float


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ArchiveError(f"{name} is {value}; allowed: {low} to {high}")


def _check_kind(name: str, value: str, kinds: Any) -> None:
    if value not in get_args(kinds):
        raise ArchiveError(f"{name} is {value!r}; known: {', '.join(get_args(kinds))}")


def _check_encoding(base: float, levels: int) -> None:
    _check_range("encoding_levels", levels, 1, 1024)
    _check_range("encoding_base", base, 0.01, 100)
    # Beyond float32 the angle is infinite, and its sine is not a number.
    _check_range("power of ten of the highest frequency", (levels - 1) * log(base) / log(10), -36, 36)


def _check_common(base: int, grid: tuple[int, ...], strides: tuple[int, ...], stem: int) -> None:
    _check_range("base_channels", base, 1, 8192)
    _check_range("stem_channels", stem, 1, 65536)
    _check_range("number of grid sides", len(grid), 2, 2)
    _check_range("number of stages", len(strides), 1, 8)
    for stride in strides:
        _check_range("stride", stride, 1, 8)
    for side in grid:
        _check_range("grid side", side, 1, 1024)
        _check_range("canvas side", side * prod(strides), 1, 8192)


def _canvas(grid: tuple[int, int], strides: tuple[int, ...]) -> tuple[int, int]:
    scale = prod(strides)
    return grid[0] * scale, grid[1] * scale


def _stage_channels(base: int, strides: tuple[int, ...], floor: int) -> tuple[int, ...]:
    channels = [2 * base]
    for stride in strides[1:]:
        channels.append(max(round(channels[-1] / stride), floor))
    return tuple(channels)

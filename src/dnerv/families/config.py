"""What a network is made of: one frozen record per family, stored in the archive as JSON.

The fields are enough to rebuild the network with no other flag. Bounds are checked here because a record may come from
an untrusted file: a hostile one must end in `ArchiveError`, not in an attempt to allocate a terabyte.
"""

from __future__ import annotations

from dataclasses import Field, fields
from math import log, prod
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints

from dnerv.errors import ArchiveError

Colour = tuple[float, float, float]  # of RGB, in [0, 1]

LARGEST_TENSOR = 1 << 29  # numbers; 2 GiB of float32, so that some 8 GiB decode whatever may be stored


class ModelConfig(Protocol):
    """What the rest of the house asks of a configuration, whatever its family: a frozen dataclass.

    Raises ArchiveError where its fields are out of range; `check_size` is the last of its checks.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __hash__(self) -> int:
        """It is frozen."""

    @property
    def base_channels(self) -> int:
        """The width, which everything else in the network grows with."""

    @property
    def clip_length(self) -> int:
        """T, frames decoded together."""

    @property
    def keyframe_every(self) -> int:
        """K, frames between keyframes; the clip length where there are none."""

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width in pixels of the frames that the network makes."""

    @property
    def uses_keyframes(self) -> bool:
        """Whether frames are conditioned on keyframes."""

    @property
    def absolute_time(self) -> bool:
        """Whether time runs over all videos, and not over each."""

    @property
    def statistics(self) -> tuple[Colour, Colour] | None:
        """Mean and standard deviation of the corpus's RGB; None where the network does not know them."""

    @property
    def largest_tensor(self) -> int:
        """Numbers in the largest tensor on the way from one clip's inputs to its frames."""


ConfigT = TypeVar("ConfigT", bound=ModelConfig)


def config_of_fields(kind: type[ConfigT], values: dict[str, Any]) -> ConfigT:
    """Inverse of `dataclasses.asdict`, for values that may be anything: all fields stand in an archive, whole.

    Raises:
        ArchiveError: an unknown field, one missing, a wrong type, or a value out of range.
    """
    hints = get_type_hints(kind)
    known = {each.name: hints[each.name] for each in fields(kind)}
    if unknown := next((name for name in values if name not in known), None):
        raise ArchiveError(f"the archive's model record has an unknown field {unknown!r}; a newer dnerv may know it")
    if missing := next((name for name in known if name not in values), None):
        raise ArchiveError(f"the archive's model record has no field {missing!r}")
    return kind(**{name: _typed(name, value, known[name]) for name, value in values.items()})


def _typed(name: str, value: Any, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        kinds = kinds[:1] * len(value) if kinds[-1] is Ellipsis and isinstance(value, list) else kinds
        if isinstance(value, list) and len(value) == len(kinds):
            return tuple(_typed(name, each, kind) for each, kind in zip(value, kinds, strict=True))
    elif hint is float:
        if type(value) in (int, float) and abs(value) < 1e38:  # a longer integer would not fit a float
            return float(value)
    elif type(value) is (hint if hint in (int, bool) else str):
        return value
    raise ArchiveError(f"the archive's model record has {name} = {value!r}, which is not {_in_words(hint)}")


def _in_words(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ArchiveError unless `value` lies from `low` to `high`."""
    if not low <= value <= high:
        raise ArchiveError(f"{name} is {value}; allowed: {low} to {high}")


def check_kind(name: str, value: str, kinds: Any) -> None:
    """Raise ArchiveError unless `value` is one of a Literal's."""
    if value not in get_args(kinds):
        raise ArchiveError(f"{name} is {value!r}; known: {', '.join(get_args(kinds))}")


def check_stem(base: float, levels: int, hidden: int) -> None:
    """Raise ArchiveError for a time encoding or a stem that cannot be."""
    check_range("encoding_levels", levels, 1, 1024)
    check_range("encoding_base", base, 0.01, 100)
    # Beyond float32 the angle is infinite, and its sine is not a number.
    check_range("power of ten of the highest frequency", (levels - 1) * log(base) / log(10), -36, 36)
    check_range("stem_channels", hidden, 1, 65536)


def check_stages(base: int, grid: tuple[int, int], strides: tuple[int, ...], clip_length: int, floor: int) -> None:
    """Raise ArchiveError for a grid, upsampling or widths that cannot be."""
    check_range("base_channels", base, 1, 8192)
    check_range("number of stages", len(strides), 1, 8)
    for stride in strides:
        check_range("stride", stride, 1, 8)
    for side in grid:
        check_range("grid side", side, 1, 1024)
        check_range("canvas side", side * prod(strides), 1, 8192)
    check_range("clip_length", clip_length, 1, 256)
    check_range("min_channels", floor, 1, 4096)


def check_size(config: ModelConfig) -> None:
    """Raise ArchiveError for a network whose tensors no reader should be made to allocate."""
    if config.largest_tensor > LARGEST_TENSOR:
        height, width = config.canvas
        raise ArchiveError(
            f"the network needs a tensor of {config.largest_tensor:,} numbers for a clip of {config.clip_length} "
            f"frames of {height}x{width}; allowed are {LARGEST_TENSOR:,}"
        )


def scales(strides: tuple[int, ...]) -> tuple[int, ...]:
    """How many times finer than the grid the features are: before each stage, and after the last."""
    return tuple(prod(strides[:stage]) for stage in range(len(strides) + 1))


def stage_channels(base: int, strides: tuple[int, ...], floor: int) -> tuple[int, ...]:
    """Output channels of each upsampling stage (the paper's width rule)."""
    channels = [2 * base]
    for stride in strides[1:]:
        channels.append(max(round(channels[-1] / stride), floor))
    return tuple(channels)

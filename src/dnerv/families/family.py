"""What a family of networks is to the rest of the house: everything that depends on it, in one record.

A new family is one module with a configuration (`ModelConfig`), a network (`Network`) and a `Family` of the two, named
in `dnerv.families.registry`, or handed to `register` from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from dnerv.families.config import Colour, ConfigT, ModelConfig
from dnerv.families.network import Network

if TYPE_CHECKING:
    from dnerv.families.dnerv import Components


@dataclass(frozen=True)
class Sizing:
    """What is settled of a network before its width."""

    canvas: tuple[int, int]  # height, width: multiples of `sizes.CANVAS_MULTIPLE`, of the paper's with `paper`
    clip_length: int = 8
    keyframe_every: int = 8  # of no meaning to a family without keyframes
    mean: Colour = (0.5, 0.5, 0.5)  # of the corpus
    std: Colour = (0.25, 0.25, 0.25)
    paper: bool = False  # the paper's own grid and floors, not ours
    components: Components | None = None  # parts other than the recipe's; a family without such parts refuses them


@dataclass(frozen=True)
class PublishedModel:
    """A row of the paper's size tables."""

    config: ModelConfig
    millions: float  # parameters, in millions, as published
    keyframe_quality: int | None  # of the learned image codec in the paper; None where there are no keyframes


@dataclass(frozen=True)
class Family(Generic[ConfigT]):
    """A kind of network, chosen by name."""

    name: str  # in archives, records and on the command line
    title: str  # for tables and charts
    config: type[ConfigT]
    network: Callable[[ConfigT], Network]  # freshly initialised, on the CPU
    sized: Callable[[int, Sizing], ConfigT]  # the width's network; ArchiveError or InputError for what cannot be
    multiply_adds: Callable[[ConfigT], int]  # of the convolutions for a frame; a keyframe's are shared by its frames
    is_of_a_corpus: bool = True  # learns the videos that it is stored with; others are trained before, on other ones
    published: Mapping[str, PublishedModel] = field(default_factory=dict)  # by name
    # (pattern, ours) of the authors' checkpoints: the first that matches the start of a weight's name renames it.
    weight_names: tuple[tuple[str, str], ...] = ()

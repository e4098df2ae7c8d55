"""What is asked of a configuration whatever its family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dnerv.errors import ArchiveError
from dnerv.families.config import ModelConfig, config_of_fields
from dnerv.families.family import Family, PublishedModel
from dnerv.families.network import Network
from dnerv.families.registry import FAMILIES


class _Published(Mapping[str, PublishedModel]):
    """The published networks of all families, those registered later too."""

    def __getitem__(self, name: str) -> PublishedModel:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, PublishedModel]:
        return {name: model for family in FAMILIES.values() for name, model in family.published.items()}


PUBLISHED: Mapping[str, PublishedModel] = _Published()


def family_of(config: ModelConfig) -> Family[Any]:
    """The family that a configuration belongs to. ValueError where it is none's."""
    for family in FAMILIES.values():
        if type(config) is family.config:
            return family
    raise ValueError(f"{type(config).__name__} is the configuration of no family; known: {', '.join(FAMILIES)}")


def config_to_json(config: ModelConfig) -> dict[str, Any]:
    """The configuration as JSON, every field of it: what an archive says must not depend on a default in the code."""
    return {"family": family_of(config).name, **asdict(config)}


def config_from_json(record: Any) -> ModelConfig:
    """Inverse of `config_to_json`.

    Raises:
        ArchiveError: an unknown family or field, one missing, a wrong type, or a value out of range.
    """
    family = FAMILIES.get(str(record.get("family"))) if isinstance(record, dict) else None
    if family is None:
        raise ArchiveError(f"the archive's model record names no known family (known: {', '.join(FAMILIES)})")
    config: ModelConfig = config_of_fields(family.config, {k: v for k, v in record.items() if k != "family"})
    return config


def build_model(config: ModelConfig) -> Network:
    """The network of a configuration, freshly initialised, on the CPU."""
    return family_of(config).network(config)


def model_from_weights(config: ModelConfig, weights: Mapping[str, Tensor]) -> Network:
    """The network of a configuration with these float32 weights, by name; it takes them over without a copy.

    Nothing is initialised only to be overwritten, which for large networks takes longer than everything else here.
    """
    with torch.device("meta"):
        model = build_model(config)
    model.load_state_dict(weights, assign=True)
    return model


def count_parameters(config: ModelConfig) -> int:
    """Parameters of a configuration's network, without allocating them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(config).parameters())


def multiply_adds(config: ModelConfig) -> int:
    """Multiply-adds of the convolutions for one frame of the canvas, those for each keyframe shared by its frames."""
    return family_of(config).multiply_adds(config)


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight tensor, in the order in which the archive stores them."""
    with torch.device("meta"):
        return {name: tuple(p.shape) for name, p in build_model(config).named_parameters()}

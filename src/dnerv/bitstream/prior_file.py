"""A prior on disk, `NAME.prior`: its weights in the safetensors format, and its card as JSON beside them.

Weights are float16, so that what is trained, shipped and named by hash is the same to the bit; the hash is of names,
shapes and weights alone: a card may be corrected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.files import write_atomically

_CARD = "dnerv-prior"  # the card's place among the file's metadata
_HASH_BYTES = 16


@dataclass(frozen=True)
class PriorFile:
    """A prior's weights, and what is known of it."""

    weights: Mapping[str, NDArray[np.float16]]  # by name, in the order in which they are stored
    model: Mapping[str, Any]  # its configuration, as `dnerv.families.config_to_json` writes it
    card: Mapping[str, Any]  # what it was trained on and for how long, and what it gained: for people

    @cached_property
    def hash(self) -> str:
        """Its name in archives: 32 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=_HASH_BYTES)
        for name, weight in sorted(self.weights.items()):
            digest.update(json.dumps([name, list(weight.shape)]).encode())
            digest.update(np.ascontiguousarray(weight, "<f2").tobytes())
        return digest.hexdigest()

    def write(self, path: Path) -> None:
        """Whole, or not at all. Raises OutputError."""
        from safetensors.numpy import save

        said = {"model": dict(self.model), "card": dict(self.card)}
        weights = {name: np.ascontiguousarray(weight) for name, weight in self.weights.items()}
        write_atomically(path, save(weights, {_CARD: json.dumps(said)}))


def read_prior(path: Path) -> PriorFile:
    """What `PriorFile.write` wrote. Raises InputError for anything else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            said = json.loads((file.metadata() or {})[_CARD])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            model, card = dict(said["model"]), dict(said["card"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is no prior ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    for name, weight in weights.items():
        if weight.dtype != np.float16 or not np.isfinite(weight).all():
            raise InputError(f"{path}: is no prior (its {name} is not made of float16 numbers)")
    return PriorFile(weights, model, card)

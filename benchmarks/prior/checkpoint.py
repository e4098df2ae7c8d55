"""Weights in the safetensors format, written and read without its package; and how they fare in eight bits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from prior.model import Prior, PriorConfig
from torch import Tensor

_DTYPES = {"F32": "<f4", "F16": "<f2"}


def save(prior: Prior, path: Path, facts: Mapping[str, object]) -> None:
    """float32 weights, the configuration and some facts, whole or not at all."""
    metadata = {"config": json.dumps(asdict(prior.config)), "facts": json.dumps(facts)}
    header: dict[str, object] = {"__metadata__": metadata}
    parts, at = [], 0
    for name, value in prior.state_dict().items():
        data = value.detach().float().cpu().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_suffix(".partial")
    partial.write_bytes(b"".join((len(text).to_bytes(8, "little"), text, *parts)))
    partial.replace(path)


def load(path: Path) -> tuple[Prior, dict[str, object]]:
    """What `save` wrote; also with float16 in place of float32, as in `weights/`."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__")
    config = json.loads(metadata["config"])
    prior = Prior(PriorConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}))
    state = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = np.frombuffer(data[start + first : start + last], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
        state[name] = torch.from_numpy(values.astype(np.float32))
    prior.load_state_dict(state)
    return prior, json.loads(metadata["facts"])


def in_eight_bits(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as 255 levels per output channel would give them back; biases as they are."""
    rounded = {}
    for name, value in state.items():
        if value.dim() > 1:
            step = value.abs().flatten(1).amax(1).clamp(min=1e-12).view(-1, *[1] * (value.dim() - 1)) / 127
            value = (value / step).round() * step
        rounded[name] = value
    return rounded

"""The parts that a D-NeRV is put together from, other than the recipe has them: what ablations and trials vary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dnerv.families.dnerv.config import DNeRVConfig, FlowKind, FusionKind, HeadKind, TemporalKind


@dataclass(frozen=True)
class Components:
    """Parts of a network; None: as the recipe has it."""

    is_compact: bool | None = None  # our compact network (`compact_dnerv`), or the paper's scaled (`scaled_dnerv`)
    fusion: FusionKind | None = None  # none: no keyframes; flow, contrast and the residual head go with them
    temporal: TemporalKind | None = None
    temporal_kernel: int | None = None  # frames that the temporal convolution sees, odd
    flow: FlowKind | None = None  # other than multi-scale: the adaptive blend and the refined flow go with it
    head: HeadKind | None = None

    def applied(self, config: DNeRVConfig) -> DNeRVConfig:
        """The configuration with these parts. Raises ArchiveError for parts that do not go together."""
        parts: dict[str, Any] = {
            name: kind
            for name in ("fusion", "temporal", "temporal_kernel", "flow", "head")
            if (kind := getattr(self, name)) is not None
        }
        if self.fusion == "none":
            parts = {"flow": "none", "head": "paper", "contrast": False} | parts
        if parts.get("flow", config.flow) != "multi-scale":
            parts |= {"adaptive_blend": False, "refined_flow": False}
        return replace(config, **parts)

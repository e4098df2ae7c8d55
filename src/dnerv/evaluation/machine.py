"""What a measurement ran on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from dnerv.codecs import compiled
from dnerv.process import usable_cores


@dataclass(frozen=True)
class Machine:
    """The facts that a figure of speed is worth nothing without."""

    processor: str  # model name
    cores: int  # that this process may use
    threads: int  # that torch computes with
    device: str  # "cpu", or the accelerator's name
    python: str
    torch: str
    conversion: str  # who makes RGB of planes: "compiled" (codecs._planes) or "swscale"


def describe_machine(device: torch.device) -> Machine:
    """This machine, and `device` of it."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Machine(
        _processor(),
        usable_cores(),
        torch.get_num_threads(),
        accelerator,
        platform.python_version(),
        torch.__version__,
        conversion(),
    )


def conversion() -> str:
    """See `Machine.conversion`."""
    return "swscale" if compiled.planes is None else "compiled"


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        facts = []
    names = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

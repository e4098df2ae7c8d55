"""What `dnerv report` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from dnerv.errors import InputError


@dataclass(frozen=True)
class ReportOptions:
    """One page."""

    frames: int = 32  # shown of each video, from its middle
    videos: int = 4  # shown of each study, the first ones; 0: charts and tables alone
    rate: float | None = None  # of the archives shown, one of the comparison's; None: the middle one

    def __post_init__(self) -> None:
        """Raise InputError for a value out of range."""
        for name, value, low in (("--frames", self.frames, 1), ("--videos", self.videos, 0)):
            if value < low:
                raise InputError(f"{name} is {value}; it must be at least {low}")
        if self.rate is not None and not self.rate > 0:
            raise InputError(f"--rate is {self.rate:g}; give one of the comparison's rates, in bits per pixel")

"""One candidate's rounds as a row of the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from dnerv.evaluation.timing import Spread, ratios
from dnerv.studies.loading_speed.candidate import Candidate, Round, Speed


def row(candidate: Candidate, rounds: Sequence[Round], reference: Sequence[Round]) -> dict[str, Any]:
    """Speeds of a candidate, and their ratios to the reference's of the same rounds."""
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "batch_size": candidate.batch_size,
        "bytes": candidate.size,
        "note": candidate.note,
        "cold": _state([r.cold for r in rounds], [r.cold for r in reference]),
        "warm": _state([r.warm for r in rounds], [r.warm for r in reference]),
    }


def _state(speeds: Sequence[Speed], reference: Sequence[Speed]) -> dict[str, Any]:
    frames = [speed.frames_per_second for speed in speeds]
    return {
        "clips_per_second": median(speed.clips_per_second for speed in speeds),
        "frames_per_second": asdict(Spread.of(frames)),
        "ratio": asdict(ratios(frames, [speed.frames_per_second for speed in reference])),
        "rounds": [asdict(speed) for speed in speeds],
    }

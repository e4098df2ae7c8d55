"""The paper's table, to be measured against."""

from __future__ import annotations

from typing import Any

from dnerv.evaluation.published import PAPER

PUBLISHED: dict[str, Any] = {
    "raw": 91.3,
    "bits_per_pixel": [0.056, 0.067, 0.081],  # of models S, M and L
    "trained_raw_tested_compressed": {
        "h264": [77.2, 82.4, 85.5],
        "nerv": [71.9, 75.9, 80.0],
        "dnerv": [81.1, 84.4, 86.4],
    },
    "trained_compressed_tested_raw": {
        "h264": [86.7, 87.9, 88.9],
        "nerv": [84.5, 85.8, 86.9],
        "dnerv": [87.9, 89.0, 90.0],
    },
    "set": "UCF101, first split, 256x320, 2 frames a second; TSM with pretrained weights, top-1 in percent",
    "source": f"{PAPER}, recognition table",
}

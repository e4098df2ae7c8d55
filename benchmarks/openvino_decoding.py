"""Rows of the decoding benchmark that OpenVINO makes, and those that they are compared with, interleaved.

python benchmarks/openvino_decoding.py [rounds]     the paper's C0 = 107 at 256x320, 16 frames, random weights
"""

import sys
import time
from collections.abc import Callable
from statistics import median

import torch
import transcription
from torch import Tensor

from dnerv.engine import Decoder
from dnerv.engine.openvino import OPENVINO_PRECISIONS, open_decoder
from dnerv.model import ClipInputs, DNeRV, DNeRVConfig, load_published_state

Row = Callable[[], Tensor]


def openvino_rows(model: DNeRV, inputs: ClipInputs) -> tuple[dict[str, Row], dict[str, float]]:
    """By precision: decode `inputs`, keyframes included, and the seconds that opening took (calibration too)."""
    rows: dict[str, Row] = {}
    seconds: dict[str, float] = {}
    for precision in OPENVINO_PRECISIONS:
        started = time.perf_counter()
        decoder = open_decoder(model, precision, lambda: [inputs])
        seconds[precision] = time.perf_counter() - started
        rows[precision] = lambda decoder=decoder: decoder.decode(inputs)  # type: ignore[misc]
    return rows, seconds


def interleaved(rows: dict[str, Row], rounds: int) -> dict[str, float]:
    """Median seconds of each row, all rows once a round; two rounds more warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds + 2):
        for name, row in rows.items():
            started = time.perf_counter()
            row()
            if number > 1:
                seconds[name].append(time.perf_counter() - started)
    return {name: median(values) for name, values in seconds.items()}


def main(rounds: int = 15) -> None:
    """Print frames/s and ratios."""
    config, clips, frames = DNeRVConfig(107), [1, 3], 64
    state = transcription.authors_state(config)
    model = DNeRV(config)
    load_published_state(model, state, config)
    inputs = transcription.clip_inputs(config, frames, clips)
    ends = [(int(inputs.start[clip, 0]), int(inputs.end[clip, -1])) for clip in range(len(clips))]
    pairs = torch.stack([torch.stack([inputs.keyframes[k] for k in pair], dim=1) for pair in ends])

    def plain() -> Tensor:
        with torch.inference_mode():
            return transcription.paper_dnerv(state, config, pairs, clips, frames).transpose(1, 2)

    fused = Decoder(model, torch.device("cpu"), "bf16")
    rows, seconds = openvino_rows(model, inputs)
    found = interleaved({"transcription": plain, "torch bf16": lambda: fused.decode(inputs), **rows}, rounds)
    for name, value in found.items():
        setup = f"  opened in {seconds[name]:.1f} s" if name in seconds else ""
        print(f"{name:15} {inputs.time.numel() / value:6.1f} frames/s {found['transcription'] / value:6.2f}x{setup}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

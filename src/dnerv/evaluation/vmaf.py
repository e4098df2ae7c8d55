"""VMAF (Li et al. 2016), by the libvmaf in `imageio-ffmpeg`'s program, with the model that is built into it.

VMAF looks at luma alone. Both sides go to 8-bit 4:2:0 with the colour conversion of the anchors, so what differs is
what coding changed. It was trained on films at 1080 lines: on small frames its values are no opinion of viewers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dnerv.codecs import Frame, Planes
from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size
from dnerv.codecs.ffmpeg_program import ffmpeg_names, run_ffmpeg
from dnerv.errors import InputError

MODEL = "vmaf_v0.6.1"


def check_vmaf() -> None:
    """Raise InputError where the program or its filter is missing."""
    if "libvmaf" not in ffmpeg_names("filters"):
        raise InputError("imageio-ffmpeg's program has no libvmaf: leave --vmaf out")


def vmaf(frames: Iterable[Frame], decoded: Iterable[Frame], scratch: Path) -> float:
    """Mean over the frames of one video, in [0, 100].

    Args:
        frames, decoded: uint8 [H, W, 3] RGB, as many and as large. scratch: a folder for their raw planes, half of the
        frames' size on disk while this runs.

    Raises:
        InputError: the program fails, or the numbers of frames differ.
    """
    with TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        sizes = [_write(side, folder / f"{i}.yuv") for i, side in enumerate((frames, decoded))]
        if sizes[0] != sizes[1]:
            raise InputError(f"VMAF compares videos of one size: {sizes[0]} and {sizes[1]} frames, rows, columns")
        _, height, width = sizes[0]
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", "25"]
        log = folder / "log.json"
        # A path is a value inside a filter's text: this one has no character that would have to be escaped there.
        graph = f"[0:v][1:v]libvmaf=model=version={MODEL}:log_fmt=json:log_path={log}"
        # libvmaf's first input is the distorted one.
        inputs = [word for i in (1, 0) for word in (*raw, "-i", str(folder / f"{i}.yuv"))]
        run_ffmpeg(["-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"])
        return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def _write(frames: Iterable[Frame], path: Path) -> tuple[int, int, int]:
    converter, count, size = ColourConverter(Planes(depth=8)), 0, (0, 0)
    with path.open("wb") as file:
        for frame in frames:
            size = padded_size(frame.shape[0], frame.shape[1])
            picture = converter.to_yuv(pad_frame(frame, *size))
            file.write(np.ascontiguousarray(picture.to_ndarray()).tobytes())
            count += 1
    return count, *size

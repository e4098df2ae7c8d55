"""Make the golden archives anew, after a change of the format: `python tests/golden/make.py`.

Two videos of drifting waves, one of an odd size and with a last partial clip, trained for two epochs, by each family;
and beside them what they decode to here, which `test_golden.py` holds every other machine to.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.video import Timing, write_mp4

HERE = Path(__file__).parent
VIDEOS = {"even": (9, 32, 48), "odd": (6, 27, 31)}  # frames, rows, columns
OPTIONS = {
    "dnerv": EncodeOptions(model="dnerv", width=3, clip_length=4, keyframe_every=4, keyframe_crf=45, epochs=2),
    "nerv": EncodeOptions(model="nerv", width=3, clip_length=4, epochs=2),
}


def main() -> None:
    """Write all archives and `frames.npz`."""
    frames = {}
    with TemporaryDirectory() as folder:
        for name, shape in VIDEOS.items():
            write_mp4(Path(folder) / f"{name}.mp4", iter(_waves(*shape)), Timing.constant(Fraction(25), shape[0]))
        for family, options in OPTIONS.items():
            encode([Path(folder)], HERE / f"{family}.dnerv", options, force=True)
            with Archive(HERE / f"{family}.dnerv") as archive:
                frames |= {f"{family} {name}": archive[name][:].numpy() for name in archive.names}
    np.savez_compressed(HERE / "frames.npz", **frames)  # type: ignore[arg-type]


def _waves(count: int, height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width] / 9.0
    phases = np.arange(count)[:, None, None]
    colours = [128 + 90 * np.sin(a * x + b * y + 0.4 * phases) for a, b in ((1, 0.3), (0.2, 1.1), (0.7, -0.8))]
    return np.stack(colours, axis=-1).astype(np.uint8)


if __name__ == "__main__":
    main()

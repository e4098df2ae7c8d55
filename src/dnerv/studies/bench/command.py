"""Any other decoder, as a command: `--decoder 'NAME=COMMAND'`.

The command is run once for every clip, several at a time, without a shell. In its words these fields are replaced:
{archive} the .dnerv file, {video} the original file, {name} the video's name, {first} and {frames} the clip's first
frame and their number, {height} and {width} of the frames to write, {output} where to write them: raw RGB, 3 bytes a
pixel, frame after frame. For example

    --decoder 'ffmpeg=ffmpeg -v error -i {video} -vf trim=start_frame={first},setpts=PTS-STARTPTS,scale={width}:{height}
               -frames:v {frames} -pix_fmt rgb24 -f rawvideo {output}'

The time to start a process counts: it is part of such a decoder.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from shutil import which
from string import Formatter
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from dnerv.errors import InputError
from dnerv.families import channels_first
from dnerv.studies.bench.candidate import Candidate, ClipPlace, Load
from dnerv.studies.bench.sample import Sample

FIELDS = ("archive", "video", "name", "first", "frames", "height", "width", "output")


def command(text: str, archive: Path, sample: Sample, batch_size: int, device: torch.device) -> Candidate:
    """The candidate that runs a command that `check_commands` has let through."""
    name, words = parse_command(text)
    sources = {video.original for video in sample.videos.values() if video.original is not None}
    files = tuple(sorted(p for p in sources if p.is_file())) if _reads_originals(words) else (archive,)
    size = sum(path.stat().st_size for path in files)
    opened = partial(_opened, name, words, archive, sample, device)
    return Candidate(name, "command", batch_size, files, size, shlex.join(words), opened)


def check_commands(texts: Sequence[str], has_originals: bool) -> None:
    """Raise InputError for a decoder that could not take part, before anything is measured."""
    commands = [parse_command(text) for text in texts]
    for name, words in commands:
        if sum(name == other for other, _ in commands) > 1:
            raise InputError(f"--decoder {name} is given twice; each decoder needs a name of its own")
        if which(words[0]) is None:
            raise InputError(f"--decoder {name}: there is no program {words[0]!r} on the path")
        if _reads_originals(words) and not has_originals:
            raise InputError(f"--decoder {name} reads {{video}}, the original file: give --originals too")


def parse_command(text: str) -> tuple[str, list[str]]:
    """Name and words of `NAME=COMMAND`. Raises InputError for anything else, or for fields that are not known."""
    name, equals, line = text.partition("=")
    try:
        words = shlex.split(line)
        fields = {field for word in words for _, field, _, _ in Formatter().parse(word) if field is not None}
    except ValueError as error:
        raise InputError(f"--decoder {text!r} cannot be read: {error}") from None
    if not (name.strip() and equals and words):
        raise InputError(f"--decoder is {text!r}; give NAME=COMMAND")
    if not fields <= set(FIELDS) or "output" not in fields:
        raise InputError(f"--decoder {name} has the fields {sorted(fields)}; {{output}} is needed, known are {FIELDS}")
    return name.strip(), words


def _reads_originals(words: Sequence[str]) -> bool:
    return any("{video}" in word for word in words)


@contextmanager
def _opened(
    name: str, words: Sequence[str], archive: Path, sample: Sample, device: torch.device, threads: int
) -> Iterator[Load]:
    with TemporaryDirectory(prefix="dnerv-bench-") as scratch, ThreadPoolExecutor(threads) as pool:
        numbers = count()

        def one(place: ClipPlace) -> Tensor:
            output = Path(scratch) / str(next(numbers))
            return _run(name, words, archive, sample, place, output).to(device)

        yield lambda batch: list(pool.map(one, batch))


def _run(name: str, words: Sequence[str], archive: Path, sample: Sample, place: ClipPlace, output: Path) -> Tensor:
    video, frames = sample.videos[place.video], sample.frames_of(place)
    height, width = video.store.height, video.store.width
    values = (archive, video.original, video.name, frames.start, len(frames), height, width, output)
    filled = [word.format_map(dict(zip(FIELDS, values, strict=True))) for word in words]
    try:
        subprocess.run(filled, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        pixels = np.fromfile(output, np.uint8)
        output.unlink()
    except subprocess.CalledProcessError as error:
        last = (error.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"--decoder {name} ended with code {error.returncode}: {last}") from None
    except OSError as error:
        raise InputError(f"--decoder {name}: {error.filename}: {error.strerror}") from None
    if pixels.size != len(frames) * height * width * 3:
        wanted = f"{len(frames)} frames of {height}x{width}x3 are {len(frames) * height * width * 3}"
        raise InputError(f"--decoder {name} wrote {pixels.size} bytes; {wanted}")
    return channels_first(pixels.reshape(len(frames), height, width, 3))

"""libaom and VVC (libvvenc), through the ffmpeg program of `imageio-ffmpeg`: encoders that PyAV does not have.

    frames uint8 [H, W, 3] --yuv420p10le--> ffmpeg ──> elementary stream on disk

Notable decisions:
- 10 bits, as SVT-AV1 codes here, with the colour conversion of all other anchors; sides are padded to 64 as for them.
- One thread, constant quality, a keyframe every 250 frames. FFmpeg's wrapper of libvvenc takes that distance in seconds
  alone, and codes delimiters unless told not to: a third of the bytes of small streams.
- VVC is told to leave perceptual optimisation out and libaom is tuned for PSNR, since PSNR is what is compared.
- Frames go through a pipe, one by one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal, get_args

import av
import numpy as np

from dnerv.codecs.codec import Frame, checked_frames
from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size
from dnerv.errors import InputError
from dnerv.evaluation.ffmpeg_binary import ffmpeg_names, ffmpeg_program, last_words

ProgramCodec = Literal["aom", "vvc"]
ENCODERS = {"aom": "libaom-av1", "vvc": "libvvenc"}
QUALITY_RANGE = (1, 63)  # libaom's crf and libvvenc's qp
_SPEED = {
    "aom": {"veryslow": "1", "slow": "2", "medium": "4", "fast": "6", "ultrafast": "8"},
    "vvc": {"veryslow": "slower", "slow": "slow", "medium": "medium", "fast": "fast", "ultrafast": "faster"},
}
_SMALLEST_SIDE = 64  # pixels, as the other anchors
_KEYFRAME_DISTANCE = 250  # frames


def encode_with_program(
    codec: ProgramCodec, frames: Iterable[Frame], path: Path, *, fps: float | Fraction, quality: int, preset: str
) -> tuple[int, int, int]:
    """Code one video into the file at `path`.

    Args:
        frames: uint8 [H, W, 3] RGB, all of one size. quality: 1 (best) to 63: libaom's crf, libvvenc's qp.
        preset: veryslow, slow, medium, fast or ultrafast.

    Returns:
        Number, height and width of the frames.

    Raises:
        InputError: the program is not there or has no such encoder, an option out of range, no frame, or a frame that
            cannot be coded.
    """
    if not QUALITY_RANGE[0] <= quality <= QUALITY_RANGE[1]:
        raise InputError(f"quality is {quality}; {codec} takes {QUALITY_RANGE[0]} to {QUALITY_RANGE[1]}")
    check_program_codec(codec)
    source = checked_frames(frames)
    first = next(source, None)
    if first is None:
        raise InputError("there are no frames to code; a video has at least one")
    height, width = first.shape[:2]
    size = padded_size(height, width, smallest=_SMALLEST_SIDE)
    rate = Fraction(fps).limit_denominator(90000)
    words = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{size[1]}x{size[0]}", "-r", str(rate)]
    command = [ffmpeg_program(), *words, "-i", "-", *program_options(codec, quality, preset, rate), "-y", str(path)]
    return _feed(command, codec, chain([first], source), size), height, width


def check_program_codec(codec: str) -> None:
    """Raise InputError where the program or its encoder is missing."""
    if codec not in get_args(ProgramCodec):
        raise InputError(f"codec is {codec!r}; ffmpeg codes {', '.join(get_args(ProgramCodec))}")
    if ENCODERS[codec] not in ffmpeg_names("encoders"):
        raise InputError(f"imageio-ffmpeg's program {ffmpeg_program()} has no {ENCODERS[codec]}")


def program_options(codec: ProgramCodec, quality: int, preset: str, fps: Fraction) -> list[str]:
    """The words that tell ffmpeg how to code. Raises InputError for an unknown preset."""
    if preset not in _SPEED[codec]:
        raise InputError(f"preset is {preset!r}; {codec} takes {', '.join(_SPEED[codec])}")
    speed = _SPEED[codec][preset]
    common = ["-c:v", ENCODERS[codec], "-threads", "1"]
    if codec == "aom":
        constant = ["-crf", str(quality), "-b:v", "0", "-cpu-used", speed]
        return [*common, *constant, "-tune", "psnr", "-g", str(_KEYFRAME_DISTANCE), "-f", "obu"]
    seconds = max(1, round(_KEYFRAME_DISTANCE / fps))
    bare = ["-period", str(seconds), "-vvenc-params", "accessunitdelimiter=0"]
    return [*common, "-qp", str(quality), "-qpa", "0", "-preset", speed, *bare, "-f", "vvc"]


def _feed(command: list[str], codec: str, frames: Iterator[Frame], size: tuple[int, int]) -> int:
    """Run the command with the frames as its input, and count them."""
    count, broken = 0, False
    with TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints)
        assert process.stdin is not None
        try:
            for planes in map(_planes, _pictures(frames, size)):
                process.stdin.write(planes)
                count += 1
            process.stdin.close()
        except BrokenPipeError:  # it has given up, and said why
            broken = True
        except BaseException:
            process.kill()
            raise
        finally:
            with suppress(OSError):
                process.stdin.close()
            process.wait()
        complaints.seek(0)
        if process.returncode or broken:
            raise InputError(f"{codec} cannot code {size[1]}x{size[0]} frames: {last_words(complaints.read())}")
    return count


def _pictures(frames: Iterator[Frame], size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    converter = ColourConverter()
    return (converter.to_yuv(pad_frame(frame, *size), "yuv420p10le") for frame in frames)


def _planes(picture: av.VideoFrame) -> bytes:
    """Y, U, V without the padding that FFmpeg adds to lines."""
    return np.ascontiguousarray(picture.to_ndarray()).astype("<u2", copy=False).tobytes()

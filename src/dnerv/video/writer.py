"""Decoded frames back to people: an mp4 that plays anywhere, or a folder of PNG images.

Output gathers under a temporary name beside its destination and is renamed at the end, so that an error, a
full disk, Ctrl-C or a kill leaves nothing half written (`dnerv.files`).
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dnerv.errors import InputError, OutputError
from dnerv.files import remove, temporary_beside
from dnerv.video.picture import video_frame
from dnerv.video.planes import CODES, Matrix, Planes
from dnerv.video.timing import Timing


def write_mp4(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    timing: Timing,
    *,
    crf: float = 16,
    matrix: Matrix = "bt709",
    full_range: bool = False,
    depth: int = 8,
    pixel_aspect: Fraction | None = None,
    force: bool = False,
) -> None:
    """Write `frames`, each uint8 [H, W, 3] RGB, as H.264 with their own times.

    crf: x264's quality, 0 (lossless luma) to 51. matrix, full_range, depth: of its planes, 8 or 10 bits, flagged with
    the primaries and the curve of the matrix's standard. Even sizes are 4:2:0; odd ones, which 4:2:0 cannot hold, are
    4:4:4. pixel_aspect: how many times as wide as high players show a pixel. A start before time 0 is moved to 0, since
    players drop what comes earlier.
    Raises OutputError if `path` exists and not `force`, or cannot be written; InputError if the frames do not
    fit `timing` or each other, or for a matrix or depth that is not known.
    """
    planes = Planes(matrix, full_range, depth)
    if not 0 <= crf <= 51:
        raise InputError(f"crf {crf}: allowed are 0 to 51")
    check_mp4(path, force=force)
    with _as_output_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_beside(path) as partial:
            # Times below a millisecond survive only if the movie's own time scale is as fine as the stream's.
            options = {"movie_timescale": str(timing.time_base.denominator), "movflags": "+faststart"}
            with av.open(str(partial), "w", format="mp4", options=options) as container:
                _encode(container, frames, timing, crf, planes, pixel_aspect, path)
            partial.replace(path)


def write_png_folder(
    directory: Path, frames: Iterable[NDArray[np.uint8]], *, first: int | None = None, force: bool = False
) -> None:
    """Write `frames`, each uint8 [H, W, 3] RGB, losslessly as 00000.png, 00001.png, ... in `directory`.

    first: number of the first image, for a part of a video; it joins the other parts in `directory`, and with `force`
    replaces images of its own numbers alone.
    Raises OutputError if `directory` holds anything (for a part: an image of its numbers; with `force`: anything but
    such images, which are replaced) or cannot be written; InputError if a frame is of another size than the first, or
    there is none.
    """
    present = _images_of_ours(directory)
    with _as_output_error(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with temporary_beside(directory, is_folder=True) as partial:
            _write_images(partial, frames, first or 0, directory)
            if first is None:
                if present and not force:
                    raise _exists(directory)
                remove(directory)  # which holds nothing but images of ours
                partial.replace(directory)
                return
            numbers = sorted(entry.name for entry in partial.iterdir())
            taken = present.intersection(numbers)
            if taken and not force:
                raise _exists(directory / min(taken))
            directory.mkdir(exist_ok=True)
            for name in numbers:
                (partial / name).replace(directory / name)


def check_png_folder(directory: Path, numbers: range | None, *, force: bool = False) -> None:
    """Raise OutputError where `write_png_folder` would refuse to write a whole video, or images of these numbers."""
    present = _images_of_ours(directory)
    taken = present if numbers is None else present.intersection(map(_image_name, numbers))
    if taken and not force:
        raise _exists(directory if numbers is None else directory / min(taken))


def check_mp4(path: Path, *, force: bool = False) -> None:
    """Raise OutputError where `write_mp4` would refuse to write."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, a file name is needed")
    if os.path.lexists(path) and not force:
        raise _exists(path)


def _image_name(number: int) -> str:
    return f"{number:05d}.png"


def _write_images(folder: Path, frames: Iterable[NDArray[np.uint8]], first: int, directory: Path) -> None:
    encoder: VideoCodecContext | None = None
    for number, frame in enumerate(frames, first):
        encoder = encoder or _png_encoder(frame)
        _check_frame(frame, (encoder.height, encoder.width), directory)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        (folder / _image_name(number)).write_bytes(b"".join(bytes(p) for p in encoder.encode(picture)))
    if encoder is None:
        raise InputError(f"{directory}: there is no frame to write")


def _images_of_ours(directory: Path) -> frozenset[str]:
    """Names of the images in `directory`. Raises OutputError where it holds something else."""
    if not os.path.lexists(directory):
        return frozenset()
    if not directory.is_dir():
        raise OutputError(f"{directory}: is a file, a folder name is needed")
    with _as_output_error(directory):
        names = frozenset(entry.name for entry in directory.iterdir())
    foreign = [name for name in names if not re.fullmatch(r"[0-9]{5,}\.png", name)]
    if foreign:
        raise OutputError(f"{directory}: holds {foreign[0]!r}, not only our PNG images; it is left as it is")
    return names


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path}: exists already; --force (force=True) replaces it")


@contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _encode(
    container: OutputContainer,
    frames: Iterable[NDArray[np.uint8]],
    timing: Timing,
    crf: float,
    planes: Planes,
    aspect: Fraction | None,
    path: Path,
) -> None:
    shift = max(0, -timing.pts[0])
    times = [tick + shift for tick in timing.pts]
    ends = [*times[1:], times[-1] + timing.last_duration]
    durations = {begin: end - begin for begin, end in zip(times, ends, strict=True)}
    stream: VideoStream | None = None
    count = 0
    for count, frame in enumerate(frames, 1):
        stream = stream or _add_stream(container, frame, timing, crf, planes, aspect)
        _check_frame(frame, (stream.height, stream.width), path)
        if count > len(times):
            break
        picture = video_frame(frame, cast(str, stream.pix_fmt), planes)
        picture.pts, picture.time_base = times[count - 1], timing.time_base
        _mux(container, stream, picture, durations)
    if stream is None or count != len(times):
        given = "more" if count > len(times) else count
        raise InputError(f"{path}: {len(times)} frames were announced by the timing, {given} were given")
    _mux(container, stream, None, durations)


def _add_stream(
    container: OutputContainer,
    frame: NDArray[np.uint8],
    timing: Timing,
    crf: float,
    planes: Planes,
    aspect: Fraction | None,
) -> VideoStream:
    # Without B-frames decoding and display order agree, and every frame's duration is exact in the file.
    options = {"crf": str(crf), "bf": "0"}
    rate = Fraction(timing.average_fps).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=max(rate, Fraction(1, 1001)), options=options)
    stream.height, stream.width = frame.shape[:2]
    is_odd = stream.height % 2 or stream.width % 2
    stream.pix_fmt = planes.pixel_format.replace("420", "444") if is_odd else planes.pixel_format
    context = stream.codec_context
    context.time_base = stream.time_base = timing.time_base
    if aspect is not None:
        context.sample_aspect_ratio = aspect.limit_denominator(1 << 16)
    context.color_range = ColorRange.JPEG if planes.full_range else ColorRange.MPEG
    context.color_primaries, context.color_trc, context.colorspace = CODES[planes.matrix]
    return stream


def _mux(
    container: OutputContainer, stream: VideoStream, picture: av.VideoFrame | None, durations: dict[int, int]
) -> None:
    for packet in stream.encode(picture):
        packet.duration = durations[cast(int, packet.pts)]
        container.mux(packet)


def _png_encoder(frame: NDArray[np.uint8]) -> VideoCodecContext:
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = frame.shape[:2]
    encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1, 25)
    encoder.thread_count = 1  # frame threads would hold images back
    return encoder


def _check_frame(frame: NDArray[np.uint8], size: tuple[int, int], path: Path) -> None:
    if frame.dtype != np.uint8 or frame.shape != (*size, 3):
        raise InputError(f"{path}: frame of {frame.dtype} {list(frame.shape)}, not uint8 {[*size, 3]}")
